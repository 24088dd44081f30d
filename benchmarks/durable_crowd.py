"""Many flows that wait for people, in one file: how long a list, an answer and idleness take.

Run as a process: `durable_crowd.py FLOWS SECONDS` prints the figures.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.children import tell
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.work import StepContext
from conductor_core import ApprovalSpec, FlowSpec, FlowState, GroupSpec, StepSpec

FLOW: Final = FlowSpec(
    groups=[
        GroupSpec(key="plan", steps=[StepSpec(key="plan", approval=ApprovalSpec())]),
        GroupSpec(key="apply", steps=[StepSpec(key="apply")]),
    ]
)
AT_ONCE: Final = 250
ANSWERS: Final = 20


class Noted:
    """Handlers, and when work was last begun."""

    def __init__(self) -> None:
        self.applied: asyncio.Event = asyncio.Event()

    async def plan(self, _context: StepContext) -> str:
        """Plan."""
        return "planned"

    async def apply(self, _context: StepContext) -> None:
        """Take note that an approval was acted on."""
        self.applied.set()


def asks(state: FlowState) -> bool:
    """Whether people are asked."""
    return bool(state.open_approvals())


async def crowd(path: Path, flows: int, idle_s: float) -> dict[str, float]:
    """Measure; the worker and the person are two hosts of one process, each with its thread."""
    noted = Noted()
    handlers = {"plan": noted.plan, "apply": noted.apply}
    async with SqliteHost(handlers, path=path, synchronous="NORMAL"):
        async with SqliteHost({}, path=path, synchronous="NORMAL") as person:
            for first in range(0, flows, AT_ONCE):
                names = [f"flow-{number}" for number in range(first, min(flows, first + AT_ONCE))]
                started = await asyncio.gather(*(person.start(FLOW, flow_id=n) for n in names))
                await asyncio.gather(*(flow.until(asks) for flow in started))
            begin = time.perf_counter()
            listed = await person.list(limit=flows)
            list_s = time.perf_counter() - begin
            assert len(listed) == flows
            acted_ms = []
            for number in range(min(ANSWERS, flows)):
                flow = await person.flow(f"flow-{number}")
                noted.applied.clear()
                begin = time.perf_counter()
                await flow.approve("plan", by="ana")
                await noted.applied.wait()
                acted_ms.append((time.perf_counter() - begin) * 1_000)
        await asyncio.sleep(idle_s / 10)
        begin_cpu, begin = time.process_time(), time.perf_counter()
        await asyncio.sleep(idle_s)
        idle = (time.process_time() - begin_cpu) / (time.perf_counter() - begin)
    return {
        "list_s": list_s,
        "acted_ms": statistics.median(acted_ms),
        "acted_worst_ms": max(acted_ms),
        "idle_percent": 100 * idle,
    }


def main(flows: str, idle_s: str) -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "flows.db"
        tell(**asyncio.run(crowd(path, int(flows), float(idle_s))))


if __name__ == "__main__":
    main(*sys.argv[1:])
