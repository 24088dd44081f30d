"""A plan that two of three people must approve.

Who is not on the list is refused, and nobody counts twice. A plan that waited too long is
made anew instead of being applied, and one that nobody answers expires. The clock of the
host is a virtual one: hours pass when the script says so.
"""

from __future__ import annotations

import asyncio
from typing import Final

from conductor_adapters.clock import VirtualClock
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import StepContext, StepResult
from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec

HOUR_MS: Final = 3_600_000

TWO_OF_THREE = ApprovalSpec(
    required=2,
    approvers=["ana", "bo", "cy"],
    stale_after_ms=4 * HOUR_MS,
    timeout_ms=24 * HOUR_MS,
)
DEPLOY = FlowSpec(
    type="deploy",
    groups=[
        GroupSpec(
            key="network",
            steps=[
                StepSpec(key="plan", approval=TWO_OF_THREE),
                StepSpec(key="apply", needs=["plan"]),
            ],
        )
    ],
)


def plan(context: StepContext) -> StepResult:
    """Plan the change; the subject is what people approve."""
    return StepResult(output={"add": 3}, subject=f"{context.attempt} adds 3")


def apply(context: StepContext) -> None:
    """Apply what was approved."""
    print(f"  applied: {context.subjects['plan']}")


async def approve(flow: MemoryFlow, by: str) -> None:
    """Approve the plan in somebody's name, and say what became of that."""
    verdict = await flow.approve("plan", by=by)
    print(f"  {by} approves: {verdict}")


async def asked(flow: MemoryFlow, attempt: str) -> None:
    """Wait until people are asked about an attempt."""
    await flow.until(lambda state: attempt in [asking.id for asking in state.open_approvals()])
    print(f"{flow.flow_id} asks about {attempt}")


async def end(flow: MemoryFlow) -> None:
    """Wait for the end of a flow, and say how it came about."""
    outcome = await flow.wait()
    for attempt in flow.state.attempts():
        print(f"  {attempt.id} is {attempt.status.value}")
    why = f" ({outcome.message})" if outcome.message else ""
    print(f"{flow.flow_id} ends: {outcome.status}{why}")


async def main() -> None:
    """Run a flow that is approved in the end, and one that is not."""
    clock = VirtualClock()
    async with MemoryHost({"plan": plan, "apply": apply}, clock=clock) as host:
        flow = await host.start(DEPLOY, flow_id="deploy-1")
        await asked(flow, "plan#1")
        for by in ("mallory", "ana", "ana"):
            await approve(flow, by)
        print("5 hours later")
        clock.advance(5 * HOUR_MS)
        await approve(flow, "bo")
        await asked(flow, "plan#2")
        await approve(flow, "bo")
        await approve(flow, "cy")
        await end(flow)

        flow = await host.start(DEPLOY, flow_id="deploy-2")
        await asked(flow, "plan#1")
        await approve(flow, "ana")
        print("a day later")
        clock.advance(24 * HOUR_MS)
        await end(flow)


if __name__ == "__main__":
    asyncio.run(main())
