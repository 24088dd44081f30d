"""What people may ask of a flow, in words; the same on every host.

Rule: a handle only phrases requests; whether they count is the verdict that comes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial

from conductor_adapters.host import Unstamped
from conductor_core import events
from conductor_core.spec import GroupSpec
from conductor_core.verdicts import Verdict

__all__ = ["FlowHandle"]


class FlowHandle(ABC):
    """A flow that runs on some host.

    `by` says who asks. A `request_id` makes a request that is sent twice count once (S4.5).
    """

    flow_id: str

    @abstractmethod
    async def send(self, request: Unstamped[events.Request]) -> Verdict:
        """Deliver a request and return its verdict."""

    # --- approvals (section 8) ---

    async def respond(
        self,
        step: str,
        response: str,
        *,
        by: str,
        note: str | None = None,
        subject: str | None = None,
        request_id: str | None = None,
    ) -> Verdict:
        """Answer an open approval; a `subject` that is given must be the one asked about."""
        return await self.send(
            partial(
                events.ApprovalResponded,
                step=step,
                response=response,
                by=by,
                note=note,
                subject=subject,
                request_id=request_id,
            )
        )

    async def approve(
        self,
        step: str,
        *,
        by: str,
        note: str | None = None,
        subject: str | None = None,
        request_id: str | None = None,
    ) -> Verdict:
        """Approve what the step planned."""
        return await self.respond(
            step, "approve", by=by, note=note, subject=subject, request_id=request_id
        )

    async def deny(
        self, step: str, *, by: str, note: str | None = None, request_id: str | None = None
    ) -> Verdict:
        """Refuse what the step planned; the flow stops."""
        return await self.respond(step, "deny", by=by, note=note, request_id=request_id)

    async def skip_current(
        self, step: str, *, by: str, note: str | None = None, request_id: str | None = None
    ) -> Verdict:
        """Go on without what the step planned."""
        return await self.respond(step, "skip-current", by=by, note=note, request_id=request_id)

    async def skip_current_and_dependents(
        self, step: str, *, by: str, note: str | None = None, request_id: str | None = None
    ) -> Verdict:
        """Skip the step and stop."""
        return await self.respond(
            step, "skip-current-and-dependents", by=by, note=note, request_id=request_id
        )

    async def retry_plan(
        self, step: str, *, by: str, note: str | None = None, request_id: str | None = None
    ) -> Verdict:
        """Have the step plan again."""
        return await self.respond(step, "retry", by=by, note=note, request_id=request_id)

    async def set_approval_option(
        self, option: str, *, by: str, request_id: str | None = None
    ) -> Verdict:
        """Set the flow's approval option: `prompt` or `approve-all`."""
        return await self.send(
            partial(events.ApprovalOptionChanged, option=option, by=by, request_id=request_id)
        )

    # --- failed steps (sections 10 and 11) ---

    async def rerun(
        self,
        step: str,
        *,
        by: str,
        operation: str = "retry-step",
        stale_plan: bool = False,
        replan_step: str | None = None,
        continue_from_idx: int = 0,
        additional_skip: Iterable[str] = (),
        request_id: str | None = None,
    ) -> Verdict:
        """Retry or skip a failed step, named by its key or by an attempt id."""
        return await self.send(
            partial(
                events.RerunRequested,
                by=by,
                flow_id=self.flow_id,
                step_id=step,
                operation=operation,
                stale_plan=stale_plan,
                replan_step_id=replan_step,
                continue_from_idx=continue_from_idx,
                additional_skip_step_ids=tuple(additional_skip),
                request_id=request_id,
            )
        )

    async def retry(self, step: str, *, by: str, request_id: str | None = None) -> Verdict:
        """Retry a failed step."""
        return await self.rerun(step, by=by, request_id=request_id)

    async def skip(self, step: str, *, by: str, request_id: str | None = None) -> Verdict:
        """Skip a failed step."""
        return await self.rerun(step, by=by, operation="skip-step", request_id=request_id)

    async def retry_group(self, group: str, *, by: str, request_id: str | None = None) -> Verdict:
        """Retry a parked or stopped group as a whole."""
        return await self.send(
            partial(events.GroupRetryRequested, group=group, by=by, request_id=request_id)
        )

    async def retry_now(self, step: str, *, by: str, request_id: str | None = None) -> Verdict:
        """Cut the backoff of a step or of its group short."""
        return await self.send(
            partial(events.RetryNowRequested, step=step, by=by, request_id=request_id)
        )

    # --- the flow (sections 9 and 11) ---

    async def cancel(
        self,
        *,
        by: str,
        group: str | None = None,
        step: str | None = None,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> Verdict:
        """Cancel the flow, by itself or by naming one of its groups or steps."""
        return await self.send(
            partial(
                events.CancelRequested,
                by=by,
                group=group,
                step=step,
                reason=reason,
                request_id=request_id,
            )
        )

    async def pause(self, *, by: str, request_id: str | None = None) -> Verdict:
        """Hold the flow: active work runs on, nothing new starts."""
        return await self.send(partial(events.PauseRequested, by=by, request_id=request_id))

    async def resume(self, *, by: str, request_id: str | None = None) -> Verdict:
        """Let a paused flow go on."""
        return await self.send(partial(events.ResumeRequested, by=by, request_id=request_id))

    async def append(
        self, groups: Iterable[GroupSpec], *, by: str, request_id: str | None = None
    ) -> Verdict:
        """Add groups at the end of the flow."""
        return await self.send(
            partial(events.AppendRequested, groups=tuple(groups), by=by, request_id=request_id)
        )
