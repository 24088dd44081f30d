"""What the closed vocabulary can say of a state, and of the states before it.

Rule: a condition looks at the present state, at the live attempts of the steps it names (what
was tried before and superseded counts no more), and at which conditions have held so far in
the run. Beside itself it has a text that tells it apart from every other condition. A step
whose group has not been generated or appended yet has no status and is not approved.

`before` and `after` are the two sides of one question, asked of all states from the
beginning up to the present one, through retries and reruns: a state is *after* a condition
from the first state on in which it holds, that state included, and *before* it until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from attrs import frozen

from conductor_core.attempt import Attempt
from conductor_core.checking.gate import is_approved
from conductor_core.checking.properties import History
from conductor_core.directives import FIXED_MESSAGES
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState, initial_state

REASONS: Final = (
    *FIXED_MESSAGES,
    *("failed", "timeout", "terminal-error", "retries-exhausted", "cancelled"),
)
"""The reasons with which a flow may end."""

Held: TypeAlias = frozenset[str]
"""The conditions, by their texts, that have held so far in a run."""


@frozen
class Condition:
    """Something that holds in a state or does not; `says` is its text.

    `about` are the steps that it looks at, `past` the conditions that it looks back on, each
    after those that it looks back on itself.
    """

    says: str
    holds: Callable[[FlowState, Held], bool]
    about: tuple[str, ...] = ()
    past: tuple[Condition, ...] = ()


# --- of steps and of the flow ---


def of_step(keys: tuple[str, ...], statuses: tuple[str, ...], approved: bool | None) -> Condition:
    """At least one of these steps has one of these statuses, and is approved or is not."""
    told = [f"is {_or(statuses)}"] if statuses else []
    if approved is not None:
        told.append("is approved" if approved else "is not approved")

    def fits(step: StepSpec, attempt: Attempt) -> bool:
        if statuses and attempt.status.value not in statuses:
            return False
        return approved is None or is_approved(step.approval_spec, attempt) is approved

    def holds(state: FlowState, _: Held) -> bool:
        places = [state.catalog.position_of(key) for key in keys]
        unborn = not statuses and approved is False and None in places
        found = [place for place in places if place is not None]
        return unborn or any(fits(state.catalog.steps[p], state.live[p]) for p in found)

    return Condition(f"{_or(keys)} {' and '.join(told)}", holds, keys)


def of_flow(statuses: tuple[str, ...]) -> Condition:
    """The flow has one of these statuses."""
    return Condition(f"the flow is {_or(statuses)}", lambda state, _: state.status in statuses)


def of_reason(reasons: tuple[str, ...]) -> Condition:
    """The flow has ended with one of these reasons."""
    return Condition(
        f"the flow has ended as {_or(reasons)}",
        lambda state, _: state.outcome is not None and state.outcome.reason in reasons,
    )


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)


# --- put together ---


def all_of(parts: tuple[Condition, ...]) -> Condition:
    """Every part holds."""
    return _joined("and", parts, lambda state, held: all(p.holds(state, held) for p in parts))


def any_of(parts: tuple[Condition, ...]) -> Condition:
    """At least one part holds."""
    return _joined("or", parts, lambda state, held: any(p.holds(state, held) for p in parts))


def not_(part: Condition) -> Condition:
    """The part does not hold."""
    return Condition(
        f"not ({part.says})",
        lambda state, held: not part.holds(state, held),
        part.about,
        part.past,
    )


def after(part: Condition) -> Condition:
    """The part has held, in this state or in an earlier one."""
    return Condition(
        f"after ({part.says})",
        lambda state, held: part.says in held or part.holds(state, held),
        part.about,
        (*part.past, part),
    )


def before(part: Condition) -> Condition:
    """The part has not held yet."""
    later = after(part)
    return Condition(
        f"before ({part.says})",
        lambda state, held: not later.holds(state, held),
        later.about,
        later.past,
    )


def _joined(
    word: str, parts: tuple[Condition, ...], holds: Callable[[FlowState, Held], bool]
) -> Condition:
    if len(parts) == 1:
        return parts[0]
    says = f" {word} ".join(map(_grouped, parts))
    return Condition(says, holds, _about(parts), _past(parts))


def _grouped(part: Condition) -> str:
    joined = " and " in part.says or " or " in part.says
    return f"({part.says})" if joined else part.says


def _about(parts: Iterable[Condition]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for part in parts for key in part.about))


def _past(parts: Iterable[Condition]) -> tuple[Condition, ...]:
    """What the parts look back on, each once."""
    return tuple({part.says: part for whole in parts for part in whole.past}.values())


# --- the past ---


def history_of(conditions: tuple[Condition, ...], spec: FlowSpec) -> History | None:
    """What is to be remembered for these conditions; None if they do not look back."""
    past = _past(conditions)
    if not past:
        return None

    def remember(held: Held, _: FlowState, __: Event, reached: Transition) -> Held:
        return _seen(past, held, reached.state)

    return History(_seen(past, frozenset(), initial_state(spec, "flow")), remember)


def _seen(past: tuple[Condition, ...], held: Held, state: FlowState) -> Held:
    """What has held once this state is reached, too; the inner ones are asked first."""
    for condition in past:
        if condition.says not in held and condition.holds(state, held):
            held = held | {condition.says}
    return held


def predicate(condition: Condition) -> Callable[..., bool]:
    """A condition as a predicate of a property, which may have a history."""
    return lambda state, held=frozenset(): condition.holds(state, held)


def mentioned(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """The steps that any of these conditions looks at."""
    return _about(conditions)
