"""What people ask for by themselves: cancels, reruns, pauses, more groups."""

from __future__ import annotations

from typing import Final

from conductor_core.events import (
    AppendRequested,
    GroupRetryRequested,
    PauseRequested,
    RerunRequested,
    ResumeRequested,
    RetryNowRequested,
)
from conductor_core.spec import ApprovalSpec, FlowOptions, StepSpec
from conductor_core.testing.answer_format import OK
from conductor_core.testing.brief import (
    answered,
    cancelled,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)
from conductor_core.testing.conformance.case import AtOnce, Case
from conductor_core.testing.conformance.cases.parts import (
    FAILS,
    FEW_MS,
    HELD,
    LONG_MS,
    PLAN,
    SECOND_PLAN,
    needing,
    planned,
    retries,
    script,
)

AWAIT_RETRY: Final = FlowOptions(on_failure="await-retry")

PEOPLE: Final = (
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
        name="requests-at-once",
        about="What several people ask for at the same time is done one after another.",
        flow=flow(group("g", "a", "b", parallel=True), options=AWAIT_RETRY),
        work=(script("a", FAILS, HELD), script("b", FAILS)),
        acts=(
            AtOnce(
                (
                    retried("a"),
                    skipped("b", by="bob"),
                    AppendRequested(at_ms=0, by="eve", groups=[group("h", needing("c", "a"))]),
                )
            ),
            succeeded("a#2", output="done"),
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
