"""What `conductor run` writes while a flow runs: for people, or as JSON for programs.

Rule: for people it writes a line per event, and the lines of the work; for programs an object
per event and nothing else on the standard output. Neither waits while the flow runs: that is
the business of the streams, as is what becomes of lines that nobody reads.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Final, Protocol

from attrs import asdict

from conductor_adapters.cli.console import WIDTH, cut, escaped
from conductor_adapters.cli.prints import Prints
from conductor_adapters.cli.streams import Streams
from conductor_core import explain
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.events import Event, StepFinished
from conductor_core.lines import line_of
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

LINES_SHOWN: Final = 100
"""So many lines of an attempt are shown; all of it is the business of its log."""
DUMB: Final = ("", "dumb", "unknown")
"""What the variable TERM says of terminals that can only take lines."""
PROMPT_AGAIN_S: Final = 0.05
"""After so long a prompt is shown again below what was written."""


class Output(Protocol):
    """Where texts go."""

    def write(self, text: str) -> None:
        """Write whole lines."""
        ...

    def show(self, text: str) -> None:
        """Write what belongs to a prompt."""
        ...


class Lines(Protocol):
    """Where lines are written that are for people."""

    def note(self, line: str) -> None:
        """Write a line about the run itself."""
        ...

    def warn(self, line: str) -> None:
        """Write a line about something that is wrong."""
        ...


class Screen(Lines, Protocol):
    """Where a run writes what happens; from the beginning to the end it needs a running loop."""

    def begin(self) -> None:
        """Show what Python code prints from now on."""
        ...

    def resumed(self, state: FlowState, entries: int) -> None:
        """Write where the flow is that goes on after so many entries of its log."""
        ...

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry of the flow's history."""
        ...

    def printed(self, attempt: str, text: str) -> None:
        """Write what the work of an attempt prints."""
        ...

    def ended(self, state: FlowState, exit_code: int) -> None:
        """Write how the run ended, and where it leaves the flow."""
        ...

    def hurry(self) -> None:
        """Wait only for a moment when it is time to finish; told so again, not even that."""
        ...

    async def finish(self) -> None:
        """Wait for whoever reads what was written."""
        ...


class PeopleScreen(Screen, Protocol):
    """A screen on which people are asked."""

    def ask(self, prompt: str) -> None:
        """Show a prompt, until it is taken away."""
        ...

    def answered(self) -> None:
        """Take the prompt away; who answered has ended its line."""
        ...

    def withdraw(self) -> None:
        """Take the prompt away that nobody answered."""
        ...


def people_screen() -> PeopleScreen:
    """The screen for people: with live progress where the terminal can show it."""
    if not os.isatty(1) or os.environ.get("TERM", "dumb") in DUMB:
        return TextScreen()
    from conductor_adapters.cli.live import LiveScreen  # noqa: PLC0415 - slow to import

    return LiveScreen()


class TextScreen:
    """Writes for people; a prompt stays below whatever is written."""

    def __init__(
        self,
        streams: Streams | None = None,
        output: Output | None = None,
        errors: Output | None = None,
    ) -> None:
        self._streams = Streams() if streams is None else streams
        self._output: Output = self._streams.output if output is None else output
        self._errors: Output = self._streams.errors if errors is None else errors
        self._prints: Prints | None = None
        self._begun_ms: int | None = None
        self._printed: dict[str, Printed] = {}
        self._prompt: str | None = None
        self._prompt_shown = False

    def begin(self) -> None:
        """Show what Python code prints from now on."""
        self._prints = Prints(self.note, self.warn)

    def end_prints(self) -> None:
        """Let Python code print as before."""
        if self._prints is not None:
            self._prints.undo()

    def hurry(self) -> None:
        """Wait only for a moment at the end; told so again, not even that."""
        self._streams.hurry()

    async def finish(self) -> None:
        """Wait for whoever reads what was written."""
        self.end_prints()
        await self._streams.finish()

    def note(self, line: str) -> None:
        """Write a line, which never begins behind a prompt."""
        self._leave_prompt()
        self._output.write(f"{escaped(line)}\n")

    def warn(self, line: str) -> None:
        """Write a line about something that is wrong."""
        self._leave_prompt()
        self._errors.write(f"{escaped(line)}\n")

    def ask(self, prompt: str) -> None:
        """Show a prompt, until it is taken away."""
        self._prompt = escaped(prompt)
        self._show_prompt()

    def answered(self) -> None:
        """Take the prompt away; who answered has ended its line."""
        self._prompt, self._prompt_shown = None, False

    def withdraw(self) -> None:
        """Take the prompt away that nobody answered."""
        self._leave_prompt()
        self._prompt = None

    def remind(self) -> None:
        """Show the prompt once more: something else was written behind it."""
        self._prompt_shown = False
        self._show_prompt()

    def _show_prompt(self) -> None:
        if self._prompt is not None and not self._prompt_shown:
            self._prompt_shown = True
            self._output.show(self._prompt)

    def _leave_prompt(self) -> None:
        """Begin a new line; what is still asked is shown again soon, not after each line."""
        if self._prompt_shown:
            self._prompt_shown = False
            self._output.show("\n")
            asyncio.get_running_loop().call_later(PROMPT_AGAIN_S, self._show_prompt)

    def resumed(self, state: FlowState, entries: int) -> None:
        """Write where the flow is that goes on."""
        self.note(_told_resumed(state))

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry of the flow's history."""
        if isinstance(event, StepFinished) and event.attempt in self._printed:
            self._note_all(event.attempt, self._printed.pop(event.attempt).rest())
        self._begun_ms = event.at_ms if self._begun_ms is None else self._begun_ms
        elapsed_s = (event.at_ms - self._begun_ms) / 1000
        self.note(f"{elapsed_s:8.2f}s  {line_of(event, transition)}")

    def printed(self, attempt: str, text: str) -> None:
        """Write what the work of an attempt prints."""
        self._note_all(attempt, self._printed.setdefault(attempt, Printed()).lines(text))

    def ended(self, state: FlowState, exit_code: int) -> None:
        """Write how the flow ended, if it did."""
        self.end_prints()
        if state.outcome is not None:
            self.note(f"flow {state.flow_id}: {state.outcome.status}")

    def _note_all(self, attempt: str, lines: list[str]) -> None:
        for line in lines:
            self.note(f"           {attempt} | {line}")


class JsonScreen:
    """Writes for programs, in ASCII; what is meant for people goes to the standard error."""

    def __init__(self) -> None:
        self._streams = Streams(patient=True)
        self._prints: Prints | None = None
        self._entries = 0

    def begin(self) -> None:
        """Have what Python code prints go to the standard error from now on."""
        self._prints = Prints(self.note, self.warn)

    def hurry(self) -> None:
        """Wait no longer at the end once told so twice: a program must get all of it."""
        self._streams.hurry()

    async def finish(self) -> None:
        """Wait until all is read."""
        if self._prints is not None:
            self._prints.undo()
        await self._streams.finish()

    def resumed(self, state: FlowState, entries: int) -> None:
        """Say where the flow is that goes on; its entries so far are in its log."""
        self._entries = entries
        self.note(_told_resumed(state))

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry as the log has it, but for its digest."""
        self._entries += 1
        self._write(
            {
                "seq": self._entries,
                "event": encode_event(event),
                "verdict": encode_verdict(transition.verdict),
                "commands": [encode_command(command) for command in transition.commands],
            }
        )

    def printed(self, attempt: str, text: str) -> None:
        """Leave out what the work prints: its result tells."""

    def note(self, line: str) -> None:
        """Write a line about the run itself."""
        self.warn(line)

    def warn(self, line: str) -> None:
        """Write a line about something that is wrong."""
        self._streams.errors.write(f"{escaped(line)}\n")

    def ended(self, state: FlowState, exit_code: int) -> None:
        """Write where the run leaves the flow."""
        self._write(
            {
                "flow_id": state.flow_id,
                "status": state.status,
                "outcome": None if state.outcome is None else asdict(state.outcome),
                "waits": [asdict(wait) for wait in explain(state).waits],
                "exit_code": exit_code,
            }
        )

    def _write(self, value: dict[str, Any]) -> None:
        self._streams.output.show(f"{json.dumps(value)}\n")


def _told_resumed(state: FlowState) -> str:
    finished = sum(not attempt.unfinished for attempt in state.live)
    steps = f"{finished} of {len(state.live)} steps finished"
    how = "goes on" if state.outcome is None else "has ended"
    return f"flow {state.flow_id} {how}: {state.status}, {steps}"


class Printed:
    """Cuts what an attempt prints into lines, and says so when it shows no more of them."""

    def __init__(self) -> None:
        self._unfinished = ""
        self._shown = 0

    def lines(self, text: str) -> list[str]:
        """The lines that are complete now."""
        if self._shown > LINES_SHOWN:
            return []
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        if len(self._unfinished) > WIDTH:
            lines.append(self._unfinished)
            self._unfinished = ""
        return self._show(lines)

    def rest(self) -> list[str]:
        """The line that was never completed."""
        lines = [self._unfinished] if self._unfinished else []
        return [] if self._shown > LINES_SHOWN else self._show(lines)

    def _show(self, lines: list[str]) -> list[str]:
        left = LINES_SHOWN - self._shown
        self._shown += len(lines)
        shown = [cut(line.rstrip("\r")) for line in lines[:left]]
        return [*shown, "(prints on, not shown)"] if len(lines) > left else shown
