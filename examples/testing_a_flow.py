"""Tests of a flow of one's own: an example, and a law that holds whatever happens.

Run it as it is, or with `pytest examples/testing_a_flow.py`; it needs the extra `test`.
"""

from __future__ import annotations

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    FlowState,
    GroupSpec,
    StepSpec,
    commands,
    events,
    initial_state,
    reduce,
)
from conductor_core.testing import given
from conductor_core.testing.strategies import events_for

# Were the plan skippable, the law below would fail, with the shortest story of how.
PLAN = StepSpec(
    key="plan", approval=ApprovalSpec(required=2, approvers=["ana", "bo", "cy"]), skippable=False
)
APPLY = StepSpec(key="apply", needs=["plan"])
DEPLOY = FlowSpec(groups=[GroupSpec(key="network", steps=[PLAN, APPLY])])


def test_two_approvals_let_the_plan_be_applied() -> None:
    """The second approval dispatches what the plan is for."""
    story = given(
        DEPLOY,
        events.FlowStarted(at_ms=0),
        events.StepFinished(at_ms=1, attempt="plan#1", outcome="succeeded"),
        events.ApprovalResponded(at_ms=2, step="plan", response="approve", by="ana"),
    )
    second = events.ApprovalResponded(at_ms=3, step="plan", response="approve", by="bo")
    story.when(second).then_dispatched("apply#1").then_status("in-progress", plan="success")


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@for_all(st.data())
def test_nothing_is_applied_that_fewer_than_two_approved(data: st.DataObject) -> None:
    """Whatever workers, clocks and people do: `apply` runs only after two of the three agreed."""
    state = initial_state(DEPLOY, flow_id="deploy-42")
    for at_ms in range(data.draw(st.integers(1, 30), label="how many events")):
        transition = reduce(state, data.draw(events_for(state, at_ms=at_ms)))
        state = transition.state
        for command in transition.commands:
            if isinstance(command, commands.DispatchStep) and command.work == "apply":
                assert is_agreed(state)


def is_agreed(state: FlowState) -> bool:
    """Whether two people, or somebody who set the option approve-all, agreed to the plan."""
    plan = state.live_attempt("plan")
    assert plan is not None
    approval = plan.approval
    assert approval is not None
    return approval.automatic == "approve-all" or len(set(approval.approvers)) == 2


def main() -> None:
    """Run both tests."""
    for test in (
        test_two_approvals_let_the_plan_be_applied,
        test_nothing_is_applied_that_fewer_than_two_approved,
    ):
        test()
        print(f"holds: {test.__doc__}")


if __name__ == "__main__":
    main()
