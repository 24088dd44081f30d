"""What operators do with flows, wherever these run: the same on every durable host.

Rule: a client decides nothing; each request comes back with the verdict that stands in the
log. Who opens a store, a server or a broker gets a `Client`; the verbs about one flow are those
of `FlowHandle`, and what is added here is how to look at it.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from conductor_adapters.handle import FlowHandle
from conductor_adapters.store import FlowRow
from conductor_core import Explanation
from conductor_core import explain as explain_state
from conductor_core.commands import Outcome
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

__all__ = ["Client", "ClientFlow", "FlowSummary"]

FlowSummary: TypeAlias = FlowRow
"""What a list says of a flow: `flow_id`, `type`, `status`, `began_ms`, `changed_ms`."""


class ClientFlow(FlowHandle):
    """A flow that somebody runs somewhere, as who watches it sees it.

    The verbs are start, approve, deny, skip_current, skip_current_and_dependents, retry_plan,
    respond, set_approval_option, retry, skip, rerun, retry_group, retry_now, cancel, pause,
    resume and append; each returns its verdict.
    """

    @property
    @abstractmethod
    def state(self) -> FlowState:
        """Where the flow was when this was last told; `refresh` asks anew."""

    @abstractmethod
    async def refresh(self) -> FlowState:
        """Where the flow is now."""

    @abstractmethod
    async def until(self, holds: Callable[[FlowState], bool]) -> FlowState:
        """Wait for a state of which something holds."""

    @abstractmethod
    async def log(self, *, after: int = -1) -> Sequence[str]:
        """The lines of the flow's log so far, or those behind an entry, each with its newline."""

    async def wait(self) -> Outcome:
        """Wait for the end of the flow."""
        state = await self.until(lambda state: state.outcome is not None)
        assert state.outcome is not None, "a flow that ended has an outcome"
        return state.outcome

    async def watch(self) -> AsyncIterator[FlowState]:
        """Yield the state now and after each change, until the flow has ended.

        What passes while the one who watches is busy is not seen.
        """
        seen = await self.refresh()
        yield seen
        while seen.outcome is None:
            seen = await self.until(partial(operator.is_not, seen))
            yield seen

    async def explain(self) -> Explanation:
        """Tell why the flow waits, and who can help."""
        return explain_state(await self.refresh())


class Client(Protocol):
    """Everything that operators ask of a host."""

    async def start(self, spec: FlowSpec, *, flow_id: str) -> ClientFlow:
        """Start a flow; where the same was started under this id, this is that flow.

        Raises ConductorError where another one was.
        """
        ...

    async def flow(self, flow_id: str) -> ClientFlow:
        """A flow that was started; raises UnknownFlow."""
        ...

    async def list(
        self,
        *,
        statuses: Sequence[str] = (),
        after: FlowSummary | None = None,
        limit: int = 1_000,
    ) -> Sequence[FlowSummary]:
        """Flows in the order in which they began, perhaps of some statuses, behind another."""
        ...

    async def log(self, flow_id: str, *, after: int = -1) -> Sequence[str]:
        """The lines of a log as they are, be they damaged, or those behind an entry.

        Raises UnknownFlow.
        """
        ...

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        ...
