"""Where a run is: the statuses of section 3, what can be found in a state, and its equality."""

from __future__ import annotations

from typing import Final

import pytest

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, RetryPolicy, StepSpec, events
from conductor_core.events import (
    ContinueAsNewSuggested,
    Event,
    GenerationFailed,
    GroupsGenerated,
    PauseRequested,
    StepStarted,
)
from conductor_core.state import FlowState, initial_state
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)

PAUSE = PauseRequested(at_ms=0, by="ann")
PLAN = StepSpec(key="plan", approval=ApprovalSpec())
SLOW = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[1000], jitter=False))
PARKING = FlowOptions(on_failure="await-retry")


# --- the flow ---

FLOW_STATUSES: Final[dict[str, tuple[str, list[StepSpec | str], list[Event]]]] = {
    "before it starts": ("pending", ["a"], []),
    "while work is under way": ("in-progress", ["a"], [START]),
    "while work is under way, though paused": ("in-progress", ["a"], [START, PAUSE]),
    "while an attempt waits to be retried": ("in-progress", [SLOW], [START, failed("slow#1")]),
    "while its group waits to be retried": (
        "in-progress",
        [SLOW],
        [START, failed("slow#1", directive="retry-group")],
    ),
    "while its group waits to be retried, though paused": (
        "in-progress",
        [SLOW],
        [START, PAUSE, failed("slow#1", directive="retry-group")],
    ),
    "when paused with nothing under way": ("paused", ["a", "b"], [START, PAUSE, succeeded("a#1")]),
    "when paused with an approval open": ("paused", [PLAN], [START, PAUSE, succeeded("plan#1")]),
    "when a failure is parked": ("failed-pending-retry", ["a"], [START, failed("a#1")]),
    "when an approval is open": ("approval-awaiting", [PLAN], [START, succeeded("plan#1")]),
    "while a cancel is carried out": ("cancelling", ["a"], [START, cancelled()]),
    "when all went well": ("success", ["a"], [START, succeeded("a#1")]),
    "when it was stopped": ("error", ["a"], [START, failed("a#1", directive="stop")]),
    "when it was cancelled": ("cancelled", ["a"], [START, cancelled(), succeeded("a#1")]),
}


@pytest.mark.parametrize("when", FLOW_STATUSES)
def test_the_status_of_a_flow(when: str) -> None:
    """The first status that matches is the flow's (section 3)."""
    status, steps, history = FLOW_STATUSES[when]
    assert given(flow(group("g", *steps), options=PARKING), *history).state.status == status


def test_a_cancel_before_the_start_ends_the_flow() -> None:
    """A pending flow that is cancelled is cancelled, not cancelling."""
    assert given(flow(group("g", "a")), cancelled()).state.status == "cancelled"


def test_a_flow_that_waits_for_its_groups_is_in_progress() -> None:
    """While groups are generated and nothing else is left, it is in progress even when paused."""
    assert given(FlowSpec(), START, PAUSE).state.status == "in-progress"
    part = GroupsGenerated(at_ms=0, groups=[group("g", PLAN)], complete=False)
    assert given(FlowSpec(), START, part, succeeded("plan#1")).state.status == "approval-awaiting"


def test_a_flow_that_continues_as_new_is_in_progress() -> None:
    """Until its host runs on, whatever else it waits for."""
    suggested = ContinueAsNewSuggested(at_ms=0, incarnation=0)
    state = given(flow(group("g", PLAN)), START, succeeded("plan#1"), suggested).state
    assert state.status == "in-progress"


def test_a_parked_failure_outranks_an_open_approval() -> None:
    """Of two things that a person must do the retry is named first."""
    both = group("g", "a", PLAN, parallel=True)
    state = given(flow(both, options=PARKING), START, succeeded("plan#1"), failed("a#1")).state
    assert state.status == "failed-pending-retry"


def test_live_is_between_start_and_end() -> None:
    """A flow is live once it has started and until it has an outcome, also while cancelling."""
    spec = flow(group("g", "a"))
    assert not initial_state(spec, "flow").is_live
    assert given(spec, START, cancelled()).state.is_live
    assert given(spec, START, cancelled()).state.is_cancelling
    assert not given(spec, START, succeeded("a#1")).state.is_live
    assert not given(spec, cancelled()).state.is_cancelling


# --- groups ---

TWO = flow(group("g", "a", "b"), group("h", "c"))
APPROVED = flow(group("g", PLAN, "b"), group("h", "c"))
SLOWLY = flow(group("g", SLOW, "b"), group("h", "c"))
PARKED = flow(group("g", "a", "b"), group("h", "c"), options=PARKING)
BESIDE = flow(group("g", "a", "b", parallel=True), group("h", "c"))

GROUP_STATUSES: Final[dict[str, tuple[FlowSpec, list[Event], str, str]]] = {
    "before the start": (TWO, [], "pending", "pending"),
    "once its work is under way": (TWO, [START], "in-progress", "pending"),
    "between two steps": (TWO, [START, PAUSE, succeeded("a#1")], "in-progress", "pending"),
    "when it is paused before it ran": (
        TWO,
        [START, PAUSE, succeeded("a#1"), events.ResumeRequested(at_ms=0, by="ann"), PAUSE,
         succeeded("b#1")],
        "success",
        "pending",
    ),
    "while an attempt waits": (SLOWLY, [START, failed("slow#1")], "in-progress", "pending"),
    "while it waits to be retried": (
        SLOWLY,
        [START, failed("slow#1", directive="retry-group")],
        "in-progress",
        "pending",
    ),
    "when a failure is parked": (
        PARKED,
        [START, failed("a#1")],
        "failed-pending-retry",
        "pending",
    ),
    "when an approval is open": (
        APPROVED,
        [START, succeeded("plan#1")],
        "approval-awaiting",
        "pending",
    ),
    "once its wait is over, held by a pause": (
        SLOWLY,
        [START, PAUSE, failed("slow#1"), fired("backoff:slow#2", at_ms=1000)],
        "in-progress",
        "pending",
    ),
    "once the flow went past it": (
        TWO,
        [START, succeeded("a#1"), succeeded("b#1")],
        "success",
        "in-progress",
    ),
    "at the end": (
        TWO,
        [START, succeeded("a#1"), succeeded("b#1"), succeeded("c#1")],
        "success",
        "success",
    ),
    "when it stopped the flow": (TWO, [START, failed("a#1")], "error", "discarded"),
    "while its stop waits for others": (BESIDE, [START, failed("a#1")], "in-progress", "pending"),
    "while the flow is cancelling": (TWO, [START, cancelled()], "in-progress", "discarded"),
    "when the flow was cancelled": (
        TWO,
        [START, cancelled(), succeeded("a#1")],
        "cancelled",
        "discarded",
    ),
    "when the flow was cancelled before it began": (TWO, [cancelled()], "discarded", "discarded"),
    "when its stop was answered by a rerun": (
        TWO,
        [START, failed("a#1"), retried("a")],
        "in-progress",
        "pending",
    ),
}  # fmt: skip


@pytest.mark.parametrize("when", GROUP_STATUSES)
def test_the_status_of_a_group(when: str) -> None:
    """The first status that matches is the group's (section 3); here of two groups."""
    spec, history, first, second = GROUP_STATUSES[when]
    state = given(spec, *history).state
    assert [state.group_status(0), state.group_status(1)] == [first, second]


def test_a_group_that_was_skipped_whole_is_a_success() -> None:
    """A group that the flow went past is a success, whatever became of its steps."""
    state = given(TWO, START, succeeded("a#1", directive="skip-group")).state
    assert state.group_status(0) == "success"


def test_a_later_group_that_was_skipped_along_is_a_success() -> None:
    """Nothing is left to do in it, and nothing went wrong, before the flow gets there."""
    state = given(PARKED, START, failed("a#1"), skipped("a", "c")).state
    assert [state.group_status(0), state.group_status(1)] == ["in-progress", "success"]


def test_a_later_group_of_which_a_part_was_skipped_along_is_in_progress() -> None:
    """It has begun for the person who skipped, though none of its steps ever ran."""
    spec = flow(group("g", "a", "b"), group("h", "c", "d"), options=PARKING)
    state = given(spec, START, failed("a#1"), skipped("a", "c")).state
    assert state.group_status(1) == "in-progress"


def test_a_group_of_which_all_waits_is_in_progress() -> None:
    """An attempt that waits to be retried is work under way, with nothing pending beside it."""
    state = given(flow(group("g", SLOW)), START, failed("slow#1")).state
    assert state.group_status(0) == "in-progress"


def generating(*steps: StepSpec | str, parallel: bool = True) -> list[Event]:
    """A flow has begun with one generated group, and its generation fails."""
    groups = [group("g", *steps, parallel=parallel)]
    part = GroupsGenerated(at_ms=0, groups=groups, complete=False)
    return [START, part, GenerationFailed(at_ms=0)]


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ([*generating("a", PLAN), succeeded("a#1"), succeeded("plan#1")], "discarded"),
        ([*generating("a"), succeeded("a#1")], "success"),
        ([*generating("a"), failed("a#1")], "error"),
        ([*generating("a", "b", parallel=False), succeeded("a#1")], "discarded"),
        ([*generating("a", "b", parallel=False), failed("a#1")], "error"),
        ([*generating("a"), succeeded("a#1", directive="stop")], "error"),
    ],
)
def test_a_group_that_ran_when_generation_failed(history: list[Event], status: str) -> None:
    """Swept work makes it discarded, a failure of its own error; else it is a success."""
    state = given(FlowSpec(), *history).state
    assert state.outcome is not None
    assert state.outcome.reason in ("generation-failed", "failed", "stopped-by-step")
    assert state.group_status(0) == status


def test_a_group_whose_stop_was_decided_by_a_skipped_step_is_an_error() -> None:
    """Skipping a step with its dependents stops the group, though the step itself is skipped."""
    skip = answered("plan", "skip-current-and-dependents")
    state = given(APPROVED, START, succeeded("plan#1"), skip).state
    assert [state.group_status(0), state.group_status(1)] == ["error", "discarded"]


# --- what is in it ---


def retried_twice() -> FlowState:
    """A flow whose first step runs for the third time."""
    eager = StepSpec(key="a", retry=RetryPolicy(max_auto_retries=5, backoff_ms=[]))
    spec = flow(group("g", eager, "b"), group("h", "c"))
    return given(spec, START, failed("a#1"), failed("a#2")).state


def test_attempts_are_listed_in_flow_order_oldest_first() -> None:
    """Superseded attempts stand before the live one of their step (S1.2)."""
    state = retried_twice()
    assert [attempt.id for attempt in state.attempts()] == ["a#1", "a#2", "a#3", "b#1", "c#1"]
    assert [attempt.id for attempt in state.current_attempts()] == ["a#3", "b#1"]
    assert [attempt.id for attempt in state.live_of(1)] == ["c#1"]


@pytest.mark.parametrize("attempt_id", ["a#1", "a#2", "a#3", "b#1", "c#1"])
def test_an_attempt_is_found_by_its_id(attempt_id: str) -> None:
    """Live or superseded, and only by the very id."""
    found = retried_twice().attempt(attempt_id)
    assert found is not None
    assert found.id == attempt_id


@pytest.mark.parametrize(
    "attempt_id",
    ["a", "a#", "a#0", "a#4", "a#01", "a#-1", "a#x", "a#\u00b9", "a#\u0661", "a#1#1", "x#1",
     "#1", "", f"a#{10**9}", f"a#{'9' * 5000}"],
)  # fmt: skip
def test_what_is_no_attempt_is_not_found(attempt_id: str) -> None:
    """Other numbers, other digits, other steps and nonsense name nothing."""
    assert retried_twice().attempt(attempt_id) is None


def test_open_timers_are_listed_by_id() -> None:
    """The timers of work, of approvals and of waits, with the time at which they are due."""
    quick = StepSpec(key="quick", timeout_ms=70)
    patient = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=500))
    spec = flow(group("g", SLOW, quick, patient, parallel=True))
    state = given(spec, START, failed("slow#1", at_ms=1), succeeded("plan#1", at_ms=2)).state
    expected = (("approval:plan#1", 502), ("backoff:slow#2", 1001), ("timeout:quick#1", 70))
    assert state.timers() == expected
    assert given(state, cancelled(at_ms=10)).state.timers() == (("cancel", 30_010),)


def test_the_wait_of_a_group_is_a_timer_of_its_own() -> None:
    """A group that waits is named with the generation that comes."""
    spec = flow(group("g", SLOW, "b"))
    state = given(spec, START, failed("slow#1", directive="retry-group", at_ms=5)).state
    assert state.timers() == (("backoff:g@1", 1005),)
    assert state.wait_timer == "backoff:g@1"


def test_a_flow_that_waits_for_no_time_has_no_timer() -> None:
    """Before the start, after the end and in between where nothing has a limit."""
    spec = flow(group("g", "a"))
    histories: list[list[Event]] = [[], [START], [START, succeeded("a#1")]]
    for history in histories:
        assert given(spec, *history).state.timers() == ()


def test_open_approvals_are_listed_in_flow_order() -> None:
    """Those of the current group, whenever they were asked for."""
    other = StepSpec(key="other", approval=ApprovalSpec())
    spec = flow(group("g", PLAN, other, parallel=True))
    state = given(spec, START, succeeded("other#1"), succeeded("plan#1")).state
    assert [attempt.id for attempt in state.open_approvals()] == ["plan#1", "other#1"]
    assert given(spec, START).state.open_approvals() == ()


# --- equality ---


def test_a_state_is_a_value() -> None:
    """States can be hashed and compared, and none can be changed."""
    one, other = retried_twice(), retried_twice()
    assert one == other
    assert len({one, other, given(one, StepStarted(at_ms=0, attempt="a#3")).state}) == 2
    with pytest.raises(AttributeError):
        one.paused = True  # type: ignore[misc] # frozen, as this test shows


def test_histories_that_mean_the_same_give_equal_states() -> None:
    """The order of independent facts, and what was told twice, leave no trace."""
    spec = flow(group("g", "a", "b", "c", parallel=True), group("h", "d"))
    orders = [["a#1", "b#1", "c#1"], ["c#1", "a#1", "b#1"], ["b#1", "c#1", "a#1"]]
    states = [given(spec, START, *map(succeeded, order)).state for order in orders]
    again = [given(s).when(succeeded("a#1")).then_ignored("stale-attempt").state for s in states]
    assert len({*states, *again}) == 1


def test_where_groups_came_from_is_no_difference() -> None:
    """A state after several deliveries equals the state after one, but for what was asked."""
    first, second = group("g", "a"), group("h", "b")
    at_once = GroupsGenerated(at_ms=0, groups=[first, second])
    parts = [
        GroupsGenerated(at_ms=0, groups=[first], complete=False),
        GroupsGenerated(at_ms=0, groups=[second]),
    ]
    assert given(FlowSpec(), START, at_once).state == given(FlowSpec(), START, *parts).state


def test_a_change_that_was_undone_leaves_no_trace() -> None:
    """Pausing and resuming, or changing the option and back, lead to the state before."""
    state = given(flow(group("g", "a")), START).state
    resume = events.ResumeRequested(at_ms=0, by="bob")
    options = [
        events.ApprovalOptionChanged(at_ms=0, option=option, by="ann")
        for option in ("approve-all", "prompt")
    ]
    assert given(state, PAUSE, resume, *options).state == state


def test_a_flow_needs_groups_until_all_of_them_are_there() -> None:
    """A flow that declares none does from before its start; one that declares them never does."""
    empty = initial_state(FlowSpec(), "f")
    assert empty.needs_groups
    assert given(empty, START).state.needs_groups
    generated = GroupsGenerated(at_ms=0, groups=(group("g", "a"),))
    assert not given(empty, START, generated).state.needs_groups
    assert not initial_state(flow(group("g", "a")), "f").needs_groups
    assert not given(flow(group("g", "a")), START).state.needs_groups


def test_the_live_attempt_of_a_step_is_found_by_its_key() -> None:
    """The newest one, also when it waits; no step, no attempt."""
    state = given(flow(group("g", SLOW)), START, failed("slow#1")).state
    live = state.live_attempt("slow")
    assert live is not None
    assert live.id == "slow#2"
    assert state.live_attempt("plan") is None
