"""What became of an attempt, by the failure that Temporal tells of it.

Rule: a worker says itself how work ended, in the details of its failure. What never came from a
worker is what Temporal saw: a worker that died, a time that ran out, a queue nobody served.
"""

from __future__ import annotations

from typing import Any, Final

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TimeoutError,  # noqa: A004 - Temporal's own
    TimeoutType,
)

from conductor_adapters.host import INTERRUPTED
from conductor_adapters.work import Finished, cancelled
from conductor_core.codec import decode_event
from conductor_core.errors import ConductorError
from conductor_core.events import Event, StepError, StepFinished

SHUT_DOWN: Final = "WorkerShutdown"
"""The type of the failure of work whose worker ends."""
HOST_FAILURE: Final = "HostFailure"
LEFT: Final = (SHUT_DOWN, HOST_FAILURE, "ActivityPause", "ActivityReset")
"""The types of failures of work that its worker left, which is no fact about it."""
LOST: Final = StepError(
    type="lost", message="every worker that began the work died", non_retryable=True
)
_TIMES: Final = {
    TimeoutType.SCHEDULE_TO_START: StepError(
        type="no-worker", message="no worker took the work in time"
    ),
    TimeoutType.START_TO_CLOSE: StepError(
        type="timeout", message="the work took longer than Temporal was told to wait"
    ),
    TimeoutType.SCHEDULE_TO_CLOSE: StepError(
        type="timeout", message="the work took longer than Temporal was told to wait"
    ),
}


def said_by_worker(error: BaseException) -> Event | None:
    """The fact that a worker sent along with the failure of its activity, if it could."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.details:
        return _event(cause.details[0])
    return None


def _event(told: Any) -> Event | None:
    try:
        return decode_event(told)
    except ConductorError:
        # An interceptor of the user's may have put something else there.
        return None


def told_of(attempt: str, error: BaseException, *, asked: bool, runs_once: bool) -> Finished:
    """How an attempt ended of which no worker said it.

    `asked`: it was to give up. `runs_once`: it must not run twice unseen (S14.3).
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if asked or isinstance(cause, CancelledError):
        return cancelled(attempt)
    return Finished(attempt=attempt, outcome="failed", error=_error(cause, runs_once=runs_once))


def _error(cause: BaseException | None, *, runs_once: bool) -> StepError:
    died = isinstance(cause, TimeoutError) and cause.type is TimeoutType.HEARTBEAT
    ended = isinstance(cause, ApplicationError) and cause.type in LEFT
    if died or ended:
        return INTERRUPTED if runs_once else LOST
    if isinstance(cause, TimeoutError):
        return _TIMES.get(cause.type or TimeoutType.START_TO_CLOSE, LOST)
    kind = cause.type if isinstance(cause, ApplicationError) else None
    return StepError(type=kind or type(cause).__name__, message=str(cause))


def is_step_finished(event: Event | None, attempt: str) -> bool:
    """Whether a fact is about an attempt."""
    return isinstance(event, StepFinished) and event.attempt == attempt
