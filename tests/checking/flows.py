"""Small flows that searches are tried on."""

from __future__ import annotations

from typing import Final

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.testing.brief import flow, group

ONCE: Final = RetryPolicy(max_retries=1, max_auto_retries=1)
TWICE: Final = RetryPolicy(max_retries=2, max_auto_retries=2)
TOGETHER: Final = RetryPolicy(max_retries=1, max_auto_retries=1, scope="group", backoff_ms=())
NEVER: Final = RetryPolicy(max_retries=0)
AWAIT_RETRY: Final = FlowOptions(on_failure="await-retry")


def plan(key: str = "plan", **fields: object) -> StepSpec:
    """A step that asks one person."""
    return StepSpec(key=key, **{"approval": ApprovalSpec(), **fields})  # type: ignore[arg-type]


DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[GroupSpec(key="network", steps=[plan(), StepSpec(key="apply", needs=["plan"])])],
)
"""The flow of the README."""


def components(count: int) -> FlowSpec:
    """So many components, one after another, each of which is planned, approved and applied."""
    return flow(
        *(
            group(
                f"component-{n}",
                plan(f"plan-{n}", retry=TWICE),
                StepSpec(key=f"apply-{n}", needs=[f"plan-{n}"], retry=TWICE),
            )
            for n in range(count)
        )
    )


def fleet(count: int) -> FlowSpec:
    """So many plans at once, one gate for all, and as many applies at once."""
    plans = [StepSpec(key=f"plan-{n}", retry=ONCE) for n in range(count)]
    applies = [
        StepSpec(key=f"apply-{n}", needs=["gate", f"plan-{n}"], retry=ONCE) for n in range(count)
    ]
    return flow(
        group("plans", *plans, parallel=True),
        group("gate", plan("gate", needs=[step.key for step in plans], retry=ONCE)),
        group("applies", *applies, parallel=True),
    )
