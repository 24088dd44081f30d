"""The frame of the live view: a head, and rows set out in columns that fit the terminal.

Rule: no line is as wide as the terminal and no frame as high; what others wrote is escaped
and never read as markup. A frame that moves leaves a third of the terminal to what scrolls
above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from conductor_adapters.cli.console import escaped
from conductor_adapters.cli.live_marks import MORE, OF_FLOW, Charset
from conductor_adapters.cli.live_rows import Row, Rows
from conductor_adapters.cli.live_times import Times
from conductor_core.durations import told_countdown, told_elapsed
from conductor_core.state import FlowState

LABEL_LEAST: Final = 8
INDENT: Final = 2


class Frames:
    """Draws frames of one flow, for a terminal of whatever size it has at the time."""

    def __init__(self, times: Times, charset: Charset) -> None:
        self._times = times
        self._charset = charset
        self._rows = Rows(times)

    def moving(self, state: FlowState, now_ms: int, columns: int, lines: int) -> list[Text]:
        """What is shown while the flow runs."""
        room = max(lines - 1 - lines // 3, 1)
        rows = self._rows.live(state, now_ms, room - 1)
        return self._frame(state, rows, now_ms, columns)

    def last(self, state: FlowState, now_ms: int, columns: int, lines: int) -> list[Text]:
        """What is left when the run ends."""
        rows = self._rows.final(state, now_ms, max(lines - 1, 1) - 1)
        stopped = "" if state.outcome is not None else " when the run stopped"
        return self._frame(state, rows, now_ms, columns, stopped)

    def _frame(
        self, state: FlowState, rows: Sequence[Row], now_ms: int, columns: int, when: str = ""
    ) -> list[Text]:
        width = max(columns - 1, 1)
        return [self._head(state, now_ms, width, when), *self._set_out(rows, width)]

    def _head(self, state: FlowState, now_ms: int, width: int, when: str) -> Text:
        """The flow: its status, for how long it has run, what it waits for as a whole."""
        look = OF_FLOW[state.status]
        took_ms = self._times.of_flow(now_ms)
        elapsed = "" if took_ms is None else f", {told_elapsed(took_ms)}"
        told = "".join(f", {wait}" for wait in _flow_waits(state, now_ms))
        head = Text("flow ", "bold")
        head.append(f"{self._shown(state.flow_id)}: ")
        head.append(state.status, look.style)
        head.append(f"{when}{elapsed}{told}", "not bold")
        return self._cut(head, width)

    def _set_out(self, rows: Sequence[Row], width: int) -> Iterator[Text]:
        """Set rows out in columns: what it is, how long it took, what is to be said of it."""
        labels = [self._shown(row.label) for row in rows]
        took = ["" if row.took_ms is None else told_elapsed(row.took_ms) for row in rows]
        indents = [row.depth * INDENT for row in rows]
        widest = max(
            (cell_len(label) + i for label, i in zip(labels, indents, strict=True)), default=0
        )
        label_width = min(widest, max(width * 2 // 5, LABEL_LEAST))
        took_width = max(map(len, took), default=0)
        for row, label, elapsed, indent in zip(rows, labels, took, indents, strict=True):
            line = Text(" " * indent)
            line.append(f"{self._charset.mark(row.look)} ", row.look.style)
            if row.look is not MORE:
                line.append(self._fitted(label, label_width - indent), "" if indent else "bold")
                line.append(f"  {elapsed:<{took_width}}  ")
            line.append(self._shown(row.detail), "" if indent else "dim")
            line.rstrip()
            yield self._cut(line, width)

    def _fitted(self, label: str, width: int) -> str:
        """A label of a given width; of an id that is too long the number is kept."""
        if cell_len(label) > width:
            name, hash_, n = label.rpartition("#")
            tail = self._charset.mark(MORE) + (f"#{n}" if hash_ else "")
            label = set_cell_size(name if hash_ else label, max(width - len(tail), 0)) + tail
        return set_cell_size(label, width)

    def _cut(self, line: Text, width: int) -> Text:
        """A line that is not wider than it may be."""
        if line.cell_len > width:
            more = self._charset.mark(MORE)
            line.truncate(max(width - len(more), 0), overflow="crop")
            line.append(more[:width], "dim")
        return line

    def _shown(self, text: str) -> str:
        return self._charset.shown(escaped(text))


def _flow_waits(state: FlowState, now_ms: int) -> Iterator[str]:
    """What the flow as a whole waits for; an attempt or a group says so itself."""
    if state.outcome is not None:
        return
    if state.cancellation is not None:
        due_ms = state.cancellation.due_at_ms
        at_most = "" if due_ms is None else f", for {told_countdown(due_ms - now_ms)} at most"
        yield f"waits for {state.active} running{at_most}"
    if state.generating == "running":
        yield "waits for groups to be generated"
    if state.continuing:
        yield "waits for its continuation as new"
    if state.paused:
        yield "waits for somebody to resume it"
