"""What can be claimed of a flow: always, never, sometimes, eventually, leads to.

Rule: a claim is a predicate of states or of transitions, written in Python, and says which
steps it looks at; what it does not look at the search may forget. A predicate is asked
once about each key of a state, and about each transition, so it must answer alike for
states that differ only in what it does not look at.

Fairness
--------
`eventually` and `leads_to` speak of *fair* runs: the host answers in the end whatever it was
commanded (work ends, groups are delivered or fail, a continue-as-new is continued) and open
timers fire. People owe nothing: they may do anything that the alphabet allows, or nothing for
ever. A run therefore breaks such a claim if it never comes to the goal and either

- *rests* where the host owes no answer and only people could lead on, or it is over; or
- goes round for ever although the host answers.

A run in which the host owes an answer for ever, while people pause and resume, is not fair
and breaks nothing. To have continued as new is no answer in this sense.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeAlias, Union

from attrs import field, frozen

from conductor_core.attempt import Attempt
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import StepSpec, texts
from conductor_core.state import FlowState

OfState: TypeAlias = Callable[[FlowState], bool]
OfTransition: TypeAlias = Callable[[FlowState, Event, Transition], bool]
Memory: TypeAlias = Callable[[StepSpec, Attempt], Hashable]
About: TypeAlias = tuple[str, ...] | None
"""The steps that a claim looks at; None: it may look anywhere."""

ANYWHERE: Final = None


def _about(names: tuple[str, ...] | None) -> About:
    return None if names is None else texts(names)


@frozen(kw_only=True)
class Invariant:
    """Something that holds in every state, or in none that the search enters: `violates` tells.

    `statement` is what a reader of a result is told. `memory` is what is to be remembered
    of finished steps that others rely on, beside those that the claim is `about`.
    """

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    memory: Memory | None = None
    violates: OfState | None = None
    violates_on: OfTransition | None = None


@frozen(kw_only=True)
class Sometimes:
    """Something that is met at least once: a search that never meets it proves little."""

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    met: OfState | None = None
    met_on: OfTransition | None = None


@frozen(kw_only=True)
class LeadsTo:
    """Wherever `start` holds, every fair run comes to a state in which `goal` does."""

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    start: OfState
    goal: OfState
    from_the_beginning: bool = False


Property: TypeAlias = Union[Invariant, Sometimes, LeadsTo]


def always(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
) -> Invariant:
    """Claim that a predicate holds in every state, or on every transition."""
    return Invariant(
        name=name,
        statement=f"always: {name}",
        about=about,
        violates=None if state is None else lambda where: not state(where),
        violates_on=None
        if transition is None
        else lambda before, event, after: not transition(before, event, after),
    )


def never(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
) -> Invariant:
    """Claim that a predicate holds in no state, or on no transition."""
    return Invariant(
        name=name,
        statement=f"never: {name}",
        about=about,
        violates=state,
        violates_on=transition,
    )


def sometimes(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
) -> Sometimes:
    """Claim that a predicate holds somewhere."""
    return Sometimes(
        name=name, statement=f"sometimes: {name}", about=about, met=state, met_on=transition
    )


def eventually(name: str, goal: OfState, *, about: About = ANYWHERE) -> LeadsTo:
    """Claim that every fair run from the beginning comes to a goal."""
    return LeadsTo(
        name=name,
        statement=f"eventually: {name}",
        about=about,
        start=lambda state: not state.started and state.outcome is None,
        goal=goal,
        from_the_beginning=True,
    )


def leads_to(name: str, start: OfState, goal: OfState, *, about: About = ANYWHERE) -> LeadsTo:
    """Claim that from every state in which `start` holds each fair run comes to a goal."""
    return LeadsTo(name=name, statement=f"leads to: {name}", about=about, start=start, goal=goal)
