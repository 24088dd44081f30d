"""The workflow that runs one group of a flow, as a child of the flow's workflow.

Rule: it reduces what `delegation` cuts off the flow, by the same rules, and reports every event
that it accepted, in order. It ends when the group is over; what becomes of the flow then is decided
by the flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from temporalio import workflow

from conductor_adapters.host import perform
from conductor_adapters.temporal import names
from conductor_adapters.temporal.carried import (
    Carried,
    Handed,
    decode_handed,
    decode_relay,
    encode_handed,
    encode_report,
)
from conductor_adapters.temporal.delegation import is_over
from conductor_adapters.temporal.hosting import Hosting, at
from conductor_adapters.temporal.packing import wire_size
from conductor_adapters.temporal.performer import TemporalPerformer
from conductor_adapters.temporal.runner import LISTENER
from conductor_adapters.temporal.standing import details
from conductor_core import interrupted_attempts, pending_commands
from conductor_core.codec import encode_event
from conductor_core.commands import Command, GenerateSteps
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.json_text import dumps
from conductor_core.orders import dispatch_of
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

MANY: Final = 2_000
MANY_BYTES: Final = 1_000_000
"""So many entries, and so many bytes of them, a child keeps while nobody needs to know of them."""


class Unsent:
    """The entries that a child has still to report, as JSON texts."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._size = 0

    def add(self, entry: str) -> None:
        """Take one more."""
        self.entries.append(entry)
        self._size += wire_size(entry)

    @property
    def is_short(self) -> bool:
        """Whether one report holds them all."""
        return len(self.entries) <= MANY and (self._size <= MANY_BYTES or len(self.entries) == 1)

    def take(self) -> list[str]:
        """The first of them, as many as one report holds; a single one may be larger."""
        taken: list[str] = []
        size = 0
        for entry in self.entries[:MANY]:
            size += wire_size(entry)
            if taken and size > MANY_BYTES:
                break
            taken.append(entry)
        del self.entries[: len(taken)]
        self._size -= sum(map(wire_size, taken))
        return taken


class GroupPerformer(TemporalPerformer):
    """Carries out what concerns a group; the flow itself has its groups made."""

    def generate_steps(self, command: GenerateSteps) -> None:
        """Leave it to the flow."""


@workflow.defn(name=names.GROUP, sandboxed=False)
class ConductorGroup:
    """A group of a flow; its input is what `Handed` says."""

    @workflow.init
    def __init__(self, told: dict[str, Any]) -> None:
        self._handed = handed = decode_handed(told)
        self._latest_ms = handed.latest_ms
        self._sent = handed.sent
        self._unsent = Unsent()
        self._listener = workflow.extern_functions()[LISTENER]()
        self._relaying: tuple[int, Event] | None = None
        self._urgent = False
        self._status = handed.carried.state.status
        self._hosting = Hosting(
            handed.carried,
            journal=self,
            latest_ms=lambda: self._latest_ms,
            observe=lambda _event, _transition: None,
            next_input=self._next_input,
            performer=GroupPerformer,
        )

    @workflow.run
    async def run(self, told: dict[str, Any]) -> dict[str, Any]:
        """Run the group until it is over, or goes on in another run."""
        self._boot()
        hosting = self._hosting
        while True:
            await workflow.wait_condition(self._wakes)
            if self._is_over() and self._unsent.is_short:
                return self._report()
            if self._unsent.entries and (self._is_pressing() or hosting.is_leaving):
                await self._send()
            elif hosting.is_leaving:
                hosting.leave()
            elif hosting.suggests():
                hosting.suggest()

    def _boot(self) -> None:
        """Begin what is to be done; who comes back knows that some of it was begun."""
        hosting = self._hosting
        if self._handed.recovers or hosting.state.continuing:
            hosting.loop.recover()
        else:
            for command in _beginning(hosting.state, self._latest_ms):
                perform(command, hosting.performer)
        hosting.booted = True

    def _is_over(self) -> bool:
        return is_over(self._hosting.state, self._handed.group)

    def _wakes(self) -> bool:
        """Whether there is something to do, once all that came together has been applied."""
        hosting = self._hosting
        if hosting.turn.more or hosting.turn.evicted:
            return False
        busy = hosting.is_leaving or hosting.suggests()
        return self._is_over() or self._is_pressing() or busy

    def _is_pressing(self) -> bool:
        """Whether the flow is to hear at once of what it has not heard of."""
        return self._urgent or self._is_over() or not self._unsent.is_short

    # --- what is reported ---

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an event to report it; one that was relayed is known to the flow by its number."""
        relaying, self._relaying = self._relaying, None
        if relaying is not None:
            number, whole = relaying
            self._keep({"relay": number, "at_ms": event.at_ms}, at(whole, event.at_ms))
        elif isinstance(transition.verdict, Accepted):
            self._keep({"event": encode_event(event)}, event)
        if isinstance(transition.verdict, Accepted):
            self._latest_ms = max(self._latest_ms, event.at_ms)
            self._look(transition)

    def _keep(self, entry: dict[str, Any], whole: Event) -> None:
        if self._listener is not None:
            self._listener(self._sent + len(self._unsent.entries), whole)
        self._unsent.add(dumps(entry))

    def _look(self, transition: Transition) -> None:
        """See whether people are to know of it at once: nothing goes on by itself."""
        state = transition.state
        self._urgent = self._urgent or not state.active
        if state.status != self._status:
            self._status = state.status
            self._urgent = self._urgent or state.status != "in-progress"
            workflow.set_current_details(details(state))

    def _report(self) -> dict[str, Any]:
        """What is reported now; what one report cannot hold follows in another."""
        entries = self._unsent.take()
        self._urgent = bool(self._unsent.entries)
        report = encode_report(workflow.info().workflow_id, self._sent, entries)
        self._sent += len(entries)
        return report

    async def _send(self) -> None:
        """Report to the flow, which waits for it."""
        parent = workflow.get_external_workflow_handle(self._handed.parent)
        await parent.signal(names.REPORT, self._report())

    # --- what is heard ---

    @workflow.signal(name=names.RELAY)
    def relay(self, told: Any) -> None:
        """Take in what happened to the flow: what the child makes of it, and what it was."""
        if self._is_over():
            # It is no concern of this group: unanswered, the flow asks whoever has the next.
            return
        try:
            number, whole, form = decode_relay(told)
        except ConductorError as error:
            workflow.logger.warning("a signal that relays nothing is dropped: %s", error)
            return
        self._relaying = number, whole
        self._urgent = True
        self._hosting.feed(form, at_ms=max(self._latest_ms, form.at_ms))

    # --- the end of a run ---

    def _next_input(self) -> dict[str, Any]:
        handed = self._handed
        carried = Carried(state=self._hosting.state, settings=handed.carried.settings)
        return encode_handed(
            Handed(
                carried=carried,
                group=handed.group,
                parent=handed.parent,
                latest_ms=self._latest_ms,
                sent=self._sent,
            )
        )


def _beginning(state: FlowState, at_ms: int) -> Iterator[Command]:
    """All that a group asks for of which nothing was begun: also what must not run twice."""
    yield from pending_commands(state, at_ms=at_ms)
    for name in interrupted_attempts(state):
        attempt, position = state.attempt(name), state.position_of(name)
        assert attempt is not None, f"{name!r} is no attempt"
        assert position is not None, f"{name!r} has no position"
        yield dispatch_of(state, attempt, state.catalog.steps[position])
