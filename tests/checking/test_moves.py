"""What may happen next is read from the state."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.checking import Alphabet
from conductor_core.checking.alphabet import FAIL, NOTHING_SPENT, OK, Spent
from conductor_core.checking.moves import STRANGER, moves
from conductor_core.codec import TAGS
from conductor_core.state import FlowState
from conductor_core.testing.brief import START, answered, cancelled, failed, flow, group, succeeded
from tests.checking.flows import AWAIT_RETRY, DEPLOY, plan

PLAIN: Final = Alphabet(
    endings=(OK, FAIL), answers=("approve",), impostors=False, pauses=False, cancels=False
)
SPENT: Final = Spent(1, 1, 1)
ASKING: Final = ApprovalSpec(required=2, approvers=("ann", "bo"), stale_after_ms=9)


def after(spec: FlowSpec, *history: events.Event) -> FlowState:
    """Where some events lead to."""
    state = initial_state(spec, "flow")
    for event in history:
        state = reduce(state, event).state
    return state


def told(state: FlowState, alphabet: Alphabet, spent: Spent = NOTHING_SPENT) -> list[str]:
    """The tags of the events that may come next."""
    return [TAGS[type(move.event)] for move in moves(alphabet, state, spent, state.span)]


def test_a_flow_is_started_and_its_work_ends() -> None:
    """Nothing but its start befalls a flow that has not started, unless people are there."""
    assert told(after(DEPLOY), PLAIN) == ["flow-started"]
    assert told(after(DEPLOY), Alphabet(appended=(group("late", "z"),))) == [
        "flow-started",
        "cancel-requested",
        "append-requested",
    ]
    assert told(after(DEPLOY, START), PLAIN) == ["step-finished", "step-finished"]
    assert told(after(DEPLOY, START), evolve(PLAIN, starts=True))[0] == "step-started"


def test_answers_come_while_an_approval_is_open() -> None:
    """People answer what is asked, too late if plans can be stale, and impostors try to."""
    spec = flow(group("g", plan(approval=ASKING)))
    state = after(spec, START, succeeded("plan#1"), answered("plan"))
    full = evolve(PLAIN, answers=("approve", "retry"), impostors=True)
    sent = [move.event for move in moves(full, state, NOTHING_SPENT, state.span)]
    said = [(e.by, e.response, e.at_ms) for e in sent if isinstance(e, events.ApprovalResponded)]
    assert said == [
        ("bo", "approve", 0),
        ("bo", "retry", 0),
        ("bo", "approve", 9),
        ("bo", "approve", 0),
        ("ann", "approve", 0),
        (STRANGER, "approve", 0),
    ]
    assert len(told(state, full, SPENT)) == len(said) - 2
    assert told(state, evolve(PLAIN, answers=("deny",)), SPENT) == ["approval-responded"]


def test_waits_end_by_their_timer_or_by_people() -> None:
    """A backoff, of a step or of its group, is over when its timer fires or people say so."""
    for scope in ("step", "group"):
        retry = RetryPolicy(max_auto_retries=1, scope=scope)
        state = after(flow(group("g", StepSpec(key="a", retry=retry))), START, failed("a#1"))
        assert told(state, PLAIN) == ["timer-fired"]
        assert told(state, evolve(PLAIN, timers=False, retry_now=True)) == ["retry-now-requested"]


def test_people_rerun_what_failed_as_often_as_they_may() -> None:
    """A failure is retried or skipped, alone or with its group, until the bound is reached."""
    state = after(flow(group("g", "a"), options=AWAIT_RETRY), START, failed("a#1"))
    assert told(state, PLAIN) == ["rerun-requested", "rerun-requested", "group-retry-requested"]
    assert told(state, PLAIN, SPENT) == []
    assert told(state, evolve(PLAIN, operations=("skip-step",))) == ["rerun-requested"]


def test_groups_are_delivered_or_not() -> None:
    """A flow that asks for its groups gets them, all or a part, none, or no answer."""
    state = after(flow(), START)
    late = (group("g", "a"),)
    assert told(state, PLAIN) == ["groups-generated", "generation-failed"]
    assert told(state, evolve(PLAIN, generated=late, generation_fails=False)) == [
        "groups-generated",
        "groups-generated",
    ]


def test_a_cancel_leaves_only_its_grace() -> None:
    """Of a flow that is being cancelled only work and the grace can end."""
    state = after(DEPLOY, START, cancelled())
    assert told(state, Alphabet(endings=(OK,))) == ["step-finished", "timer-fired"]
    assert told(state, Alphabet(endings=(OK,), timers=False)) == ["step-finished"]
    assert told(after(DEPLOY, cancelled()), Alphabet()) == []


def test_the_host_suggests_a_new_history_as_often_as_it_may() -> None:
    """A suggestion is made until the bound is reached, and answered when it is followed."""
    wants = evolve(PLAIN, suggestions=1)
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    assert told(after(DEPLOY, START), wants)[-1] == "continue-as-new-suggested"
    assert "continue-as-new-suggested" not in told(after(DEPLOY, START), wants, SPENT)
    state = after(DEPLOY, START, succeeded("plan#1"), suggested)
    assert told(state, evolve(wants, operations=())) == ["approval-responded", "continued-as-new"]


def reruns_of(state: FlowState, *operations: str) -> list[tuple[object, ...]]:
    """The reruns that may come next, by what they ask for."""
    sent = [m.event for m in moves(evolve(PLAIN, operations=operations), state, NOTHING_SPENT,
                                   state.span)]  # fmt: skip
    return [
        (e.step_id, e.operation, e.replan_step_id, e.additional_skip_step_ids)
        for e in sent
        if isinstance(e, events.RerunRequested)
    ]


def test_a_stale_plan_is_made_again_from_any_step_before() -> None:
    """What failed is retried from each step of its group up to itself, in a parallel one, too."""
    asked = (START, succeeded("plan#1"), answered("plan"))
    state = after(DEPLOY, *asked, failed("apply#1"))
    assert reruns_of(state, "retry-from-plan") == [
        ("apply", "retry-step", "plan", ()),
        ("apply", "retry-step", "apply", ()),
    ]
    spec = flow(group("g", "a", "b", "c", parallel=True), options=AWAIT_RETRY)
    abreast = after(spec, START, failed("b#1"))
    assert reruns_of(abreast, "retry-from-plan") == [
        ("b", "retry-step", "a", ()),
        ("b", "retry-step", "b", ()),
    ]


def test_another_step_is_skipped_along() -> None:
    """With the retry or the skip of a step each step from its group on may be skipped."""
    spec = flow(group("g", "a"), group("h", "b", "c"), group("i", "d"))
    state = after(spec, START, succeeded("a#1"), failed("b#1"))
    assert reruns_of(state, "skip-along") == [
        ("b", operation, None, (other,))
        for operation in ("retry-step", "skip-step")
        for other in ("c", "d")
    ]


def test_a_continued_run_may_take_over_by_a_rerun() -> None:
    """What acts as continued-as-new is sent with the index of the current group."""
    spec = flow(group("g", "a"), group("h", "b"))
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    wants = evolve(PLAIN, operations=("take-over",))
    first = after(spec, START, suggested, succeeded("a#1"))
    assert told(first, wants) == ["continued-as-new", "rerun-requested"]
    *_, rerun = moves(wants, first, NOTHING_SPENT, first.span)
    assert str(reduce(first, rerun.event).verdict) == "accepted"
    retried = after(flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1)))),
                    START, suggested, failed("a#1"))  # fmt: skip
    assert told(retried, wants) == ["timer-fired", "continued-as-new"]


def test_a_cancel_may_name_a_part() -> None:
    """People cancel the flow, or name each of its groups and steps."""
    alphabet = evolve(PLAIN, cancels=True, cancels_parts=True, endings=(OK,))
    sent = [m.event for m in moves(alphabet, after(DEPLOY, START), NOTHING_SPENT, ())]
    assert [(e.group, e.step) for e in sent if isinstance(e, events.CancelRequested)] == [
        (None, None),
        ("network", None),
        (None, "plan"),
        (None, "apply"),
    ]


def test_groups_come_in_parts() -> None:
    """What is generated comes at once, or its beginning first and the rest later, or not."""
    parts = (group("g", "a"), group("h", "b"))
    alphabet = evolve(PLAIN, generated=parts)

    def delivered(state: FlowState) -> list[tuple[int, bool]]:
        sent = [m.event for m in moves(alphabet, state, NOTHING_SPENT, ())]
        return [(len(e.groups), e.complete) for e in sent if isinstance(e, events.GroupsGenerated)]

    begun = events.GroupsGenerated(at_ms=0, groups=parts[:1], complete=False)
    assert delivered(after(flow(), START)) == [(2, True), (1, False), (2, False), (0, True)]
    assert delivered(after(flow(), START, begun)) == [(1, True), (1, False), (0, True)]


def test_strays_are_sent_if_they_may() -> None:
    """What must not count comes too, and changes nothing."""
    state = after(DEPLOY, START)
    sent = list(moves(evolve(PLAIN, strays=True), state, NOTHING_SPENT, state.span))
    assert len(sent) > 20
    assert sum(reduce(state, move.event).state is not state for move in sent) == 2
