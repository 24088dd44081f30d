"""What a child that runs one group of a flow has, and what it is told of."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.temporal.delegation import cut, is_over, relayed
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    RetryPolicy,
    StepSpec,
    commands,
    events,
)
from conductor_core.attempt import Attempt
from conductor_core.events import Event, GroupsGenerated
from conductor_core.recovery import pending_commands
from conductor_core.reducer import reduce
from conductor_core.snapshot import snapshot
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    succeeded,
)
from conductor_core.testing.given import given

DEPLOY: Final = flow(
    group("check", "lint", "unit"),
    group("build", StepSpec(key="image", needs=["unit"]), StepSpec(key="docs", needs=["image"])),
    group("ship", "push"),
)
BUILDING: Final = (START, succeeded("lint#1"), succeeded("unit#1", output={"seen": 7}))
"""What happened until `build` is the current group of DEPLOY."""


def deploying(*history: Event, spec: FlowSpec = DEPLOY) -> FlowState:
    """The flow, building, to which more has happened."""
    return given(spec, *BUILDING, *history).state


def child_of(state: FlowState) -> FlowState:
    """What the child that builds has."""
    return cut(state, "build")


def relayed_form(state: FlowState, event: Event) -> Event:
    """What the child is told of an event that it is told of."""
    form = relayed(state, event)
    assert form is not None, f"{event} is not relayed"
    return form


# --- the state of the child ---


def test_a_child_has_its_group_and_what_the_group_needs() -> None:
    """Of earlier groups the needed steps are left, of later ones nothing."""
    child = child_of(deploying())
    check, build = child.catalog.groups
    assert check == group("check", "unit")
    assert build == DEPLOY.groups[1]
    assert (child.current, child.span) == (1, range(1, 3))


def test_what_is_needed_stands_in_the_order_of_the_flow() -> None:
    """Whoever needs it, and in which order, the cut is one and the same."""
    image = StepSpec(key="image", needs=["unit", "first", "lint"])
    spec = flow(group("start", "first"), DEPLOY.groups[0], group("build", image))
    child = child_of(given(spec, START, succeeded("first#1"), *BUILDING[1:]).state)
    assert [a.step for a in child.attempts()] == ["first", "lint", "unit", "image"]


def test_a_child_of_the_first_group_has_nothing_else() -> None:
    """Nothing comes before it, so that nothing is left of it."""
    child = cut(given(DEPLOY, START).state, "check")
    assert tuple(child.catalog.groups) == DEPLOY.groups[:1]
    assert child.current == 0


def test_where_nothing_is_needed_one_step_says_that_the_group_is_not_the_first() -> None:
    """A group needs a step, so that one is left of all earlier ones, without what it came to."""
    state = given(DEPLOY, *BUILDING, succeeded("image#1"), succeeded("docs#1")).state
    child = cut(state, "ship")
    assert [g.key for g in child.catalog.groups] == ["build", "ship"]
    assert [a.id for a in child.attempts()] == ["docs#1", "push#1"]
    assert next(child.attempts()).result is None


def test_a_child_hands_on_what_the_group_needs() -> None:
    """Its dispatch is that of the flow: output, attempt id and idempotency key."""
    state = deploying()
    (dispatch,) = pending_commands(child_of(state), at_ms=0)
    assert isinstance(dispatch, commands.DispatchStep)
    assert dispatch.outputs.value == {"unit": {"seen": 7}}
    assert dispatch.idempotency_key == "flow/image#1"
    assert pending_commands(state, at_ms=0) == (dispatch,)


def test_a_child_hands_on_what_was_approved() -> None:
    """The approved subject of a needed step goes out with its output (S2.3)."""
    plan = StepSpec(key="plan", approval=ApprovalSpec())
    apply = StepSpec(key="apply", needs=["plan"])
    state = given(
        flow(group("plans", plan), group("build", apply)),
        START,
        succeeded("plan#1", output=1, subject="plan-1"),
        answered("plan"),
    ).state
    (dispatch,) = pending_commands(child_of(state), at_ms=0)
    assert isinstance(dispatch, commands.DispatchStep)
    assert dispatch.subjects.value == {"plan": "plan-1"}
    assert dispatch.outputs.value == {"plan": 1}


def test_a_needed_step_that_did_not_succeed_is_handed_on_as_null() -> None:
    """What was skipped has no output, in the child as in the flow (S2.3)."""
    forgiven = StepSpec(key="unit", skip_on_failure=True)
    spec = flow(group("check", forgiven), *DEPLOY.groups[1:])
    state = given(spec, START, evolve(failed("unit#1"), output="partly")).state
    (dispatch,) = pending_commands(child_of(state), at_ms=0)
    assert isinstance(dispatch, commands.DispatchStep)
    assert dispatch.outputs.value == {"unit": None}


def test_a_child_keeps_every_attempt_of_its_group() -> None:
    """Ids go on where they were, and what was superseded stays readable."""
    retried = events.GroupRetryRequested(at_ms=0, group="build", by="ann")
    spec = evolve(DEPLOY, options=FlowOptions(on_failure="await-retry"))
    state = deploying(failed("image#1"), retried, spec=spec)
    child = child_of(state)
    names = [(a.id, a.status.value) for a in child.attempts() if a.step != "unit"]
    assert names == [
        ("image#1", "discarded"),
        ("image#2", "queued"),
        ("docs#1", "discarded"),
        ("docs#2", "pending"),
    ]
    assert child.generation == 1
    given(child).when(succeeded("image#2")).then_dispatched("docs#2")


def test_a_group_retry_that_was_decided_goes_on_in_the_child() -> None:
    """What the child has says who decided it, though positions differ."""
    policy = RetryPolicy(max_auto_retries=1, scope="group", backoff_ms=(5,), jitter=False)
    image = StepSpec(key="image", retry=policy)
    spec = flow(DEPLOY.groups[0], group("build", image, "docs", parallel=True))
    child = child_of(deploying(failed("image#1"), spec=spec))
    (then,) = given(child).when(succeeded("docs#1", at_ms=2)).commands
    assert then == commands.ScheduleTimer(timer="backoff:build@1", due_at_ms=7, delay_ms=5)


def test_a_child_goes_by_the_options_of_its_flow() -> None:
    """All that the flow declares besides its groups is declared for the child too."""
    options = FlowOptions(max_parallel=1, on_failure="await-retry", cancel_grace_ms=7)
    spec = evolve(DEPLOY, type="deploy", options=options, metadata={"team": "core"})
    child = child_of(deploying(spec=spec))
    assert evolve(child.spec, groups=()) == evolve(spec, groups=())


def test_a_child_waits_as_long_as_its_group_does() -> None:
    """A backoff that has begun ends when it is due."""
    policy = RetryPolicy(max_auto_retries=1, scope="group", backoff_ms=(5,), jitter=False)
    spec = flow(DEPLOY.groups[0], group("build", StepSpec(key="image", retry=policy)))
    child = child_of(deploying(failed("image#1", at_ms=2), spec=spec))
    assert child.timers() == (("backoff:build@1", 7),)
    given(child).when(fired("backoff:build@1", at_ms=7)).then_dispatched("image#2")


def test_a_child_can_be_paused_from_its_beginning() -> None:
    """What holds the flow holds the child."""
    pause = events.PauseRequested(at_ms=0, by="ann")
    child = child_of(deploying(pause))
    given(child).when(succeeded("image#1")).then_dispatched()


def test_a_child_knows_no_ids_of_requests() -> None:
    """Its parent tells it of each request once, and does not spend its room on them."""
    pause = events.PauseRequested(at_ms=0, by="ann", request_id="r1")
    assert child_of(deploying(pause)).request_ids == ()


def test_a_cut_is_of_the_size_of_its_group() -> None:
    """However long the flow is, a child has a few hundred bytes for its steps."""
    groups = [group(f"g{n}", *(f"s{n}-{i}" for i in range(3))) for n in range(300)]
    short, long = (
        snapshot(cut(given(flow(*groups[:length]), START).state, "g0")) for length in (1, 300)
    )
    assert len(short) == len(long)


def test_only_a_group_that_is_current_is_cut() -> None:
    """Asking for another one, or before the flow has started, is a mistake of the host."""
    with pytest.raises(AssertionError, match="'ship' is not the current group"):
        cut(deploying(), "ship")
    with pytest.raises(AssertionError, match="'check' is not to be run yet"):
        cut(given(DEPLOY).state, "check")


# --- the end of the child ---


def test_a_child_is_over_when_its_group_is() -> None:
    """It ends with its group, and starts nothing that comes after it."""
    child = child_of(deploying(succeeded("image#1")))
    assert not is_over(child, "build")
    ended = given(child).when(succeeded("docs#1")).then_dispatched().state
    assert is_over(ended, "build")
    assert is_over(deploying(succeeded("image#1"), succeeded("docs#1")), "build")


def test_a_child_is_over_while_its_flow_still_waits_for_groups() -> None:
    """Where more groups are to come the child does not end its flow, but is over."""
    spec = FlowSpec()
    more = GroupsGenerated(at_ms=0, groups=DEPLOY.groups[:1], complete=False)
    child = cut(given(spec, START, more).state, "check")
    when = given(child, succeeded("lint#1")).when(succeeded("unit#1"))
    assert when.then().state.outcome is None
    assert is_over(when.state, "check")


def test_a_child_that_is_stopped_ends_as_its_flow_does() -> None:
    """Both name the same outcome."""
    state = deploying()
    stopped, child = (
        given(each).when(failed("image#1")).then_status("error").state
        for each in (state, child_of(state))
    )
    assert child.outcome == stopped.outcome
    assert is_over(child, "build")
    assert child_of(stopped) == child


def test_only_known_groups_are_over() -> None:
    """Asking for one that does not exist is a mistake of the host."""
    with pytest.raises(AssertionError, match="'brew' is no group"):
        is_over(deploying(), "brew")


# --- what the child is told of ---

CANCEL: Final = cancelled(reason="wrong account")
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
APPEND: Final = events.AppendRequested(at_ms=0, by="ann", groups=[group("late", "later")])
RERUN: Final = events.RerunRequested(at_ms=0, by="ann", flow_id="flow", step_id="image")
STOPPED: Final = failed("image#1")

AS_IT_IS: Final[tuple[Event, ...]] = (
    PAUSE,
    events.ResumeRequested(at_ms=0, by="ann"),
    events.ApprovalOptionChanged(at_ms=0, by="ann", option="approve-all"),
    events.ContinueAsNewSuggested(at_ms=0, incarnation=0),
    events.ContinuedAsNew(at_ms=0, incarnation=0),
    events.GenerationFailed(at_ms=0),
    events.StepStarted(at_ms=0, attempt="image#1"),
    succeeded("docs#1"),
    fired("timeout:image#1"),
    fired("backoff:build@1"),
    fired("cancel"),
    answered("docs"),
    events.RetryNowRequested(at_ms=0, by="ann", step="docs"),
    events.GroupRetryRequested(at_ms=0, by="ann", group="build"),
    CANCEL,
    evolve(CANCEL, step="docs", group="build"),
    RERUN,
    evolve(RERUN, step_id="image#1"),
    evolve(RERUN, step_id="image#9"),
    evolve(RERUN, additional_skip_step_ids=["docs", "docs#9"]),
)
NOTHING: Final[tuple[Event, ...]] = (
    START,
    APPEND,
    events.StepStarted(at_ms=0, attempt="unit#1"),
    succeeded("push#1"),
    succeeded("nobody"),
    fired("timeout:push#1"),
    fired("backoff:ship@1"),
    fired("tea"),
    answered("unit"),
    answered("nobody"),
    events.RetryNowRequested(at_ms=0, by="ann", step="push"),
    events.GroupRetryRequested(at_ms=0, by="ann", group="ship"),
    evolve(CANCEL, step="unit"),
    evolve(CANCEL, step="nobody"),
    evolve(CANCEL, group="check"),
    evolve(CANCEL, group="nobody"),
    evolve(RERUN, step_id="push"),
    evolve(RERUN, step_id="unit#1"),
    evolve(RERUN, additional_skip_step_ids=["push", "unit"]),
    evolve(RERUN, additional_skip_step_ids=["push", "nobody"]),
    evolve(RERUN, additional_skip_step_ids=["push#2"]),
    evolve(RERUN, continue_from_idx=2),
)


@pytest.mark.parametrize("event", AS_IT_IS, ids=repr)
def test_a_child_is_told_of_its_group_and_of_what_holds_for_the_flow(event: Event) -> None:
    """What is about the group, or about all of the flow, reaches the child as it is."""
    assert relayed(deploying(), event) == event


@pytest.mark.parametrize("event", NOTHING, ids=repr)
def test_a_child_is_not_told_of_what_is_elsewhere(event: Event) -> None:
    """What is about other groups, or about nothing at all, is the parent's affair."""
    assert relayed(deploying(), event) is None


def test_nobody_is_told_when_no_group_is_left() -> None:
    """A flow past its last group has no child."""
    state = given(flow(group("a", "b")), START, succeeded("b#1")).state
    assert relayed(state, PAUSE) is None


def test_a_cancel_of_what_comes_later_cancels_the_child() -> None:
    """A flow with a hole is not continued: the child only hears that it is cancelled (S9.1)."""
    for later in (evolve(CANCEL, step="push"), evolve(CANCEL, group="ship")):
        assert relayed(deploying(), later) == CANCEL


def test_a_cancel_of_what_was_skipped_is_refused_without_the_child() -> None:
    """A later step that a person skipped has finished, and so has its group (S9.1)."""
    skip = evolve(RERUN, operation="skip-step", additional_skip_step_ids=["push"])
    state = deploying(STOPPED, skip)
    for later in (evolve(CANCEL, step="push"), evolve(CANCEL, group="ship")):
        given(state).when(later).then_rejected("already-finished")
        assert relayed(state, later) is None


def test_a_cancel_of_a_later_group_counts_while_a_step_of_it_is_left() -> None:
    """A group has finished when all of its steps have (S9.1)."""
    spec = flow(*DEPLOY.groups[:2], group("ship", "push", "tell"))
    skip = evolve(RERUN, operation="skip-step", additional_skip_step_ids=["push"])
    cancel = evolve(CANCEL, group="ship")
    state = deploying(STOPPED, skip, spec=spec)
    given(state).when(cancel).then_status("cancelling")
    assert relayed(state, cancel) == CANCEL


def test_what_was_skipped_along_is_not_skipped_again() -> None:
    """A later step that a person skipped is nothing to be skipped any more (S10.4)."""
    skip = evolve(RERUN, operation="skip-step", additional_skip_step_ids=["push"])
    again = evolve(RERUN, step_id="docs", additional_skip_step_ids=["push"])
    state = deploying(STOPPED, skip, failed("docs#1"))
    given(state).when(again).then_rejected("not-skippable")
    assert relayed(state, again) is None


def test_what_comes_later_is_skipped_along_on_a_flow_that_waits() -> None:
    """A later step may be skipped before a stop has swept it, too (S10.4)."""
    rerun = evolve(RERUN, additional_skip_step_ids=["push"])
    parking = evolve(DEPLOY, options=FlowOptions(on_failure="await-retry"))
    state = deploying(STOPPED, spec=parking)
    given(state).when(rerun).then_status("in-progress", push="user-skipped")
    assert relayed(state, rerun) == RERUN


def test_a_request_that_came_before_is_not_relayed() -> None:
    """The parent ignores it, and the child never hears of it (S4.5)."""
    pause = evolve(PAUSE, request_id="r1")
    state = deploying(pause, events.ResumeRequested(at_ms=0, by="ann"))
    given(state).when(pause).then_ignored("duplicate-request")
    assert relayed(state, pause) is None
    assert relayed(state, evolve(pause, request_id="r2")) == PAUSE


def test_a_rerun_skips_in_the_child_what_is_there() -> None:
    """Of the steps that are skipped along, the parent skips the later ones alone (S10.4)."""
    rerun = evolve(RERUN, additional_skip_step_ids=["push", "docs"])
    state = deploying(STOPPED)
    form = relayed_form(state, rerun)
    assert form == evolve(RERUN, additional_skip_step_ids=["docs"])
    after = given(state).when(rerun).then_status("in-progress", push="user-skipped").state
    assert child_of(after) == reduce(child_of(state), form).state


def test_a_rerun_that_would_skip_what_may_not_be_skipped_is_no_rerun() -> None:
    """The parent refuses it as a whole, before anything changes (S10.9)."""
    kept = group("ship", StepSpec(key="push", skippable=False))
    rerun = evolve(RERUN, additional_skip_step_ids=["push"])
    state = deploying(STOPPED, spec=flow(*DEPLOY.groups[:2], kept))
    given(state).when(rerun).then_rejected("not-skippable")
    assert relayed(state, rerun) is None


def test_a_second_leg_names_the_place_that_the_group_has_in_the_child() -> None:
    """Whatever index the flow has come to, in the child it is that of the group (S10.6)."""
    late = flow(group("first", "start"), *DEPLOY.groups)
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    before = (START, succeeded("start#1"), *BUILDING[1:], succeeded("image#1"))
    paused = given(late, *before, PAUSE, succeeded("docs#1"), suggested).state
    leg = evolve(RERUN, continue_from_idx=3)
    form = relayed_form(paused, leg)
    assert form == evolve(RERUN, continue_from_idx=1)
    after = given(paused).when(leg).then().state
    assert after.incarnation == 1
    assert reduce(cut(paused, "ship"), form).state == cut(after, "ship")


# --- groups that are generated while a child runs ---

GENERATING: Final = given(
    FlowSpec(), START, GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False)
).state
LATER: Final = GroupsGenerated(at_ms=0, groups=[group("h", "b")])


def test_a_child_is_told_that_no_more_groups_will_come() -> None:
    """Which ones came is of no interest to it, and that more will come is no news."""
    assert relayed(GENERATING, LATER) == GroupsGenerated(at_ms=0)
    assert relayed(GENERATING, evolve(LATER, complete=False)) is None


def test_a_child_is_told_that_generation_failed() -> None:
    """Groups that cannot be are a failure of generation, which only the parent can tell (S12.2)."""
    known = evolve(LATER, groups=[group("g", "other")], at_ms=3)
    assert relayed(GENERATING, known) == events.GenerationFailed(at_ms=3)
    after = given(GENERATING).when(known).state
    assert after.generating == "failed"
    assert cut(after, "g") == reduce(cut(GENERATING, "g"), relayed_form(GENERATING, known)).state


# --- parent and child together ---


def test_a_parent_that_replays_is_in_step_with_its_child() -> None:
    """In the child's order, and of its own events as they were, it comes to the same state."""
    parent = deploying()
    child = child_of(parent)
    option = events.ApprovalOptionChanged(at_ms=4, by="ann", option="approve-all", request_id="r1")
    own, later = succeeded("image#1", at_ms=3), evolve(CANCEL, at_ms=5, step="push")
    told = [own, relayed_form(parent, option), relayed_form(parent, later)]
    for event in told:
        child = given(child).when(event).transition.state
    for event in (own, option, later):
        parent = given(parent).when(event).transition.state
    assert child_of(parent) == child
    assert [a for a in child.attempts() if a.cancel_requested] == [active(parent)]


def active(state: FlowState) -> Attempt:
    """The only attempt that is active."""
    (attempt,) = (a for a in state.attempts() if a.active)
    return attempt
