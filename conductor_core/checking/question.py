"""What a search is to find out, and what is said of it while it is under way.

Rule: nothing here looks at a state; a function of a claim that raises is told apart from what
else may raise, so that it can be told whose it is and which events led there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Literal, TypeAlias

from attrs import frozen

from conductor_core.checking.alphabet import Alphabet, Spent
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.properties import (
    History,
    Invariant,
    LeadsTo,
    Property,
    Sometimes,
    Survey,
)
from conductor_core.events import Event
from conductor_core.state import FlowState

StoppedBy: TypeAlias = Literal["max-states", "enough"]
"""Why a search left states out."""
Place: TypeAlias = tuple[FlowState, Spent, tuple[Hashable, ...]]
"""A state, what was spent on the way to it, and what each history of a question observed."""


@frozen(kw_only=True)
class Progress:
    """How far a search is; `depth`: how many events away the states are that are looked at."""

    states: int
    frontier: int
    transitions: int
    depth: int


@frozen(kw_only=True)
class Question:
    """What is to be found out, and how far to look for it."""

    alphabet: Alphabet
    canonical: Canonical
    invariants: tuple[Invariant, ...] = ()
    sometimes: tuple[Sometimes, ...] = ()
    leads_to: tuple[LeadsTo, ...] = ()
    survey: Survey | None = None
    max_states: int | None = None
    enough: Callable[[], bool] | None = None
    progress: Callable[[Progress], None] | None = None

    @property
    def claims(self) -> tuple[Property, ...]:
        """Every claim that is asked about."""
        return (*self.invariants, *self.sometimes, *self.leads_to)

    @property
    def asking(self) -> tuple[Property | Survey, ...]:
        """Whatever looks at what is found: the claims, and the survey."""
        return self.claims if self.survey is None else (*self.claims, self.survey)

    @property
    def histories(self) -> tuple[History, ...]:
        """What these remember of the past, each history once."""
        return tuple(dict.fromkeys(a.history for a in self.asking if a.history is not None))


class ClaimFailed(Exception):
    """A function of the claim of that name raised `error`; `way` are the events that led there."""

    def __init__(self, claim: str, error: Exception) -> None:
        super().__init__(claim, error)
        self.claim = claim
        self.error = error
        self.way: tuple[Event, ...] = ()


def guarded(claim: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a claim, of which it is told whose it is if it raises."""

    def ask(*seen: object) -> Any:
        try:
            return function(*seen)
        except Exception as error:
            raise ClaimFailed(claim, error) from error

    return ask
