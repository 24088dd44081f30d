"""The gate: nothing is dispatched behind a plan that nobody approved.

Rule: the *guards* of a step are the steps that it needs and, in a sequential group, those
before it, as far as they have an approval or were asked about. A step may be dispatched
only when each of its guards is *in order*:

- it succeeded, and its approval has the required answers of different people who may give
  them, or an automatic decision on record (S8.2, S8.3, S8.15);
- or a person skipped it, or it never came to a plan: skipped or discarded by the rules,
  or failed and forgiven by `skip_on_failure`. Then there is nothing that could be applied
  unseen: what needs it is handed null (S2.3).

An approval counts only if it is about exactly what was planned: one for another subject
that is accepted breaks the gate at once, and so does, on demand, one that names no subject.
"""

from __future__ import annotations

from collections.abc import Iterator

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.checking.properties import Invariant
from conductor_core.commands import DispatchStep
from conductor_core.events import ApprovalResponded, Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition
from conductor_core.spec import ApprovalSpec, StepSpec
from conductor_core.state import FlowState


def gate(*, demand_subject: bool = False) -> Invariant:
    """The gate as a property; it may demand that every approval names its subject."""

    def opens(before: FlowState, event: Event, after: Transition) -> bool:
        return accepts_wrongly(before, event, after, demand_subject=demand_subject) or any(
            not in_order(after.state.catalog.steps[position], after.state.live[position])
            for command in after.commands
            if isinstance(command, DispatchStep)
            for position in guards(after.state, command.attempt)
        )

    demanded = ", each of which names its subject," if demand_subject else ""
    return Invariant(
        name="the gate",
        statement="no step that needs, or in a sequential group follows, an approval step is"
        f" dispatched unless the required approvals{demanded} of exactly that subject were"
        " given, or an automatic decision or a skip is on record",
        about=(),
        memory=in_order,
        violates_on=opens,
    )


def guards(state: FlowState, attempt: str) -> Iterator[int]:
    """The positions of the steps that must be in order before an attempt is dispatched."""
    position = state.position_of(attempt)
    assert position is not None, f"{attempt!r} was dispatched"
    for need in state.catalog.steps[position].needs:
        place = state.catalog.position_of(need)
        assert place is not None, f"{attempt!r} was dispatched without {need!r}"
        yield place
    if not state.catalog.groups[state.current].parallel:
        yield from range(state.span.start, position)


def in_order(step: StepSpec, attempt: Attempt) -> bool:
    """Whether what relies on a step may be dispatched, as far as its approval goes."""
    if step.approval is None and attempt.approval is None:
        return True
    match attempt.status:
        case AttemptStatus.SUCCESS:
            return is_approved(step.approval_spec, attempt)
        case AttemptStatus.USER_SKIPPED | AttemptStatus.AUTO_SKIPPED | AttemptStatus.DISCARDED:
            return True
        case AttemptStatus.ERROR:
            return step.skip_on_failure and attempt.directive == "continue"
        case _:
            return False


def is_approved(spec: ApprovalSpec, attempt: Attempt) -> bool:
    """Whether enough different people who may approve did, or something decided for them."""
    if attempt.approval is None:
        return False
    if attempt.approval.automatic is not None:
        return True
    people = set(attempt.approval.approvers)
    if spec.approvers is not None:
        people &= set(spec.approvers)
    return len(people) >= spec.required


def accepts_wrongly(
    before: FlowState, event: Event, after: Transition, *, demand_subject: bool
) -> bool:
    """Whether an approval counted that was not about what was planned."""
    if not isinstance(event, ApprovalResponded) or event.response != "approve":
        return False
    if after.verdict is not ACCEPTED:
        return False
    if event.subject is None:
        return demand_subject
    position = before.catalog.position_of(event.step)
    assert position is not None, f"{event.step!r} passed the judge"
    result = before.live[position].result
    return result is None or result.subject != event.subject
