"""What happens in a branch, and what nobody knows.

Rule: an event says where it comes from, so that nothing that was assumed passes for recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from attrs import frozen

from conductor_adapters.debugger.known import Known
from conductor_core.events import Event, StepError, StepFinished, WorkOutcome, is_request
from conductor_core.reducer import Transition
from conductor_core.verdicts import Accepted

Origin: TypeAlias = Literal["given", "recorded", "clock", "host", "assumed"]


@frozen
class Question:
    """What the recording does not know: how work ended, what people said, which groups."""

    kind: Literal["work", "approval", "groups"]
    of: str


Assume: TypeAlias = Callable[[Question], str | None]
"""Answers a question with an outcome, or with a response; with None where nobody knows."""


@frozen
class Happened:
    """An event of a branch, what became of it, and where it comes from.

    `known` is what was recorded, and `of` the attempt whose answer it was, if another's.
    """

    event: Event
    transition: Transition
    origin: Origin
    known: Known | None = None
    of: str | None = None

    @property
    def refused(self) -> bool:
        """Whether it is something that people did and that counted, and that now does not."""
        counted = self.known is not None and self.known.accepted
        return counted and is_request(self.event) and not is_accepted(self.transition)


def is_accepted(transition: Transition) -> bool:
    """Whether an event counted."""
    return isinstance(transition.verdict, Accepted)


_OUTCOMES: Final[dict[str, WorkOutcome]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}


def assumed_end(attempt: str, outcome: str, at_ms: int) -> StepFinished:
    """The end of some work of which nobody knows."""
    error = StepError(message="assumed to fail") if outcome == "failed" else None
    return StepFinished(at_ms=at_ms, attempt=attempt, outcome=_OUTCOMES[outcome], error=error)
