"""How two runs of a flow ended, or stand: their outcomes, and the steps that stand differently.

Rule: of a step its live attempt counts. Side `a` is what was recorded first; what is the same on
both sides is only counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from attrs import evolve, frozen

from conductor_core.commands import Outcome
from conductor_core.state import FlowState

End: TypeAlias = tuple[str, Outcome | None]
"""The status of a flow, and its outcome if it has ended."""
Live: TypeAlias = tuple[str, str]
"""The id of a live attempt, and its status."""


@frozen(kw_only=True)
class StepChange:
    """A step whose live attempt is another one, or has another status.

    A step that does not exist on one side has None there.
    """

    step: str
    a: Live | None
    b: Live | None


@frozen(kw_only=True)
class Ends:
    """How the ends of two runs differ."""

    a: End
    b: End
    steps: tuple[StepChange, ...]
    same_steps: int

    @property
    def are_alike(self) -> bool:
        """Whether there is no difference."""
        return self.a == self.b and not self.steps


def ends_of(a: FlowState, b: FlowState, *, messages: bool = True) -> Ends:
    """Hold two states of a flow against one another, the messages of their ends or not."""
    every = list(_steps(a, b))
    changes = tuple(change for change in every if change.a != change.b)
    return Ends(
        a=_end(a, messages=messages),
        b=_end(b, messages=messages),
        steps=changes,
        same_steps=len(every) - len(changes),
    )


def _end(state: FlowState, *, messages: bool) -> End:
    outcome = state.outcome
    if outcome is not None and not messages:
        outcome = evolve(outcome, message=None)
    return state.status, outcome


def _steps(a: FlowState, b: FlowState) -> Iterator[StepChange]:
    """Every step of either side, in the order of the flow."""
    ours, theirs = _live(a), _live(b)
    for step in {**ours, **theirs}:
        yield StepChange(step=step, a=ours.get(step), b=theirs.get(step))


def _live(state: FlowState) -> dict[str, Live]:
    return {attempt.step: (attempt.id, attempt.status.value) for attempt in state.live}
