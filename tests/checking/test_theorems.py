"""The built-in theorems: what would break them, told apart from what does not."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import FlowSpec, RetryPolicy, StepSpec, events, initial_state, reduce
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import THEOREMS, Alphabet, check, directed
from conductor_core.checking.alphabet import FAIL, OK, OPERATIONS
from conductor_core.checking.theorems import (
    exceeds_budget,
    finishes_more_than_once,
    forsakes_cancel,
    forsakes_deny,
    is_dead_end,
    retries_too_often,
)
from conductor_core.commands import DispatchStep
from conductor_core.legality import ACCEPTED
from conductor_core.payload import EMPTY
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    succeeded,
)
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, TOGETHER, plan

DISPATCH: Final = DispatchStep(
    attempt="apply#1",
    work="apply",
    input=EMPTY,
    outputs=EMPTY,
    subjects=EMPTY,
    idempotency_key="",
    retry=0,
    generation=0,
    timeout_ms=None,
)
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")


def after(spec: FlowSpec, *history: events.Event) -> FlowState:
    """Where some events lead to."""
    state = initial_state(spec, "flow")
    for event in history:
        state = reduce(state, event).state
    return state


def accepted(state: FlowState, *commands: DispatchStep) -> Transition:
    """A transition to a state."""
    return Transition(state, commands, ACCEPTED)


DENIED: Final = after(DEPLOY, START, succeeded("plan#1"), answered("plan", "deny"))
CANCELLING: Final = after(DEPLOY, START, cancelled())
CANCELLED: Final = after(DEPLOY, cancelled())


@pytest.mark.parametrize(
    "spec",
    [
        flow(group("g", StepSpec(key="a", retry=TOGETHER), "b", parallel=True)),
        flow(
            group("g", StepSpec(key="a", retry=RetryPolicy(scope="group")), "b", parallel=True),
            options=AWAIT_RETRY,
        ),
        flow(group("g", StepSpec(key="a", retry=ONCE, timeout_ms=3), plan("b"))),
        flow(group("g", plan("a", skippable=False, retryable=False), "b", parallel=True)),
    ],
    ids=["retried together", "parked together", "timed", "by force"],
)
def test_theorems_hold_of_small_flows(spec: FlowSpec) -> None:
    """Every theorem holds of flows that retry, park, time out and ask."""
    checked = check(spec, alphabet=Alphabet(operations=OPERATIONS[:2]))
    assert checked.is_good, str(checked)
    assert len(checked.findings) == len(THEOREMS) == 8


def test_a_live_flow_without_anything_to_wait_for_is_a_dead_end() -> None:
    """A flow that has ended is none, nor one that somebody or something leads on."""
    stuck = evolve(after(DEPLOY, START, succeeded("plan#1"), answered("plan")), live=CANCELLED.live)
    assert is_dead_end(stuck)
    assert not is_dead_end(evolve(stuck, paused=True))
    assert not is_dead_end(initial_state(DEPLOY, "flow"))
    assert not is_dead_end(CANCELLED)
    assert not is_dead_end(after(flow(), START))


def test_what_takes_a_cancel_back() -> None:
    """After a cancel nothing is dispatched, the cancel stays, and its end is for good."""
    live = after(DEPLOY, START)
    assert not forsakes_cancel(live, PAUSE, accepted(live, DISPATCH))
    assert forsakes_cancel(live, cancelled(), accepted(CANCELLING, DISPATCH))
    assert not forsakes_cancel(live, cancelled(), accepted(CANCELLING))
    assert forsakes_cancel(CANCELLING, PAUSE, accepted(live))
    assert forsakes_cancel(CANCELLED, PAUSE, accepted(CANCELLING))
    assert not forsakes_cancel(CANCELLED, PAUSE, accepted(CANCELLED))


def test_what_undoes_a_deny() -> None:
    """Behind a deny nothing starts and it stays a deny, until a person reruns."""
    revived = reduce(DENIED, retried("plan"))
    assert not forsakes_deny(DENIED, retried("plan"), revived)
    assert forsakes_deny(DENIED, PAUSE, revived)
    assert forsakes_deny(DENIED, PAUSE, accepted(DENIED, DISPATCH))
    assert not forsakes_deny(DENIED, PAUSE, accepted(DENIED))
    passed = evolve(DENIED.live[0], status=AttemptStatus.SUCCESS)
    overlooked = evolve(DENIED, live=DENIED.live.set(0, passed))
    assert forsakes_deny(DENIED, PAUSE, accepted(overlooked))
    asked = after(DEPLOY, START, succeeded("plan#1"))
    assert forsakes_deny(asked, answered("plan", "deny"), accepted(overlooked))
    assert forsakes_deny(asked, answered("plan", "deny"), accepted(DENIED, DISPATCH))
    assert forsakes_deny(asked, answered("plan", "deny"), accepted(evolve(DENIED, stop=None)))
    assert not forsakes_deny(asked, answered("z", "deny"), reduce(asked, answered("z", "deny")))


def test_what_exceeds_a_budget() -> None:
    """A step has its own budget, a group the smallest of its steps'."""
    spec = flow(group("g", StepSpec(key="a", retry=ONCE)))
    state = after(spec, START)
    assert not exceeds_budget(state)
    assert exceeds_budget(evolve(state, generation=2))
    assert exceeds_budget(evolve(state, live=state.live.set(0, evolve(state.live[0], retry=2))))
    assert not exceeds_budget(after(spec, START, succeeded("a#1")))


def test_only_what_a_worker_leaves_open_is_charged_as_automatic() -> None:
    """A retry that work asked for is not automatic; one after a time-out is."""
    spec = flow(group("g", StepSpec(key="a", timeout_ms=3)))
    state = after(spec, START)
    again = evolve(state, live=state.live.set(0, evolve(state.live[0], retry=1)))
    assert retries_too_often(state, failed("a#1"), accepted(again))
    assert not retries_too_often(state, failed("a#1", directive="retry"), accepted(again))
    assert retries_too_often(state, fired("timeout:a#1"), accepted(again))
    assert not retries_too_often(state, fired("backoff:a#1"), accepted(again))
    assert retries_too_often(state, failed("a#1"), accepted(evolve(state, generation=1)))
    assert retries_too_often(state, failed("a#1"), accepted(evolve(state, retrying=0)))
    assert not retries_too_often(state, failed("a#2"), reduce(state, failed("a#2")))


def test_who_joins_a_group_retry_is_not_charged_for_it() -> None:
    """A group retry that work asked for is none by itself, whoever ends while it waits."""
    spec = flow(group("g", "a", "b", parallel=True))
    asked = failed("a#1", directive="retry-group")
    state = after(spec, START, asked)
    last = reduce(state, succeeded("b#1"))
    assert last.state.generation == 1
    assert not retries_too_often(state, succeeded("b#1"), last)
    asking = (OK, FAIL, directed("retry-group", failed=True))
    assert check(spec, alphabet=Alphabet(endings=asking, pauses=False)).is_good


def test_a_run_ends_once() -> None:
    """An end needs its finish-flow, and stays unless a rerun begins another run."""
    spec = flow(group("g", "a"))
    state = after(spec, START)
    end = reduce(state, succeeded("a#1"))
    assert not finishes_more_than_once(state, succeeded("a#1"), end)
    assert finishes_more_than_once(state, PAUSE, accepted(end.state))
    assert finishes_more_than_once(state, PAUSE, Transition(state, end.commands, ACCEPTED))
    assert finishes_more_than_once(end.state, PAUSE, accepted(state))
    left = evolve(end.state, parked=1)
    assert finishes_more_than_once(state, PAUSE, Transition(left, end.commands, ACCEPTED))
