"""A mistake in a flow: every state is searched for it, and Hypothesis plays until it meets it.

Run it as it is, or with `pytest examples/checking_a_flow.py`; it needs the extra `test`.
"""

from __future__ import annotations

from attrs import evolve
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec
from conductor_core.checking import Alphabet
from conductor_core.testing import BrokenClaim, assert_flow, flow_is, step
from conductor_core.testing.flow_machine import FlowMachine

APPLY = StepSpec(key="apply", needs=["plan"])
PLAN = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=3_600_000), skippable=False)
# Somebody did not want a flaky plan to hold up the rest of a deploy.
FORGIVEN = evolve(PLAN, skip_on_failure=True)

UNAPPROVED = step("apply").runs & ~step("plan").approved
PATIENT = Alphabet(pauses=False, cancels=False)
QUICK = settings(max_examples=100, derandomize=True, database=None, deadline=None)


def deploy(plan: StepSpec) -> FlowSpec:
    """The deploy with a plan like this."""
    return FlowSpec(type="deploy", groups=[GroupSpec(key="network", steps=[plan, APPLY])])


def test_nothing_is_applied_that_nobody_approved() -> None:
    """Whatever happens, and the theorems that hold of every flow hold too."""
    assert_flow(deploy(PLAN)).never(UNAPPROVED).holds()


def test_a_deploy_ends_while_nobody_hinders_it() -> None:
    """It may succeed, and it ends even if nobody answers."""
    flow = assert_flow(deploy(PLAN), alphabet=PATIENT)
    flow.sometimes(flow_is("success")).eventually(flow_is("success", "error"))


class Deploy(FlowMachine):
    """The deploy, whatever happens to it."""

    spec = deploy(PLAN)

    def invariant(self) -> None:
        """Nothing is applied that nobody approved."""
        assert not UNAPPROVED(self.state)


class Forgiving(Deploy):
    """The deploy with the mistake."""

    spec = deploy(FORGIVEN)


TestDeploy = Deploy.TestCase
TestDeploy.settings = QUICK


def main() -> None:
    """Show how the mistake is found, and that it was one."""
    try:
        assert_flow(deploy(FORGIVEN)).never(UNAPPROVED)
    except BrokenClaim as broken:
        print(broken.finding.says)
        print(broken.story)
    try:
        run_state_machine_as_test(Forgiving, settings=QUICK)
    except AssertionError as error:
        (notes,) = (note for note in error.__notes__ if "what happened" in note)
        print(notes.partition("what happened:\n")[2].partition("\n\n")[0])
    test_nothing_is_applied_that_nobody_approved()
    test_a_deploy_ends_while_nobody_hinders_it()
    run_state_machine_as_test(Deploy, settings=QUICK)
    print("without the mistake all of it holds")


if __name__ == "__main__":
    main()
