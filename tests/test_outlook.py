"""What is ahead of a step is what the rules would decide, failure after failure."""

from __future__ import annotations

from itertools import product

import pytest

from conductor_core import ApprovalSpec, FlowOptions, GroupSpec, RetryPolicy, StepSpec
from conductor_core.attempt import Result
from conductor_core.directives import Budget, Work, decide
from conductor_core.outlook import Failing, failing, skips_its_group
from conductor_core.testing import given
from conductor_core.testing.brief import START, answered, flow, group, succeeded

CHOICES = product(
    range(4),
    range(4),
    range(4),
    ("step", "group"),
    ("stop", "await-retry"),
    (True, False),
    (True, False),
)


def played(step: StepSpec, together: GroupSpec, options: FlowOptions) -> tuple[int, str]:
    """Let a step fail until it gets no retry any more: how many it got, and what then follows."""
    budget = min(each.retry.max_retries for each in together.steps)
    retries = 0
    while True:
        charged = Budget(
            options=options, retry=retries, generation=retries, group_max_retries=budget
        )
        decision = decide(Work(0, step, "failed", None, Result()), {0: charged}.__getitem__)
        if decision.directive not in ("retry", "retry-group"):
            return retries, decision.directive
        retries += 1


def test_failures_lead_to_what_the_rules_decide() -> None:
    """For every choice that a spec has: budgets, scope, options, and who may do what."""
    for most, auto, of_other, scope, on_failure, retryable, skip in CHOICES:
        step = StepSpec(
            key="a",
            retry=RetryPolicy(max_retries=most, max_auto_retries=auto, scope=scope),
            retryable=retryable,
            skip_on_failure=skip,
        )
        other = StepSpec(key="b", retry=RetryPolicy(max_retries=of_other))
        together = GroupSpec(key="g", steps=[step, other])
        options = FlowOptions(on_failure=on_failure)
        told = failing(step, together, options)
        assert (told.retries, told.end) == played(step, together, options)
        assert told.of_group is (scope == "group")
        budget = min(most, of_other) if scope == "group" else most
        assert told.left == (budget - told.retries if retryable else 0)


@pytest.mark.parametrize(
    ("step", "usual"),
    [
        (StepSpec(key="a"), True),
        (StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1)), False),
        (StepSpec(key="a", retry=RetryPolicy(max_retries=0)), False),
        (StepSpec(key="a", retryable=False), False),
        (StepSpec(key="a", skip_on_failure=True), False),
    ],
)
@pytest.mark.parametrize("on_failure", ["stop", "await-retry"])
def test_what_is_usual_is_told_once_for_the_flow(
    step: StepSpec, usual: bool, on_failure: str
) -> None:
    """A step goes its own way when it is retried, forgiven, or never to be retried."""
    told = failing(step, GroupSpec(key="g", steps=[step]), FlowOptions(on_failure=on_failure))
    assert told.is_usual is usual


def test_an_outlook_is_data() -> None:
    """What is told in words can be asked for in parts."""
    step = StepSpec(key="a")
    assert failing(step, GroupSpec(key="g", steps=[step]), FlowOptions()) == Failing(
        retries=0, of_group=False, end="stop", left=10
    )


@pytest.mark.parametrize("scope", ["group", "step"])
def test_a_skip_takes_the_group_where_the_rules_do(scope: str) -> None:
    """What is told of a skip is what becomes of the step behind it (S8.9)."""
    plan = StepSpec(key="plan", approval=ApprovalSpec(skip_scope=scope))
    state = given(
        flow(group("g", plan, "apply")),
        START,
        succeeded("plan#1"),
        answered("plan", response="skip-current"),
    ).state
    assert (state.live[1].status == "user-skipped") is skips_its_group(plan)
