"""What a handler gets, what it may answer, and the fact that comes of it.

Rule: every way in which work can end is one step-finished, and the text of an exception is
for operators: people see only what a handler itself marked as `non_retryable` (S6.21).
A handler is a function of one StepContext, or a coroutine function; it returns its output
or a StepResult, and raises StepFailure where it has more to say than a text.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final, Literal

from attrs import evolve, field, frozen

from conductor_core.codec import encode_event
from conductor_core.commands import DispatchStep
from conductor_core.errors import ConductorError, FormatError, PayloadError
from conductor_core.events import PolicyReport, StepError, StepFinished, WorkOutcome
from conductor_core.payload import EMPTY, NULL, Payload, freeze

__all__ = [
    "CancellationToken",
    "HostFailure",
    "StepCancelled",
    "StepContext",
    "StepFailure",
    "StepResult",
    "is_cancellation_error",
]

CAUSES_KEPT: Final = 8


def _check_metadata(_result: object, _field: object, value: Payload) -> None:
    if not value.text.startswith("{"):
        raise TypeError(f"metadata is a mapping, not {value.text}")


@frozen(kw_only=True)
class StepResult:
    """What work leaves behind, for handlers that have more to say than their output.

    `subject` names what people approve: a digest of the plan, say.
    """

    output: Payload = field(default=NULL, converter=freeze)
    subject: str | None = None
    noop: bool | Literal["unknown"] = "unknown"
    directive: str | None = None
    policy: PolicyReport | None = None
    metadata: Payload = field(default=EMPTY, converter=freeze, validator=_check_metadata)


NOTHING: Final = StepResult()
"""What work leaves behind that has nothing to say."""


class StepFailure(ConductorError):
    """Raised by a handler whose work failed, with the flags of StepError.

    `result` is what the work left behind all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "StepFailure",  # noqa: A002 - the name of the field in every log
        non_retryable: bool = False,
        terminal: bool = False,
        retry_after_ms: int | None = None,
        details: object = None,
        result: StepResult | None = None,
    ) -> None:
        self.error = StepError(
            message=_readable(message),
            type=_readable(type),
            non_retryable=non_retryable,
            terminal=terminal,
            retry_after_ms=retry_after_ms,
            details=freeze(details),
        )
        self.result = NOTHING if result is None else result
        super().__init__(message)


class StepCancelled(ConductorError):
    """Raised by a handler that gave up because it was asked to."""


class HostFailure(ConductorError):
    """Raised by a handler whose host failed it, on a full disk say: no fact about the work.

    The flow stops here as it is, and the next host does the work again. The same holds of a
    generator that raises it, and of the groups that it was to make.
    """


def is_cancellation_error(error: BaseException) -> bool:
    """Whether an exception means that work was cancelled rather than that it failed."""
    return isinstance(error, (StepCancelled, asyncio.CancelledError))


class CancellationToken:
    """Whether work was asked to give up; may be asked from any thread."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        # Most work never looks, so that the event is made by whoever does.
        self._asked: threading.Event | bool = False

    def ask(self) -> None:
        """Ask the work to give up."""
        with _ASKING:
            event, self._asked = self._asked, True
        if isinstance(event, threading.Event):
            event.set()

    @property
    def asked(self) -> bool:
        """Whether the work was asked to give up."""
        return self._asked is True

    def wait(self, timeout_s: float) -> bool:
        """Sleep in a thread, but no longer than until the work is asked to give up."""
        with _ASKING:
            if self._asked is False:
                self._asked = threading.Event()
            event = self._asked
        return event is True or event.wait(timeout_s)


_ASKING: Final = threading.Lock()
"""Held for the moment in which work is asked, or begins to wait for it."""


@frozen(kw_only=True)
class StepContext:
    """What a handler knows of the attempt that it works on.

    `metadata` is the flow's. Every payload is a copy: what a handler does to it is lost.
    """

    flow_id: str
    command: DispatchStep
    flow_metadata: Payload = EMPTY
    cancellation: CancellationToken = field(factory=CancellationToken, eq=False)

    @property
    def attempt(self) -> str:
        """The id of the attempt, `<step key>#<n>`."""
        return self.command.attempt

    @property
    def step(self) -> str:
        """The key of the step."""
        return self.command.attempt.rpartition("#")[0]

    @property
    def work(self) -> str:
        """The name under which the handler was found."""
        return self.command.work

    @property
    def input(self) -> Any:
        """The step's input."""
        return self.command.input.value

    @property
    def needs(self) -> dict[str, Any]:
        """The output of each needed step; None for one that was no success (S2.3)."""
        outputs: dict[str, Any] = self.command.outputs.value
        return outputs

    @property
    def subjects(self) -> dict[str, Any]:
        """What people approved, by needed step (S2.3)."""
        subjects: dict[str, Any] = self.command.subjects.value
        return subjects

    @property
    def idempotency_key(self) -> str:
        """The same however often the attempt is delivered."""
        return self.command.idempotency_key

    @property
    def retry(self) -> int:
        """How often the step was retried on its own in this generation."""
        return self.command.retry

    @property
    def generation(self) -> int:
        """How often its group was retried as a whole."""
        return self.command.generation

    @property
    def timeout_ms(self) -> int | None:
        """How long the flow waits for the work."""
        return self.command.timeout_ms

    @property
    def metadata(self) -> Any:
        """The metadata of the flow."""
        return self.flow_metadata.value

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs of the flow: its `metadata.inputs`, if that is a mapping."""
        metadata = self.flow_metadata.value
        found: Any = metadata.get("inputs")
        return found if isinstance(found, dict) else {}

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to give up."""
        return self.cancellation.asked

    def check_cancellation(self) -> None:
        """Raise StepCancelled if the work was asked to give up."""
        if self.cancelled:
            raise StepCancelled(f"{self.attempt} was asked to give up")


@frozen(kw_only=True)
class Finished:
    """How the work of an attempt ended: a step-finished that still lacks its time."""

    attempt: str
    outcome: WorkOutcome
    result: StepResult = NOTHING
    error: StepError | None = None

    def __call__(self, *, at_ms: int) -> StepFinished:
        """Stamp it with the host's clock."""
        result = self.result
        return StepFinished(
            at_ms=at_ms,
            attempt=self.attempt,
            outcome=self.outcome,
            directive=result.directive,
            output=result.output,
            error=self.error,
            noop=result.noop,
            policy=result.policy,
            subject=result.subject,
            metadata=result.metadata,
        )


def returned(attempt: str, value: object) -> Finished:
    """Work returned a value; what is no JSON, or no StepResult, is a failure."""
    try:
        if isinstance(value, StepResult):
            return _checked(Finished(attempt=attempt, outcome="succeeded", result=value))
        result = NOTHING if value is None else StepResult(output=freeze(value))
        return Finished(attempt=attempt, outcome="succeeded", result=result)
    except (FormatError, PayloadError) as error:
        return unusable(attempt, error)


def raised(attempt: str, error: BaseException) -> Finished:
    """Work raised an exception."""
    if is_cancellation_error(error):
        return cancelled(attempt)
    if isinstance(error, FormatError):
        return unusable(attempt, error)
    result = error.result if isinstance(error, StepFailure) else NOTHING
    told = step_error(error)
    try:
        return _checked(Finished(attempt=attempt, outcome="failed", result=result, error=told))
    except FormatError as problem:
        return unusable(attempt, problem)


def _checked(finished: Finished) -> Finished:
    """Raise FormatError where a handler filled in what cannot be recorded."""
    try:
        encode_event(finished(at_ms=0))
    except (TypeError, AttributeError) as error:
        raise FormatError("", str(error)) from None
    return finished


def unusable(attempt: str, error: ConductorError) -> Finished:
    """Work left something behind that cannot be recorded."""
    told = StepError(type="bad-result", message=f"cannot be recorded: {error}")
    return Finished(attempt=attempt, outcome="failed", error=told)


def cancelled(attempt: str) -> Finished:
    """Work gave up."""
    return Finished(attempt=attempt, outcome="cancelled")


def step_error(error: BaseException, kept: int = CAUSES_KEPT) -> StepError:
    """What an exception says to operators, with the causes it was raised from."""
    cause = error.__cause__
    follows = None if cause is None or kept == 0 else step_error(cause, kept - 1)
    told = error.error if isinstance(error, StepFailure) else _unexpected(error)
    return told if follows is None else evolve(told, cause=follows)


def _unexpected(error: BaseException) -> StepError:
    return StepError(message=_readable(_message(error)), type=type(error).__name__)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception of a handler may fail to describe itself
        return "an error that cannot be shown"


def _readable(text: str) -> str:
    """Escape what is no Unicode text, such as a file name of other bytes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
