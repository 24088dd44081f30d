"""The cases that every host is tested with.

Rule: together they ask everything of a host that a flow can; each is as small as it can be.
Waits are of some tens of milliseconds, or so long that they never end by themselves.
"""

from __future__ import annotations

from typing import Final

from conductor_core.events import (
    AppendRequested,
    ApprovalOptionChanged,
    ContinueAsNewSuggested,
    GenerationFailed,
    GroupRetryRequested,
    GroupsGenerated,
    PauseRequested,
    PolicyReport,
    RerunRequested,
    ResumeRequested,
    RetryNowRequested,
    StepError,
    StepFinished,
)
from conductor_core.spec import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.testing.answer_format import OK
from conductor_core.testing.brief import (
    answered,
    cancelled,
    failed,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.scenarios import Script

FEW_MS: Final = 30
LONG_MS: Final = 3_600_000

FAILS: Final = failed("", error=StepError(message="out of luck", type="Unlucky"))
PLAN: Final = succeeded("", output={"add": 3, "remove": []}, subject="sha256:1")
SECOND_PLAN: Final = succeeded("", output={"add": 4}, subject="sha256:2")
HELD: Final = None
ANYONE: Final = ApprovalSpec()
AWAIT_RETRY: Final = FlowOptions(on_failure="await-retry")
GENERATED: Final = FlowSpec(type="generated", metadata={"inputs": {"env": "prod"}})


def cases(*, generates: bool = True) -> tuple[Case, ...]:
    """Every case; without those that generate groups if the host cannot."""
    return tuple(case for case in _CASES if generates or not case.generates)


def script(step: str, *entries: StepFinished | None) -> Script:
    """What the attempts of a step return; the last entry repeats."""
    return Script(step=step, entries=entries)


def retries(times: int, *backoff_ms: int, scope: str = "step") -> RetryPolicy:
    """So many automatic retries, each after its wait."""
    return RetryPolicy(
        max_auto_retries=times, max_retries=times, backoff_ms=backoff_ms, jitter=False, scope=scope
    )


def needing(step: str, *needs: str) -> StepSpec:
    """A step that gets the outputs of others."""
    return StepSpec(key=step, needs=needs)


def planned(approval: ApprovalSpec = ANYONE) -> FlowSpec:
    """A plan that people approve and that is applied then, and a group after it."""
    plan = StepSpec(key="plan", approval=approval)
    return flow(group("change", plan, needing("apply", "plan")), group("after", "tell"))


_IN_ORDER: Final = (
    Case(
        name="one-after-another",
        about="Steps run in their order, and get their input, outputs, and what was approved.",
        flow=flow(
            group(
                "prepare",
                StepSpec(key="plan", work="make-plan", input={"of": "db"}, approval=ApprovalSpec()),
            ),
            group("do", needing("apply", "plan"), needing("check", "apply", "plan")),
        ),
        work=(script("plan", PLAN), script("apply", succeeded("", output=["x", 1, None]))),
        acts=(answered("plan"),),
    ),
    Case(
        name="together",
        about="A parallel group runs two at a time, and the next step gets all outputs.",
        flow=flow(
            group("all", "a", "b", "c", "d", "e", parallel=True, max_parallel=2),
            group("then", needing("join", "a", "b", "c", "d", "e")),
        ),
        work=tuple(script(key, succeeded("", output=key)) for key in "abcde"),
    ),
    Case(
        name="nothing-to-do",
        about="A skipped step is not run, and one without work to do skips its group.",
        flow=flow(
            group("g", StepSpec(key="off", skipped=True), StepSpec(key="a", skip_if_noop=True)),
            group("h", StepSpec(key="b", skip_if_noop=True), "never"),
            group("i", "last"),
        ),
        work=(script("b", succeeded("", noop=True)),),
    ),
)

_FAILURES: Final = (
    Case(
        name="step-retry",
        about="A failed step is tried again after its backoff, with what it needs.",
        flow=flow(
            group("g", "a", StepSpec(key="b", needs=("a",), retry=retries(3, FEW_MS, 2 * FEW_MS)))
        ),
        work=(script("a", succeeded("", output=7)), script("b", FAILS, FAILS, HELD)),
        acts=(succeeded("b#3", output=8),),
    ),
    Case(
        name="retries-exhausted",
        about="When no retry is left the flow stops, and nothing later runs.",
        flow=flow(group("g", StepSpec(key="a", retry=retries(1, FEW_MS)), "b"), group("h", "c")),
        work=(script("a", FAILS),),
        ends="error",
    ),
    Case(
        name="group-retry",
        about="A group is run again as a whole, with new outputs.",
        flow=flow(
            group(
                "g", "a", StepSpec(key="b", needs=("a",), retry=retries(2, FEW_MS, scope="group"))
            )
        ),
        work=(
            script("a", succeeded("", output="old"), succeeded("", output="new")),
            script("b", FAILS, OK),
        ),
    ),
    Case(
        name="skip-on-failure",
        about="A failure that may be skipped hands null on.",
        flow=flow(group("g", StepSpec(key="a", skip_on_failure=True), needing("b", "a"))),
        work=(script("a", FAILS),),
    ),
    Case(
        name="policy-deny",
        about="A policy denies what succeeded.",
        flow=flow(group("g", "a", "b")),
        work=(script("a", succeeded("", policy=PolicyReport(deny_violations=("too wide",)))),),
        ends="error",
    ),
    Case(
        name="timeout",
        about="The flow goes on without work that takes too long, and tells it to give up.",
        flow=flow(group("g", StepSpec(key="a", timeout_ms=FEW_MS, skip_on_failure=True), "b")),
        work=(script("a", HELD), script("b", HELD)),
        acts=(succeeded("b#1"),),
    ),
    Case(
        name="fail-fast",
        about="A failure has its siblings cancelled.",
        flow=flow(group("g", "slow", "bad", parallel=True, fail_fast=True)),
        work=(script("slow", HELD), script("bad", FAILS)),
        ends="error",
    ),
    Case(
        name="on-recovery-fail",
        about="What must not run twice unseen is not run again after a crash.",
        flow=flow(
            group("g", StepSpec(key="pay", on_recovery="fail", skip_on_failure=True), "receipt")
        ),
    ),
)

_APPROVALS: Final = (
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

_PEOPLE: Final = (
    Case(
        name="cancel",
        about="Work that runs is told of a cancel, and the flow waits for what it says.",
        flow=flow(
            group("g", "a", "b", "c", parallel=True, max_parallel=2),
            group("h", "d"),
            options=FlowOptions(cancel_grace_ms=LONG_MS),
        ),
        work=(script("a", HELD), script("b", HELD)),
        acts=(cancelled(reason="wrong day"),),
        ends="cancelled",
    ),
    Case(
        name="cancel-ignored",
        about="Work that ignores a cancel is waited for until the grace is over.",
        flow=flow(group("g", "a", "b"), options=FlowOptions(cancel_grace_ms=FEW_MS)),
        work=(script("a", HELD),),
        ignores_cancel=frozenset("a"),
        acts=(cancelled(),),
        ends="cancelled",
    ),
    Case(
        name="cancel-waiting",
        about="A flow that only waits is cancelled at once, and stays so.",
        flow=planned(ApprovalSpec(timeout_ms=LONG_MS)),
        work=(script("plan", PLAN),),
        acts=(cancelled(), answered("plan")),
        ends="cancelled",
    ),
    Case(
        name="await-retry",
        about="A failure waits for a person, who retries it and then skips it.",
        flow=flow(group("g", "a", "b"), options=AWAIT_RETRY),
        work=(script("a", FAILS),),
        acts=(retried("a"), skipped("a")),
    ),
    Case(
        name="rerun",
        about="A stopped flow is revived, and what was swept runs.",
        flow=flow(group("g", "a", "b"), group("h", "c")),
        work=(script("a", FAILS, OK),),
        acts=(retried("b"), retried("a")),
    ),
    Case(
        name="replan",
        about="A failed step is retried from the plan on.",
        flow=planned(),
        work=(script("plan", PLAN, SECOND_PLAN), script("apply", FAILS, OK)),
        acts=(
            answered("plan"),
            RerunRequested(
                at_ms=0,
                by="ann",
                flow_id="",
                step_id="apply",
                stale_plan=True,
                replan_step_id="plan",
            ),
            answered("plan"),
        ),
    ),
    Case(
        name="retry-group",
        about="A person has a whole group run again.",
        flow=flow(group("g", "a", "b", parallel=True), options=AWAIT_RETRY),
        work=(script("b", FAILS, OK),),
        acts=(GroupRetryRequested(at_ms=0, group="g", by="ann"),),
    ),
    Case(
        name="retry-now",
        about="A person cuts a long backoff short.",
        flow=flow(group("g", StepSpec(key="a", retry=retries(1, LONG_MS)))),
        work=(script("a", FAILS, OK),),
        acts=(RetryNowRequested(at_ms=0, step="a", by="ann"),),
    ),
    Case(
        name="pause",
        about="While a flow is paused its work runs on and nothing new begins.",
        flow=flow(group("g", "a", "b")),
        work=(script("a", HELD),),
        acts=(
            PauseRequested(at_ms=0, by="ann"),
            PauseRequested(at_ms=0, by="bob"),
            succeeded("a#1", output="done"),
            ResumeRequested(at_ms=0, by="ann"),
        ),
    ),
    Case(
        name="append",
        about="Groups are added while the flow runs, but not twice.",
        flow=flow(group("g", "a")),
        work=(script("a", HELD),),
        acts=(
            AppendRequested(at_ms=0, by="ann", groups=[group("h", needing("b", "a"))]),
            AppendRequested(at_ms=0, by="ann", groups=[group("h", "c")]),
            succeeded("a#1", output="done"),
        ),
    ),
)

_HOST: Final = (
    Case(
        name="generated",
        about="The host makes the groups of a flow that has none.",
        flow=GENERATED,
        generate=GroupsGenerated(
            at_ms=0, groups=[group("g", "a", "b", parallel=True), group("h", needing("c", "b"))]
        ),
        work=(script("b", succeeded("", output="b")),),
    ),
    Case(
        name="generated-in-parts",
        about="What is generated runs while more is generated and appended.",
        flow=GENERATED,
        acts=(
            GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False),
            AppendRequested(at_ms=0, by="ann", groups=[group("i", "c")]),
            GroupsGenerated(at_ms=0, groups=[group("h", "b")]),
        ),
    ),
    Case(
        name="generation-fails",
        about="A flow whose groups cannot be made ends.",
        flow=GENERATED,
        generate=GenerationFailed(at_ms=0, error=StepError(message="no idea", type="Stuck")),
        ends="error",
    ),
    Case(
        name="continue-as-new",
        about="The host goes on in a fresh history after each group.",
        flow=flow(
            group("g", "a"),
            group("h", StepSpec(key="b", retry=retries(1, FEW_MS))),
            group("i", needing("c", "a")),
            options=FlowOptions(continue_as_new_every=1),
        ),
        work=(script("a", succeeded("", output="a")), script("b", FAILS, OK)),
    ),
    Case(
        name="long-history",
        about="The host suggests a fresh history, which begins once the work has ended.",
        flow=flow(group("g", "a", "b")),
        work=(script("a", HELD),),
        acts=(ContinueAsNewSuggested(at_ms=0, incarnation=0), succeeded("a#1")),
    ),
)

_CASES: Final = (*_IN_ORDER, *_FAILURES, *_APPROVALS, *_PEOPLE, *_HOST)
