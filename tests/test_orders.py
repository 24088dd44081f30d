"""The commands that a state can ask for again."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_core import ApprovalSpec, FlowSpec, RetryPolicy, StepSpec, commands, events
from conductor_core.attempt import Attempt, Result
from conductor_core.commands import DispatchStep
from conductor_core.events import Event
from conductor_core.orders import (
    continuation_of,
    dispatch_of,
    generation_of,
    request_of,
)
from conductor_core.payload import EMPTY, freeze
from conductor_core.testing import given
from conductor_core.testing.brief import START, answered, failed, flow, group, skipped, succeeded

PLAN: Final = StepSpec(
    key="plan", approval=ApprovalSpec(), retry=RetryPolicy(max_auto_retries=1, backoff_ms=[])
)
NEEDY: Final = StepSpec(key="apply", needs=["plan", "build"])
SPEC: Final = flow(group("g", "build", PLAN, NEEDY))


def handed_over(*history: Event) -> tuple[Any, Any]:
    """What the step that needs the others gets: outputs and subjects."""
    state = given(SPEC, START, *history).state
    order = dispatch_of(state, state.live[2], NEEDY)
    return order.outputs.value, order.subjects.value


def test_a_dispatch_says_all_that_a_worker_must_know() -> None:
    """Attempt, handler, input, budget so far, time, and a key that makes it idempotent."""
    spec = StepSpec(key="a", work="build", input={"x": [1, None]}, timeout_ms=9)
    state = given(flow(group("g", spec)), START, flow_id="deploy-42").state
    assert dispatch_of(state, Attempt("a", n=4, generation=2, retry=1), spec) == DispatchStep(
        attempt="a#4",
        work="build",
        input=freeze({"x": [1, None]}),
        outputs=EMPTY,
        subjects=EMPTY,
        idempotency_key="deploy-42/a#4",
        retry=1,
        generation=2,
        timeout_ms=9,
    )


def test_a_step_gets_the_outputs_of_what_it_needs() -> None:
    """Outputs come under the keys of their steps, with the subject of what was approved (S2.3)."""
    build = succeeded("build#1", output=[1, 2])
    plan = succeeded("plan#1", output={"add": 3}, subject="plan-7")
    outputs, subjects = handed_over(build, plan, answered("plan"))
    assert outputs == {"build": [1, 2], "plan": {"add": 3}}
    assert subjects == {"plan": "plan-7"}


def test_an_approved_step_without_a_subject_has_a_null_one() -> None:
    """That it was approved is told all the same."""
    outputs, subjects = handed_over(succeeded("build#1"), succeeded("plan#1"), answered("plan"))
    assert outputs == {"build": None, "plan": None}
    assert subjects == {"plan": None}


def test_a_step_that_asked_for_approval_by_itself_has_a_subject_too() -> None:
    """It had an approval, though its spec has none (S6.7)."""
    build = succeeded("build#1", directive="await-approval", subject="sha-1")
    _, subjects = handed_over(build, answered("build"))
    assert subjects == {"build": "sha-1"}


def test_what_is_no_success_is_handed_over_as_null() -> None:
    """Skipped, failed and unfinished steps have no output to rely on, nor a subject."""
    planned = succeeded("plan#1", output=1, subject="plan-7")
    assert handed_over() == ({"build": None, "plan": None}, {})
    assert handed_over(succeeded("build#1"), planned) == ({"build": None, "plan": None}, {})
    stopped: list[Event] = [failed("build#1"), skipped("build")]
    assert handed_over(*stopped, planned) == ({"build": None, "plan": None}, {})


def test_only_the_live_attempt_is_handed_over() -> None:
    """What an earlier attempt of the step said is history."""
    history: list[Event] = [
        succeeded("build#1", output="old", directive="retry"),
        events.RetryNowRequested(at_ms=0, step="build", by="ann"),
    ]
    assert handed_over(*history) == ({"build": None, "plan": None}, {})
    again = succeeded("build#2", output="new")
    assert handed_over(*history, again)[0] == {"build": "new", "plan": None}


def test_needing_what_is_unknown_is_a_bug() -> None:
    """The validator lets no such step into a flow."""
    state = given(SPEC, START).state
    with pytest.raises(AssertionError, match="'b' needs 'x', which is unknown"):
        dispatch_of(state, Attempt("b"), StepSpec(key="b", needs=["x"]))


def test_a_request_says_what_people_must_know() -> None:
    """Subject, number and names of the approvers, and when the request expires."""
    strict = ApprovalSpec(required=2, approvers=["ann", "bob"])
    asked = Attempt("plan", n=3, due_at_ms=70, result=Result(subject="plan-7"))
    assert request_of(asked, strict) == commands.RequestApproval(
        attempt="plan#3",
        subject="plan-7",
        required=2,
        approvers=("ann", "bob"),
        expires_at_ms=70,
    )
    assert request_of(Attempt("plan"), ApprovalSpec()) == commands.RequestApproval(
        attempt="plan#1", subject=None, required=1, approvers=None, expires_at_ms=None
    )


def test_generation_and_continuation_name_the_flow_and_its_place() -> None:
    """Steps are generated for a type and a run, a fresh history begins at a group."""
    generating = given(FlowSpec(type="deploy", metadata={"a": 1}), START).state
    assert generation_of(generating) == commands.GenerateSteps(
        flow_id="flow", flow_type="deploy", metadata=freeze({"a": 1}), run=1
    )
    second = given(flow(group("g", "a"), group("h", "b")), START, succeeded("a#1")).state
    assert continuation_of(second) == commands.ContinueAsNew(start_from_group_idx=1, incarnation=0)
