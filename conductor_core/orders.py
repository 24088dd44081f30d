"""The commands that a state can ask for again, built from what it holds.

Rule: rules emit them when they become due and `pending_commands` when a host lost its
memory (S14.2); both get the same command from the same state.
"""

from __future__ import annotations

from typing import Final, TypeAlias, Union

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.building import builder
from conductor_core.commands import (
    ContinueAsNew,
    DispatchStep,
    GenerateSteps,
    RequestApproval,
)
from conductor_core.draft import Draft
from conductor_core.payload import EMPTY, NULL, Payload, freeze
from conductor_core.spec import ApprovalSpec, StepSpec
from conductor_core.state import FlowState

Flow: TypeAlias = Union[FlowState, Draft]


def dispatch_of(flow: Flow, attempt: Attempt, step: StepSpec) -> DispatchStep:
    """Send an attempt out, with what its step needs (S2.3, S5.4)."""
    outputs, subjects = _needs_of(flow, step) if step.needs else (EMPTY, EMPTY)
    name = attempt.id
    return _dispatch_step(
        attempt=name,
        work=step.handler,
        input=step.input,
        outputs=outputs,
        subjects=subjects,
        idempotency_key=f"{flow.flow_id}/{name}",
        retry=attempt.retry,
        generation=attempt.generation,
        timeout_ms=step.timeout_ms,
    )


_dispatch_step: Final = builder(DispatchStep)


def _needs_of(flow: Flow, step: StepSpec) -> tuple[Payload, Payload]:
    """The outputs of the needed steps, and what was approved of those that were."""
    outputs: dict[str, Payload] = {}
    subjects: dict[str, Payload] = {}
    for key in step.needs:
        position = flow.catalog.position_of(key)
        assert position is not None, f"{step.key!r} needs {key!r}, which is unknown"
        needed = flow.live[position]
        outputs[key] = NULL
        if needed.status is AttemptStatus.SUCCESS and needed.result is not None:
            outputs[key] = needed.result.output
            if needed.approval is not None:
                subjects[key] = freeze(needed.result.subject)
    return Payload.record(outputs), Payload.record(subjects)


def request_of(attempt: Attempt, spec: ApprovalSpec) -> RequestApproval:
    """Ask people about the work of an attempt (S8.4)."""
    return _request_approval(
        attempt=attempt.id,
        subject=None if attempt.result is None else attempt.result.subject,
        required=spec.required,
        approvers=spec.approvers,
        expires_at_ms=attempt.due_at_ms,
    )


_request_approval: Final = builder(RequestApproval)


def generation_of(flow: Flow) -> GenerateSteps:
    """Make the groups of the flow (S12.1)."""
    return GenerateSteps(
        flow_id=flow.flow_id,
        flow_type=flow.spec.type,
        metadata=flow.spec.metadata,
        run=flow.run,
    )


def continuation_of(flow: Flow) -> ContinueAsNew:
    """Go on in a fresh history from the current group (S13.1)."""
    return ContinueAsNew(start_from_group_idx=flow.current, incarnation=flow.incarnation)
