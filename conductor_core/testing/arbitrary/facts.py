"""Any fact, as a host reports it: about what is open, or late, or about nothing at all.

Rule: each function is a `Maker`: it makes one kind of fact that fits a state, mostly.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from conductor_core import events
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.payload import freeze
from conductor_core.spec import GroupSpec
from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.choices import Choose, chance, one_of, some, weighted
from conductor_core.testing.arbitrary.flows import any_groups, broken_groups
from conductor_core.testing.arbitrary.names import any_incarnation, any_timer, attempt_at_work

Noop: TypeAlias = bool | Literal["unknown"]

OUTCOMES: Final[tuple[tuple[int, events.WorkOutcome], ...]] = (
    (60, "succeeded"),
    (33, "failed"),
    (5, "cancelled"),
)
DIRECTIVES: Final[tuple[tuple[int, str | None], ...]] = (
    (60, None),
    (4, "continue"),
    (4, "stop"),
    (5, "await-approval"),
    (4, "skip-group"),
    (6, "retry"),
    (6, "retry-group"),
    (5, "await-retry"),
    (2, "jump"),
)
NOOPS: Final[tuple[tuple[int, Noop], ...]] = ((7, "unknown"), (3, True), (1, False))
POLICIES: Final[tuple[tuple[int, PolicyReport | None], ...]] = (
    (66, None),
    (10, PolicyReport()),
    (6, PolicyReport(passed_policy_ids=("p1",), warn_violations=("w1",))),
    (9, PolicyReport(deny_violations=("d1", "d2"))),
    (10, PolicyReport(evaluated=False)),
    (1, PolicyReport(evaluated=False, deny_violations=("d1",))),
)
SUBJECTS: Final[tuple[tuple[int, str | None], ...]] = ((6, None), (3, "plan-1"), (1, "plan-2"))
OUTPUTS: Final = tuple(freeze(value) for value in (None, 1, True, "done", {"b": [1.0], "a": 2}))


def flow_started(_choose: Choose, _state: FlowState, at_ms: int) -> Event:
    """The start."""
    return events.FlowStarted(at_ms=at_ms)


def groups_generated(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """Groups that are new, known, partly known, broken, or none."""
    known = tuple(state.catalog.groups)
    kind = weighted(choose, ((60, "new"), (10, "none"), (12, "known"), (4, "mixed"), (4, "broken")))
    groups: tuple[GroupSpec, ...] = ()
    if kind == "known":
        groups = some(choose, known, 2)
    elif kind == "broken":
        groups = broken_groups(choose, known)
    elif kind != "none":
        groups = any_groups(choose, known)
    if kind == "mixed":
        groups = (*known[-1:], *groups)
    return events.GroupsGenerated(at_ms=at_ms, groups=groups, complete=chance(choose, 40))


def generation_failed(choose: Choose, _state: FlowState, at_ms: int) -> Event:
    """A generator that gave up."""
    return events.GenerationFailed(at_ms=at_ms, error=any_error(choose))


def step_started(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """An attempt that was taken up, or is said to be."""
    return events.StepStarted(at_ms=at_ms, attempt=attempt_at_work(choose, state))


def step_finished(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """The end of the work of an attempt, in every way that work ends."""
    outcome = weighted(choose, OUTCOMES)
    return events.StepFinished(
        at_ms=at_ms,
        attempt=attempt_at_work(choose, state),
        outcome=outcome,
        directive=weighted(choose, DIRECTIVES),
        output=one_of(choose, OUTPUTS),
        error=any_error(choose) if chance(choose, 5 if outcome == "succeeded" else 80) else None,
        noop=weighted(choose, NOOPS),
        policy=weighted(choose, POLICIES),
        subject=weighted(choose, SUBJECTS),
        metadata={"took": "long"} if chance(choose, 5) else {},
    )


def timer_fired(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """A timer that is open, or was, or never could be."""
    return events.TimerFired(at_ms=at_ms, timer=any_timer(choose, state))


def continue_as_new_suggested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """A hint that the history grows long."""
    return events.ContinueAsNewSuggested(at_ms=at_ms, incarnation=any_incarnation(choose, state))


def continued_as_new(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """The fresh history, asked for or not."""
    return events.ContinuedAsNew(at_ms=at_ms, incarnation=any_incarnation(choose, state))


def any_error(choose: Choose) -> StepError:
    """Why something failed, perhaps with a cause."""
    return StepError(
        message=one_of(choose, ("broken pipe", "no quota", "")),
        non_retryable=chance(choose, 15),
        terminal=chance(choose, 6),
        retry_after_ms=one_of(choose, (7_000, 0, 90_000)) if chance(choose, 10) else None,
        cause=any_error(choose) if chance(choose, 10) else None,
    )
