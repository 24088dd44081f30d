"""What a host must do: carried out at least once, under ids that make it idempotent.

Rule: only the rules of the reducer (`conductor_core.rules`) and `pending_commands` ask for
commands; a command carries what the state holds, and delays from the time of its event.
"""

from __future__ import annotations

from typing import TypeAlias, Union

from conductor_core.errors import FlowCancelled, FlowStopped, NotApproved
from conductor_core.frozen import frozen
from conductor_core.payload import Payload

__all__ = [
    "CancelFutures",
    "CancelTimer",
    "Command",
    "ContinueAsNew",
    "DispatchStep",
    "FinishFlow",
    "GenerateSteps",
    "Outcome",
    "RequestApproval",
    "ScheduleTimer",
]


@frozen(kw_only=True)
class Outcome:
    """How a flow ended; `step` is the attempt that decided it, where one did."""

    status: str
    reason: str | None = None
    step: str | None = None
    message: str | None = None
    retries_exhausted: bool = False

    def raise_for_status(self) -> None:
        """Raise FlowStopped, NotApproved or FlowCancelled unless the flow succeeded."""
        if self.status == "cancelled":
            raise FlowCancelled(message=self.message)
        if self.reason in ("denied", "approval-expired"):
            raise NotApproved(step=self.step, reason=self.reason)
        if self.status == "error":
            raise FlowStopped(
                step=self.step,
                reason=self.reason or "",
                message=self.message or "",
                retries_exhausted=self.retries_exhausted,
            )


@frozen(kw_only=True)
class DispatchStep:
    """Run the work of an attempt; answered by step-finished (step-started may precede).

    `outputs` maps each needed step to its output, or to null when it is no success;
    `subjects` maps those that were approved to what was approved (S2.3).
    """

    attempt: str
    work: str
    input: Payload
    outputs: Payload
    subjects: Payload
    idempotency_key: str
    retry: int
    generation: int
    timeout_ms: int | None


@frozen(kw_only=True)
class RequestApproval:
    """Ask people about the work of an attempt; answered by approval-responded."""

    attempt: str
    subject: str | None
    required: int
    approvers: tuple[str, ...] | None
    expires_at_ms: int | None


@frozen(kw_only=True)
class CancelFutures:
    """Tell the workers of these attempts to give up; each still answers by itself."""

    attempts: tuple[str, ...]


@frozen(kw_only=True)
class ScheduleTimer:
    """Wake the flow at `due_at_ms`, `delay_ms` from now; answered by timer-fired."""

    timer: str
    due_at_ms: int
    delay_ms: int


@frozen(kw_only=True)
class CancelTimer:
    """Forget a timer; if it fires all the same, the firing is stale."""

    timer: str


@frozen(kw_only=True)
class GenerateSteps:
    """Make the groups of the flow; answered by groups-generated or generation-failed."""

    flow_id: str
    flow_type: str
    metadata: Payload
    run: int


@frozen(kw_only=True)
class ContinueAsNew:
    """Go on in a fresh history of the host; answered by continued-as-new."""

    start_from_group_idx: int
    incarnation: int


@frozen(kw_only=True)
class FinishFlow:
    """The run is over; nothing answers it, and nothing follows but a rerun."""

    outcome: Outcome
    run: int


Command: TypeAlias = Union[
    DispatchStep,
    RequestApproval,
    CancelFutures,
    ScheduleTimer,
    CancelTimer,
    GenerateSteps,
    ContinueAsNew,
    FinishFlow,
]
