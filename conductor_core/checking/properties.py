"""What can be claimed of a flow: always, never, sometimes, eventually, leads to.

Rule: a claim is a predicate of states or of transitions, written in Python, and says which
steps it looks at; what it does not look at the search may forget. A predicate is asked
once about each key of a state, and about each transition, so it must answer alike for
states that differ only in what it does not look at. A claim that looks back has a `History`.

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
from typing import Any, Final, TypeAlias, Union

from attrs import field, frozen

from conductor_core.attempt import Attempt
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import StepSpec, texts
from conductor_core.state import FlowState

OfState: TypeAlias = Union[Callable[[FlowState], bool], Callable[[FlowState, Any], bool]]
"""A predicate of a state; where a claim has a history also of what was observed before it."""
OfTransition: TypeAlias = Union[
    Callable[[FlowState, Event, Transition], bool],
    Callable[[FlowState, Event, Transition, Any], bool],
]
"""A predicate of an event, accepted or not; with a history also of what was observed before."""
Predicate: TypeAlias = Callable[..., bool]
Memory: TypeAlias = Callable[[StepSpec, Attempt], Hashable]
About: TypeAlias = tuple[str, ...] | None
"""The steps that a claim looks at; None: it may look anywhere."""

ANYWHERE: Final = None


@frozen
class History:
    """What a claim remembers of the past: `initial`, and after each accepted event `after`.

    `after` takes the last value, the state before the event, the event, and what became of
    it. Its values are told apart in the search, so they must be equal where the past makes
    no difference to the claim, and few. It looks at no other steps than its claim does.
    """

    initial: Hashable
    after: Callable[[Any, FlowState, Event, Transition], Hashable]


def _about(names: tuple[str, ...] | None) -> About:
    return None if names is None else texts(names)


@frozen(kw_only=True)
class Invariant:
    """Something that holds in every state, or in none that the search enters: `violates` tells.

    `statement` is what a reader of a result is told. `memory` is what is to be remembered
    of finished steps that others rely on, beside those that the claim is `about`, and
    `settled_memory` what of that is left once their group is behind. One that
    `forbids_errors` is broken by an event to which the reducer raises instead of answering.
    """

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    memory: Memory | None = None
    settled_memory: Memory | None = None
    history: History | None = None
    violates: Predicate | None = None
    violates_on: Predicate | None = None
    forbids_errors: bool = False


@frozen(kw_only=True)
class Sometimes:
    """Something that is met at least once: a search that never meets it proves little."""

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    history: History | None = None
    met: Predicate | None = None
    met_on: Predicate | None = None


@frozen(kw_only=True)
class LeadsTo:
    """Wherever `start` holds, every fair run comes to a state in which `goal` does."""

    name: str
    statement: str
    about: About = field(default=ANYWHERE, converter=_about)
    history: History | None = None
    start: Predicate
    goal: Predicate


Property: TypeAlias = Union[Invariant, Sometimes, LeadsTo]


TOTAL: Final = Invariant(
    name="total",
    statement="whatever is sent, the reducer answers with a verdict and never raises (law 1)",
    about=(),
    forbids_errors=True,
)
"""The reducer is total; a search that does not claim it ends with what the reducer raises."""


def always(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
    history: History | None = None,
) -> Invariant:
    """Claim that a predicate holds in every state, or on every transition."""
    return Invariant(
        name=name,
        statement=f"always: {name}",
        about=about,
        history=history,
        violates=None if state is None else _not(state),
        violates_on=None if transition is None else _not(transition),
    )


def never(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
    history: History | None = None,
) -> Invariant:
    """Claim that a predicate holds in no state, or on no transition."""
    return Invariant(
        name=name,
        statement=f"never: {name}",
        about=about,
        history=history,
        violates=state,
        violates_on=transition,
    )


def sometimes(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: About = ANYWHERE,
    history: History | None = None,
) -> Sometimes:
    """Claim that a predicate holds somewhere."""
    return Sometimes(
        name=name,
        statement=f"sometimes: {name}",
        about=about,
        history=history,
        met=state,
        met_on=transition,
    )


def eventually(
    name: str, goal: OfState, *, about: About = ANYWHERE, history: History | None = None
) -> LeadsTo:
    """Claim that every fair run from the beginning comes to a goal."""
    return LeadsTo(
        name=name,
        statement=f"eventually: {name}",
        about=about,
        history=history,
        start=_has_not_begun,
        goal=goal,
    )


def leads_to(
    name: str,
    start: OfState,
    goal: OfState,
    *,
    about: About = ANYWHERE,
    history: History | None = None,
) -> LeadsTo:
    """Claim that from every state in which `start` holds each fair run comes to a goal."""
    return LeadsTo(
        name=name,
        statement=f"leads to: {name}",
        about=about,
        history=history,
        start=start,
        goal=goal,
    )


def _not(predicate: Predicate) -> Predicate:
    return lambda *seen: not predicate(*seen)


def _has_not_begun(state: FlowState, *_: object) -> bool:
    return not state.started and state.outcome is None
