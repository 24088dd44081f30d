"""A flow whose steps are found out when it starts, and that grows while it runs.

A flow without groups has them made by the generator of its type: here one step for each
server of an inventory, the first of them alone, as a canary that somebody must approve. A
server that turns up meanwhile is appended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import StepContext
from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec, commands

INVENTORY = {"eu": ["web-1", "web-2", "web-3"], "us": []}


def update_of(server: str, approval: ApprovalSpec | None = None) -> StepSpec:
    """The step that updates a server: the same work for all, with another input for each."""
    return StepSpec(
        key=f"update-{server}", work="update", input={"server": server}, approval=approval
    )


def rollout(command: commands.GenerateSteps) -> Iterable[GroupSpec]:
    """Make the groups of a rollout; the metadata of the flow says where."""
    servers = INVENTORY[command.metadata.value["region"]]
    if servers:
        canary, *others = servers
        yield GroupSpec(key="canary", steps=[update_of(canary, ApprovalSpec())])
        yield GroupSpec(key="others", parallel=True, steps=[update_of(name) for name in others])


async def update(context: StepContext) -> None:
    """Update one server."""
    print(f"  {context.attempt} updates {context.input['server']}")


async def append(flow: MemoryFlow, server: str) -> None:
    """Append a group for a server, and say what became of that."""
    group = GroupSpec(key=f"late-{server}", steps=[update_of(server)])
    print(f"  ana appends {group.key}: {await flow.append([group], by='ana')}")


async def end(flow: MemoryFlow) -> None:
    """Wait for the end of a flow, and say how it came about."""
    outcome = await flow.wait()
    groups = flow.state.catalog.groups
    for index, group in enumerate(groups):
        print(f"  {group.key} is {flow.state.group_status(index)}")
    why = f" ({outcome.message})" if outcome.message else ""
    print(f"{flow.flow_id} ends: {outcome.status}{why}")


async def main() -> None:
    """Roll out where there are servers, and where there are none."""
    async with MemoryHost({"update": update}, generators={"rollout": rollout}) as host:
        flow = await host.start(
            FlowSpec(type="rollout", metadata={"region": "eu"}), flow_id="rollout-eu"
        )
        await flow.until(lambda state: bool(state.open_approvals()))
        await append(flow, "web-4")
        await append(flow, "web-4")
        print(f"  ana approves: {await flow.approve('update-web-1', by='ana')}")
        await end(flow)

        flow = await host.start(
            FlowSpec(type="rollout", metadata={"region": "us"}), flow_id="rollout-us"
        )
        await end(flow)


if __name__ == "__main__":
    asyncio.run(main())
