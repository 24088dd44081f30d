"""What spans say: the attributes and marks of runs, groups, attempts and approvals.

Rule: every name is `conductor.*`, but for those of an error, for which tracing has its own.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from conductor_adapters.debugger.moments import Moment
from conductor_core import events
from conductor_core.commands import Outcome
from conductor_core.events import StepError
from conductor_core.lines import described

Value: TypeAlias = str | int | bool | tuple[str, ...]
Attributes: TypeAlias = dict[str, Value]


@frozen(kw_only=True)
class Mark:
    """Something that happened at one moment of a span."""

    name: str
    at_ms: int
    attributes: Attributes


def present(values: dict[str, Value | None]) -> Attributes:
    """What there is to say."""
    return {key: value for key, value in values.items() if value is not None}


def run_attributes(moment: Moment) -> Attributes:
    """How a run ended."""
    outcome = outcome_of(moment)
    return present(
        {
            "conductor.run": moment.run,
            "conductor.outcome.status": outcome.status,
            "conductor.outcome.reason": outcome.reason,
            "conductor.outcome.step": outcome.step,
            "conductor.outcome.message": outcome.message,
            "conductor.outcome.retries_exhausted": outcome.retries_exhausted or None,
        }
    )


def outcome_of(moment: Moment) -> Outcome:
    """The outcome of a run that is over."""
    assert moment.state.outcome is not None, "a run that is over has an outcome"
    return moment.state.outcome


def attempt_attributes(moment: Moment) -> Attributes:
    """What an attempt was, and what became of it."""
    attempt = moment.named
    return present(
        {
            "conductor.group": moment.group_key,
            "conductor.step": attempt.step,
            "conductor.step.work": moment.step.handler,
            "conductor.attempt": attempt.id,
            "conductor.attempt.number": attempt.n,
            "conductor.attempt.retry": attempt.retry,
            "conductor.attempt.generation": attempt.generation,
            "conductor.attempt.status": attempt.status.value,
            "conductor.attempt.directive": attempt.directive,
            "conductor.attempt.reason": attempt.reason,
        }
    )


def exception(moment: Moment, error: StepError) -> Mark:
    """The error in full, for operators, under the names that tracing has for it."""
    attributes: Attributes = {"exception.type": error.type, "exception.message": error.message}
    return Mark(name="exception", at_ms=moment.at_ms, attributes=attributes)


def asked(moment: Moment) -> Mark:
    """What a person asked of the flow, in a line."""
    attributes = present({"conductor.by": moment.by, "conductor.request": described(moment.event)})
    return Mark(name="conductor.request", at_ms=moment.at_ms, attributes=attributes)


def skipped(moment: Moment) -> Mark:
    """A step that was skipped, by a rule or by a person."""
    attempt = moment.named
    attributes = present(
        {
            "conductor.attempt": attempt.id,
            "conductor.attempt.status": attempt.status.value,
            "conductor.attempt.reason": attempt.reason,
            "conductor.by": moment.by,
        }
    )
    return Mark(name="conductor.step.skipped", at_ms=moment.at_ms, attributes=attributes)


def wanted(moment: Moment) -> Attributes:
    """What was asked of people."""
    attempt = moment.named
    spec = moment.step.approval_spec
    return present(
        {
            "conductor.step": attempt.step,
            "conductor.attempt": attempt.id,
            "conductor.approval.subject": attempt.result.subject if attempt.result else None,
            "conductor.approval.required": spec.required,
            "conductor.approval.approvers": spec.approvers,
        }
    )


def answered(moment: Moment) -> Mark:
    """What a person answered."""
    answer = moment.event
    assert isinstance(answer, events.ApprovalResponded), "an answer is given by a person"
    attributes = present(
        {
            "conductor.by": answer.by,
            "conductor.approval.response": answer.response,
            "conductor.approval.note": answer.note,
        }
    )
    return Mark(name="conductor.approval.responded", at_ms=moment.at_ms, attributes=attributes)


def decision(moment: Moment) -> Attributes:
    """How an approval ended, and who had a part in it."""
    approval = moment.named.approval
    assert approval is not None, f"nobody was asked about {moment.named.id}"
    assert moment.decision is not None, f"the approval of {moment.named.id} is open"
    return present(
        {
            "conductor.approval.decision": moment.decision.value,
            "conductor.approval.approved_by": approval.approvers or None,
            "conductor.approval.automatic": approval.automatic,
            "conductor.by": moment.by,
        }
    )


def decided_by_rule(moment: Moment) -> Mark:
    """An approval that nobody was asked for."""
    return Mark(name="conductor.approval.decided", at_ms=moment.at_ms, attributes=decision(moment))
