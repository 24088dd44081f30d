"""What a durable flow knows never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.host import Unstamped
from conductor_core import initial_state, reduce
from conductor_core.events import Event, FlowStarted, StepFinished
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Verdict

NEW = initial_state(flow(group("g", "a")), flow_id="deploy-42")
RUNS = reduce(NEW, FlowStarted(at_ms=0)).state
ENDED = reduce(RUNS, StepFinished(at_ms=1, attempt="a#1", outcome="succeeded")).state


class SlowStore:
    """A host whose first look comes back after an entry that was written behind it."""

    def __init__(self) -> None:
        self.flow = DurableFlow(self, NEW)
        self.looks = 0

    async def look(self, flow_id: str) -> FlowState:
        """Where the flow is; of the first look it is where it was."""
        self.looks += 1
        if self.looks == 1:
            self.flow.see(ENDED)
            return RUNS
        return ENDED

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Nothing is told here."""
        raise NotImplementedError

    async def log(self, flow_id: str, *, after: int) -> Sequence[str]:
        """Nothing is read here."""
        raise NotImplementedError(after)


def test_a_look_that_comes_late_does_not_take_back_what_was_heard() -> None:
    """After `wait` the state is the one that the outcome is of."""

    async def play() -> None:
        store = SlowStore()
        outcome = await store.flow.wait()
        assert outcome.status == "success"
        assert store.flow.state is ENDED
        assert store.looks == 2

    asyncio.run(play())
