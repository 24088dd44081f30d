"""What a run that stops short tells: short, however much it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli.waits import told_approval, told_waits, way_on
from conductor_core import ApprovalSpec, FlowOptions, FlowState, StepSpec, explain
from conductor_core.events import PauseRequested
from conductor_core.testing import given
from conductor_core.testing.brief import START, answered, failed, flow, group, succeeded

PROMPT: Final = "answer at its prompt (on a terminal, without --no-input)"


def asking(count: int, approval: ApprovalSpec) -> FlowState:
    """A flow of which so many approvals are open."""
    steps = [StepSpec(key=f"s{n}", approval=approval) for n in range(count)]
    done = (succeeded(f"s{n}#1") for n in range(count))
    return given(flow(group("g", *steps, parallel=True)), START, *done).state


def test_of_very_many_waits_the_first_are_told() -> None:
    """Ten, who may approve them, and how many there are beside them."""
    lines = list(told_waits(asking(2_000, ApprovalSpec()), 0))
    assert lines[9:12] == [
        "waits for s9#1: 0 of 1 approvals (person)",
        "and for 1,990 things more",
        "s0#1 may be approved by anybody",
    ]
    assert len(lines) == 21
    assert len(list(told_waits(asking(10, ApprovalSpec()), 0))) == 20


@pytest.mark.parametrize(
    ("count", "approval", "options"),
    [
        (2, ApprovalSpec(approvers=["ann"]), "--approve s0,s1 --by ann"),
        (11, ApprovalSpec(), "--approve STEP,... (11 steps) --by NAME"),
        (1, ApprovalSpec(required=10**9), "--approve s0 --by NAME,... (1,000,000,000 names)"),
    ],
)
def test_the_way_on_is_a_short_line(count: int, approval: ApprovalSpec, options: str) -> None:
    """Of many steps, and of many names, the number is told."""
    state = asking(count, approval)
    assert way_on(state, Path("l"), ()) == (
        f"go on with: conductor run --resume l {options}, or {PROMPT}"
    )
    assert way_on(state, None, ()) == (
        f"a new run starts from the first step: give it {options}, or {PROMPT}"
    )


def test_whoever_approved_one_step_is_not_counted_on_for_it_again() -> None:
    """cid, who is needed for the other step, has approved this one: somebody else is wanted."""
    other = StepSpec(key="other", approval=ApprovalSpec(approvers=["cid"]))
    plan = StepSpec(key="plan", approval=ApprovalSpec(required=2))
    state = given(
        flow(group("g", plan, other, parallel=True)),
        START,
        succeeded("plan#1"),
        succeeded("other#1"),
        answered("plan", by="cid"),
    ).state
    assert "--approve plan,other --by cid,NAME, or" in way_on(state, Path("l"), ())


def test_no_option_is_told_that_does_not_lead_on() -> None:
    """Neither a failure nor a pause is ended by an approval."""
    plan = StepSpec(key="plan", approval=ApprovalSpec())
    both = flow(group("g", plan, "a", parallel=True), options=FlowOptions(on_failure="await-retry"))
    parked = given(both, START, succeeded("plan#1"), failed("a#1")).state
    assert way_on(parked, Path("l"), ()).endswith(f"--resume l, and {PROMPT}")
    pause = PauseRequested(at_ms=0, by="ann")
    asked = given(flow(group("g", plan, "a")), START, pause, succeeded("plan#1"))
    assert way_on(asked.state, Path("l"), ()).endswith(f"--resume l, and {PROMPT}")
    paused = given(flow(group("g", "a", "b")), START, pause, succeeded("a#1")).state
    assert "--resume l, and resume it at its prompt" in way_on(paused, Path("l"), ())


def test_an_approval_is_told_as_the_core_counts_it() -> None:
    """What the prompt says and what `explain` says is read from the same quorum."""
    plan = StepSpec(key="plan", approval=ApprovalSpec(required=2, approvers=["ann", "bob"]))
    state = given(flow(group("g", plan)), START, succeeded("plan#1"), answered("plan")).state
    (attempt,) = state.open_approvals()
    assert told_approval(state, attempt, 0) == "1 of 2 approvals; may be approved by bob"
    assert explain(state).waits[0].what == "1 of 2 approvals, by bob"
