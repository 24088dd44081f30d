"""A few lines at the end of a terminal that are drawn anew, below everything that scrolls.

Rule: a drawing is one write that leaves the cursor visible, at the start of the line below,
and every mode of the terminal as it was: whatever ends this process leaves a sane terminal.
What is written above waits for the next drawing: that is soon, unless the terminal takes
nothing.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Final, TypeAlias

from rich.console import Console
from rich.text import Text

from conductor_adapters.cli import live_output
from conductor_adapters.cli.streams import MOST_KEPT, Stream, told_left_out

REFRESH_S: Final = 0.125
"""Between two drawings at least."""
IDLE_S: Final = 0.25
"""Between two drawings while nothing happens but that time passes."""
LOAD: Final = 10
"""Drawing takes one part in so many of the time at most."""

UP: Final = "\x1b[{}A"
CLEAR_LINE: Final = "\x1b[K"
CLEAR_BELOW: Final = "\x1b[J"
NO_WRAP: Final = "\x1b[?7l"
WRAP: Final = "\x1b[?7h"

Draw: TypeAlias = Callable[[int, int], list[Text]]
"""Makes the lines for a terminal of so many columns and lines."""


class LiveArea:
    """Lines that `draw` makes, below those that are written; it must be ended, or hidden.

    While it is hidden, what is written does not wait for a drawing.
    """

    def __init__(self, draw: Draw, terminal: Stream) -> None:
        self._draw = draw
        self._terminal = terminal
        self._console = Console(
            file=io.StringIO(), force_terminal=True, legacy_windows=False, soft_wrap=True
        )
        self._above: list[str] = []
        self._kept = 0
        self._left_out = 0
        self._widths: list[int] = []
        self._drawn = ""
        self._hidden = False
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        self._earliest_s = 0.0
        self.touch()

    def write(self, text: str) -> None:
        """Write whole lines above the live ones."""
        if self._hidden:
            self._terminal.write(text)
        elif self._kept < MOST_KEPT:
            self._above.append(text)
            self._kept += len(text)
            self.touch()
        else:
            self._left_out += text.count("\n")

    def touch(self) -> None:
        """Draw soon: what is shown has changed."""
        if not self._hidden:
            self._draw_at(self._earliest_s)

    def forget(self) -> None:
        """The terminal shows something else by now: leave that, and draw below it soon."""
        self._widths, self._drawn = [], ""

    def hide(self) -> None:
        """Take the live lines away, so that the cursor stands where they were."""
        self._hidden = True
        self._cancel()
        self._terminal.show(self._cleared() + self._taken())
        self._widths, self._drawn = [], ""

    def show(self) -> None:
        """Bring the live lines back, unless they are hidden again at once."""
        self._hidden = False
        self._draw_at(self._loop.time() + REFRESH_S)

    def end(self, draw: Draw) -> None:
        """Leave last lines behind."""
        self._terminal.show(self._drawing(draw(*live_output.size())))
        self._cancel()

    # --- drawing ---

    def _draw_at(self, time_s: float) -> None:
        """Draw at a time of the loop, unless it is drawn before that anyway."""
        if self._loop.is_closed():
            return
        if self._next is None or self._next.when() > time_s:
            self._cancel()
            self._next = self._loop.call_at(time_s, self._refresh)

    def _cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _refresh(self) -> None:
        """Draw, and once more when some time has passed."""
        begun_s = self._loop.time()
        self._next = None
        if not self._terminal.writer.kept:
            if live_output.in_front():
                self._terminal.show(self._drawing(self._draw(*live_output.size())))
            else:
                # The terminal is the shell's: what is written is written, but nothing drawn.
                self.forget()
                self._terminal.show(self._taken())
        now_s = self._loop.time()
        self._earliest_s = now_s + max(REFRESH_S, LOAD * (now_s - begun_s))
        self._draw_at(max(now_s + IDLE_S, self._earliest_s))

    def _drawing(self, lines: list[Text]) -> str:
        """All that takes the terminal from what it shows to these lines; nothing if it does."""
        rendered = self._rendered(lines)
        if rendered == self._drawn and not self._above:
            return ""
        drawing = self._cleared() + self._taken() if self._above else self._back()
        self._widths = [line.cell_len for line in lines]
        self._drawn = rendered
        return f"{drawing}{NO_WRAP}{rendered}{CLEAR_BELOW}{WRAP}"

    def _rendered(self, lines: list[Text]) -> str:
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line)
        return capture.get().replace("\n", f"{CLEAR_LINE}\n")

    def _back(self) -> str:
        """Go back to the first live line; in a window that became narrower they were wrapped."""
        columns, _ = live_output.size()
        lines = sum(max(1, -(-width // columns)) for width in self._widths)
        return f"\r{UP.format(lines)}" if lines else ""

    def _cleared(self) -> str:
        """Go back to the first live line and clear all of them."""
        return f"{self._back()}{CLEAR_BELOW}" if self._widths else ""

    def _taken(self) -> str:
        """What was to be written above, which is not kept any longer."""
        text = "".join(self._above)
        if self._left_out:
            text += told_left_out(self._left_out)
        self._above, self._kept, self._left_out = [], 0, 0
        return text
