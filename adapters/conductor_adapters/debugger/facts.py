"""The facts that two flows are compared by: what may come to pass in them, in closed words.

Rule: a fact is about what one accepted event does, so that it is met or not and needs no
memory, but for two things that every search remembers: whether a person's approvals were ever
enough for something, and whether anything ever failed. VOCABULARY has every form of a fact;
nothing else is compared.

Facts look at the step that moves, and not at what its attempts were before: a search may forget
what is finished (`reach`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from conductor_adapters.debugger.moments import changed_attempts
from conductor_core import events
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.checking.properties import History, Survey
from conductor_core.commands import ContinueAsNew, DispatchStep
from conductor_core.directives import FIXED_MESSAGES
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

REASONS: Final = (
    *("failed", "timeout", "terminal-error", "retries-exhausted"),
    *FIXED_MESSAGES,
)
"""Why a flow may end in error."""
STANDINGS: Final = ("approval-awaiting", "failed-pending-retry", "paused", "cancelling")
"""The statuses of a flow that is held up or on its way to its end."""
ENDS: Final = (
    *(AttemptStatus.SUCCESS, AttemptStatus.ERROR, AttemptStatus.CANCELLED),
    *(AttemptStatus.APPROVAL_DENIED, AttemptStatus.APPROVAL_EXPIRED, AttemptStatus.AUTO_SKIPPED),
    *(AttemptStatus.USER_SKIPPED, AttemptStatus.DISCARDED, AttemptStatus.NOT_ATTEMPTED),
)
"""The statuses of an attempt that has finished."""
MOST_RETRIES: Final = 10
"""Up to this number retries and generations are facts of their own."""

VOCABULARY: Final = (
    ("the flow ends in success", "and in `cancelled`"),
    ("the flow ends in error, REASON", f"REASON is one of {', '.join(REASONS)}"),
    ("the flow ends in success after something failed", "a step ended in error on the way"),
    ("the flow comes to be STATUS", f"STATUS is one of {', '.join(STANDINGS)}"),
    ("the flow continues as new", "the host is told to (S13)"),
    ("the flow runs again after its end", "a rerun revived it (S10.5)"),
    ("STEP is dispatched", "its work is sent out"),
    ("STEP is dispatched before anybody approved anything", "no approval was complete until then"),
    ("STEP is dispatched after somebody approved something", "one was"),
    ("STEP is dispatched while an approval is open", "of another step"),
    ("STEP is dispatched after something failed", "a step ended in error before"),
    ("STEP is dispatched as retry N", f"its own retries, up to {MOST_RETRIES}"),
    ("STEP is dispatched in generation N", f"retries of its group, up to {MOST_RETRIES}"),
    ("STEP waits to be retried", "out its backoff"),
    ("STEP asks for approval", "its approval opens"),
    ("STEP is approved by people", "all the approvals that it needs were given"),
    ("STEP is approved by itself", "by its policies, or by the option of the flow"),
    ("STEP succeeds without being approved", "nobody and nothing approved it"),
    ("STEP waits for a person to retry it", "it failed, with the directive await-retry"),
    ("STEP takes too long", "its timeout fires"),
    ("STEP ends as STATUS", f"STATUS is one of {', '.join(ENDS)}"),
)
"""Every form of a fact, and what it says."""


@frozen
class Fact:
    """Something that may come to pass: of a step, or of the flow as a whole."""

    says: str
    step: str | None = None

    def __str__(self) -> str:
        return self.says


# --- which there are ---


def facts_of_flow() -> Iterator[Fact]:
    """The facts about a flow as a whole."""
    for status in ("success", "cancelled", *(f"error, {reason}" for reason in REASONS)):
        yield Fact(f"the flow ends in {status}")
    yield Fact("the flow ends in success after something failed")
    yield from (Fact(f"the flow comes to be {status}") for status in STANDINGS)
    yield Fact("the flow continues as new")
    yield Fact("the flow runs again after its end")


def facts_of_step(step: str, retries: int) -> Iterator[Fact]:
    """The facts about a step, with as many retries as are worth asking for."""
    most = min(retries, MOST_RETRIES)
    says = [
        *("is dispatched", "is dispatched before anybody approved anything"),
        *("is dispatched after somebody approved something",),
        *("is dispatched while an approval is open", "is dispatched after something failed"),
        *(f"is dispatched as retry {n}" for n in range(1, most + 1)),
        *(f"is dispatched in generation {n}" for n in range(1, most + 1)),
        *("waits to be retried", "asks for approval", "is approved by people"),
        *("is approved by itself", "succeeds without being approved"),
        *("waits for a person to retry it", "takes too long"),
        *(f"ends as {status.value}" for status in ENDS),
    ]
    return (Fact(f"{step} {it}", step) for it in says)


# --- what a search remembers ---

APPROVED: Final = 1
FAILED: Final = 2


def _remember(past: int, before: FlowState, event: Event, after: Transition) -> int:
    """Whether people ever approved something, and whether anything ever failed."""
    match event:
        case events.ApprovalResponded(step=step, response="approve"):
            position = before.catalog.position_of(step)
            given = position is not None and _is_approved(after.state.live[position])
            return past | APPROVED if given else past
        case events.StepFinished(attempt=attempt) | events.TimerFired(timer=attempt):
            ended = after.state.attempt(attempt.removeprefix("timeout:"))
            return past | FAILED if ended is not None and _went_wrong(ended) else past
        case _:
            return past


def _went_wrong(attempt: Attempt) -> bool:
    """Whether work failed, also if it is tried again."""
    return attempt.error is not None or attempt.status is AttemptStatus.ERROR


def _is_approved(attempt: Attempt) -> bool:
    return attempt.status is AttemptStatus.SUCCESS


PAST: Final = History(0, _remember)
"""What every fact is told of the past."""

# --- what comes to pass ---


def survey_of(facts: Iterable[Fact], *, about: tuple[str, ...]) -> Survey:
    """The facts as what a search is to find out."""
    return Survey(
        name="what may come to pass",
        names=frozenset(fact.says for fact in facts),
        shows=shown_by,
        about=about,
        history=PAST,
    )


def shown_by(before: FlowState, event: Event, after: Transition, past: int) -> frozenset[str]:
    """The facts that an event shows, if it counts."""
    if after.verdict is not ACCEPTED:
        return frozenset()
    past = _remember(past, before, event, after)
    return frozenset([*_of_flow(before, after, past), *_of_steps(before, event, after, past)])


def _of_flow(before: FlowState, after: Transition, past: int) -> Iterator[str]:
    state = after.state
    if state.outcome is not None and state.outcome != before.outcome:
        status, reason = state.outcome.status, state.outcome.reason
        yield f"the flow ends in {f'{status}, {reason}' if status == 'error' else status}"
        if status == "success" and past & FAILED:
            yield "the flow ends in success after something failed"
    yield f"the flow comes to be {state.status}"
    if any(isinstance(command, ContinueAsNew) for command in after.commands):
        yield "the flow continues as new"
    if state.run > before.run:
        yield "the flow runs again after its end"


def _of_steps(before: FlowState, event: Event, after: Transition, past: int) -> Iterator[str]:
    for command in after.commands:
        if isinstance(command, DispatchStep):
            yield from _of_dispatch(command, after.state, past)
    if isinstance(event, events.TimerFired) and event.timer.startswith("timeout:"):
        yield f"{event.timer.removeprefix('timeout:').rpartition('#')[0]} takes too long"
    for earlier, attempt in changed_attempts(before, after.state):
        if earlier is None or earlier.status is not attempt.status:
            yield from _of_status(attempt)


def _of_dispatch(command: DispatchStep, state: FlowState, past: int) -> Iterator[str]:
    says = f"{command.attempt.rpartition('#')[0]} is dispatched"
    yield says
    somebody = "after somebody approved something"
    yield f"{says} {somebody if past & APPROVED else 'before anybody approved anything'}"
    if state.awaiting:
        yield f"{says} while an approval is open"
    if past & FAILED:
        yield f"{says} after something failed"
    if command.retry:
        yield f"{says} as retry {command.retry}"
    if command.generation:
        yield f"{says} in generation {command.generation}"


def _of_status(attempt: Attempt) -> Iterator[str]:
    step, status = attempt.step, attempt.status
    match status:
        case AttemptStatus.WAITING_TO_RETRY:
            yield f"{step} waits to be retried"
        case AttemptStatus.APPROVAL_AWAITING:
            yield f"{step} asks for approval"
        case AttemptStatus.SUCCESS:
            yield f"{step} {_approval(attempt)}"
        case _ if attempt.parked:
            yield f"{step} waits for a person to retry it"
        case _:
            pass
    yield f"{step} ends as {status.value}"


def _approval(attempt: Attempt) -> str:
    approval = attempt.approval
    if approval is not None and approval.automatic is not None:
        return "is approved by itself"
    if approval is not None and approval.approvers:
        return "is approved by people"
    return "succeeds without being approved"
