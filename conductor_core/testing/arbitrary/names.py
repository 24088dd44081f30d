"""Names for events to speak of: mostly those that matter now, now and then stale or unknown ones.

Rule: a name is only ever taken from a state that events led to, or is one that no flow has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.choices import Choose, T, chance, one_of
from conductor_core.testing.arbitrary.flows import PEOPLE

NOBODY: Final = "nobody"
NO_NUMBERS: Final = ("0", "01", "-1", "", "x", "\N{FULLWIDTH DIGIT ONE}", "9" * 5_000)
"""What stands in no attempt id after the `#`, though some of it looks or reads like a number."""


def mostly(choose: Choose, fitting: Sequence[T], others: Sequence[T]) -> T:
    """One of those that fit, or in one of twelve cases, or when none fits, one of the others."""
    return one_of(choose, others if not fitting or chance(choose, 8) else fitting)


def attempt_at_work(choose: Choose, state: FlowState) -> str:
    """The id of an active attempt, mostly."""
    active = [attempt.id for attempt in state.live if attempt.active]
    return mostly(choose, active, (any_attempt(choose, state),))


def any_attempt(choose: Choose, state: FlowState) -> str:
    """The id of any attempt, or of one that does not exist."""
    known = [attempt.id for attempt in state.attempts()]
    step = any_step(choose, state)
    return mostly(choose, known, (f"{step}#9", NOBODY, *(f"{step}#{n}" for n in NO_NUMBERS)))


def any_step(choose: Choose, state: FlowState) -> str:
    """The key of any step, mostly of the current group."""
    current = [attempt.step for attempt in state.current_attempts()]
    everywhere = [attempt.step for attempt in state.live]
    known = current if current and chance(choose, 60) else everywhere
    return mostly(choose, known, (NOBODY,))


def any_group(choose: Choose, state: FlowState) -> str:
    """The key of any group, mostly of the current one."""
    keys = [group.key for group in state.catalog.groups]
    current = keys[state.current : state.current + 1]
    return mostly(choose, current if current and chance(choose, 80) else keys, (NOBODY,))


def any_timer(choose: Choose, state: FlowState) -> str:
    """The id of an open timer, mostly."""
    attempt = any_attempt(choose, state)
    closed = ("cancel", f"timeout:{attempt}", f"backoff:{attempt}", f"approval:{attempt}", "tea")
    return mostly(choose, [timer for timer, _ in state.timers()], closed)


def any_incarnation(choose: Choose, state: FlowState) -> int:
    """The number of the incarnation, mostly the present one."""
    return mostly(choose, (state.incarnation,), (state.incarnation - 1, state.incarnation + 1, 7))


def person(choose: Choose) -> str:
    """Whoever asks."""
    return one_of(choose, PEOPLE)


def approver(choose: Choose, state: FlowState, step: str) -> str:
    """Whoever answers about a step: anybody, and whom else it names as an approver."""
    position = state.catalog.position_of(step)
    approval = None if position is None else state.catalog.steps[position].approval
    named = () if approval is None or approval.approvers is None else approval.approvers
    strangers = [name for name in named if name not in PEOPLE]
    return one_of(choose, [*named, *PEOPLE] if strangers else PEOPLE)


def request_id(choose: Choose) -> str | None:
    """None, or one of few, so that some requests come twice (S4.5)."""
    return f"request-{choose(12)}" if chance(choose, 15) else None
