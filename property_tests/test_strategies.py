"""What the strategies draw is what users can build their own properties on."""

from __future__ import annotations

from random import Random

from hypothesis import find, given, settings
from hypothesis import strategies as st

from conductor_core import FlowSpec, FlowState, events, initial_state, reduce
from conductor_core.errors import SpecError
from conductor_core.spec import group_problems
from conductor_core.testing.arbitrary.facts import groups_generated
from conductor_core.testing.arbitrary.flows import broken_groups
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.brief import group
from conductor_core.testing.strategies import chosen, events_for, flows, plays
from conductor_core.verdicts import Accepted


def started(spec: FlowSpec) -> FlowState:
    """The flow just after its start."""
    return reduce(initial_state(spec, flow_id="flow"), events.FlowStarted(at_ms=0)).state


@given(flows(), st.data())
def test_any_event_meets_a_verdict(spec: FlowSpec, data: st.DataObject) -> None:
    """Whatever is drawn for a state is an event that the reducer answers."""
    state = started(spec)
    event = data.draw(events_for(state, at_ms=5))
    assert event.at_ms == 5
    assert str(reduce(state, event).verdict)


@given(flows(), st.data())
def test_broken_groups_are_refused(spec: FlowSpec, data: st.DataObject) -> None:
    """No group that is drawn to be broken may follow the flow's own."""
    groups = data.draw(chosen(lambda choose: broken_groups(choose, spec.groups)))
    try:
        FlowSpec(groups=(*spec.groups, *groups))
    except SpecError:
        return
    raise AssertionError(f"no problem found: {group_problems(groups)}")


def test_what_is_drawn_shrinks_to_plain_flows() -> None:
    """The smallest play that ends well is that of one step: a start, and a finish at most."""
    play = find(plays(most=10), succeeds, settings=settings(max_examples=2_000, database=None))
    (group,) = play.start.catalog.groups
    assert len(group.steps) == 1
    accepted = [t for t in play.transitions if isinstance(t.verdict, Accepted)]
    assert len(accepted) <= 2


def succeeds(play: Play) -> bool:
    """Whether the flow ended well."""
    return play.transitions[-1].state.status == "success"


def test_groups_come_that_are_known_in_part() -> None:
    """Who generates again sends what is there, something new, both, or nothing."""
    state = started(FlowSpec(groups=[group("g", "a")]))
    (known,) = state.catalog.groups
    made = (groups_generated(Random(seed).randrange, state, at_ms=1) for seed in range(300))
    groups = [event.groups for event in made if isinstance(event, events.GroupsGenerated)]
    assert {frozenset(each == known for each in some) for some in groups} == {
        frozenset(),
        frozenset({True}),
        frozenset({False}),
        frozenset({True, False}),
    }
