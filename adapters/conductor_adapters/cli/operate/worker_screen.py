"""What `conductor worker` writes: for people, or as JSON for programs.

Rule: a line, or an object, for each entry that this worker appends to the log of a flow, which
it names; entries of other workers are theirs to tell.
"""

from __future__ import annotations

from typing import Protocol

from conductor_adapters.cli.screen import JsonScreen, Lines, Printed, TextScreen
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.events import Event
from conductor_core.lines import line_of
from conductor_core.reducer import Transition


class WorkerScreen(Lines, Protocol):
    """Where a worker writes; from the beginning to the end it needs a running loop."""

    def begin(self) -> None:
        """Show what Python code prints from now on."""
        ...

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry."""
        ...

    def shell_printed(self, flow_id: str, attempt: str, text: str) -> None:
        """Write what a command prints; "" tells that it has ended."""
        ...

    def hurry(self) -> None:
        """Wait less long for readers at the end; told so again, not at all."""
        ...

    async def finish(self) -> None:
        """Wait for whoever reads what was written."""
        ...


class WorkerText(TextScreen):
    """Writes for people."""

    def __init__(self) -> None:
        super().__init__()
        self._by_attempt: dict[tuple[str, str], Printed] = {}

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry behind the id of its flow."""
        self.note(f"{transition.state.flow_id}: {line_of(event, transition)}")

    def shell_printed(self, flow_id: str, attempt: str, text: str) -> None:
        """Write the lines that are complete now, and at the end the one that never was."""
        printed = self._by_attempt.setdefault((flow_id, attempt), Printed())
        for line in printed.lines(text) if text else printed.rest():
            self.note(f"{flow_id}: {attempt} | {line}")
        if not text:
            del self._by_attempt[flow_id, attempt]


class WorkerJson(JsonScreen):
    """Writes for programs: an object for each entry, as its log has it but for the digest."""

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry with the id of its flow."""
        self._write(
            {
                "flow_id": transition.state.flow_id,
                "event": encode_event(event),
                "verdict": encode_verdict(transition.verdict),
                "commands": [encode_command(command) for command in transition.commands],
                "status": transition.state.status,
            }
        )

    def shell_printed(self, flow_id: str, attempt: str, text: str) -> None:
        """Leave out what commands print: their results tell."""
