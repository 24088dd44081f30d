"""What was appended to a PostgreSQL store since somebody last looked: nothing is missed.

Rule: the number of an entry is given before its transaction ends, so of two the later may be
seen first, and the earlier afterwards, or never. Whoever sees a number sees also which ones are
missing below it, and looks for those again until every transaction has ended that was under way
then: an entry takes its number only when its transaction has an id (`APPEND`), and so the
server knows of each that it is under way.

What a transaction saw that fails is seen again. A server that crashed may give numbers again
that it had given to what it lost, so that after another connection was opened what came last
is told once more: to hear of a flow to which nothing was appended does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from attrs import frozen

AT_ONCE: Final = 10_000
"""So many entries are read at once."""
LOOK_BACK: Final = 10_000
"""So many entries are looked at once more where it is not known what was under way."""

UNDER_WAY: Final = """
    SELECT pg_snapshot_xmin(seen), pg_snapshot_xmax(seen),
        (SELECT number FROM entries ORDER BY number DESC LIMIT 1)
    FROM pg_current_snapshot() AS seen"""
"""All of it at one moment: before which transaction all have ended, which is the next, and the
last number."""
BEHIND: Final = """
    SELECT number, flow_id FROM entries WHERE number > :after AND number <= :last
    ORDER BY number LIMIT :limit"""
WITHIN: Final = """
    SELECT DISTINCT flow_id FROM unnest(:lows, :highs) AS missing (low, high)
    JOIN entries ON number BETWEEN low AND high"""

Ask: TypeAlias = Callable[..., list[Any]]
"""Carries a statement out, and returns every row that is found."""


@frozen
class Missing:
    """Numbers that were not there, though a later one was.

    Who took one of them is a transaction before `before`.
    """

    low: int
    high: int
    before: int


@frozen
class Seen:
    """What a look found, to go on from: what is missing, or None: that is not known."""

    missing: tuple[Missing, ...] | None = None

    def look(self, ask: Ask, *, after: int, back: bool) -> tuple[list[str], int, Seen]:
        """The flows that grew behind a place, the place now, and what to go on from.

        `back`: also what came a while before that place.
        """
        ((ended, to_come, number),) = ask(UNDER_WAY)
        last, before = number or 0, int(to_come)
        grown: dict[str, None] = {}
        place, missing = min(after, last), list[Missing]()
        unknown = self.missing is None and ended != to_come
        start = max(0, place - LOOK_BACK) if back or unknown else place
        for low, high, flow_id in _rows(ask, start, last):
            if low <= high:
                missing.append(Missing(low, high, before))
            if back or high >= place:
                grown[flow_id] = None
        open_ = [each for each in self.missing or () if each.before > int(ended)]
        if self.missing:
            lows, highs = [it.low for it in self.missing], [it.high for it in self.missing]
            grown |= dict.fromkeys(row[0] for row in ask(WITHIN, lows=lows, highs=highs))
        return list(grown), last, Seen((*open_, *missing))


def _rows(ask: Ask, after: int, last: int) -> Iterator[tuple[int, int, str]]:
    """The entries behind a number, each with the numbers that are missing right before it."""
    while after < last:
        rows = ask(BEHIND, after=after, last=last, limit=AT_ONCE)
        for number, flow_id in rows:
            yield after + 1, number - 1, flow_id
            after = number
        if not rows:
            return
