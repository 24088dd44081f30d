"""Work that fails, takes too long, or must not run twice."""

from __future__ import annotations

from typing import Final

from conductor_core.events import PolicyReport
from conductor_core.spec import StepSpec
from conductor_core.testing.answer_format import OK
from conductor_core.testing.brief import flow, group, succeeded
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.cases.parts import (
    FAILS,
    FEW_MS,
    HELD,
    needing,
    retries,
    script,
)

FAILURES: Final = (
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
