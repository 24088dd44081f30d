"""What happens in the end, if hosts answer and people owe nothing."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import ApprovalSpec, FlowSpec, RetryPolicy, StepSpec, events
from conductor_core import directives as directives_module
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import Alphabet, Checked, check, eventually, leads_to
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.directives import Decision, Work
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import reduce
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, plan

ALONE: Final = Alphabet(answers=(), operations=(), cancels=False)
"""Nobody helps and nobody hinders, but people may pause."""
OVER: Final = eventually("the flow is over", lambda state: state.outcome is not None, about=())
RETRIED: Final = flow(group("g", StepSpec(key="a", retry=ONCE), "b"))


def is_over(spec: FlowSpec, alphabet: Alphabet = ALONE) -> Checked:
    """Whether the flow is over in the end."""
    return check(spec, OVER, alphabet=alphabet, theorems=())


def told(checked: Checked) -> list[str]:
    """The events of the counterexample, by their classes."""
    (finding,) = checked.findings
    assert finding.found == "violated"
    assert finding.story is not None
    return [type(event).__name__ for event in finding.story.events]


def test_work_and_timers_come_to_an_end() -> None:
    """A flow that asks nobody is over in the end, if nobody may pause it for ever."""
    assert is_over(RETRIED, Alphabet(answers=(), operations=(), pauses=False)).is_good


def test_whoever_pauses_may_never_resume() -> None:
    """A paused flow rests when its work has ended: people owe nothing."""
    assert told(is_over(RETRIED)) == ["FlowStarted", "PauseRequested", "StepFinished"]


def test_an_approval_may_never_come() -> None:
    """A plan that nobody answers rests, unless it expires."""
    asked = flow(group("g", plan()))
    expiring = flow(group("g", plan(approval=ApprovalSpec(timeout_ms=5))))
    calm = Alphabet(answers=("approve",), operations=(), pauses=False)
    assert told(is_over(asked, calm)) == ["FlowStarted", "StepFinished"]
    assert is_over(expiring, calm).is_good


def test_a_failure_may_be_left_alone() -> None:
    """A parked failure rests until a person retries it."""
    spec = flow(group("g", "a"), options=AWAIT_RETRY)
    assert told(is_over(spec, Alphabet(pauses=False)))[-1] == "StepFinished"


def test_pausing_and_resuming_for_ever_is_not_fair() -> None:
    """Work that was dispatched ends, however often people pause and resume meanwhile."""
    claim = leads_to(
        "work ends",
        lambda state: state.active > 0,
        lambda state: state.active == 0,
        about=(),
    )
    assert check(RETRIED, claim, theorems=()).is_good


def test_the_way_on_is_told_to_its_end() -> None:
    """A story goes on from where the claim begins to where the run rests without its goal."""
    claim = leads_to(
        "what is approved succeeds",
        lambda state: state.live[0].status is AttemptStatus.SUCCESS,
        lambda state: state.live[1].status is AttemptStatus.SUCCESS,
        about=("plan", "apply"),
    )
    checked = check(DEPLOY, claim, alphabet=Alphabet(endings=(OK, FAIL)), theorems=())
    assert told(checked) == ["FlowStarted", "StepFinished", "ApprovalResponded", "StepFinished"]


def test_a_flow_that_goes_round_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If failed work were retried without end, the host's answers would lead nowhere."""

    def always_again(work: Work, kind: str, asked: str | None) -> Decision:
        return Decision("retry", AttemptStatus.ERROR, kind, failed=True)

    spec = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1, backoff_ms=()))))
    bound = Alphabet(endings=(FAIL,), answers=(), operations=(), cancels=False, pauses=False)
    assert is_over(spec, bound).is_good
    monkeypatch.setattr(directives_module, "_budgeted", always_again)
    checked = is_over(spec, bound)
    assert told(checked) == ["FlowStarted", "StepFinished"]
    (again,) = checked.findings[0].circle
    assert isinstance(again, events.StepFinished)
    assert again.attempt == "a#2"


def test_a_circle_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once round is told event by event, and replays from where the way in ends."""

    def wait_again(work: Work, kind: str, asked: str | None) -> Decision:
        return Decision("retry", AttemptStatus.ERROR, kind, failed=True)

    spec = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1))))
    bound = Alphabet(endings=(FAIL,), answers=(), operations=(), cancels=False, pauses=False)
    monkeypatch.setattr(directives_module, "_budgeted", wait_again)
    (finding,) = is_over(spec, bound).findings
    assert finding.story is not None
    kinds = [type(event).__name__ for event in finding.circle]
    assert sorted(kinds) == ["StepFinished", "TimerFired"]
    before, state = finding.story.state, finding.story.state
    for event in finding.circle:
        after = reduce(state, event)
        assert after.verdict is ACCEPTED
        state = after.state
    assert state.live[0].status == before.live[0].status
    assert state.live[0].n == before.live[0].n + 1


def test_a_circle_is_told_without_what_leads_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where work may also succeed, what goes round is that it fails."""

    def always_again(work: Work, kind: str, asked: str | None) -> Decision:
        return Decision("retry", AttemptStatus.ERROR, kind, failed=True)

    monkeypatch.setattr(directives_module, "_budgeted", always_again)
    spec = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1, backoff_ms=()))))
    calm = evolve(ALONE, endings=(FAIL, OK), pauses=False)
    never = eventually("never", lambda _: False, about=())
    (finding,) = check(spec, never, alphabet=calm, theorems=()).findings
    assert [getattr(event, "outcome", None) for event in finding.circle] == ["failed"]


def test_a_run_that_rests_goes_round_nothing() -> None:
    """Where people could lead on and do not, nothing comes again."""
    assert is_over(RETRIED).findings[0].circle == ()


def test_to_continue_as_new_for_ever_is_no_answer() -> None:
    """A flow that waits for its work has not gone round because its host began a new history."""
    spec = flow(group("g", StepSpec(key="a", retry=ONCE)))
    alphabet = Alphabet(
        endings=(FAIL,), answers=(), operations=(), cancels=False, pauses=False, suggestions=3
    )
    assert is_over(spec, alphabet).is_good


def test_a_claim_may_never_begin() -> None:
    """What never starts leads wherever it likes."""

    def never(_state: FlowState) -> bool:
        return False

    assert check(DEPLOY, leads_to("nothing", never, never, about=()), theorems=()).is_good


def test_a_host_that_never_answers_is_the_one_that_the_alphabet_has() -> None:
    """Without timers in the alphabet a wait rests: fair is only what may happen at all."""
    calm = Alphabet(endings=(FAIL,), answers=(), operations=(), cancels=False, pauses=False)
    assert is_over(RETRIED, calm).is_good
    without = Alphabet(
        endings=(FAIL,), answers=(), operations=(), cancels=False, pauses=False, timers=False
    )
    assert told(is_over(RETRIED, without)) == ["FlowStarted", "StepFinished"]


def test_the_shortest_story_may_begin_at_a_start_that_is_farther_away() -> None:
    """What counts is the whole way: in and on, not the nearest start."""
    spec = flow(group("g", plan("a", retry=ONCE)))

    def begins(state: FlowState) -> bool:
        attempt = state.live[0]
        denied = attempt.status is AttemptStatus.APPROVAL_DENIED
        return denied or attempt.status is AttemptStatus.WAITING_TO_RETRY

    alphabet = Alphabet(endings=(OK, FAIL), pauses=False, cancels=False, reruns=0, replans=0)
    claim = leads_to("x", begins, lambda _: False, about=("a",))
    (finding,) = check(spec, claim, alphabet=alphabet, theorems=()).findings
    assert finding.story is not None
    assert len(finding.story.events) == 3
