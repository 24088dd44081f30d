"""What people are asked for, and what their answers do."""

from __future__ import annotations

from typing import Final

from conductor_core.events import ApprovalOptionChanged
from conductor_core.spec import ApprovalSpec
from conductor_core.testing.brief import answered, succeeded
from conductor_core.testing.conformance.case import AtOnce, Case
from conductor_core.testing.conformance.cases.parts import (
    FEW_MS,
    HELD,
    LONG_MS,
    PLAN,
    SECOND_PLAN,
    planned,
    script,
)

APPROVALS: Final = (
    Case(
        name="quorum",
        about="Two of three must approve, each of them once.",
        flow=planned(ApprovalSpec(required=2, approvers=("ann", "bob", "eve"))),
        work=(script("plan", PLAN),),
        acts=(
            answered("plan"),
            answered("plan"),
            answered("plan", by="mallory"),
            answered("plan", by="bob"),
        ),
    ),
    Case(
        name="quorum-at-once",
        about="Of three who answer at the same time two are enough, and the third comes too late.",
        flow=planned(ApprovalSpec(required=2)),
        work=(script("plan", PLAN), script("apply", HELD)),
        acts=(
            AtOnce(tuple(answered("plan", by=by) for by in ("ann", "bob", "eve"))),
            succeeded("apply#1"),
        ),
    ),
    Case(
        name="denied",
        about="A denial stops the flow.",
        flow=planned(ApprovalSpec(timeout_ms=LONG_MS)),
        work=(script("plan", PLAN),),
        acts=(answered("plan", "deny"),),
        ends="error",
    ),
    Case(
        name="skip-current",
        about="A plan that is skipped is not applied.",
        flow=planned(),
        work=(script("plan", PLAN),),
        acts=(answered("plan", "skip-current"),),
    ),
    Case(
        name="retry-plan",
        about="Somebody wants another plan, and approves that one.",
        flow=planned(),
        work=(script("plan", PLAN, SECOND_PLAN),),
        acts=(answered("plan", "retry"), answered("plan")),
    ),
    Case(
        name="approval-expires",
        about="Nobody answers in time.",
        flow=planned(ApprovalSpec(timeout_ms=FEW_MS)),
        work=(script("plan", PLAN),),
        ends="error",
    ),
    Case(
        name="approve-all",
        about="Whoever approves everything approves what is open.",
        flow=planned(),
        work=(script("plan", PLAN),),
        acts=(ApprovalOptionChanged(at_ms=0, option="approve-all", by="ann"),),
    ),
)
