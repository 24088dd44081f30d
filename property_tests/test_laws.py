"""The laws of the semantics (section 15), each over any flow and any events.

Rule: a law is read from states, verdicts and commands alone; none looks into the reducer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    Transition,
    commands,
    events,
    explain,
    initial_state,
    reduce,
)
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.digest import state_digest
from conductor_core.events import Event, Fact
from conductor_core.log import replay, restore, snapshot
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.strategies import plays
from conductor_core.verdicts import Accepted
from property_tests.fair_world import drive
from property_tests.played_log import log_of
from property_tests.work import work_of

ROOT: Final = Path(__file__).parents[1]
FACTS: Final = (
    events.FlowStarted,
    events.GroupsGenerated,
    events.GenerationFailed,
    events.StepStarted,
    events.StepFinished,
    events.TimerFired,
    events.ContinueAsNewSuggested,
    events.ContinuedAsNew,
)


def dispatched(transition: Transition) -> list[commands.DispatchStep]:
    """The dispatches that a transition commands."""
    return [c for c in transition.commands if isinstance(c, commands.DispatchStep)]


def spec_of(state: FlowState, attempt: Attempt) -> StepSpec:
    """The declaration of an attempt's step."""
    position = state.position_of(attempt.id)
    assert position is not None, f"{attempt.id} has no position"
    return state.catalog.steps[position]


def before(state: FlowState, attempt_id: str) -> Iterator[Attempt]:
    """The live attempts that must have ended before this one starts (S5.1, S5.2)."""
    position = state.position_of(attempt_id)
    assert position is not None, f"{attempt_id} has no position"
    for index, group in enumerate(state.catalog.groups):
        span = state.catalog.span(index)
        if position in span and group.parallel:
            return
        yield from state.live.slice(span.start, min(span.stop, position))
        if position in span:
            return


@given(plays())
def test_law_01_total_and_pure(play: Play) -> None:
    """No exception, equal input gives equal output, and the input is unchanged."""
    for state, event, transition in play.steps():
        digest, number = state_digest(state), hash(state)
        assert reduce(state, event) == transition
        assert reduce(restore(snapshot(state)), event) == transition
        assert (state_digest(state), hash(state)) == (digest, number)


def test_law_01_the_same_under_every_hash_seed() -> None:
    """The same events give byte-identical logs under different PYTHONHASHSEEDs."""
    command = [sys.executable, "-m", "property_tests.played_log", "law 1", "600"]
    logs = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(logs) == 1
    assert logs.pop().count(b"\n") > 600


@given(plays())
def test_law_02_redelivered_facts_change_nothing(play: Play) -> None:
    """A fact that counted is ignored whenever it comes again (S4.3)."""
    counted: list[Fact] = []
    for _, event, transition in play.steps():
        if isinstance(event, FACTS) and isinstance(transition.verdict, Accepted):
            counted.append(event)
        for fact in counted:
            again = reduce(transition.state, fact)
            assert again.state is transition.state, fact
            assert not again.commands
            assert not isinstance(again.verdict, Accepted)


@given(plays())
def test_law_02_refused_events_change_nothing(play: Play) -> None:
    """Rejected and ignored events give the very same state and command nothing (S4.1)."""
    for state, _, transition in play.steps():
        accepted = isinstance(transition.verdict, Accepted)
        assert accepted or (transition.state is state and not transition.commands)
        assert not accepted or transition.state != state


@given(plays())
def test_law_03_nothing_starts_behind_a_failure(play: Play) -> None:
    """A failure that is not forgiven is never followed by a later step, unless it was mended."""
    for state in play.transitions:
        for command in dispatched(state):
            for earlier in before(state.state, command.attempt):
                failed = earlier.status is AttemptStatus.ERROR
                assert not failed or spec_of(state.state, earlier).skip_on_failure, earlier


@given(plays())
def test_law_04_no_attempt_is_dispatched_twice(play: Play) -> None:
    """Every dispatched attempt id is new, is live, and each step counts its attempts from 1."""
    known: set[str] = set()
    for transition in play.transitions:
        for command in dispatched(transition):
            assert command.attempt not in known
            known.add(command.attempt)
            assert any(attempt.id == command.attempt for attempt in transition.state.live)
        numbers: dict[str, list[int]] = {}
        for attempt in transition.state.attempts():
            numbers.setdefault(attempt.step, []).append(attempt.n)
        assert all(n == list(range(1, len(n) + 1)) for n in numbers.values())
        assert list(numbers) == [attempt.step for attempt in transition.state.live]


@given(plays())
def test_law_05_no_more_at_once_than_allowed(play: Play) -> None:
    """One attempt at a time in a sequential group, at most `max_parallel` in a parallel one."""
    for state in play.states():
        for index, group in enumerate(state.catalog.groups):
            live = list(state.live_of(index))
            active = sum(attempt.active for attempt in live)
            waiting = sum(attempt.status is AttemptStatus.WAITING_TO_RETRY for attempt in live)
            limit = group.max_parallel or state.spec.options.max_parallel
            if not group.parallel:
                assert active + waiting <= 1
            elif limit is not None:
                assert active <= limit


@given(plays())
def test_law_06_cancelled_is_absorbing(play: Play) -> None:
    """After an accepted cancel nothing is ever dispatched, and nothing revives the flow."""
    cancelled = False
    for _, event, transition in play.steps():
        accepted = isinstance(transition.verdict, Accepted)
        cancelled = cancelled or (accepted and isinstance(event, events.CancelRequested))
        if cancelled:
            assert not dispatched(transition)
            assert transition.state.status in ("cancelling", "cancelled")


@given(plays())
def test_law_07_nothing_starts_while_the_flow_holds(play: Play) -> None:
    """While paused, continuing as new, cancelling or finished nothing is dispatched (S5.5)."""
    for transition in play.transitions:
        state = transition.state
        holds = state.paused or state.continuing or state.is_cancelling or not state.is_live
        assert not (holds and dispatched(transition))


@given(plays())
def test_law_08_success_of_a_plan_needs_its_approvals(play: Play) -> None:
    """A step with an approval is a success only after its approvals or an automatic decision."""
    for state in play.states():
        for attempt in state.attempts():
            approval = spec_of(state, attempt).approval
            if approval is not None and attempt.status is AttemptStatus.SUCCESS:
                assert attempt.approval is not None, attempt
                enough = len(set(attempt.approval.approvers)) >= approval.required
                assert enough or attempt.approval.automatic in ("policy", "approve-all")


@given(plays())
def test_law_08_nothing_starts_behind_a_plan_nobody_approved(play: Play) -> None:
    """Nothing later starts before a plan is approved, unless it was skipped or needs no answer."""
    ended_well = {
        AttemptStatus.SUCCESS,
        AttemptStatus.USER_SKIPPED,
        AttemptStatus.AUTO_SKIPPED,
        AttemptStatus.DISCARDED,
    }
    for transition in play.transitions:
        for command in dispatched(transition):
            for earlier in before(transition.state, command.attempt):
                step = spec_of(transition.state, earlier)
                forgiven = step.skip_on_failure and earlier.status is AttemptStatus.ERROR
                assert step.approval is None or earlier.status in ended_well or forgiven, earlier


@given(plays())
def test_law_09_retries_stay_within_their_budgets(play: Play) -> None:
    """Retries of a step stay within its max_retries, those of a group within the smallest."""
    for state in play.states():
        for attempt in state.attempts():
            assert attempt.retry <= spec_of(state, attempt).retry.max_retries
        for index, group in enumerate(state.catalog.groups):
            smallest = min(step.retry.max_retries for step in group.steps)
            assert max(attempt.generation for attempt in state.live_of(index)) <= smallest


@given(plays())
def test_law_09_automatic_retries_stay_within_theirs(play: Play) -> None:
    """Whatever is retried without being asked for (S6.16) is retried max_auto_retries times."""
    for state, event, transition in play.steps():
        if not isinstance(event, (events.StepFinished, events.TimerFired)):
            continue
        if isinstance(event, events.StepFinished) and event.directive in ("retry", "retry-group"):
            continue
        for old in state.live:
            new = transition.state.attempt(old.id)
            assert new is not None, f"{old.id} is lost"
            waits = any(a.directive == "retry-group" for a in state.current_attempts())
            if old.active and not new.active and new.status is AttemptStatus.ERROR:
                most = spec_of(state, old).retry.max_auto_retries
                assert new.directive != "retry" or old.retry < most, new
                assert new.directive != "retry-group" or waits or state.generation < most, new


@given(plays())
def test_law_10_no_dead_end(play: Play) -> None:
    """From wherever a flow is, a helpful world leads it to its end."""
    state = play.transitions[-1].state
    at_ms = max(event.at_ms for event in play.events)
    for transition in drive(state, at_ms=at_ms):
        state = transition.state
    assert state.outcome is not None


@given(plays())
def test_law_10_a_flow_that_waits_says_why(play: Play) -> None:
    """Whatever has not ended explains what it waits for, and some of it is legal now."""
    for state in play.states():
        explanation = explain(state)
        assert bool(explanation.waits) == (state.outcome is None)
        assert explanation.legal or state.outcome is not None
        for event in explanation.legal:
            assert isinstance(reduce(state, event).verdict, Accepted), event


@given(plays())
def test_law_11_exactly_one_finish_per_run(play: Play) -> None:
    """A flow finishes once per run, and then nothing is active, open or waiting any more."""
    finished = Counter[int]()
    for transition in play.transitions:
        state = transition.state
        for command in transition.commands:
            if isinstance(command, commands.FinishFlow):
                finished[command.run] += 1
                assert (command.outcome, command.run) == (state.outcome, state.run)
        ended = state.outcome is not None
        assert ended == (state.finished_at_ms is not None)
        assert finished[state.run] == ended
        if ended:
            assert not state.timers()
            assert not state.open_approvals()
            assert not any(attempt.unfinished for attempt in state.live)
    assert set(finished.values()) <= {0, 1}


@given(plays())
def test_law_12_replay_gives_the_same(play: Play) -> None:
    """Playing the log again from the spec gives the same state, verdicts and commands."""
    result = replay(log_of(play).splitlines(keepends=True))
    assert result.state == play.transitions[-1].state
    assert result.truncated is None


@given(plays(), st.data())
def test_law_12_a_snapshot_goes_on_as_if_nothing_had_been(play: Play, data: st.DataObject) -> None:
    """To put a state aside at any point, restore it and go on gives the same transitions."""
    cut = data.draw(st.integers(0, len(play.events)), label="cut")
    state = restore(snapshot(list(play.states())[cut]))
    for event, expected in zip(play.events[cut:], play.transitions[cut:], strict=True):
        transition = reduce(state, event)
        assert transition == expected
        state = transition.state


@given(plays(), st.integers(1, 3), st.data())
def test_law_13_continue_as_new_is_invisible(play: Play, every: int, data: st.DataObject) -> None:
    """With continued-as-new directly after its command, or without any, events lead to the same."""
    spec = play.start.spec
    told = [event for event in play.events if not speaks_of_continuing(event)]
    plain = with_every(spec, None)
    continued = with_every(spec, every)
    for event in told:
        plain = reduce(plain, event).state
        suggested = data.draw(st.integers(0, 9), label="suggested") == 9
        continued = continuing(continued, event, suggest=suggested)
        assert without_incarnation(continued) == without_incarnation(plain)


def with_every(spec: FlowSpec, every: int | None) -> FlowState:
    """The pending state of the flow with that `continue_as_new_every`."""
    options = evolve(spec.options, continue_as_new_every=every)
    return initial_state(evolve(spec, options=options), flow_id="flow")


def speaks_of_continuing(event: Event) -> bool:
    """Whether an event is about continue-as-new itself."""
    second_leg = isinstance(event, events.RerunRequested) and event.continue_from_idx > 0
    return second_leg or isinstance(event, (events.ContinueAsNewSuggested, events.ContinuedAsNew))


def continuing(state: FlowState, event: Event, *, suggest: bool) -> FlowState:
    """What follows from an event when every continue-as-new is answered at once."""
    sent = [event]
    if suggest:
        incarnation = state.incarnation
        hint = events.ContinueAsNewSuggested(at_ms=event.at_ms, incarnation=incarnation)
        sent = [hint, event]
    for each in sent:
        state = reduce(state, each).state
        while state.continuing:
            answer = events.ContinuedAsNew(at_ms=event.at_ms, incarnation=state.incarnation)
            state = reduce(state, answer).state
    return state


def without_incarnation(state: FlowState) -> FlowState:
    """The state without what section 13 keeps for itself."""
    return evolve(
        state,
        spec=FlowSpec(),
        incarnation=0,
        suggested=False,
        continuing=False,
        groups_since=0,
    )


@given(plays())
def test_law_14_a_superseded_attempt_never_changes(play: Play) -> None:
    """Once a step has a newer attempt the older ones stay as they are."""
    superseded: dict[str, Attempt] = {}
    for state in play.states():
        live = {attempt.id for attempt in state.live}
        for attempt in state.attempts():
            if attempt.id not in live:
                assert superseded.setdefault(attempt.id, attempt) == attempt


def parallel(count: int, step: StepSpec, most: int | None = None) -> FlowSpec:
    """One parallel group of so many steps."""
    return FlowSpec(groups=(group_of(count, step, parallel=True, max_parallel=most),))


def throttled(count: int, step: StepSpec) -> FlowSpec:
    """One parallel group of so many steps, four at a time."""
    return parallel(count, step, most=4)


def sequential(count: int, step: StepSpec) -> FlowSpec:
    """One sequential group of so many steps."""
    return FlowSpec(groups=(group_of(count, step),))


def many_groups(count: int, step: StepSpec) -> FlowSpec:
    """So many groups of one step."""
    groups = (group_of(1, evolve(step, key=f"g{number}-")) for number in range(count))
    return FlowSpec(groups=tuple(groups))


def group_of(
    count: int, step: StepSpec, *, parallel: bool = False, max_parallel: int | None = None
) -> GroupSpec:
    """A group of so many steps like this one, whose key begins theirs."""
    steps = tuple(evolve(step, key=f"{step.key}{number}") for number in range(count))
    return GroupSpec(key=f"{step.key}g", steps=steps, parallel=parallel, max_parallel=max_parallel)


PLAIN: Final = StepSpec(key="s")
APPROVED: Final = StepSpec(key="s", approval=ApprovalSpec(timeout_ms=1_000), timeout_ms=1_000)
RETRIED: Final = StepSpec(key="s", retry=RetryPolicy(max_auto_retries=1))


@pytest.mark.parametrize("shape", [parallel, throttled, sequential, many_groups])
@pytest.mark.parametrize(
    ("step", "failures"),
    [(PLAIN, 0), (APPROVED, 0), (RETRIED, 1)],
    ids=["plain", "plans", "retried"],
)
def test_law_15_total_work_is_linear(
    shape: Callable[[int, StepSpec], FlowSpec], step: StepSpec, failures: int
) -> None:
    """Four times the steps cost about four times the work in all, not sixteen times."""
    small, large = (work_of(shape(count, step), failures=failures) for count in (100, 400))
    assert large < 5 * small


def test_law_15_a_group_is_swept_and_retried_in_linear_work() -> None:
    """To stop a parallel group whose steps all fail and to retry it costs as much per step."""
    small, large = (work_of(parallel(count, PLAIN), failures=1) for count in (100, 400))
    assert large < 5 * small
