"""What became of each attempt in two logs: what differs, and what only one of them has.

Rule: an attempt is known by its id, step and number, whenever it ran. What it is compared by
stands in FIELDS; times are not among them. What a flow only declares and never began is no
attempt here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from conductor_adapters.debugger.known import Call, Knowledge
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.unequal import Unequal, unequal
from conductor_core.attempt import Approval, Attempt, Result
from conductor_core.codec import writer
from conductor_core.state import FlowState

FIELDS: Final = (
    *("status", "reason", "directive", "retry", "generation", "output", "error", "noop"),
    *("policy", "subject", "metadata", "approved_by", "answers", "automatic"),
)
"""What attempts are compared by."""
IGNORABLE: Final = ("output", "error", "policy", "subject", "metadata", "approved_by")
"""What may be left out of a comparison: what work and people say, not what the flow makes of it."""


@frozen
class AttemptDiff:
    """An attempt of both logs, and where it differs."""

    attempt: str
    places: tuple[Unequal, ...]

    def as_data(self) -> dict[str, Any]:
        """It for JSON."""
        return {"attempt": self.attempt, "differs": [place.as_data() for place in self.places]}


@frozen
class Only:
    """An attempt that one log has, and its status there."""

    attempt: str
    status: str

    def as_data(self) -> dict[str, Any]:
        """It for JSON."""
        return {"attempt": self.attempt, "status": self.status}


@frozen(kw_only=True)
class Attempts:
    """The attempts of two logs: different ones, those of one log only, how many are alike."""

    differing: tuple[AttemptDiff, ...]
    only_a: tuple[Only, ...]
    only_b: tuple[Only, ...]
    same: int

    @property
    def are_alike(self) -> bool:
        """Whether there is no difference."""
        return not (self.differing or self.only_a or self.only_b)


def attempts_of(a: FlowState, b: FlowState, ignored: frozenset[str] = frozenset()) -> Attempts:
    """Compare the attempts of two logs by their ids, in the order of the flow."""
    ours, theirs = _begun(a), _begun(b)
    both = [key for key in ours if key in theirs]
    found = (AttemptDiff(key, _places(ours[key], theirs[key], ignored)) for key in both)
    differing = tuple(diff for diff in found if diff.places)
    return Attempts(
        differing=differing,
        only_a=tuple(_only(ours[key]) for key in ours if key not in theirs),
        only_b=tuple(_only(theirs[key]) for key in theirs if key not in ours),
        same=len(both) - len(differing),
    )


def _begun(state: FlowState) -> dict[str, Attempt]:
    """Every attempt that is more than declared."""
    attempts = state.attempts()
    return {each.id: each for each in attempts if each != Attempt(each.step)}


def _only(attempt: Attempt) -> Only:
    return Only(attempt.id, attempt.status.value)


def _places(a: Attempt, b: Attempt, ignored: frozenset[str]) -> tuple[Unequal, ...]:
    if a == b:
        return ()
    ours, theirs = (_fields(attempt, ignored) for attempt in (a, b))
    return tuple(place for key in ours for place in unequal(ours[key], theirs[key], key))


def _fields(attempt: Attempt, ignored: frozenset[str]) -> dict[str, Any]:
    result = attempt.result or Result()
    fields = {
        "status": attempt.status.value,
        "reason": attempt.reason,
        "directive": attempt.directive,
        "retry": attempt.retry,
        "generation": attempt.generation,
        "output": result.output.value,
        "error": None if result.error is None else writer(type(result.error))(result.error),
        "noop": result.noop,
        "policy": None if result.policy is None else writer(type(result.policy))(result.policy),
        "subject": result.subject,
        "metadata": result.metadata.value,
        **_answers(attempt.approval),
    }
    return {key: value for key, value in fields.items() if key not in ignored}


def _answers(approval: Approval | None) -> dict[str, Any]:
    """Who approved, in whatever order, and what else was answered."""
    if approval is None:
        return {"approved_by": [], "answers": [], "automatic": None}
    others = [it for it in approval.answers if it.response != "approve"]
    return {
        "approved_by": sorted(approval.approvers),
        "answers": [{"by": it.by, "response": it.response} for it in others],
        "automatic": approval.automatic,
    }


# --- times ---


def durations_of(a: Recording, b: Recording) -> Iterator[Unequal]:
    """How long the work of each attempt of both logs took, in milliseconds, where that differs."""
    ours, theirs = Knowledge(a), Knowledge(b)
    both = _begun(b.replay.state)
    for key in (key for key in _begun(a.replay.state) if key in both):
        took, other = (known.ran_ms(Call("work", key)) for known in (ours, theirs))
        if took != other:
            yield Unequal(key, took, other)
