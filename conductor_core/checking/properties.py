"""What can be claimed of a flow: always, never, sometimes, eventually, leads to.

Rule: a claim is a predicate of states or of transitions, written in Python, and says which
steps it looks at; what it does not look at the search may forget. A predicate is asked
once about each key of a state, and about each transition, so it must answer alike for
states that differ only in what it does not look at. With `about` it may read the live
attempts of these steps, but for their numbers, the status of the flow, and the status and
reason of its end; without, all but times and the numbers of attempts, runs and incarnations.
It answers True or False: anything else
is an error, since what forgot to answer would agree to everything. A claim that looks back has
a `History`.

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

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, Union, get_args

from attrs import field, frozen

from conductor_core.attempt import Attempt
from conductor_core.errors import ConductorError, shown
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import GroupSpec, StepSpec
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


class AnswerError(ConductorError, TypeError):
    """A predicate answered neither True nor False."""


def _about(keys: Iterable[str] | None) -> About:
    if isinstance(keys, str):
        # A row of letters would be taken for steps.
        told = f"about: expected a list of steps, got {shown(keys)}"
        raise ValueError(told)  # noqa: TRY004 - one kind of error for all mistakes
    return None if keys is None else tuple(keys)


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


@frozen(kw_only=True)
class Survey:
    """What is to be found out at once about many names: which of them any event shows.

    `shows` takes what a predicate of transitions takes, and answers with the names that the
    transition shows; names that are not among `names` are passed over.
    """

    name: str
    names: frozenset[str]
    shows: Callable[..., frozenset[str]]
    about: About = field(default=ANYWHERE, converter=_about)
    history: History | None = None


Property: TypeAlias = Union[Invariant, Sometimes, LeadsTo]
KINDS: Final = get_args(Property)


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
    about: Iterable[str] | None = ANYWHERE,
    history: History | None = None,
) -> Invariant:
    """Claim that a predicate holds in every state, or on every transition."""
    of_state, of_transition = _asked(name, state, transition)
    return Invariant(
        name=name,
        statement=f"always: {name}",
        about=about,
        history=history,
        violates=_negated(of_state),
        violates_on=_negated(of_transition),
    )


def never(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: Iterable[str] | None = ANYWHERE,
    history: History | None = None,
) -> Invariant:
    """Claim that a predicate holds in no state, or on no transition."""
    of_state, of_transition = _asked(name, state, transition)
    return Invariant(
        name=name,
        statement=f"never: {name}",
        about=about,
        history=history,
        violates=of_state,
        violates_on=of_transition,
    )


def sometimes(
    name: str,
    state: OfState | None = None,
    *,
    transition: OfTransition | None = None,
    about: Iterable[str] | None = ANYWHERE,
    history: History | None = None,
) -> Sometimes:
    """Claim that a predicate holds somewhere."""
    of_state, of_transition = _asked(name, state, transition)
    return Sometimes(
        name=name,
        statement=f"sometimes: {name}",
        about=about,
        history=history,
        met=of_state,
        met_on=of_transition,
    )


def eventually(
    name: str,
    goal: OfState,
    *,
    about: Iterable[str] | None = ANYWHERE,
    history: History | None = None,
) -> LeadsTo:
    """Claim that every fair run from the beginning comes to a goal."""
    return LeadsTo(
        name=name,
        statement=f"eventually: {name}",
        about=about,
        history=history,
        start=_has_not_begun,
        goal=_answered(name, goal),
    )


def leads_to(
    name: str,
    start: OfState,
    goal: OfState,
    *,
    about: Iterable[str] | None = ANYWHERE,
    history: History | None = None,
) -> LeadsTo:
    """Claim that from every state in which `start` holds each fair run comes to a goal."""
    return LeadsTo(
        name=name,
        statement=f"leads to: {name}",
        about=about,
        history=history,
        start=_answered(name, start),
        goal=_answered(name, goal),
    )


def _asked(
    name: str, state: Predicate | None, transition: Predicate | None
) -> tuple[Predicate | None, Predicate | None]:
    """What is asked of states and of transitions: one of them at least."""
    if state is None and transition is None:
        raise ValueError(f"{shown(name)}: expected a predicate of states or of transitions")
    return (
        None if state is None else _answered(name, state),
        None if transition is None else _answered(name, transition),
    )


def _answered(name: str, predicate: Predicate) -> Predicate:
    """A predicate that raises AnswerError where it answers neither True nor False."""

    def ask(*seen: object) -> bool:
        answer = predicate(*seen)
        if not isinstance(answer, bool):
            raise AnswerError(f"{shown(name)} returned {shown(answer)}, expected True or False")
        return answer

    return ask


def _negated(predicate: Predicate | None) -> Predicate | None:
    return None if predicate is None else lambda *seen: not predicate(*seen)


def _has_not_begun(state: FlowState, *_: object) -> bool:
    return not state.started and state.outcome is None


# --- what is refused ---


def refuse_mistakes(claims: Iterable[Property], groups: Iterable[GroupSpec]) -> None:
    """Raise ValueError for what is no claim, has a name that is taken, or is about no step."""
    steps = [step.key for group in groups for step in group.steps]
    owners: dict[str, str] = {}
    for claim in claims:
        mistake = mistake_in(claim, steps=steps, owners=owners)
        if mistake is not None:
            raise ValueError(mistake)
        owners[claim.name] = "another claim"


def mistake_in(claim: Property, *, steps: Sequence[str], owners: Mapping[str, str]) -> str | None:
    """What is wrong with a claim about a flow of these steps; `owners` have the names in use."""
    if not isinstance(claim, KINDS):
        return f"expected a claim such as `never` makes, got {shown(claim)}"
    if claim.name in owners:
        return f"the name {shown(claim.name)} is taken by {owners[claim.name]}"
    for key in claim.about or ():
        if key not in steps:
            has = ", ".join(steps) or "none"
            return (
                f"{shown(claim.name)} is about {shown(key)}, "
                f"which is no step of the flow (it has {has})"
            )
    return None
