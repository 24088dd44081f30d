"""A flow is validated when it is built, and everything that is wrong is told at once (S2.1)."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    initial_state,
)
from conductor_core.errors import PayloadError, SpecError, shown
from conductor_core.spec import group_problems
from conductor_core.testing.brief import flow, group


def problems_of(*groups: GroupSpec, **fields: Any) -> dict[str, str]:
    """The problems of a flow that cannot be built, by path."""
    with pytest.raises(SpecError) as refused:
        FlowSpec(groups=groups, **fields)
    problems = dict(refused.value.problems)
    assert len(problems) == len(refused.value.problems), "one problem a place"
    return problems


def step_problems(**fields: Any) -> dict[str, str]:
    """The problems of the only step of a flow, by their place in the step."""
    problems = problems_of(group("g", StepSpec(key="a", **fields)))
    return {path.removeprefix("groups[0].steps[0]."): text for path, text in problems.items()}


# --- what can be built ---


def test_what_is_not_said_has_the_default_of_the_rules() -> None:
    """A flow, a group and a step that say nothing are those of section 2."""
    assert FlowSpec() == FlowSpec(
        type="flow",
        groups=(),
        options=FlowOptions(
            approval="prompt",
            on_failure="stop",
            continue_as_new_every=None,
            max_parallel=None,
            cancel_grace_ms=30_000,
        ),
        metadata={},
    )
    retry = RetryPolicy(
        max_retries=10,
        max_auto_retries=0,
        scope="step",
        backoff_ms=(30_000, 120_000, 300_000),
        jitter=True,
    )
    assert StepSpec(key="a") == StepSpec(
        key="a",
        work=None,
        input={},
        approval=None,
        retry=retry,
        retryable=True,
        skippable=True,
        skip_on_failure=False,
        skip_if_noop=False,
        skipped=False,
        timeout_ms=None,
        needs=(),
        on_recovery="redispatch",
        name=None,
        metadata={},
    )
    assert ApprovalSpec() == ApprovalSpec(
        required=1,
        approvers=None,
        timeout_ms=None,
        stale_after_ms=None,
        auto_approve_on_policy_pass=False,
        skip_scope="group",
    )
    assert GroupSpec(key="g") == GroupSpec(
        key="g",
        steps=(),
        parallel=False,
        max_parallel=None,
        fail_fast=False,
        name=None,
        metadata={},
    )


def test_a_step_is_worked_on_under_its_key_unless_it_names_a_handler() -> None:
    """`work` names the handler; without it the key does."""
    assert StepSpec(key="plan").handler == "plan"
    assert StepSpec(key="plan", work="terraform-plan").handler == "terraform-plan"


def test_an_approval_that_only_the_worker_asks_for_is_the_default_one() -> None:
    """A step without an approval has the default one for that case (S6.7)."""
    strict = ApprovalSpec(required=2)
    assert StepSpec(key="plan").approval_spec == ApprovalSpec()
    assert StepSpec(key="plan", approval=strict).approval_spec == strict


def test_a_spec_is_frozen_all_the_way_down() -> None:
    """Lists become tuples and payloads their canonical text, so that a spec can be hashed."""
    approval = ApprovalSpec(approvers=["ann"])
    retry = RetryPolicy(backoff_ms=[1, 2])
    plan = StepSpec(key="plan", input={"a": [1]}, approval=approval, retry=retry, needs=[])
    specs = {FlowSpec(groups=[GroupSpec(key="g", steps=[plan])]) for _ in range(2)}
    assert len(specs) == 1
    assert approval.approvers == ("ann",)
    assert retry.backoff_ms == (1, 2)
    assert plan.input.value == {"a": [1]}


def test_parts_alone_are_not_validated() -> None:
    """A bad group can be built, so that an event that brings it gets a verdict."""
    assert GroupSpec(key="no key", steps=()).key == "no key"


@pytest.mark.parametrize("key", ["a", "0", "A-b_c.9", "a" * 64])
def test_a_key_is_short_and_plain(key: str) -> None:
    """Letters, digits and `_.-`, from one to 64 characters, the first a letter or a digit."""
    assert flow(group(key, key)).groups[0].steps[0].key == key


# --- keys (S1.1) ---


@pytest.mark.parametrize("key", ["-a", ".a", "_a", "a b", "a#1", "a/b", "ä", "a\n", "a" * 65])
def test_any_other_key_is_refused(key: str) -> None:
    """A key that could be mistaken for something else never gets into a flow."""
    wrong = f"{key!r} does not match [A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}"
    assert problems_of(group(key, key)) == {"groups[0].key": wrong, "groups[0].steps[0].key": wrong}


def test_a_key_is_a_text() -> None:
    """A number is no key."""
    numbered: Any = 7
    wrong = problems_of(GroupSpec(key=numbered, steps=[StepSpec(key="a")]))
    assert wrong == {"groups[0].key": "7 does not match [A-Za-z0-9][A-Za-z0-9_.-]{0,63}"}


def test_group_keys_are_unique_and_step_keys_across_all_groups() -> None:
    """A key that is used again is named where it is used again."""
    assert problems_of(group("g", "a", "a"), group("h", "a"), group("g", "b")) == {
        "groups[0].steps[1].key": "'a' is used twice",
        "groups[1].steps[0].key": "'a' is used twice",
        "groups[2].key": "'g' is used twice",
    }


def test_a_group_and_a_step_may_share_a_key() -> None:
    """Groups and steps are named in different places."""
    assert flow(group("a", "a"), group("b", "c")).groups[0].key == "a"


# --- everything at once, with its path ---


def test_every_problem_is_told_at_once() -> None:
    """The error lists all problems in the order of the flow, and says them in one sentence."""
    broken = StepSpec(
        key="b b",
        retry=RetryPolicy(max_retries=-1, scope="flow", backoff_ms=[1, -2]),
        approval=ApprovalSpec(required=0),
        needs=["a", "later", "b"],
    )
    options = FlowOptions(approval="ask", cancel_grace_ms=-1)
    with pytest.raises(SpecError) as refused:
        flow(group("g", "a"), group("h", broken, "later"), GroupSpec(key="i"), options=options)
    paths = [path for path, _ in refused.value.problems]
    assert paths == [
        "options.approval",
        "options.cancel_grace_ms",
        "groups[1].steps[0].needs",
        "groups[1].steps[0].needs",
        "groups[1].steps[0].key",
        "groups[1].steps[0].retry.max_retries",
        "groups[1].steps[0].retry.scope",
        "groups[1].steps[0].retry.backoff_ms[1]",
        "groups[1].steps[0].approval.required",
        "groups[2].steps",
    ]
    assert str(refused.value).startswith(
        "invalid flow spec: options.approval: expected one of prompt, approve-all, got 'ask'; "
        "options.cancel_grace_ms: expected an integer of at least 0, got -1; "
    )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"approval": "always"}, "approval"),
        ({"on_failure": "retry"}, "on_failure"),
        ({"continue_as_new_every": 0}, "continue_as_new_every"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"cancel_grace_ms": -1}, "cancel_grace_ms"),
        ({"cancel_grace_ms": None}, "cancel_grace_ms"),
        ({"cancel_grace_ms": True}, "cancel_grace_ms"),
    ],
)
def test_bad_options_are_refused(fields: dict[str, Any], path: str) -> None:
    """An unknown choice and a number that is too small are problems of the options."""
    assert list(problems_of(options=FlowOptions(**fields))) == [f"options.{path}"]


def test_a_flow_has_a_type() -> None:
    """An empty type names nothing."""
    assert problems_of(type="") == {"type": "expected a name, got ''"}


def test_a_group_has_steps_and_room_for_one_at_least() -> None:
    """An empty group and a parallel group without a place are refused."""
    empty = GroupSpec(key="g", parallel=True, max_parallel=0)
    assert problems_of(empty) == {
        "groups[0].max_parallel": "expected an integer of at least 1, got 0",
        "groups[0].steps": "expected at least one step",
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"work": ""}, "work"),
        ({"timeout_ms": -1}, "timeout_ms"),
        ({"timeout_ms": 1.5}, "timeout_ms"),
        ({"on_recovery": "retry"}, "on_recovery"),
        ({"retry": RetryPolicy(max_retries=-1)}, "retry.max_retries"),
        ({"retry": RetryPolicy(max_auto_retries=-1)}, "retry.max_auto_retries"),
        ({"retry": RetryPolicy(scope="flow")}, "retry.scope"),
        ({"retry": RetryPolicy(backoff_ms=[0, -1])}, "retry.backoff_ms[1]"),
        ({"approval": ApprovalSpec(required=0)}, "approval.required"),
        ({"approval": ApprovalSpec(timeout_ms=-1)}, "approval.timeout_ms"),
        ({"approval": ApprovalSpec(stale_after_ms=-1)}, "approval.stale_after_ms"),
        ({"approval": ApprovalSpec(skip_scope="flow")}, "approval.skip_scope"),
    ],
)
def test_bad_steps_are_refused(fields: dict[str, Any], path: str) -> None:
    """An unknown choice and a number that is too small are problems of their step."""
    assert list(step_problems(**fields)) == [path]


def test_zero_is_a_time_like_any_other() -> None:
    """Limits may be as tight as the author likes: no retry, no wait, no time."""
    retry = RetryPolicy(max_retries=0, max_auto_retries=0, backoff_ms=[0])
    approval = ApprovalSpec(timeout_ms=0, stale_after_ms=0)
    tight = StepSpec(key="a", retry=retry, approval=approval, timeout_ms=0)
    assert flow(group("g", tight), options=FlowOptions(cancel_grace_ms=0)).groups[0].steps == (
        tight,
    )


def test_approvers_are_distinct_and_as_many_as_must_approve() -> None:
    """More approvals than people who may give them could never be had."""
    assert step_problems(approval=ApprovalSpec(required=2, approvers=["ann", "ann"])) == {
        "approval.approvers": "names a person twice: ['ann', 'ann']",
        "approval.required": "2 is more than 1 approvers",
    }
    assert step_problems(approval=ApprovalSpec(approvers=[])) == {
        "approval.required": "1 is more than 0 approvers"
    }


def test_only_a_number_is_compared_with_the_approvers() -> None:
    """What is no number at all is a problem by itself, told once."""
    worded: Any = "2"
    assert step_problems(approval=ApprovalSpec(required=worded, approvers=["ann"])) == {
        "approval.required": "expected an integer of at least 1, got '2'"
    }


# --- needs (S2.3) ---


def test_a_step_may_need_what_runs_earlier() -> None:
    """A step of an earlier group, or an earlier one of the same sequential group."""
    last = StepSpec(key="c", needs=["a", "b"])
    assert flow(group("g", "a", parallel=True), group("h", "b", last)).groups[1].steps[1] == last


def test_a_step_may_not_need_what_does_not_run_earlier() -> None:
    """Not itself, nothing later, nothing beside it in a parallel group, nothing unknown."""
    later = "it runs later, or beside this one"
    beside = StepSpec(key="c", needs=["b"])
    first = StepSpec(key="a", needs=["a", "b", "x"])
    with pytest.raises(SpecError) as refused:
        flow(group("g", first), group("h", "b", beside, parallel=True))
    assert refused.value.problems == (
        ("groups[0].steps[0].needs", "'a' is no step that runs earlier: it is this one"),
        ("groups[0].steps[0].needs", f"'b' is no step that runs earlier: {later}"),
        ("groups[0].steps[0].needs", "'x' is no step that runs earlier: there is no such step"),
        ("groups[1].steps[1].needs", f"'b' is no step that runs earlier: {later}"),
    )


def test_a_step_needs_another_once() -> None:
    """A step that is named twice is a mistake of the author."""
    wrong = problems_of(group("g", "a", StepSpec(key="b", needs=["a", "a"])))
    assert wrong == {"groups[0].steps[1].needs": "names a step twice: ['a', 'a']"}


def test_groups_that_come_later_may_need_what_is_known() -> None:
    """Groups that are appended or generated are checked against the steps before them."""
    more = (group("h", StepSpec(key="b", needs=["a"])),)
    assert group_problems(more, {"a": 0}) == []
    assert group_problems(more, path="added") == [
        ("added[0].steps[0].needs", "'a' is no step that runs earlier: there is no such step")
    ]


# --- payloads and flow ids ---


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, {1}, b"x"])
def test_only_json_values_are_payloads(value: object) -> None:
    """NaN, infinities, lone surrogates and what JSON does not know are refused (S1.5)."""
    with pytest.raises(PayloadError):
        StepSpec(key="a", input={"value": value})


@pytest.mark.parametrize("flow_id", ["a", "0", "deploy-42", "team/app:v1.2_x", "a" * 128])
def test_a_flow_id_may_hold_more_than_a_key(flow_id: str) -> None:
    """Slashes and colons are fine in a flow id, up to 128 characters."""
    assert initial_state(FlowSpec(), flow_id).flow_id == flow_id


@pytest.mark.parametrize("flow_id", ["", "-a", "/a", "a b", "a#1", "ä", "a\n", "a" * 129])
def test_any_other_flow_id_is_refused(flow_id: str) -> None:
    """A bad flow id is refused when the state is built."""
    with pytest.raises(SpecError) as refused:
        initial_state(FlowSpec(), flow_id)
    pattern = "[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}"
    assert refused.value.problems == (("flow_id", f"{shown(flow_id)} does not match {pattern}"),)


def test_a_flow_id_is_a_text() -> None:
    """A number is no flow id."""
    numbered: Any = 7
    with pytest.raises(SpecError):
        initial_state(FlowSpec(), numbered)


def test_an_integer_that_no_log_could_hold_is_refused() -> None:
    """Integers are such that times stay far from 64 bits, however they are to be shown (S2.1)."""
    steps = [StepSpec(key="a", timeout_ms=1 << 63), StepSpec(key="b", timeout_ms=10**5000)]
    with pytest.raises(SpecError) as refused:
        FlowSpec(groups=[GroupSpec(key="g", steps=steps)])
    texts = [text for _, text in refused.value.problems]
    assert texts == [
        f"expected an integer of at most {(1 << 53) - 1}, got {1 << 63}",
        f"expected an integer of at most {(1 << 53) - 1}, got an enormous int",
    ]
    largest = StepSpec(key="a", timeout_ms=(1 << 53) - 1)
    assert flow(group("g", largest)).groups[0].steps[0].timeout_ms == (1 << 53) - 1


def test_metadata_is_a_mapping() -> None:
    """Metadata maps keys to values, wherever it stands (section 2)."""
    step, odd = StepSpec(key="a", metadata=[1]), GroupSpec(key="g", metadata=2, steps=[])
    with pytest.raises(SpecError) as refused:
        FlowSpec(metadata="x", groups=[GroupSpec(key="f", steps=[step]), odd])
    assert [path for path, _ in refused.value.problems] == [
        "groups[0].steps[0].metadata",
        "groups[1].metadata",
        "groups[1].steps",
        "metadata",
    ]
