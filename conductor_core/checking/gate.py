"""The gate: nothing is dispatched behind a plan that nobody approved.

Rule: the *guards* of a step are the steps that it needs and, in a sequential group, those
before it, as far as they have an approval or were asked about. A step may be dispatched
only when each of its guards is *in order*; and no group begins before all such steps of
the groups before it are. What counts is the guard's live attempt:

    guard                                             in order
    ------------------------------------------------  ------------------------------------
    success, by the required answers of different     yes (S8.7)
      people who may give them
    success, by an automatic decision on record       yes (S8.2, S8.3, S8.15), unless its
                                                      policy was not evaluated (S8.1)
    success that its policy denies                    no (S6.3)
    any other success                                 no
    skipped by a person                               yes (S8.9, S10.4); if as the plan of
                                                      its group, only for later groups
    skipped as it is declared (`skipped`)             yes (S5.4)
    skipped for a no-op, or with its group by itself  only for later groups (S6.4, S6.8)
    discarded before it was ever dispatched           only for later groups (S7)
    discarded after that                              no (S7.2, S8.5)
    failed, forgiven by `skip_on_failure`             yes (S6.20)
    anything else: denied, expired, open, at work     no

What is in order without an approval never came to a plan that could be applied unseen:
what needs it is handed null (S2.3).

An approval is of exactly one subject, and of one attempt:

- one that is accepted for another subject breaks the gate at once, and so does, on demand,
  one that names none;
- one that comes `stale_after_ms` after it was asked for, or later, lets nothing pass (S8.5);
- what is dispatched is told the subject that was approved (S2.3);
- a group that is retried as a whole, and the steps that are replanned for a stale plan, leave
  all their attempts behind, so that earlier approvals count no more (S7, S10.3). A retry of a
  single step leaves the approvals of others as they are (S10.2), and so does a
  continue-as-new (S13.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.checking.alphabet import Alphabet
from conductor_core.checking.properties import Invariant
from conductor_core.commands import DispatchStep
from conductor_core.events import ApprovalResponded, Event, RerunRequested
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition
from conductor_core.rerun import position_named
from conductor_core.spec import ApprovalSpec, FlowSpec, StepSpec
from conductor_core.state import FlowState

InOrder: TypeAlias = Literal["no", "for later groups", "yes"]


def gate(*, demand_subject: bool = False) -> Invariant:
    """The gate as a property; it may demand that every approval names its subject."""

    def opens(before: FlowState, event: Event, after: Transition) -> bool:
        if after.verdict is not ACCEPTED:
            return False
        return (
            accepts_wrongly(before, event, after, demand_subject=demand_subject)
            or keeps_old_approvals(before, event, after.state)
            or passes_wrongly(before, after.state)
            or approves_unasked(before, after.state)
            or any(
                dispatches_wrongly(after.state, command)
                for command in after.commands
                if isinstance(command, DispatchStep)
            )
        )

    demanded = ", each of which names its subject," if demand_subject else ""
    return Invariant(
        name="the gate",
        statement="no step that needs, or in a sequential group follows, an approval step is"
        f" dispatched unless the required approvals{demanded} of exactly that subject were"
        " given, or an automatic decision or a skip is on record",
        about=(),
        memory=in_order,
        settled_memory=lambda step, attempt: in_order(step, attempt) != "no",
        violates_on=opens,
    )


def kept_back(spec: FlowSpec, alphabet: Alphabet) -> frozenset[str]:
    """The steps that are never dispatched unless each approval step before them is in order.

    These are the steps behind one in a sequential group, and all of later groups; what a step
    needs is before it in this sense. A step beside an approval step in a parallel group, or
    before it, is none of these.
    """
    return frozenset(_kept_back(spec, alphabet))


def _kept_back(spec: FlowSpec, alphabet: Alphabet) -> Iterator[str]:
    asking = alphabet.steps_that_ask(spec)
    behind = False
    for group in alphabet.groups_of(spec):
        earlier = behind
        for step in group.steps:
            if earlier or (behind and not group.parallel):
                yield step.key
            behind = behind or step.key in asking


# --- what is in order ---


def in_order(step: StepSpec, attempt: Attempt) -> InOrder:
    """Whether what relies on a step may be dispatched, as far as its approval goes."""
    if step.approval is None and attempt.approval is None:
        return "yes"
    alone: InOrder = "yes" if attempt.directive == "continue" else "for later groups"
    match attempt.status:
        case AttemptStatus.SUCCESS:
            return "yes" if is_approved(step.approval_spec, attempt) else "no"
        case AttemptStatus.USER_SKIPPED | AttemptStatus.AUTO_SKIPPED:
            return alone
        case AttemptStatus.DISCARDED:
            return "no" if attempt.dispatched else "for later groups"
        case AttemptStatus.ERROR:
            forgiven = step.skip_on_failure and attempt.directive == "continue"
            return "yes" if forgiven else "no"
        case _:
            return "no"


def is_approved(spec: ApprovalSpec, attempt: Attempt) -> bool:
    """Whether enough different people who may approve did, or something decided for them."""
    if attempt.status is not AttemptStatus.SUCCESS or attempt.approval is None:
        return False
    if _is_denied(attempt):
        return False
    if attempt.approval.automatic is not None:
        return not attempt.held
    people = set(attempt.approval.approvers)
    if spec.approvers is not None:
        people &= set(spec.approvers)
    return len(people) >= spec.required


def _is_denied(attempt: Attempt) -> bool:
    """Whether a policy denies what was planned, whoever approves it."""
    policy = None if attempt.result is None else attempt.result.policy
    return policy is not None and bool(policy.deny_violations)


# --- what breaks the gate ---


def dispatches_wrongly(state: FlowState, command: DispatchStep) -> bool:
    """Whether a guard is not in order, or a subject is handed on that was not approved."""
    position = state.position_of(command.attempt)
    assert position is not None, f"{command.attempt!r} was dispatched"
    steps, live = state.catalog.steps, state.live
    needed = [_position(state, need) for need in steps[position].needs]
    if not _all_in_order(state, needed):
        return True
    parallel = state.catalog.groups[state.current].parallel
    behind = range(0) if parallel else range(state.span.start, position)
    if any(in_order(steps[place], live[place]) != "yes" for place in behind):
        return True
    approved = {steps[p].key: live[p] for p in needed if live[p].status is AttemptStatus.SUCCESS}
    return any(
        attempt.approval is not None
        and attempt.result is not None
        and command.subjects.value.get(key) != attempt.result.subject
        for key, attempt in approved.items()
    )


def passes_wrongly(before: FlowState, state: FlowState) -> bool:
    """Whether the flow went past a group with a plan that is not in order (law 8)."""
    return not _all_in_order(state, range(before.span.start, state.span.start))


def _all_in_order(state: FlowState, positions: Iterable[int]) -> bool:
    """Whether a later group may rely on these steps."""
    steps, live = state.catalog.steps, state.live
    return all(in_order(steps[place], live[place]) != "no" for place in positions)


def approves_unasked(before: FlowState, state: FlowState) -> bool:
    """Whether something was approved for an option that does not hold (S8.3, S8.15)."""
    if state.approval == "approve-all":
        return False
    return any(
        _decided(state.live[place]) == "approve-all" and state.live[place] != before.live[place]
        for place in before.span
    )


def _decided(attempt: Attempt) -> str | None:
    """What decided about an attempt in the place of people."""
    return None if attempt.approval is None else attempt.approval.automatic


def keeps_old_approvals(before: FlowState, event: Event, state: FlowState) -> bool:
    """Whether an attempt outlives a retry of its whole group, or the replan of its span."""
    renewed: Iterable[int] = ()
    # What is stale is said of a plan that is made again; a skip and a second leg make none.
    if (
        isinstance(event, RerunRequested)
        and event.operation == "retry-step"
        and event.stale_plan
        and event.continue_from_idx == 0
    ):
        renewed = _span_of(before, event)
    elif state.current == before.current and state.generation > before.generation:
        renewed = before.span
    return any(state.live[place].n == before.live[place].n for place in renewed)


def _span_of(state: FlowState, event: RerunRequested) -> range:
    """The steps that a rerun for a stale plan begins anew."""
    assert event.replan_step_id is not None, "a replan names the step that plans"
    plan, target = _position(state, event.replan_step_id), position_named(state, event.step_id)
    assert isinstance(target, int), f"{event.step_id!r} passed the judge"
    return range(plan, target + 1)


def _position(state: FlowState, key: str) -> int:
    position = state.catalog.position_of(key)
    assert position is not None, f"{key!r} passed the judge"
    return position


def accepts_wrongly(
    before: FlowState, event: Event, after: Transition, *, demand_subject: bool
) -> bool:
    """Whether an approval counted that was not about what was planned, or came too late."""
    if not isinstance(event, ApprovalResponded) or event.response != "approve":
        return False
    position = _position(before, event.step)
    asked = before.live[position]
    if event.subject is None and demand_subject:
        return True
    if event.subject is not None and (
        asked.result is None or asked.result.subject != event.subject
    ):
        return True
    passed = after.state.live[position].status is AttemptStatus.SUCCESS
    return passed and _is_stale(before.catalog.steps[position].approval_spec, asked, event.at_ms)


def _is_stale(spec: ApprovalSpec, asked: Attempt, at_ms: int) -> bool:
    """Whether a plan is too old to be approved (S8.5)."""
    if spec.stale_after_ms is None or asked.approval is None:
        return False
    return at_ms - asked.approval.requested_at_ms >= spec.stale_after_ms
