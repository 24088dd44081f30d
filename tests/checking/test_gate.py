"""The gate: what must be in order before a step is dispatched, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve, frozen

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    directives,
    legality,
    orders,
)
from conductor_core.attempt import Answer, Approval, Attempt, AttemptStatus, Result
from conductor_core.checking import Alphabet, check, gate, never
from conductor_core.checking.alphabet import DENIED, FAIL, NOOP, OK, UNEVALUATED, directed
from conductor_core.checking.gate import in_order, is_approved, kept_back
from conductor_core.commands import DispatchStep
from conductor_core.draft import Draft, Rerun
from conductor_core.events import ApprovalResponded, PolicyReport
from conductor_core.payload import Payload, freeze
from conductor_core.rules import approvals, progress, reruns
from conductor_core.rules import group as group_rules
from conductor_core.rules import work as work_rules
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Verdict
from tests.checking.flows import DEPLOY, plan

PLAN: Final = plan()
FORGIVEN: Final = plan(skip_on_failure=True)
BARE: Final = StepSpec(key="plan")
NEEDY: Final = StepSpec(key="apply", needs=["plan"])
ATTEMPT: Final = Attempt("plan")
DENIAL: Final = Result(policy=PolicyReport(deny_violations=("no",)))
UNKNOWN: Final = Result(policy=PolicyReport(evaluated=False))


def approved_by(*names: str, automatic: str | None = None) -> Approval:
    """An approval with these answers."""
    answers = tuple(Answer(by=name, response="approve") for name in names)
    return Approval(requested_at_ms=0, answers=answers, automatic=automatic)


def at(status: str, **fields: Any) -> Attempt:
    """An attempt with a status and what else is said of it."""
    return evolve(ATTEMPT, status=AttemptStatus(status), **fields)


@pytest.mark.parametrize(
    ("step", "attempt", "expected"),
    [
        (PLAN, at("success", approval=approved_by("ann")), "yes"),
        (PLAN, at("success", approval=approved_by(automatic="policy")), "yes"),
        (PLAN, at("success", approval=approved_by(automatic="approve-all"), result=UNKNOWN), "no"),
        (PLAN, at("success", approval=approved_by("ann"), result=DENIAL), "no"),
        (PLAN, at("success"), "no"),
        (PLAN, at("success", approval=approved_by()), "no"),
        (PLAN, at("user-skipped", directive="continue"), "yes"),
        (PLAN, at("user-skipped", directive="skip-group"), "for later groups"),
        (PLAN, at("auto-skipped", directive="continue"), "yes"),
        (PLAN, at("auto-skipped", directive="skip-group"), "for later groups"),
        (PLAN, at("discarded"), "for later groups"),
        (PLAN, at("discarded", dispatched=True), "no"),
        (FORGIVEN, at("error", directive="continue"), "yes"),
        (FORGIVEN, at("error", directive="stop"), "no"),
        (PLAN, at("error", directive="continue"), "no"),
        (PLAN, at("pending"), "no"),
        (PLAN, at("approval-denied"), "no"),
        (PLAN, at("approval-expired"), "no"),
        (PLAN, at("cancelled"), "no"),
        (BARE, at("error"), "yes"),
        (BARE, at("approval-awaiting", approval=approved_by()), "no"),
    ],
)  # fmt: skip
def test_what_is_in_order(step: StepSpec, attempt: Attempt, expected: str) -> None:
    """Each row of the table: a plan is approved or skipped, or never came to be one."""
    assert in_order(step, attempt) == expected


def test_who_counts() -> None:
    """Different people who may approve count, each once; an automatic decision is enough."""
    two = ApprovalSpec(required=2, approvers=("ann", "bo"))
    done = at("success")
    assert is_approved(two, evolve(done, approval=approved_by("ann", "bo")))
    assert not is_approved(two, evolve(done, approval=approved_by("ann", "ann")))
    assert not is_approved(two, evolve(done, approval=approved_by("ann", "cy")))
    assert is_approved(two, evolve(done, approval=approved_by(automatic="policy")))
    too_late = evolve(done, status=AttemptStatus.ERROR, approval=approved_by("ann", "bo"))
    assert not is_approved(two, too_late)


def test_a_subject_may_be_demanded() -> None:
    """Where every approval must name its subject, one that names none breaks the gate."""
    demanding = gate(demand_subject=True)
    assert "names its subject" in demanding.statement
    assert check(DEPLOY, theorems=(demanding,)).is_good
    silent = Alphabet(silent=True)
    assert check(DEPLOY, alphabet=silent, theorems=(gate(),)).is_good
    (finding,) = check(DEPLOY, alphabet=silent, theorems=(demanding,)).findings
    assert finding.found == "violated"


# --- what it keeps ---


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        (DEPLOY, {"apply"}),
        (flow(group("g", "a", "b")), set()),
        (flow(group("g", "a", PLAN, "b", "c")), {"b", "c"}),
        (flow(group("g", "a", PLAN, "b", parallel=True)), set()),
        (flow(group("g", "a", PLAN, parallel=True), group("h", "b", parallel=True)), {"b"}),
        (flow(group("g", "a"), group("h", PLAN), group("i", plan("z"), "b")), {"z", "b"}),
    ],
    ids=["needs", "nobody asked", "follows", "beside", "later group", "later plans"],
)
def test_what_the_gate_keeps_back(spec: FlowSpec, kept: set[str]) -> None:
    """What needs an approval step, or follows one in a sequential group, or in a later one."""
    assert kept_back(spec, Alphabet()) == kept


def test_what_may_come_to_ask_people_or_to_be_there_counts() -> None:
    """Work that may ask for an approval is a guard too; so are groups that come later."""
    asking = Alphabet(endings=(OK, directed("await-approval")), appended=[group("h", "z")])
    assert kept_back(flow(group("g", "a", "b")), asking) == {"b", "z"}
    assert kept_back(flow(), Alphabet(generated=[group("g", PLAN, "b")])) == {"b"}


CALM: Final = Alphabet(endings=(OK, FAIL), pauses=False, cancels=False)
BESIDE: Final = flow(
    group("f", "first"), group("g", "beside", PLAN, parallel=True), group("h", NEEDY)
)


@pytest.mark.parametrize("key", ["first", "beside", "apply"])
def test_only_what_is_kept_back_waits_for_the_plan(key: str) -> None:
    """A search finds a step at work before the plan is approved exactly where none guards it."""

    def is_at_work_unseen(state: FlowState) -> bool:
        plan_at, at = state.catalog.position_of("plan"), state.catalog.position_of(key)
        assert plan_at is not None
        assert at is not None
        return state.live[plan_at].status is not AttemptStatus.SUCCESS and state.live[at].active

    strict = evolve(CALM, answers=("approve", "deny"), operations=())
    unseen = never("at work unseen", is_at_work_unseen, about=("plan", key))
    (finding,) = check(BESIDE, unseen, alphabet=strict, theorems=()).findings
    assert (finding.found == "holds") == (key in kept_back(BESIDE, strict))


# --- what would break it, row by row ---

Bug = Callable[[pytest.MonkeyPatch], None]
SLOW: Final = ApprovalSpec(stale_after_ms=9)
TWO: Final = ApprovalSpec(required=2, approvers=("ann", "bo"))
REVIVE: Final = "_revive"
JUDGE: Final = "_judge_response"
"""Private functions, in which a line is wrong."""
BY_GROUP: Final = RetryPolicy(max_retries=1, scope="group")


def keeping(position_status: AttemptStatus) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A way to renew attempts that leaves those of a status alone."""

    def wrap(renew: Callable[..., Any]) -> Callable[..., Any]:
        def selective(draft: Draft, position: int, **given: Any) -> None:
            if draft.live[position].status is not position_status:
                renew(draft, position, **given)

        return selective

    return wrap


def any_subject_counts(patch: pytest.MonkeyPatch) -> None:
    """An approval counts whatever it is about."""
    judged: Callable[..., Verdict | int] = getattr(legality, JUDGE)

    def judge(state: FlowState, event: ApprovalResponded) -> Verdict | int:
        return judged(state, evolve(event, subject=None))

    patch.setattr(legality, JUDGE, judge)


def one_person_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """Who approved before may approve again."""
    judged: Callable[..., Verdict | int] = getattr(legality, JUDGE)

    def judge(state: FlowState, event: ApprovalResponded) -> Verdict | int:
        found, position = judged(state, event), state.catalog.position_of(event.step)
        again = str(found) == "rejected(already-responded)"
        return position if again and position is not None else found

    patch.setattr(legality, JUDGE, judge)


def one_approval_is_enough(patch: pytest.MonkeyPatch) -> None:
    """The number of approvals that are required is not looked at."""

    def settle(draft: Draft, position: int) -> None:
        group_rules.close(draft, position, AttemptStatus.SUCCESS, "continue")

    patch.setattr(approvals, "_settle_approve", settle)


def age_does_not_matter(patch: pytest.MonkeyPatch) -> None:
    """A stale plan is approved like any other."""

    def replace(draft: Draft, position: int) -> None:
        group_rules.close(draft, position, AttemptStatus.SUCCESS, "continue")

    patch.setattr(approvals, "_replace_stale_plan", replace)


def nobody_is_asked(patch: pytest.MonkeyPatch) -> None:
    """Work that waits for approval passes for done."""

    def pass_by(draft: Draft, position: int, result: Result) -> None:
        group_rules.close(draft, position, AttemptStatus.SUCCESS, "continue", result=result)

    patch.setattr(work_rules, "ask_for_approval", pass_by)


def unevaluated_is_passed(patch: pytest.MonkeyPatch) -> None:
    """A policy that could not be evaluated does not hold an automatic approval up."""
    patch.setattr(approvals, "_automatic", lambda draft, spec, result: "approve-all")


def denied_is_passed(patch: pytest.MonkeyPatch) -> None:
    """What a policy denies is asked about, like all else."""
    decide = directives.decide

    def forgive(work: Any, charge: Any) -> Any:
        result = work.result
        if result.policy is not None and result.policy.deny_violations:
            return decide(evolve(work, result=evolve(result, policy=None)), charge)
        return decide(work, charge)

    patch.setattr(work_rules, "decide", forgive)


def a_skip_skips_only_itself(patch: pytest.MonkeyPatch) -> None:
    """A person skips a plan, and what would apply it runs all the same."""
    patch.setattr(group_rules, "skip_dependents", lambda draft, position: None)


def a_noop_skips_only_itself(patch: pytest.MonkeyPatch) -> None:
    """A group that is to be skipped goes on."""
    patch.setattr(work_rules, "skip_group", lambda draft, position: None)


def discarded_plans_pass(patch: pytest.MonkeyPatch) -> None:
    """People ask for another plan, and the discarded one is not made again."""
    patch.setattr(approvals, "retry_step", lambda draft, position: None)


def failures_are_waved_through(patch: pytest.MonkeyPatch) -> None:
    """A failure of any step lets its group go on."""

    def stop(draft: Draft, position: int, status: AttemptStatus, reason: str, **given: Any) -> None:
        group_rules.close(draft, position, status, "continue", reason, given.get("result"))

    patch.setattr(work_rules, "stop_group", stop)


def a_group_retry_keeps_what_succeeded(patch: pytest.MonkeyPatch) -> None:
    """A group that is retried as a whole does not plan again."""
    patch.setattr(group_rules, "renew", keeping(AttemptStatus.SUCCESS)(group_rules.renew))


def a_replan_keeps_the_plan(patch: pytest.MonkeyPatch) -> None:
    """A rerun for a stale plan uses the plan that it was to replace."""

    def replan(draft: Draft, span: tuple[int, ...]) -> None:
        group_rules.leave_behind(draft, span[-1], "retry")
        group_rules.renew(draft, span[-1], generation=draft.generation, retry=0)

    patch.setattr(reruns, "_replan", replan)


def a_rerun_forgets_what_failed(patch: pytest.MonkeyPatch) -> None:
    """A rerun of what failed dispatches what comes behind it instead."""

    def carry_out(draft: Draft, rerun: Rerun) -> None:
        revive: Callable[[Draft, frozenset[int]], None] = getattr(reruns, REVIVE)
        revive(draft, frozenset())
        for position in rerun.retried:
            group_rules.close(draft, position, AttemptStatus.SUCCESS, "continue")

    patch.setattr("conductor_core.rules.carry_out_rerun", carry_out)


def continuing_answers_for_people(patch: pytest.MonkeyPatch) -> None:
    """A continued run takes every open approval for given."""

    def forget(draft: Draft) -> None:
        for position, attempt in draft.placed_attempts():
            if attempt.awaiting:
                group_rules.close(draft, position, AttemptStatus.SUCCESS, "continue")

    patch.setattr("conductor_core.rules.schedule_timers_again", forget)


def other_subjects_are_handed_on(patch: pytest.MonkeyPatch) -> None:
    """What is dispatched is told of a subject that nobody approved."""
    dispatch_of = orders.dispatch_of

    def forge(*given: Any) -> DispatchStep:
        command = dispatch_of(*given)
        subjects = {key: freeze("something else") for key in command.subjects.value}
        return evolve(command, subjects=Payload.record(subjects))

    patch.setattr(progress, "dispatch_of", forge)


def groups_pass_at_once(patch: pytest.MonkeyPatch) -> None:
    """A group is over although a plan of it is still to be approved."""

    def nothing_unfinished(draft: Draft) -> bool:
        if draft.active or draft.waiting or draft.parked:
            return False
        return draft.pending.first >= draft.span.stop

    patch.setattr(Draft, "nothing_unfinished", property(nothing_unfinished))


@frozen(kw_only=True)
class Row:
    """A row of the gate, a flow that has such a guard, and a bug that the row is to find."""

    bug: Bug
    spec: FlowSpec = DEPLOY
    alphabet: Alphabet = CALM
    events: int


def behind(*steps: StepSpec, **options: Any) -> FlowSpec:
    """A flow in which a step comes behind others, in their group."""
    return flow(group("g", *steps, NEEDY), options=FlowOptions(**options))


ROWS: Final = (
    Row(bug=any_subject_counts, events=3),
    Row(bug=one_person_counts_twice, spec=behind(plan(approval=TWO)), events=4),
    Row(bug=one_approval_is_enough, spec=behind(plan(approval=TWO)), events=3),
    Row(bug=age_does_not_matter, spec=behind(plan(approval=SLOW)), events=3),
    Row(bug=nobody_is_asked, events=2),
    Row(
        bug=unevaluated_is_passed,
        spec=behind(PLAN, approval="approve-all"),
        alphabet=evolve(CALM, endings=(UNEVALUATED,)),
        events=2,
    ),
    Row(bug=unevaluated_is_passed, spec=behind(PLAN), events=2),
    Row(bug=denied_is_passed, alphabet=evolve(CALM, endings=(DENIED,)), events=3),
    Row(bug=a_skip_skips_only_itself, events=3),
    Row(
        bug=a_noop_skips_only_itself,
        spec=behind(plan(skip_if_noop=True)),
        alphabet=evolve(CALM, endings=(NOOP,)),
        events=2,
    ),
    Row(
        bug=a_noop_skips_only_itself,
        alphabet=evolve(CALM, endings=(directed("skip-group"),)),
        events=2,
    ),
    Row(bug=discarded_plans_pass, events=3),
    Row(bug=failures_are_waved_through, events=2),
    Row(
        bug=a_group_retry_keeps_what_succeeded,
        spec=flow(group("g", PLAN, evolve(NEEDY, retry=BY_GROUP))),
        events=5,
    ),
    Row(
        bug=a_replan_keeps_the_plan,
        alphabet=evolve(CALM, operations=("retry-from-plan",)),
        events=5,
    ),
    Row(bug=a_rerun_forgets_what_failed, events=3),
    Row(bug=continuing_answers_for_people, alphabet=evolve(CALM, suggestions=1), events=4),
    Row(bug=other_subjects_are_handed_on, events=3),
    Row(bug=groups_pass_at_once, spec=flow(group("g", PLAN), group("h", "apply")), events=2),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.bug.__name__)
def test_every_row_finds_a_bug(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate holds of the flow, and no longer once one rule of the reducer is wrong."""
    assert check(row.spec, alphabet=row.alphabet, theorems=(gate(),)).is_good
    row.bug(monkeypatch)
    (finding,) = check(row.spec, alphabet=row.alphabet, theorems=(gate(),)).findings
    assert finding.found == "violated"
    assert finding.story is not None
    assert len(finding.story.events) == row.events, str(finding.story)


@pytest.mark.parametrize(
    "spec",
    [
        behind(plan(skipped=True)),
        behind(FORGIVEN),
        behind(plan(approval=ApprovalSpec(skip_scope="step"))),
        flow(group("g", "a", PLAN), group("h", NEEDY, parallel=True)),
        flow(group("g", PLAN, "b", parallel=True), group("h", NEEDY)),
        flow(group("g", PLAN, evolve(NEEDY, retry=BY_GROUP), "z")),
    ],
    ids=["skipped", "forgiven", "skipped alone", "needed", "side by side", "together"],
)
def test_nothing_else_breaks_the_gate(spec: FlowSpec) -> None:
    """What is in order without an approval does not break the gate, whatever people do."""
    rare = ("retry-step", "skip-step", "retry-group", "retry-from-plan", "skip-along")
    endings = (OK, FAIL, directed("skip-group"), directed("stop"))
    alphabet = Alphabet(endings=endings, operations=rare, pauses=False, cancels=False)
    assert check(spec, alphabet=alphabet, theorems=(gate(),)).is_good
