"""What can happen to a flow: facts from its host, requests from people.

Rule: an event only says what was seen or asked; whether it counts is the verdict of
the reducer (semantics, section 4). Choices such as `option` or `response` are plain
strings, so that an event with an unknown one exists and gets its verdict.
Every event carries `at_ms`, the host's clock in milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, Union, get_args

from attrs import Attribute, field

from conductor_core.errors import FormatError, shown
from conductor_core.frozen import frozen
from conductor_core.payload import EMPTY, NULL, Payload, freeze
from conductor_core.spec import MOST, GroupSpec, groups_of, is_text, texts

__all__ = [
    "REQUESTS",
    "AppendRequested",
    "ApprovalOptionChanged",
    "ApprovalResponded",
    "CancelRequested",
    "ContinueAsNewSuggested",
    "ContinuedAsNew",
    "Event",
    "Fact",
    "FlowStarted",
    "GenerationFailed",
    "GroupRetryRequested",
    "GroupsGenerated",
    "PauseRequested",
    "PolicyReport",
    "Request",
    "RerunRequested",
    "ResumeRequested",
    "RetryNowRequested",
    "StepError",
    "StepFinished",
    "StepStarted",
    "TimerFired",
    "WorkOutcome",
    "is_request",
]

if TYPE_CHECKING:
    from typing_extensions import TypeIs

CAUSES: Final = 20
"""So many errors a chain of causes may hold."""

Field: TypeAlias = "Attribute[Any]"


def _check_wait(error: StepError, field: Field, wait_ms: object) -> None:
    if wait_ms is not None and not (isinstance(wait_ms, int) and 0 <= wait_ms <= MOST):
        problem = f"expected an integer from 0 to {MOST}, got {shown(wait_ms)}"
        raise FormatError(field.name, problem)


def _check_causes(error: StepError, field: Field, cause: StepError | None) -> None:
    length = 1
    while cause is not None:
        cause, length = cause.cause, length + 1
    if length > CAUSES:
        raise FormatError(field.name, f"more than {CAUSES} errors follow from one another")


def _check_texts(record: object, field: Field, texts: str | tuple[str, ...] | None) -> None:
    for text in (texts,) if isinstance(texts, str) else texts or ():
        if not is_text(text):
            raise FormatError(field.name, f"{shown(text)} holds a lone surrogate")


def _check_object(record: object, field: Field, payload: Payload) -> None:
    if not payload.is_object:
        raise FormatError(field.name, f"expected a mapping, got {shown(payload.value)}")


def _plain(text: str | None) -> str | None:
    """A Directive is as good as its word; what is no text stays what it is."""
    return str(text) if isinstance(text, str) else text


@frozen(kw_only=True)
class StepError:
    """Why work failed.

    `non_retryable`: automatic retries are pointless, and the message may be shown to
    people. `terminal`: no retry of any kind. `retry_after_ms`: wait at least so long.
    Raises FormatError for a wait that is none, and for a chain of too many causes.
    """

    message: str = ""
    type: str = "Error"
    non_retryable: bool = False
    terminal: bool = False
    retry_after_ms: int | None = field(default=None, validator=_check_wait)
    details: Payload = field(default=NULL, converter=freeze)
    cause: StepError | None = field(default=None, validator=_check_causes)


@frozen(kw_only=True)
class PolicyReport:
    """What the policies said of the work; `evaluated` false: evaluation itself failed."""

    deny_violations: tuple[str, ...] = field(default=(), converter=texts, validator=_check_texts)
    warn_violations: tuple[str, ...] = field(default=(), converter=texts, validator=_check_texts)
    passed_policy_ids: tuple[str, ...] = field(default=(), converter=texts, validator=_check_texts)
    evaluated: bool = True


@frozen(kw_only=True)
class FlowStarted:
    """The host begins the flow; sent once, and nothing but it sets the flow going."""

    at_ms: int


@frozen(kw_only=True)
class GroupsGenerated:
    """The host's generator delivered groups; answers `generate-steps`.

    With `complete` false more deliveries follow.
    """

    at_ms: int
    groups: tuple[GroupSpec, ...] = field(default=(), converter=groups_of)
    complete: bool = True


@frozen(kw_only=True)
class GenerationFailed:
    """The host's generator failed; answers `generate-steps`."""

    at_ms: int
    error: StepError = StepError()


@frozen(kw_only=True)
class StepStarted:
    """A worker took the attempt up; may be left out."""

    at_ms: int
    attempt: str


WorkOutcome: TypeAlias = Literal["succeeded", "failed", "cancelled"]
OUTCOMES: Final[tuple[str, ...]] = get_args(WorkOutcome)


def _check_outcome(_: object, __: object, outcome: str) -> None:
    if outcome not in OUTCOMES:
        problem = f"expected one of {', '.join(OUTCOMES)}, got {shown(outcome)}"
        raise FormatError("outcome", problem)


@frozen(kw_only=True)
class StepFinished:
    """The work of an attempt ended; answers `dispatch-step`.

    `noop`: the work found nothing to do. `subject` names what an approval of it is about.
    Raises FormatError for an `outcome` that is none: a fact cannot be rejected (S4.3), and
    a misspelt success must not pass for a failure.
    """

    at_ms: int
    attempt: str
    outcome: WorkOutcome = field(validator=_check_outcome)
    directive: str | None = field(default=None, converter=_plain)
    output: Payload = field(default=NULL, converter=freeze)
    error: StepError | None = None
    noop: bool | Literal["unknown"] = "unknown"
    policy: PolicyReport | None = None
    subject: str | None = field(default=None, validator=_check_texts)
    metadata: Payload = field(default=EMPTY, converter=freeze, validator=_check_object)


@frozen(kw_only=True)
class TimerFired:
    """A timer is due, never before its time; answers `schedule-timer`."""

    at_ms: int
    timer: str


@frozen(kw_only=True)
class ContinueAsNewSuggested:
    """The host's history grows long; sent at any time, answered by `continue-as-new`."""

    at_ms: int
    incarnation: int


@frozen(kw_only=True)
class ContinuedAsNew:
    """The host runs on with a fresh history; answers `continue-as-new`."""

    at_ms: int
    incarnation: int


@frozen(kw_only=True)
class ApprovalResponded:
    """A person answers an open approval; answers `request-approval`.

    `response` is `approve`, `deny`, `skip-current`, `skip-current-and-dependents` or
    `retry`. A `subject` that is given must be the one that was asked about.
    """

    at_ms: int
    step: str
    response: str
    by: str
    note: str | None = None
    subject: str | None = None
    request_id: str | None = None


@frozen(kw_only=True)
class ApprovalOptionChanged:
    """A person sets the flow's approval option: `prompt` or `approve-all`."""

    at_ms: int
    option: str
    by: str
    request_id: str | None = None


@frozen(kw_only=True)
class CancelRequested:
    """A person cancels the flow, by itself or by naming one of its groups or steps."""

    at_ms: int
    by: str
    group: str | None = None
    step: str | None = None
    reason: str | None = None
    request_id: str | None = None


@frozen(kw_only=True)
class RerunRequested:
    """A person retries or skips a failed step (semantics, section 10).

    `step_id` is a step key or an attempt id; `operation` `retry-step` or `skip-step`.
    """

    at_ms: int
    by: str
    flow_id: str
    step_id: str
    operation: str = "retry-step"
    stale_plan: bool = False
    replan_step_id: str | None = None
    continue_from_idx: int = 0
    additional_skip_step_ids: tuple[str, ...] = field(default=(), converter=texts)
    request_id: str | None = None


@frozen(kw_only=True)
class GroupRetryRequested:
    """A person retries a parked or stopped group as a whole."""

    at_ms: int
    group: str
    by: str
    request_id: str | None = None


@frozen(kw_only=True)
class RetryNowRequested:
    """A person cuts the backoff of a step or of its group short."""

    at_ms: int
    step: str
    by: str
    request_id: str | None = None


@frozen(kw_only=True)
class PauseRequested:
    """A person holds the flow: active work runs on, nothing new starts."""

    at_ms: int
    by: str
    request_id: str | None = None


@frozen(kw_only=True)
class ResumeRequested:
    """A person lets a paused flow go on."""

    at_ms: int
    by: str
    request_id: str | None = None


@frozen(kw_only=True)
class AppendRequested:
    """A person adds groups at the end of the flow."""

    at_ms: int
    by: str
    groups: tuple[GroupSpec, ...] = field(default=(), converter=groups_of)
    request_id: str | None = None


Fact: TypeAlias = Union[
    FlowStarted,
    GroupsGenerated,
    GenerationFailed,
    StepStarted,
    StepFinished,
    TimerFired,
    ContinueAsNewSuggested,
    ContinuedAsNew,
]
Request: TypeAlias = Union[
    ApprovalResponded,
    ApprovalOptionChanged,
    CancelRequested,
    RerunRequested,
    GroupRetryRequested,
    RetryNowRequested,
    PauseRequested,
    ResumeRequested,
    AppendRequested,
]
Event: TypeAlias = Union[Fact, Request]

REQUESTS: Final = frozenset(get_args(Request))


def is_request(event: Event) -> TypeIs[Request]:
    """Whether an event comes from a person, and may be rejected (S4.2)."""
    return event.__class__ in REQUESTS
