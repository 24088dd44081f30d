"""What is true of a flow in a state, in the words in which one claims something of it.

    step("apply").runs & ~step("plan").approved
    step("announce").runs & before(step("smoke").is_("success"))

Rule: these are the conditions of a checks file, written in Python. A condition looks at the
live attempts of the steps that it names, and back on what has held before where it says so,
at nothing else, so that a search may forget what it does not name.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from conductor_core.attempt import AttemptStatus
from conductor_core.checking import conditions
from conductor_core.errors import shown
from conductor_core.state import FLOW_STATUSES, FlowState

STEP_STATUSES: Final = tuple(status.value for status in AttemptStatus)
RUNNING: Final = ("queued", "in-progress")


@frozen
class Condition:
    """Something that holds in a state or does not; `&`, `|` and `~` join and negate.

    `approvals` are the steps of which it matters whether they are approved.
    """

    meant: conditions.Condition
    approvals: frozenset[str] = frozenset()

    @property
    def about(self) -> tuple[str, ...]:
        """The keys of the steps that it looks at."""
        return self.meant.about

    def __call__(self, state: FlowState) -> bool:
        """Whether it holds in a state; one that looks back cannot be asked of a state alone."""
        if self.meant.past:
            raise TypeError(f"{self} looks back, and one state does not tell what was before")
        return self.meant.holds(state, frozenset())

    def __and__(self, other: Condition) -> Condition:
        return Condition(
            conditions.all_of((self.meant, other.meant)), self.approvals | other.approvals
        )

    def __or__(self, other: Condition) -> Condition:
        return Condition(
            conditions.any_of((self.meant, other.meant)), self.approvals | other.approvals
        )

    def __invert__(self) -> Condition:
        return Condition(conditions.not_(self.meant), self.approvals)

    def __bool__(self) -> bool:
        raise TypeError("conditions are joined by &, | and ~, not by and, or and not")

    def __str__(self) -> str:
        return self.meant.says


@frozen
class Step:
    """A step of a flow, to say something of its live attempt."""

    key: str

    def is_(self, *statuses: str) -> Condition:
        """The attempt has one of these statuses."""
        return self._that(*_known(statuses, STEP_STATUSES))

    @property
    def runs(self) -> Condition:
        """The attempt was dispatched and its work has not ended."""
        return self._that(*RUNNING)

    @property
    def approved(self) -> Condition:
        """Enough people who may approve did, or something that may decide for them."""
        return Condition(conditions.of_step((self.key,), (), True), frozenset([self.key]))

    def _that(self, *statuses: str) -> Condition:
        return Condition(conditions.of_step((self.key,), statuses, None))


def step(key: str) -> Step:
    """The step of this key."""
    return Step(key)


def flow_is(*statuses: str) -> Condition:
    """The flow has one of these statuses."""
    return Condition(conditions.of_flow(_known(statuses, FLOW_STATUSES)))


def before(condition: Condition) -> Condition:
    """The condition has held in no state so far, the present one included."""
    return Condition(conditions.before(condition.meant), condition.approvals)


def after(condition: Condition) -> Condition:
    """The condition has held, in the present state or in an earlier one."""
    return Condition(conditions.after(condition.meant), condition.approvals)


def _known(statuses: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The statuses, if there is at least one and all exist: others would never be met."""
    for status in statuses or ("",):
        if status not in known:
            raise ValueError(f"{shown(status)} is no status; expected one of {', '.join(known)}")
    return statuses
