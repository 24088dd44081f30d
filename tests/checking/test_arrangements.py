"""Twins in another order: everything that people can do to one and its dependents is found."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import FlowOptions, FlowSpec, RetryPolicy, StepSpec
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import Alphabet, check, sometimes
from conductor_core.checking.alphabet import FAIL, NOTHING_SPENT, OK
from conductor_core.checking.arrangements import SKIP_DEPENDENTS, arranged, arrangements
from conductor_core.checking.reductions import ALL, NONE
from conductor_core.events import Event
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.brief import START, failed, flow, group, succeeded
from tests.checking.flows import AWAIT_RETRY, NEVER, ONCE, TOGETHER, plan
from tests.checking.test_reductions import all_places, canonical

MANUAL: Final = RetryPolicy()
SKIPS: Final = Alphabet(
    endings=(OK, FAIL), answers=("approve", SKIP_DEPENDENTS), cancels=False, pauses=False
)


def plans(count: int, retry: RetryPolicy = MANUAL, options: FlowOptions = AWAIT_RETRY) -> FlowSpec:
    """So many plans at once, each of which asks a person."""
    steps = [plan(f"plan-{n}", retry=retry) for n in range(count)]
    return flow(group("plans", *steps, parallel=True), options=options)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("spec", "alphabet"),
    [
        (plans(2), SKIPS),
        (plans(2, TOGETHER, FlowOptions()), SKIPS),
        (plans(2, ONCE), evolve(SKIPS, answers=("approve", SKIP_DEPENDENTS, "retry"))),
        (plans(3), evolve(SKIPS, operations=("retry-step",))),
        (plans(3, NEVER, FlowOptions()), evolve(SKIPS, operations=("retry-group",))),
    ],
    ids=["parked", "retried together", "planned again", "three", "three that stop"],
)
def test_every_order_is_tried_and_no_other(spec: FlowSpec, alphabet: Alphabet) -> None:
    """The search enters a state for each key that can be reached, and not one more."""
    key = canonical(spec, alphabet, ALL).key
    keys = {key(*place) for place in all_places(spec, alphabet)}
    assert len(keys) == check(spec, alphabet=alphabet).states


def skipped_and_swept(state: FlowState) -> tuple[list[bool], list[bool]]:
    """Whether the plans had failed that were skipped by a person, and those that were swept."""
    return tuple(  # type: ignore[return-value]
        sorted(attempt.error is not None for attempt in state.live if attempt.status is status)
        for status in (AttemptStatus.USER_SKIPPED, AttemptStatus.DISCARDED)
    )


@pytest.mark.parametrize(
    "wanted",
    [([False, True], [False]), ([False, False], [True])],
    ids=["a failure behind the answered plan", "a failure before it"],
)
def test_a_story_finds_the_twins_that_it_is_about(wanted: tuple[list[bool], list[bool]]) -> None:
    """Which twin fails first is told as what comes of it asks for, in as few events."""

    def comes_to_it(before: FlowState, _event: Event, after: Transition) -> bool:
        return before.stop is None and skipped_and_swept(after.state) == wanted

    claim = sometimes("it is so", transition=comes_to_it, about=())
    stories = [
        check(plans(3), claim, alphabet=SKIPS, theorems=(), reductions=reductions).findings[0].story
        for reductions in (ALL, NONE)
    ]
    lengths = [len(story.events) for story in stories if story is not None]
    assert lengths == [5, 5]
    assert stories[0] is not None
    assert skipped_and_swept(stories[0].state) == wanted
    assert [a.id for a in stories[0].state.live] == ["plan-0#1", "plan-1#1", "plan-2#1"]


def test_eight_plans_at_once_are_few_states() -> None:
    """Plans that are alike add up and do not multiply, whatever people answer."""
    four, five = (check(plans(n), alphabet=SKIPS).states for n in (4, 5))
    assert five < 2 * four


def test_twins_move_with_all_that_they_were() -> None:
    """In another order a twin keeps its status and its past, under another name."""
    spec = plans(3, ONCE, FlowOptions())
    state = initial_state(spec, "flow")
    for event in (START, failed("plan-0#1"), succeeded("plan-1#1")):
        state = reduce(state, event).state
    turned = arranged(state, (2, 0, 1))
    assert [attempt.status for attempt in turned.live] == [
        AttemptStatus.QUEUED,
        AttemptStatus.WAITING_TO_RETRY,
        AttemptStatus.APPROVAL_AWAITING,
    ]
    assert [attempt.id for attempt in turned.attempts()] == [
        "plan-0#1",
        "plan-1#1",
        "plan-1#2",
        "plan-2#1",
    ]
    assert arranged(turned, (1, 2, 0)) == state
    assert canonical(spec, SKIPS, ALL).arranges(state)
    kinds = [attempt.status for attempt in state.live]
    found = [(other.live[place].status, place) for other, place in arrangements(state, kinds)]
    assert found == [(AttemptStatus.APPROVAL_AWAITING, 2), (AttemptStatus.APPROVAL_AWAITING, 1)]


def test_who_first_wanted_to_retry_and_who_is_pending_move_too() -> None:
    """What a state says of positions follows those who stood there."""
    spec = plans(2, RetryPolicy(max_retries=1, max_auto_retries=1, scope="group"), FlowOptions())
    state = reduce(reduce(initial_state(spec, "flow"), START).state, failed("plan-0#1")).state
    assert state.retrying == 0
    assert arranged(state, (1, 0)).retrying == 1
    fresh = initial_state(spec, "flow")
    assert arranged(fresh, (1, 0)) == fresh


@pytest.mark.parametrize(
    ("spec", "alphabet"),
    [
        (plans(2), evolve(SKIPS, operations=("retry-step", "skip-along"))),
        (flow(group("g", plan("a"), plan("b"), "c", "d", parallel=True)), SKIPS),
        (
            flow(
                group("p", "x", "y"),
                group("g", plan("a", needs=["x"]), plan("b", needs=["y"]), parallel=True),
            ),
            SKIPS,
        ),
    ],
    ids=["skipped along", "not all alike", "with needs of their own"],
)
def test_where_order_counts_otherwise_no_two_are_alike(spec: FlowSpec, alphabet: Alphabet) -> None:
    """A group whose order can make another difference is searched step by step."""
    state = initial_state(spec, "flow")
    keys = canonical(spec, alphabet, ALL)
    last = evolve(
        state, current=len(spec.groups) - 1, span=state.catalog.span(len(spec.groups) - 1)
    )
    assert not keys.arranges(last)
    assert list(keys.one_of_each(last, NOTHING_SPENT)) == list(last.span)


def test_without_approvals_order_never_counts() -> None:
    """Twins that ask nobody are alike under any alphabet, and need no other order."""
    spec = flow(group("g", StepSpec(key="a"), StepSpec(key="b"), parallel=True))
    keys = canonical(spec, Alphabet(), ALL)
    state = initial_state(spec, "flow")
    assert keys.one_of_each(state, NOTHING_SPENT) == (0,)
    assert not keys.arranges(state)
