"""What cases are made of.

Rule: what stands here stands in several cases; the words of `testing.brief` are not repeated.
"""

from __future__ import annotations

from typing import Final

from conductor_core.events import StepError, StepFinished
from conductor_core.spec import ApprovalSpec, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import failed, flow, group, succeeded
from conductor_core.testing.scenarios import Script

FEW_MS: Final = 30
LONG_MS: Final = 3_600_000

FAILS: Final = failed("", error=StepError(message="out of luck", type="Unlucky"))
PLAN: Final = succeeded("", output={"add": 3, "remove": []}, subject="sha256:1")
SECOND_PLAN: Final = succeeded("", output={"add": 4}, subject="sha256:2")
HELD: Final = None
ANYONE: Final = ApprovalSpec()


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
