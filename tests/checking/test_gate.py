"""The gate: what must be in order before a step is dispatched."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import ApprovalSpec, StepSpec
from conductor_core.attempt import Answer, Approval, Attempt, AttemptStatus
from conductor_core.checking import Alphabet, check, gate
from conductor_core.checking.alphabet import Spent
from conductor_core.checking.gate import in_order, is_approved
from conductor_core.checking.moves import Move, moves
from conductor_core.events import ApprovalResponded
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.checking.flows import AWAIT_RETRY, DEPLOY, plan

PLAN: Final = plan()
FORGIVEN: Final = plan(skip_on_failure=True)
ATTEMPT: Final = Attempt("plan")


def approved_by(*names: str, automatic: str | None = None) -> Approval:
    """An approval with these answers."""
    answers = tuple(Answer(by=name, response="approve") for name in names)
    return Approval(requested_at_ms=0, answers=answers, automatic=automatic)


@pytest.mark.parametrize(
    ("step", "attempt", "expected"),
    [
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.PENDING), False),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.SUCCESS), False),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.SUCCESS, approval=approved_by("ann")), True),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.USER_SKIPPED), True),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.AUTO_SKIPPED), True),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.DISCARDED), True),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.APPROVAL_DENIED), False),
        (PLAN, evolve(ATTEMPT, status=AttemptStatus.ERROR, directive="continue"), False),
        (FORGIVEN, evolve(ATTEMPT, status=AttemptStatus.ERROR, directive="continue"), True),
        (FORGIVEN, evolve(ATTEMPT, status=AttemptStatus.ERROR, directive="stop"), False),
        (StepSpec(key="plan"), evolve(ATTEMPT, status=AttemptStatus.ERROR), True),
        (
            StepSpec(key="plan"),
            evolve(ATTEMPT, status=AttemptStatus.APPROVAL_AWAITING, approval=approved_by()),
            False,
        ),
    ],
)  # fmt: skip
def test_what_is_in_order(step: StepSpec, attempt: Attempt, expected: bool) -> None:
    """A plan is in order once it is approved or skipped, or never came to be one."""
    assert in_order(step, attempt) is expected


def test_who_counts() -> None:
    """Different people who may approve count, each once; an automatic decision is enough."""
    two = ApprovalSpec(required=2, approvers=("ann", "bo"))
    done = evolve(ATTEMPT, status=AttemptStatus.SUCCESS)
    assert is_approved(two, evolve(done, approval=approved_by("ann", "bo")))
    assert not is_approved(two, evolve(done, approval=approved_by("ann", "ann")))
    assert not is_approved(two, evolve(done, approval=approved_by("ann", "cy")))
    assert is_approved(two, evolve(done, approval=approved_by(automatic="policy")))


def test_a_subject_may_be_demanded() -> None:
    """Where every approval must name its subject, one that names none breaks the gate."""
    assert check(DEPLOY, theorems=(gate(demand_subject=True),)).is_good
    silent = StepSpec(key="apply", needs=["plan"])
    spec = flow(group("g", plan(), silent), options=AWAIT_RETRY)
    assert check(spec, theorems=(gate(demand_subject=True),)).is_good
    assert "names its subject" in gate(demand_subject=True).statement


def test_an_approval_without_a_subject_breaks_a_gate_that_demands_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host that lets people approve without saying what is found."""

    def silently(alphabet: Alphabet, state: FlowState, spent: Spent, places: list[int]) -> object:
        for move in moves(alphabet, state, spent, places):
            event = move.event
            if isinstance(event, ApprovalResponded):
                event = evolve(event, subject=None)
            yield Move(event, move.spent)

    monkeypatch.setattr("conductor_core.checking.search.moves", silently)
    demanding = gate(demand_subject=True)
    assert check(DEPLOY, theorems=(gate(),)).is_good
    (finding,) = check(DEPLOY, theorems=(demanding,)).findings
    assert finding.verdict == "violated"
