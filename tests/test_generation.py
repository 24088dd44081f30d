"""What a delivery of generated groups is (S12.2), and what generation leads to (section 12)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec, commands, events
from conductor_core.catalog import Catalog
from conductor_core.events import Event, StepError
from conductor_core.generation import Delivery, clash, delivery_of
from conductor_core.payload import freeze
from conductor_core.testing import Given, given
from conductor_core.testing.brief import (
    START,
    cancelled,
    failed,
    group,
    retried,
    succeeded,
)

G: Final = group("g", "a", "b")
H: Final = group("h", "c")
KNOWN: Final = Catalog().extend([G, H])


# --- what a delivery is ---


@pytest.mark.parametrize(
    ("groups", "delivery"),
    [
        ([], Delivery.KNOWN),
        ([G], Delivery.KNOWN),
        ([H], Delivery.KNOWN),
        ([G, H], Delivery.KNOWN),
        ([H, G], Delivery.KNOWN),
        ([group("i", "d")], Delivery.NEW),
        ([group("i", StepSpec(key="d", needs=["a"]))], Delivery.NEW),
        ([G, G], Delivery.INVALID),
        ([G, group("i", "d")], Delivery.INVALID),
        ([group("g", "a")], Delivery.INVALID),
        ([group("g", "a", "b", parallel=True)], Delivery.INVALID),
        ([group("i", "a")], Delivery.INVALID),
        ([group("i", "d"), group("i", "e")], Delivery.INVALID),
        ([group("i", "d", "d")], Delivery.INVALID),
        ([group("i")], Delivery.INVALID),
        ([group("i i", "d")], Delivery.INVALID),
        ([group("i", StepSpec(key="d", needs=["x"]))], Delivery.INVALID),
    ],
)
def test_a_delivery_is_new_known_or_invalid(groups: list[GroupSpec], delivery: Delivery) -> None:
    """All known and equal is a redelivery; partly known, different or bad groups are invalid."""
    assert delivery_of(KNOWN, tuple(groups)) is delivery


@pytest.mark.parametrize(
    ("groups", "key"),
    [
        ([group("i", "d"), group("j", "e")], None),
        ([group("i", "d"), group("g", "e")], "g"),
        ([group("i", "d", "c")], "c"),
        ([group("a", "g")], None),
    ],
)
def test_the_first_key_that_is_taken_is_named(groups: list[GroupSpec], key: str | None) -> None:
    """Group keys clash with group keys, step keys with step keys."""
    assert clash(KNOWN, tuple(groups)) == key


# --- what it leads to ---

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec())


def delivered(*groups: GroupSpec, complete: bool = True) -> events.GroupsGenerated:
    """Groups arrive."""
    return events.GroupsGenerated(at_ms=0, groups=groups, complete=complete)


def broken(message: str = "no such region") -> events.GenerationFailed:
    """The generator fails."""
    return events.GenerationFailed(at_ms=0, error=StepError(message=message))


def generating(*history: Event) -> Given:
    """A flow that generates its groups."""
    return given(FlowSpec(type="deploy", metadata={"env": "prod"}), START, *history)


def finish(reason: str, message: str) -> commands.FinishFlow:
    """The flow ends in error, and no attempt is to blame."""
    outcome = commands.Outcome(status="error", reason=reason, message=message)
    return commands.FinishFlow(outcome=outcome, run=1)


def test_a_flow_without_groups_asks_for_them() -> None:
    """The host is told type and metadata, whatever was appended before the start (S12.1)."""
    spec = FlowSpec(type="deploy", metadata={"env": "prod"})
    ask = commands.GenerateSteps(
        flow_id="deploy-42", flow_type="deploy", metadata=freeze({"env": "prod"}), run=1
    )
    append = events.AppendRequested(at_ms=0, by="ann", groups=[H])
    given(spec, flow_id="deploy-42").when(START).then(ask).then_status("in-progress")
    appended = given(spec, append, flow_id="deploy-42").when(START).then_dispatched("c#1")
    assert appended.commands[0] == ask


def test_groups_run_while_more_are_generated() -> None:
    """What has arrived executes; the flow ends only when all has arrived (S7.5)."""
    story = generating().when(delivered(H, complete=False)).then_dispatched("c#1")
    story.when(succeeded("c#1")).then().then_status("in-progress").when(
        delivered(group("i", "d"))
    ).then_dispatched("d#1").when(succeeded("d#1")).then_status("success")


def test_a_redelivery_adds_nothing_but_may_be_the_last() -> None:
    """Known groups that complete the flow complete it (S12.2)."""
    ran = generating(delivered(H, complete=False), succeeded("c#1"))
    ran.when(delivered(H)).then_status("success", c="success")
    ran.when(delivered()).then_status("success")


def test_a_flow_of_no_groups_at_all_ends() -> None:
    """Nothing was generated, nothing can be done, and no rerun helps."""
    story = generating().when(delivered()).then(finish("no-steps", "No steps were generated"))
    story.when(retried("c")).then_rejected("unknown-step")
    retry = events.GroupRetryRequested(at_ms=0, group="g", by="ann")
    story.when(retry).then_rejected("unknown-group")


def test_an_invalid_delivery_is_a_failed_generation() -> None:
    """The flow ends, and no group of the delivery is added."""
    story = generating().when(delivered(group("g g", "a"), H))
    story.then(finish("generation-failed", "Step generation failed"))
    assert len(story.state.catalog.groups) == 0


@pytest.mark.parametrize(
    ("steps", "before", "statuses"),
    [
        ([PLAN, "b"], succeeded("plan#1"), {"plan": "discarded", "b": "not-attempted"}),
        (["a", "b"], failed("a#1", directive="await-retry"), {"a": "discarded"}),
        (["a", "b"], failed("a#1", directive="retry-group"), {"a": "not-attempted"}),
        (["a", "b"], failed("a#1", directive="retry"), {"a": "not-attempted"}),
    ],
)
def test_a_failed_generation_sweeps_what_does_not_run(
    steps: list[Any], before: Event, statuses: dict[str, str]
) -> None:
    """Parked attempts are discarded, other unfinished ones never attempted (S12.3)."""
    story = generating(delivered(group("g", *steps), H, complete=False), before)
    story.when(broken()).then_status("error", c="not-attempted", **statuses)


def test_a_wait_ends_with_a_failed_generation() -> None:
    """The timer of what waited is cancelled, of an attempt as of a group."""
    for directive, timer in (("retry", "backoff:a#2"), ("retry-group", "backoff:g@1")):
        waiting = generating(
            delivered(group("g", "a"), complete=False), failed("a#1", directive=directive)
        )
        waiting.when(broken()).then(
            commands.CancelTimer(timer=timer), finish("generation-failed", "Step generation failed")
        )


def test_what_runs_when_generation_fails_runs_on() -> None:
    """Its failure is a stop that does not name the outcome; its plan is never asked about."""
    part = delivered(group("g", "a", PLAN, "b", parallel=True), complete=False)
    story = generating(part).when(broken()).then().when(failed("a#1")).then()
    story = story.when(succeeded("plan#1")).then().then_status("in-progress", plan="discarded")
    story.when(succeeded("b#1", directive="retry-group")).then(
        finish("generation-failed", "Step generation failed")
    ).then_status("error", a="error", b="error")
    assert story.state.live[0].directive == "stop"


def test_a_stop_that_came_before_names_the_outcome() -> None:
    """When generation fails after a stop was decided, the stop is the reason (S12.3)."""
    part = delivered(group("g", "a", "b", parallel=True), complete=False)
    story = generating(part, failed("a#1"), broken()).when(succeeded("b#1")).then_status("error")
    assert story.state.outcome == commands.Outcome(
        status="error", reason="failed", step="a#1", message="Step failed"
    )
    story.when(retried("a")).then_rejected("not-failed")


def test_those_who_wanted_a_group_retry_stop_with_a_failed_generation() -> None:
    """A group retry that waits for its siblings is overridden, as by a stop."""
    part = delivered(group("g", "a", "b", parallel=True), complete=False)
    story = generating(part, failed("a#1", directive="retry-group")).when(broken()).then()
    assert [attempt.directive for attempt in story.state.live] == ["stop", None]
    story.when(succeeded("b#1")).then_status("error", a="error", b="success")


def test_between_two_groups_there_is_nothing_to_sweep() -> None:
    """When all that has arrived is done, a failed generation just ends the flow."""
    ran = generating(delivered(H, complete=False), succeeded("c#1"))
    ran.when(broken()).then(finish("generation-failed", "Step generation failed"))


def test_a_cancel_ends_a_generation() -> None:
    """A flow that waits for its groups is cancelled at once, and what arrives is ignored."""
    story = generating().when(cancelled()).then_status("cancelled")
    story.when(delivered(H)).then_ignored("no-change")
    story.when(broken()).then_ignored("no-change")


def test_a_rerun_asks_again_for_a_generation_that_was_running() -> None:
    """The stop of a flow ends its generation, a rerun begins it again under its run (S10.5)."""
    stopped = generating(delivered(H, complete=False), failed("c#1"))
    stopped.when(delivered(H)).then_ignored("no-change")
    revived = stopped.when(retried("c")).then_dispatched("c#2")
    assert revived.commands[0] == commands.GenerateSteps(
        flow_id="flow", flow_type="deploy", metadata=freeze({"env": "prod"}), run=2
    )
    revived.when(delivered(H)).when(succeeded("c#2")).then_status("success")
