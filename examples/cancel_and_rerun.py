"""What people do about trouble: retry what failed, cancel what runs, revive what stopped.

The work here is that of a restore: fetch a backup, load it, check it. Its storage cannot be
reached until somebody mends it.
"""

from __future__ import annotations

import asyncio

from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import StepContext, StepFailure
from conductor_core import FlowOptions, FlowSpec, GroupSpec, StepSpec

FETCH = GroupSpec(key="fetch", steps=[StepSpec(key="fetch")])
LOAD = GroupSpec(key="load", steps=[StepSpec(key="load"), StepSpec(key="check")])


class Storage:
    """Where the backup is."""

    def __init__(self) -> None:
        self.reachable = False
        self.loading = asyncio.Event()

    async def fetch(self, context: StepContext) -> None:
        """Fetch the backup; what a failure says to people is marked as such."""
        if not self.reachable:
            raise StepFailure("the storage cannot be reached", non_retryable=True)
        print(f"  {context.attempt} fetched the backup")

    async def load(self, context: StepContext) -> None:
        """Load the backup, which takes long; a coroutine that is to give up is cancelled."""
        self.loading.set()
        try:
            await asyncio.sleep(3600 if context.metadata.get("large") else 0)
        except asyncio.CancelledError:
            print(f"  {context.attempt} was cancelled and dropped what it had loaded")
            raise

    async def check(self, context: StepContext) -> None:
        """Check what was loaded."""
        print(f"  {context.attempt} found everything in its place")


async def retry_what_failed(host: MemoryHost, storage: Storage) -> None:
    """A failure that awaits a retry holds the flow where it is until somebody decides."""
    storage.reachable = False
    patient = FlowSpec(options=FlowOptions(on_failure="await-retry"), groups=[FETCH, LOAD])
    flow = await host.start(patient, flow_id="patient")
    state = await flow.until(lambda state: state.status == "failed-pending-retry")
    print(f"patient is {state.status}")
    storage.reachable = True
    print(f"  ana retries fetch: {await flow.retry('fetch', by='ana')}")
    await end(flow)


async def cancel_what_runs(host: MemoryHost, storage: Storage) -> None:
    """A cancel reaches the work that runs, and the flow ends when that has given up."""
    storage.reachable = True
    large = FlowSpec(metadata={"large": True}, groups=[FETCH, LOAD])
    storage.loading.clear()
    flow = await host.start(large, flow_id="large")
    await storage.loading.wait()
    print(f"  bo cancels: {await flow.cancel(by='bo', reason='wrong backup')}")
    await end(flow)
    print(f"  bo retries load: {await flow.retry('load', by='bo')}")


async def revive_what_stopped(host: MemoryHost, storage: Storage) -> None:
    """A failure that awaits nobody stops the flow; a rerun revives it, even much later."""
    storage.reachable = False
    flow = await host.start(FlowSpec(groups=[FETCH, LOAD]), flow_id="hasty")
    await end(flow)
    storage.reachable = True
    print(f"  ana reruns fetch: {await flow.rerun('fetch', by='ana')}")
    await end(flow)


async def end(flow: MemoryFlow) -> None:
    """Wait for the end of a flow, and say how it came about."""
    outcome = await flow.wait()
    for attempt in flow.state.attempts():
        print(f"  {attempt.id} is {attempt.status.value}")
    why = f" ({outcome.message})" if outcome.message else ""
    print(f"{flow.flow_id} ends: {outcome.status}{why}")


async def main() -> None:
    """Run into all three kinds of trouble."""
    storage = Storage()
    handlers = {"fetch": storage.fetch, "load": storage.load, "check": storage.check}
    async with MemoryHost(handlers) as host:
        await retry_what_failed(host, storage)
        await cancel_what_runs(host, storage)
        await revive_what_stopped(host, storage)


if __name__ == "__main__":
    asyncio.run(main())
