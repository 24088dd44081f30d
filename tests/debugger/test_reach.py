"""What may come to pass in one flow and not in another."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.debugger.facts import (
    ENDS,
    REASONS,
    STANDINGS,
    VOCABULARY,
    facts_of_flow,
    facts_of_step,
    survey_of,
)
from conductor_adapters.debugger.reach import (
    FlowDiff,
    common_alphabet,
    flow_diff_of,
    searched,
    twins_of,
)
from conductor_core.checking import (
    Alphabet,
    Checked,
    Reductions,
    check,
    default_alphabet,
    full_alphabet,
)
from conductor_core.checking.alphabet import DENIED, FAIL, NOOP, OK
from conductor_core.checking.properties import Survey
from conductor_core.checking.reductions import ALL, NONE
from conductor_core.log import replay
from conductor_core.spec import ApprovalSpec, FlowOptions, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import flow, group

PLAN: Final = StepSpec(key="plan")
ASKED: Final = evolve(PLAN, approval=ApprovalSpec())
APPLY: Final = StepSpec(key="apply", needs=["plan"])
RETRIED: Final = evolve(APPLY, retry=RetryPolicy(max_auto_retries=1))
BARE: Final = flow(group("g", PLAN, APPLY))


def compared(a: FlowSpec, b: FlowSpec, alphabet: Alphabet | None = None) -> FlowDiff:
    """Two flows compared, which must come out the other way round the other way round."""
    within = common_alphabet(default_alphabet, a, b) if alphabet is None else alphabet
    found, back = flow_diff_of(a, b, within), flow_diff_of(b, a, within)
    assert [it.fact for it in found.gone] == [it.fact for it in back.new]
    assert [it.fact for it in found.new] == [it.fact for it in back.gone]
    assert (found.same, found.undecided) == (back.same, back.undecided)
    assert len(found.declared) == len(back.declared)
    return found


def says(diff: FlowDiff) -> tuple[set[str], set[str]]:
    """The facts that are gone, and those that are new."""
    return {it.fact.says for it in diff.gone}, {it.fact.says for it in diff.new}


def assert_witnessed(diff: FlowDiff) -> None:
    """Every story replays, and is of the flow in which it may come to pass."""
    for spec, found in ((diff.a, diff.gone), (diff.b, diff.new)):
        for it in found:
            lines = it.story.log().splitlines(keepends=True)
            assert replay(lines).header.spec == spec
            assert it.excluded
            assert it.story.timing == "prompt"


# --- changes that one makes ---


def test_an_approval_that_is_added() -> None:
    """People come in: what they may answer is new, and nothing runs unapproved any more."""
    diff = compared(BARE, flow(group("g", ASKED, APPLY)))
    gone, new = says(diff)
    assert "plan succeeds without being approved" in gone
    assert {
        "the flow ends in error, denied",
        "the flow ends in error, policy-denied",
        "the flow comes to be approval-awaiting",
        "plan asks for approval",
        "plan is approved by people",
        "plan ends as approval-denied",
        "apply is dispatched after somebody approved something",
    } <= new
    assert_witnessed(diff)


def test_a_retry_that_is_removed() -> None:
    """What waited for its retry does so no more, and nothing else differs."""
    diff = compared(flow(group("g", PLAN, RETRIED)), BARE)
    gone, new = says(diff)
    assert gone == {"apply waits to be retried", "apply is dispatched as retry 2"}
    assert new == set()
    assert_witnessed(diff)


def test_another_way_with_failures() -> None:
    """A flow that waits for a person does not end as failed, and may be picked up."""
    diff = compared(
        BARE, flow(group("g", PLAN, APPLY), options=FlowOptions(on_failure="await-retry"))
    )
    gone, new = says(diff)
    assert "the flow ends in error, failed" in gone
    assert {
        "the flow comes to be failed-pending-retry",
        "plan waits for a person to retry it",
        "apply waits for a person to retry it",
    } == new
    assert_witnessed(diff)


def test_a_failure_that_is_forgiven() -> None:
    """What follows may run after it, and the flow may end well all the same."""
    forgiven = evolve(PLAN, skip_on_failure=True)
    gone, new = says(compared(BARE, flow(group("g", forgiven, evolve(APPLY, needs=())))))
    alphabet = evolve(common_alphabet(default_alphabet, BARE, BARE), reruns=0)
    plain = compared(BARE, flow(group("g", forgiven, APPLY)), alphabet)
    assert "apply is dispatched after something failed" in says(plain)[1]
    assert "the flow ends in success after something failed" in says(plain)[1]
    assert gone == set()
    assert new == set()


def test_a_step_that_may_not_be_retried() -> None:
    """What depends on a person who retries it is gone."""
    gone, new = says(compared(BARE, flow(group("g", PLAN, evolve(APPLY, retryable=False)))))
    assert gone >= {"apply is dispatched as retry 1"}
    assert new == set()


def test_what_leads_nowhere_else_is_no_fact() -> None:
    """Names, inputs and metadata are declared differently, and that is all that differs."""
    diff = compared(BARE, flow(group("g", evolve(PLAN, name="Plan", input={"x": 1}), APPLY)))
    assert [str(change) for change in diff.declared] == [
        "groups[g].steps[plan].input.x: nothing -> 1",
        'groups[g].steps[plan].name: none -> "Plan"',
    ]
    assert diff.come_to_the_same
    assert not diff.are_alike
    assert diff.same > 20


@pytest.mark.parametrize("spec", [BARE, FlowSpec()])
def test_a_flow_is_like_itself(spec: FlowSpec) -> None:
    """Also one whose groups are generated."""
    alphabet = common_alphabet(default_alphabet, spec, spec)
    quick = evolve(alphabet, reruns=0, replans=0, suggestions=0, pauses=False, impostors=False)
    diff = compared(spec, spec, quick)
    assert diff.are_alike
    assert diff.declared == ()


def test_steps_of_one_flow_are_told_with_the_declaration() -> None:
    """No fact is about a step that the other flow does not have."""
    diff = compared(BARE, flow(group("g", PLAN, "check", APPLY), group("h", "more")))
    assert {it.fact.step for it in (*diff.gone, *diff.new)} <= {None, "plan", "apply"}
    assert [str(change) for change in diff.declared] == [
        "groups[h]: added",
        "groups[g].steps[check]: added",
    ]


# --- twins ---


def test_of_twins_one_is_told_for_all() -> None:
    """Eight hosts are little more work than two, and all are meant."""
    hosts = [f"host-{n}" for n in range(8)]
    before = flow(group("g", PLAN), group("all", *hosts, parallel=True))
    retried = [StepSpec(key=host, retry=RetryPolicy(max_auto_retries=1)) for host in hosts]
    alphabet = evolve(default_alphabet(before), reruns=0, pauses=False, cancels=False, starts=False)
    diff = compared(before, flow(group("g", PLAN), group("all", *retried, parallel=True)), alphabet)
    assert says(diff)[1] >= {"host-0 waits to be retried", "host-0 is dispatched as retry 1"}
    assert {it.others for it in diff.new if it.fact.step == "host-0"} == {7}
    assert_witnessed(diff)


def test_twins_are_those_of_both_flows() -> None:
    """One that is changed in one flow stands for itself."""
    before = flow(group("all", "a", "b", "c", parallel=True))
    after = flow(group("all", "a", StepSpec(key="b", skippable=False), "c", parallel=True))
    twins = partial(twins_of, alphabet=default_alphabet(before))
    assert twins(before, before) == (("a", "b", "c"),)
    assert twins(before, after) == (("a", "c"), ("b",))
    assert twins(before, BARE) == ()


# --- bounds ---


def test_what_was_not_found_is_not_excluded() -> None:
    """A search that left states out excludes nothing, and what neither found is undecided."""

    def briefly(
        spec: FlowSpec, survey: Survey, *, alphabet: Alphabet, reductions: Reductions
    ) -> Checked:
        return check(
            spec,
            alphabet=alphabet,
            theorems=(),
            survey=survey,
            reductions=reductions,
            max_states=30,
        )

    after = flow(group("g", ASKED, APPLY))
    alphabet = common_alphabet(default_alphabet, BARE, after)
    diff = flow_diff_of(BARE, after, alphabet, briefly)
    assert not diff.complete
    assert not diff.are_alike
    assert diff.undecided > 0
    assert not any(it.excluded for it in (*diff.gone, *diff.new))
    same = flow_diff_of(BARE, BARE, alphabet, briefly)
    assert not same.are_alike


def test_both_are_tried_with_what_is_worth_trying_on_one() -> None:
    """The endings of either, and as much of the rest as both can bear."""
    noop = flow(group("g", evolve(PLAN, skip_if_noop=True), APPLY))
    asked = flow(group("g", ASKED, APPLY))
    endings = common_alphabet(default_alphabet, noop, asked).endings
    assert {OK, FAIL, NOOP, DENIED} <= {*endings}
    wide = flow(group("g", *"abcdef", parallel=True))
    assert common_alphabet(default_alphabet, BARE, wide).suggestions == 0
    assert common_alphabet(default_alphabet, BARE, FlowSpec()).generated != ()


# --- the facts, and the searches that find them ---

SMALL: Final = (
    flow(group("g", ASKED, RETRIED)),
    flow(group("g", evolve(PLAN, skip_on_failure=True), "b", parallel=True), group("h", "z")),
    flow(group("g", ASKED, "b", parallel=True, fail_fast=True)),
    flow(group("g", "a", "b", parallel=True, max_parallel=1)),
    flow(
        group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1, scope="group")), "b"),
        options=FlowOptions(on_failure="await-retry"),
    ),
    flow(group("g", StepSpec(key="a", timeout_ms=5, skip_if_noop=True), "b"), group("h", "z")),
)


@pytest.mark.parametrize("spec", SMALL)
def test_what_a_search_forgets_is_no_fact(spec: FlowSpec) -> None:
    """The searches that compare flows find what one finds that forgets nothing but times."""
    alphabet = evolve(default_alphabet(spec), suggestions=0, pauses=False, impostors=False)
    steps = [step.key for group in spec.groups for step in group.steps]
    facts = [*facts_of_flow(), *(it for key in steps for it in facts_of_step(key, 3))]
    nothing = evolve(NONE, times=True)
    exact = searched(spec, survey_of(facts, about=()), alphabet=alphabet, reductions=nothing)
    assert exact.surveyed is not None
    ours = flow_diff_of(spec, spec, alphabet)
    twins = twins_of(spec, spec, alphabet)
    asked = {first for first, *_ in twins}
    known = {it.says for it in facts if it.step is None or it.step in asked}
    assert ours.same == len(exact.surveyed.shown & known)
    assert exact.reductions.finished is False
    for first, *others in twins:
        for other in others:
            mirrored = {it.replace(f"{first} ", f"{other} ", 1) for it in _of(first, exact)}
            assert mirrored == _of(other, exact)


def _of(step: str, exact: object) -> set[str]:
    return {it for it in exact.surveyed.shown if it.startswith(f"{step} ")}  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", [flow(group("g", ASKED)), flow(group("g", "a", "b"))])
def test_every_end_of_a_flow_is_in_the_vocabulary(spec: FlowSpec) -> None:
    """The statuses and reasons that searches come to are facts, whatever work and people do."""
    known = {fact.says for fact in facts_of_flow()}
    alphabet = evolve(full_alphabet(spec), strays=False, pauses=False, reruns=0, replans=0)
    alphabet = evolve(alphabet, suggestions=0, cancels_parts=False, appended=())
    for status, reason in check(spec, alphabet=alphabet, theorems=(), reductions=ALL).outcomes:
        ends = f"{status}, {reason}" if status == "error" else status
        assert f"the flow ends in {ends}" in known


def test_every_fact_has_a_form_in_the_vocabulary() -> None:
    """What is compared is closed, and told."""
    forms = {form for form, _ in VOCABULARY}
    for fact in (*facts_of_flow(), *facts_of_step("STEP", 3)):
        assert _form(fact.says) in forms, fact.says


def _form(says: str) -> str:
    """A fact with its words for what may stand there."""
    placed = [(f"error, {word}", "error, REASON") for word in REASONS]
    placed += [(f"ends as {status.value}", "ends as STATUS") for status in ENDS]
    placed += [(f"comes to be {status}", "comes to be STATUS") for status in STANDINGS]
    for words, form in (*placed, ("flow ends in cancelled", "flow ends in success")):
        if says.endswith(words):
            return f"{says.removesuffix(words)}{form}"
    return re.sub(r"\d+$", "N", says)
