"""How a flow ends: by a cancel (section 9), by a stop (S7.4), well (S7.5)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
    explain,
    reduce,
)
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.commands import CancelFutures, CancelTimer, FinishFlow, Outcome, ScheduleTimer
from conductor_core.draft import Draft
from conductor_core.events import Event, StepError
from conductor_core.facts.work import on_timer_fired
from conductor_core.legality import ACCEPTED
from conductor_core.payload import freeze
from conductor_core.rules.endings import give_up_waiting
from conductor_core.state import Cancellation
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=50))
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[1000], jitter=False)
)
TIMED: Final = StepSpec(key="timed", timeout_ms=100)
GRACE: Final = FlowOptions(cancel_grace_ms=70)


def finished(message: str | None = None, run: int = 1) -> FinishFlow:
    """The flow is cancelled."""
    outcome = Outcome(status="cancelled", reason="cancelled", message=message)
    return FinishFlow(outcome=outcome, run=run)


# --- cancel ---


def test_a_cancel_before_the_start_attempts_nothing() -> None:
    """The flow ends at once, and no attempt was ever made (S4.4)."""
    spec = flow(group("g", "a", PLAN), group("h", "b"))
    given(spec).when(cancelled(reason="wrong region")).then(finished("wrong region")).then_status(
        "cancelled", a="not-attempted", plan="not-attempted", b="not-attempted"
    )


def test_a_cancel_of_what_waits_ends_the_flow_at_once() -> None:
    """Asked, parked, waiting and pending attempts are cancelled, and their timers (S9.2)."""
    spec = flow(
        group("g", PLAN, SLOW, "parked", "done", "a", parallel=True, max_parallel=4),
        group("h", "later"),
        options=FlowOptions(on_failure="await-retry"),
    )
    pause = events.PauseRequested(at_ms=0, by="ann")
    facts: list[Event] = [succeeded("plan#1"), failed("slow#1"), failed("parked#1")]
    story = given(spec, START, pause, *facts, succeeded("done#1")).when(cancelled())
    story.then(
        CancelTimer(timer="approval:plan#1"), CancelTimer(timer="backoff:slow#2"), finished()
    ).then_status(
        "cancelled",
        plan="cancelled",
        slow="cancelled",
        parked="cancelled",
        done="success",
        a="cancelled",
        later="not-attempted",
    )


def test_a_cancel_tells_whoever_is_at_work() -> None:
    """All in one command, their time-outs are cancelled, and the grace begins (S9.2)."""
    spec = flow(group("g", "a", TIMED, "b", parallel=True), group("h", "later"), options=GRACE)
    story = given(spec, START, succeeded("b#1")).when(cancelled(at_ms=5, reason="stop it"))
    story.then(
        CancelTimer(timer="timeout:timed#1"),
        CancelFutures(attempts=("a#1", "timed#1")),
        ScheduleTimer(timer="cancel", due_at_ms=75, delay_ms=70),
    ).then_status("cancelling", later="not-attempted").when(succeeded("a#1")).then().when(
        failed("timed#1")
    ).then(CancelTimer(timer="cancel"), finished("stop it")).then_status(
        "cancelled", a="success", timed="error"
    )


def test_a_cancel_that_is_not_acknowledged_ends_with_its_grace() -> None:
    """The message names those who did not answer, in flow order (S9.4)."""
    spec = flow(group("g", "a", "b", "c", parallel=True), options=GRACE)
    story = given(spec, START, cancelled(reason="stop it"), succeeded("b#1"))
    over = story.when(fired("cancel", at_ms=70)).then(finished("not acknowledged: a#1, c#1"))
    over.then_status("cancelled", a="cancelled", b="success", c="cancelled")
    over.when(succeeded("a#1")).then_ignored("stale-attempt")


def test_a_cancel_names_again_whom_a_stop_has_told() -> None:
    """Whoever is at work is named, also those who were told before (S9.2)."""
    spec = flow(group("g", "a", "b", parallel=True, fail_fast=True), options=GRACE)
    story = given(spec, START, failed("a#1")).when(cancelled())
    story.then(
        CancelFutures(attempts=("b#1",)),
        ScheduleTimer(timer="cancel", due_at_ms=70, delay_ms=70),
    ).when(events.StepFinished(at_ms=0, attempt="b#1", outcome="cancelled")).then(
        CancelTimer(timer="cancel"), finished()
    )


@pytest.mark.parametrize("decided", [failed("a#1"), failed("a#1", directive="retry-group")])
def test_a_cancel_outranks_what_was_decided(decided: Event) -> None:
    """Neither a stop nor a group retry is heard of again."""
    spec = flow(group("g", "a", "b", parallel=True))
    story = given(spec, START, decided, cancelled()).when(succeeded("b#1"))
    story.then(CancelTimer(timer="cancel"), finished()).then_status("cancelled", a="error")


def test_a_cancel_ends_the_wait_of_a_group() -> None:
    """The new generation never runs."""
    waiting = given(flow(group("g", SLOW, "b")), START, failed("slow#1", directive="retry-group"))
    waiting.when(cancelled()).then(CancelTimer(timer="backoff:g@1"), finished()).then_status(
        "cancelled", slow="cancelled", b="cancelled"
    )


def test_a_cancel_outranks_a_continue_as_new() -> None:
    """A suggestion while it is carried out is not followed any more (S13.3a)."""
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    story = given(flow(group("g", "a", "b")), START, cancelled(), suggested)
    story.when(succeeded("a#1")).then(CancelTimer(timer="cancel"), finished())


def test_nothing_revives_a_cancelled_flow() -> None:
    """Cancelled is absorbing: no event counts any more (S9.5)."""
    over = given(flow(group("g", "a")), START, cancelled(), failed("a#1")).state
    for event in (*explain(given(flow(group("g", "a"))).state).legal, retried("a"), skipped("a")):
        assert reduce(over, event).state is over
    assert explain(over).legal == ()


def test_a_cancel_after_a_rerun_ends_that_run() -> None:
    """The number of the run tells the two ends apart (S7.7)."""
    story = given(flow(group("g", "a")), START, failed("a#1"), retried("a"), cancelled())
    story.when(succeeded("a#2")).then(CancelTimer(timer="cancel"), finished(run=2))


def test_only_a_cancel_has_a_grace() -> None:
    """Giving up without one is a bug, and so is the end of a grace."""
    draft = Draft.of(given(flow(group("g", "a")), START).state, 0)
    with pytest.raises(AssertionError, match=r"^only a cancel has a grace$"):
        give_up_waiting(draft)
    with pytest.raises(AssertionError, match=r"^only a cancel has a grace$"):
        on_timer_fired(draft, fired("cancel"), ACCEPTED)


def test_a_cancel_says_who_wanted_it_and_why() -> None:
    """Both can be read while it is carried out, and nothing else is decided any more."""
    spec = flow(group("g", SLOW, "a", parallel=True), options=GRACE)
    retry, cancel = failed("slow#1", directive="retry-group"), cancelled(reason="late", by="eve")
    state = given(spec, START, retry, cancel).state
    assert state.cancellation == Cancellation(
        by="eve", reason="late", carried_out=True, due_at_ms=70
    )
    assert (state.retrying, state.stop) == (None, None)


# --- a failed generation (S12.3) ---


def test_what_waits_for_a_person_is_swept_when_generation_fails() -> None:
    """A plan and a parked failure are discarded, as is their group, though they ran."""
    spec = FlowSpec(options=FlowOptions(on_failure="await-retry"))
    part = events.GroupsGenerated(
        at_ms=0, groups=[group("g", PLAN, "a", parallel=True)], complete=False
    )
    parked = given(spec, START, part, succeeded("plan#1"), failed("a#1"))
    over = parked.when(events.GenerationFailed(at_ms=0)).then_status(
        "error", plan="discarded", a="discarded"
    )
    assert [attempt.reason for attempt in over.state.live] == ["swept", "swept"]
    assert over.state.group_status(0) == "discarded"


# --- stop ---

ENDS: Final[dict[str, tuple[Event, str, str]]] = {
    "a failure": (failed("a#1"), "failed", "Step failed"),
    "a failure that may be told": (
        failed("a#1", error=StepError(message="quota exceeded", non_retryable=True)),
        "failed",
        "quota exceeded",
    ),
    "a failure for good": (
        failed("a#1", error=StepError(message="no such region", terminal=True)),
        "terminal-error",
        "no such region",
    ),
    "a cancel from outside": (
        events.StepFinished(at_ms=0, attempt="a#1", outcome="cancelled"),
        "cancelled-externally",
        "Cancelled outside the flow",
    ),
    "an unknown directive": (
        failed("a#1", directive="dance"),
        "unknown-directive",
        "Unknown directive",
    ),
    "its own wish": (
        succeeded("a#1", directive="stop"),
        "stopped-by-step",
        "Stopped by the step",
    ),
}


@pytest.mark.parametrize("why", ENDS)
def test_a_stop_names_its_reason(why: str) -> None:
    """The outcome names the attempt, the reason and what people may be told (S7.4)."""
    event, reason, message = ENDS[why]
    outcome = Outcome(status="error", reason=reason, step="a#1", message=message)
    given(flow(group("g", "a", "b"), group("h", "c")), START).when(event).then(
        FinishFlow(outcome=outcome, run=1)
    ).then_status("error", b="discarded", c="not-attempted")


def test_a_stop_tells_that_no_retry_was_left() -> None:
    """The outcome says so, and what the error says to people (S6.14)."""
    spent = StepSpec(key="a", retry=RetryPolicy(max_retries=0))
    error = StepError(cause=StepError(message="disk full", non_retryable=True))
    given(flow(group("g", spent)), START).when(failed("a#1", error=error)).then(
        FinishFlow(
            outcome=Outcome(
                status="error",
                reason="retries-exhausted",
                step="a#1",
                message="disk full",
                retries_exhausted=True,
            ),
            run=1,
        )
    )


def test_a_stop_waits_for_whoever_is_at_work() -> None:
    """Until then the later groups are pending; the first stop names the outcome (S7.4)."""
    spec = flow(group("g", "a", "b", parallel=True), group("h", "c"))
    story = given(spec, START).when(failed("b#1")).then().then_status("in-progress", c="pending")
    last = story.when(failed("a#1", error=StepError(message="worse", terminal=True)))
    last.then(
        FinishFlow(
            outcome=Outcome(status="error", reason="failed", step="b#1", message="Step failed"),
            run=1,
        )
    ).then_status("error", c="not-attempted")


def test_the_full_error_stays_for_operators() -> None:
    """What people are not told can be read on the attempt (S6.21)."""
    error = StepError(message="password=hunter2", type="HTTPError", details=freeze({"code": 401}))
    state = given(flow(group("g", "a")), START, failed("a#1", error=error)).state
    assert state.live[0].error == error
    assert state.outcome is not None
    assert state.outcome.message == "Step failed"


# --- success ---


@pytest.mark.parametrize(
    ("spec", "history"),
    [
        (flow(group("g", "a")), [succeeded("a#1")]),
        (flow(group("g", StepSpec(key="a", skip_on_failure=True))), [failed("a#1")]),
        (flow(group("g", "a", "b")), [succeeded("a#1", directive="skip-group")]),
        (flow(group("g", StepSpec(key="a", skipped=True))), []),
        (
            flow(group("g", "a"), options=FlowOptions(on_failure="await-retry")),
            [failed("a#1"), skipped("a")],
        ),
    ],
)
def test_a_flow_in_which_nothing_is_left_to_do_succeeds(spec: FlowSpec, history: list[Any]) -> None:
    """Done, forgiven or skipped: every step has finished, and no failure holds it up (S3.3)."""
    state = given(spec, START, *history).state
    assert state.outcome == Outcome(status="success")


def test_a_flow_is_over_when_nothing_is_open() -> None:
    """No active attempt, no timer and no approval outlasts an end (S14.1)."""
    spec = flow(group("g", PLAN, SLOW, TIMED, "a", parallel=True))
    facts: list[Event] = [succeeded("plan#1"), failed("slow#1"), failed("a#1")]
    story = given(spec, START, *facts).when(fired("timeout:timed#1", at_ms=100))
    story.then_status("error", timed="error")
    assert story.state.timers() == ()
    assert story.state.open_approvals() == ()
    assert not any(attempt.active for attempt in story.state.attempts())


def test_who_was_told_to_cancel_may_be_superseded_afresh() -> None:
    """The new attempt after a fail-fast stop is told nothing."""
    spec = flow(group("g", "a", "b", parallel=True, fail_fast=True))
    told = events.StepFinished(at_ms=0, attempt="b#1", outcome="cancelled")
    state = given(spec, START, failed("a#1"), told, retried("a")).state
    assert state.live[1] == Attempt("b", n=2, status=AttemptStatus.QUEUED, dispatched=True)
