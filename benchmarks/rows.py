"""What a benchmark says: one figure a row, beside its goal.

Rule: a part of the benchmarks only yields rows; what is printed, written as JSON and decided
(met or missed) is decided here, so that every part reads alike.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from attrs import asdict, frozen

Verdict: TypeAlias = Literal["", "met", "stretch met", "missed", "not measured"]

MARKS: Final[dict[Verdict, str]] = {
    "": "",
    "met": "✓",
    "stretch met": "✓✓",
    "missed": "✗ missed",
    "not measured": "- not measured",
}
"""What stands beside a figure for each verdict."""


@frozen(kw_only=True)
class Row:
    """One figure; `goal` and `stretch` are upper bounds, or lower ones when `more_is_better`.

    Without a figure something could not be measured, and `note` says why.
    """

    part: str
    what: str
    figure: float | None
    unit: str
    goal: float | None = None
    stretch: float | None = None
    more_is_better: bool = False
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the goal is met; empty for a figure that only informs."""
        if self.figure is None:
            return "not measured"
        if self.stretch is not None and self._within(self.figure, self.stretch):
            return "stretch met"
        if self.goal is None:
            return ""
        return "met" if self._within(self.figure, self.goal) else "missed"

    def _within(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.more_is_better else figure <= bound

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as texts: what, figure, goal, stretch, verdict and note."""
        sign = "≥" if self.more_is_better else "≤"
        bounds = (f"{sign} {number(b)}" if b is not None else "" for b in (self.goal, self.stretch))
        figure = "-" if self.figure is None else f"{number(self.figure)} {self.unit}".rstrip()
        return self.what, figure, *bounds, MARKS[self.verdict], self.note


HEADS: Final = ("", "figure", "goal", "stretch", "", "")
WIDTHS: Final = (66, 18, 12, 12, 16, 0)


def number(figure: float) -> str:
    """A figure as people read it: three digits that count, and thousands set apart."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def line(cells: Iterable[str]) -> str:
    """The cells of a row as one line of a table."""
    padded = zip(cells, WIDTHS, strict=True)
    return "".join(
        f"{cell:>{width}}  " if 0 < at < 4 else f"{cell:<{width}}"
        for at, (cell, width) in enumerate(padded)
    ).rstrip()


def markdown(rows: Iterable[Row]) -> str:
    """The rows as tables of a document, one for each part, and on what they were measured."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    return "\n".join([f"Measured on {machine()}.\n", *map(_table, parts, parts.values())])


def _table(part: str, rows: list[Row]) -> str:
    lines = [f"| {part} | figure | goal | stretch | | |", "|---|---:|---:|---:|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row.cells)} |" for row in rows), ""])


def machine() -> str:
    """The interpreter and the machine that it runs on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    cores = f"{os.cpu_count()} cores"
    return f"{python}, {platform.system()} on {platform.machine()}, {cores}"


def as_json(row: Row) -> dict[str, object]:
    """The row as data, with its verdict."""
    return {**asdict(row), "verdict": row.verdict}
