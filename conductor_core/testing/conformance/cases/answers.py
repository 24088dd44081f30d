"""What work may say beyond its output, each field of it where it counts."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_core.events import RetryNowRequested, StepError
from conductor_core.payload import freeze
from conductor_core.spec import FlowOptions, FlowSpec, StepSpec
from conductor_core.testing.answer_format import OK
from conductor_core.testing.brief import failed, flow, group, succeeded
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.cases.parts import FEW_MS, LONG_MS, needing, retries, script
from conductor_core.testing.scenarios import Script


def failing(step: str, error: StepError) -> tuple[Script, ...]:
    """The work of a step fails every time."""
    return (script(step, failed("", error=error)),)


def twice_retried(*, on_failure: str = "stop") -> FlowSpec:
    """A step with two automatic retries."""
    step = StepSpec(key="a", retry=retries(2, FEW_MS))
    return flow(group("g", step), options=FlowOptions(on_failure=on_failure))


ANSWERS: Final = (
    Case(
        name="directive",
        about="Work that says skip-group ends its group at once.",
        flow=flow(group("g", "a", "never"), group("h", "b")),
        work=(script("a", succeeded("", directive="skip-group")),),
    ),
    Case(
        name="metadata",
        about="Work is told the metadata of the flow, and leaves some of its own.",
        flow=FlowSpec(
            groups=[group("g", "a", needing("b", "a"))],
            metadata={"inputs": {"env": "prod"}, "tags": ["x", None]},
        ),
        work=(
            script("a", evolve(succeeded("", output=1), metadata=freeze({"rows": [3], "of": "é"}))),
        ),
    ),
    Case(
        name="non-retryable",
        about="Where a retry is pointless none is made, and people may read why.",
        flow=twice_retried(),
        work=failing("a", StepError(message="no such db", type="Missing", non_retryable=True)),
        ends="error",
    ),
    Case(
        name="terminal",
        about="A terminal failure is not left to people either.",
        flow=twice_retried(on_failure="await-retry"),
        work=failing("a", StepError(message="the disk is gone", type="Gone", terminal=True)),
        ends="error",
    ),
    Case(
        name="retry-after",
        about="Work says how long to wait before it is tried again, and a person cuts that short.",
        flow=flow(group("g", StepSpec(key="a", retry=retries(1, 1)))),
        work=(
            script(
                "a",
                failed("", error=StepError(message="busy", type="Busy", retry_after_ms=LONG_MS)),
                OK,
            ),
        ),
        acts=(RetryNowRequested(at_ms=0, step="a", by="ann"),),
    ),
    Case(
        name="details-and-cause",
        about="A failure is told in full, and people read what its cause lets them.",
        flow=flow(group("g", "a")),
        work=failing(
            "a",
            StepError(
                message="cannot apply",
                type="Refused",
                details=freeze({"at": ["db", 3]}),
                cause=StepError(
                    message="the password is wrong",
                    type="Denied",
                    non_retryable=True,
                    details=freeze({"user": "app"}),
                    cause=StepError(message="closed", type="ConnectionError"),
                ),
            ),
        ),
        ends="error",
    ),
)
