"""The live view of `conductor run`: what TextScreen writes, and the flow's progress below it.

Rule: the view only shows. It is told what happened, reads the rest from the state, and gives
way to a prompt: what people type must not be drawn over.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, TypeAlias

from rich.text import Text

from conductor_adapters.cli.live_area import LiveArea
from conductor_adapters.cli.live_frame import Frames
from conductor_adapters.cli.live_marks import Charset
from conductor_adapters.cli.live_output import encoding
from conductor_adapters.cli.live_times import Times
from conductor_adapters.cli.screen import Output, TextScreen
from conductor_adapters.cli.streams import Stream, Streams, same_terminal
from conductor_adapters.clock import Clock, WallClock
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

SignalHandler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


class LiveScreen:
    """Writes for people at a terminal; needs a running asyncio loop from the first event on."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = WallClock() if clock is None else clock
        streams = Streams(encoding())
        self._output = _Above(streams.output)
        errors: Output = self._output if same_terminal() else streams.errors
        self._text = TextScreen(streams, self._output, errors)
        self._times = Times()
        self._frames = Frames(self._times, Charset(encoding()))
        self._state: FlowState | None = None
        self._before: SignalHandler = None

    # --- what happens ---

    def begin(self) -> None:
        """Show what Python code prints from now on."""
        self._text.begin()

    def resumed(self, state: FlowState, entries: int) -> None:
        """Show where the flow is that goes on."""
        self._text.resumed(state, entries)
        self._times.resumed(state, self._clock.now_ms())
        self._changed(state)

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry of the flow's history, and show where that leaves the flow."""
        self._text.happened(event, transition)
        self._times.happened(event, transition)
        self._changed(transition.state)

    def printed(self, attempt: str, text: str) -> None:
        """Write what the work of an attempt prints."""
        self._text.printed(attempt, text)

    def note(self, line: str) -> None:
        """Write a line about the run itself."""
        self._text.note(line)

    def warn(self, line: str) -> None:
        """Write a line about something that is wrong."""
        self._text.warn(line)

    def ended(self, state: FlowState, exit_code: int) -> None:
        """Leave the flow's last frame behind, as a summary."""
        area = self._output.area
        if area is None:
            self._text.ended(state, exit_code)
            return
        self._text.end_prints()
        self._unheed()
        self._state = state
        area.end(self._last)
        self._output.area = None

    def hurry(self) -> None:
        """Wait no longer than a moment for a terminal that takes nothing."""
        self._text.hurry()

    async def finish(self) -> None:
        """Wait for the terminal, and leave no live lines behind if something went wrong."""
        if self._output.area is not None:
            self._unheed()
            self._output.area.hide()
        await self._text.finish()

    # --- prompts ---

    def ask(self, prompt: str) -> None:
        """Show a prompt in place of the progress, until it is taken away."""
        if self._output.area is not None:
            self._output.area.hide()
        self._text.ask(prompt)

    def answered(self) -> None:
        """Take the prompt away; who answered has ended its line."""
        self._text.answered()
        self._show()

    def withdraw(self) -> None:
        """Take the prompt away that nobody answered."""
        self._text.withdraw()
        self._show()

    def _show(self) -> None:
        if self._output.area is not None:
            self._output.area.show()

    # --- the live lines ---

    def _changed(self, state: FlowState) -> None:
        """Have the new state drawn soon."""
        self._state = state
        if self._output.area is None:
            self._output.area = LiveArea(self._moving, self._output.stream)
            self._heed(self._output.area)
        self._output.area.touch()

    def _moving(self, columns: int, lines: int) -> list[Text]:
        """Where the flow is now."""
        assert self._state is not None, "nothing is drawn before anything happened"
        return self._frames.moving(self._state, self._clock.now_ms(), columns, lines)

    def _last(self, columns: int, lines: int) -> list[Text]:
        """Where the run left the flow."""
        assert self._state is not None, "nothing is drawn before anything happened"
        return self._frames.last(self._state, self._clock.now_ms(), columns, lines)

    def _heed(self, area: LiveArea) -> None:
        """Notice when the terminal changes or is given back; only the main thread can."""
        loop = asyncio.get_running_loop()

        def continued(_number: int, _frame: object) -> None:
            # At once: the loop may draw before it would get to know.
            area.forget()
            with suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(self._text.remind)

        with suppress(RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGWINCH, area.touch)
            self._before = signal.signal(signal.SIGCONT, continued)

    def _unheed(self) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGWINCH)
        if self._before is not None:
            signal.signal(signal.SIGCONT, self._before)


class _Above:
    """The standard output, above the live lines while there are any."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.area: LiveArea | None = None

    def write(self, text: str) -> None:
        """Write whole lines."""
        (self.stream if self.area is None else self.area).write(text)

    def show(self, text: str) -> None:
        """Write what belongs to a prompt; there are no live lines beside one."""
        self.stream.show(text)
