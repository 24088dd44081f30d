"""Two behaviours of one flow: the first entry at which a host would see another."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from conductor_adapters.debugger.against import Against, Departure, departure_of, told_departure
from conductor_core import commands, events
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.testing.brief import START, flow, group, succeeded
from conductor_core.verdicts import Accepted, Ignored, Rejected
from tests.debugger.recordings import recorded

TOGETHER = flow(group("g", "a", "b", parallel=True))
DENIED = events.ApprovalResponded(at_ms=0, step="a", response="deny", by="ann")


def departure(now: Callable[[Transition], Transition], *sent: Event) -> Departure | None:
    """Where the log of some events parts from a reducer that changes transitions."""
    recording = recorded(TOGETHER, *sent)
    state, reducer = Against().begin(recording.header)
    return departure_of(recording.entries, state, lambda state, event: now(reducer(state, event)))


def told(found: Departure | None) -> list[str]:
    """How it is told."""
    assert found is not None
    return list(told_departure(found))


def test_the_same_behaviour_parts_nowhere() -> None:
    """Not even where the message of a rejection is another one: it is text for people."""

    def reworded(transition: Transition) -> Transition:
        verdict = transition.verdict
        if isinstance(verdict, Rejected):
            return evolve(transition, verdict=evolve(verdict, message="in other words"))
        return transition

    assert departure(reworded, START, DENIED, succeeded("a#1"), succeeded("b#1")) is None


def test_a_verdict_is_told_with_what_it_says() -> None:
    """Both of them, by their names; a rejection with its message."""
    busy = Rejected("busy", "come back later")
    lines = told(departure(lambda it: evolve(it, verdict=busy, commands=()), START))
    assert lines[:2] == [
        "on flow started",
        "  verdict: recorded accepted, now rejected(busy) (come back later)",
    ]
    assert lines[2] == "  no longer: dispatch-step a#1"
    quiet = told(departure(lambda it: evolve(it, verdict=Ignored("late")), START))
    assert quiet == ["on flow started", "  verdict: recorded accepted, now ignored(late)"]


def test_the_order_of_commands_counts() -> None:
    """The same ones in another order are told as such."""
    found = departure(lambda it: evolve(it, commands=it.commands[::-1]), START)
    one, two = "dispatch-step a#1", "dispatch-step b#1"
    assert told(found)[1:] == [f"  order: recorded {one}, {two}; now {two}, {one}"]


def test_commands_that_are_alike_are_told_apart() -> None:
    """A second one of the same name is one more."""
    found = departure(lambda it: evolve(it, commands=(*it.commands, it.commands[0])), START)
    assert told(found)[1:] == ["  new: dispatch-step a#1 again"]


def test_commands_about_several_attempts_are_named_by_them() -> None:
    """As those that cancel."""
    cancel = commands.CancelFutures(attempts=("a#1", "b#1"))
    found = departure(lambda it: evolve(it, commands=(*it.commands, cancel)), START)
    assert told(found)[1:] == ["  new: cancel-futures a#1 b#1"]


def test_it_parts_where_it_shows_first() -> None:
    """What is decided otherwise but not seen is played on."""
    seen = list[Event]()

    def late(transition: Transition) -> Transition:
        seen.append(START)
        return transition if len(seen) < 3 else evolve(transition, commands=())

    found = departure(late, START, succeeded("a#1"), succeeded("b#1"))
    assert found is not None
    assert (found.seq, found.event) == (3, succeeded("b#1"))
    assert isinstance(found.now.verdict, Accepted)
    assert found.now.commands == ()
