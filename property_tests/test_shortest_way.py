"""A way that is told leads where it says, and nobody finds a shorter one than the shortest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_adapters.debugger.shortest_way import Means, Way, shortest_way, skipped_by
from conductor_adapters.debugger.walk import Walk, least
from conductor_core import FlowSpec, events, reduce
from conductor_core.codec import encode_event, encode_spec
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.legality import ACCEPTED
from conductor_core.payload import canonical_text
from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.brief import group
from conductor_core.testing.strategies import plays, plays_of
from property_tests.profiles import by_profile
from property_tests.test_random_flows import flows

TRIED: Final = 1_200
"""So many states the search of this test tells apart at most."""
PEOPLE: Final = ("ann", "bo", "cy", "dee", "ed", "flo")
"""More than any flow here wants approvals of, where anybody may give them."""


@frozen
class Reached:
    """Where a play ends, and when; shown by its flow and its events, as far as there is room."""

    play: Play
    state: FlowState
    now_ms: int

    def __repr__(self) -> str:
        spec = canonical_text(encode_spec(self.play.start.spec))
        events = (canonical_text(encode_event(it)) for it in self.play.events)
        return "\n".join([spec, *events])[:20_000]


def reached(play: Play) -> Reached:
    """Where a play ends, and when."""
    state = play.transitions[-1].state if play.transitions else play.start
    return Reached(play, state, max([0, *(event.at_ms for event in play.events)]))


@st.composite
def small(draw: st.DrawFn) -> Reached:
    """What becomes of a flow of at most three steps, declared or to be generated."""
    spec = draw(flows())
    if draw(st.integers(0, 9)) == 0:
        spec = FlowSpec(options=spec.options)
    return reached(draw(plays_of(spec, most=14)))


def any_size() -> st.SearchStrategy[Reached]:
    """What becomes of any flow."""
    return plays(most=60).map(reached)


# --- the same, the long way round ---


def possible(state: FlowState, now_ms: int, means: Means) -> Iterator[Event]:
    """Whatever may be part of a way by some means, whether or not it counts."""
    yield events.FlowStarted(at_ms=now_ms)
    yield events.ContinuedAsNew(at_ms=now_ms, incarnation=state.incarnation)
    yield events.ResumeRequested(at_ms=now_ms, by="ann")
    some = () if state.catalog.groups else (group("some", "thing"),)
    yield events.GroupsGenerated(at_ms=now_ms, groups=some)
    for timer, due_at_ms in state.timers():
        if means is Means.ANYTHING or timer.startswith("backoff:"):
            yield events.TimerFired(at_ms=max(now_ms, due_at_ms), timer=timer)
    for each in state.catalog.groups:
        yield events.GroupRetryRequested(at_ms=now_ms, group=each.key, by="ann")
    for attempt in state.live:
        yield from possible_for(state, attempt.step, attempt.id, now_ms, means)


def possible_for(
    state: FlowState, step: str, attempt: str, now_ms: int, means: Means
) -> Iterator[Event]:
    """The same, as far as it is about one step."""
    yield events.StepFinished(at_ms=now_ms, attempt=attempt, outcome="succeeded")
    passes = PolicyReport(passed_policy_ids=("any",))
    yield events.StepFinished(at_ms=now_ms, attempt=attempt, outcome="succeeded", policy=passes)
    yield events.RetryNowRequested(at_ms=now_ms, step=step, by="ann")
    responses = {Means.PLAIN: ("approve",), Means.SKIPS: ("approve", "skip-current")}
    position = state.catalog.position_of(step)
    assert position is not None
    for response in responses.get(means, ("approve", "skip-current", "deny")):
        for by in state.catalog.steps[position].approval_spec.approvers or PEOPLE:
            yield events.ApprovalResponded(at_ms=now_ms, step=step, response=response, by=by)
    operations = ("retry-step",) if means is Means.PLAIN else ("retry-step", "skip-step")
    for operation in operations:
        yield rerun(state, step, operation, now_ms)
        for other in state.live if operation == "retry-step" else ():
            plain = rerun(state, step, operation, now_ms)
            yield evolve(plain, stale_plan=True, replan_step_id=other.step)
        for other in state.live if means is not Means.PLAIN else ():
            yield rerun(state, step, operation, now_ms, other.step)
    if means is Means.ANYTHING:
        error = StepError(message="no")
        yield events.StepFinished(at_ms=now_ms, attempt=attempt, outcome="failed", error=error)
        yield events.GenerationFailed(at_ms=now_ms)


def rerun(
    state: FlowState, step: str, operation: str, now_ms: int, *along: str
) -> events.RerunRequested:
    """A rerun of a step."""
    return events.RerunRequested(
        at_ms=now_ms, by="ann", flow_id=state.flow_id, step_id=step, operation=operation,
        additional_skip_step_ids=along,
    )  # fmt: skip


def fewest(start: FlowState, now_ms: int, means: Means, most_skips: int = 99) -> int | None:
    """The length of the shortest way that skips so much at most: by trying all; 0 if there is none.

    None: there are too many states to try.
    """
    known, row, length = {(start, now_ms, 0)}, [(start, now_ms, 0)], 0
    while row:
        length, behind = length + 1, list[tuple[FlowState, int, int]]()
        for state, at_ms, skipped in row:
            if len(known) > TRIED:
                return None
            for event in possible(state, at_ms, means):
                after = reduce(state, event)
                # Skips are counted where they are few.
                skips = skipped + skipped_by(event) if most_skips < 99 else 0
                place = after.state, event.at_ms, skips
                if means is not Means.ANYTHING and is_put_off(state, event, after.state):
                    continue
                if after.verdict is not ACCEPTED or place in known or skips > most_skips:
                    continue
                outcome = after.state.outcome
                if outcome and (means is Means.ANYTHING or outcome.status == "success"):
                    return length
                known.add(place)
                behind.append(place)
        row = behind
    return 0


def is_put_off(state: FlowState, event: Event, after: FlowState) -> bool:
    """Whether people who were asked are not to answer, as all is made again."""
    if isinstance(event, events.ApprovalResponded):
        return False
    asked = {attempt.id for attempt in state.live if attempt.awaiting}
    return not asked <= {attempt.id for attempt in after.live}


# --- the laws ---


def leads_where_it_says(state: FlowState, now_ms: int, way: Way) -> None:
    """Every event counts, none is too early, and the end is the one that was told."""
    for event in way.events:
        if isinstance(event, events.TimerFired):
            assert event.at_ms >= dict(state.timers())[event.timer]
        assert event.at_ms >= now_ms
        after = reduce(state, event)
        assert after.verdict is ACCEPTED, event
        state, now_ms = after.state, event.at_ms
    assert state == way.end
    assert way.whole
    assert way.count == len(way.events)
    if way.means is Means.ANYTHING:
        assert state.outcome is not None
    else:
        assert state.status == "success"


@given(any_size())
def test_a_way_leads_where_it_says(at: Reached) -> None:
    """Played from the state on, event by event."""
    state, now_ms = at.state, at.now_ms
    way = shortest_way(state, now_ms, most_states=150)
    if isinstance(way, str):
        note(way)
        assert way != "over" or state.status in ("success", "cancelled")
        assert way != "impossible" or state.status == "error"
    else:
        note(f"{way.means}, {'shortest' if way.shortest else 'a way'}")
        leads_where_it_says(state, now_ms, way)


@settings(max_examples=by_profile(dev=80, ci=800, thorough=20_000))
@given(small())
def test_there_is_no_shorter_way_than_the_shortest(at: Reached) -> None:
    """A search that forgets nothing, by events of its own, finds one of the same length."""
    state, now_ms = at.state, at.now_ms
    way = shortest_way(state, now_ms)
    if isinstance(way, str):
        note(way)
        if way == "impossible":
            assert fewest(state, now_ms, Means.SKIPS) in (0, None)
        return
    note(f"{way.means}, {'shortest' if way.shortest else 'a way'}")
    if not way.shortest:
        return
    skips = sum(map(skipped_by, way.events)) if way.means is Means.SKIPS else 99
    length = fewest(state, now_ms, way.means, skips)
    assert length in (way.count, None)
    if way.means is Means.SKIPS:
        assert fewest(state, now_ms, Means.SKIPS, skips - 1) in (0, None)
    if way.means is not Means.PLAIN:
        assert fewest(state, now_ms, Means.PLAIN) in (0, None)
    if way.means is Means.ANYTHING:
        assert fewest(state, now_ms, Means.SKIPS) in (0, None)


@settings(max_examples=by_profile(dev=60, ci=600, thorough=20_000))
@given(small())
def test_nobody_can_do_with_fewer_events_than_the_least(at: Reached) -> None:
    """The bound that proves a walk to be the shortest way is none that a way undercuts."""
    state, now_ms = at.state, at.now_ms
    if state.outcome is None or state.outcome.status == "error":
        length = fewest(state, now_ms, Means.PLAIN)
        assert not length or least(state) <= length


@given(any_size(), st.integers(0, 5))
def test_a_walk_that_is_given_up_is_a_part_of_the_whole(at: Reached, after: int) -> None:
    """What was walked is as long as was allowed, and its events count."""
    state, now_ms = at.state, at.now_ms
    left = iter(range(after))
    part = Walk(state, now_ms, lambda: next(left, None) is None)
    part.go()
    whole = Walk(state, now_ms, lambda: False)
    whole.go()
    assert part.events == whole.events[: len(part.events)]
    assert len(part.events) <= after
