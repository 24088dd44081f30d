"""How two runs ended differently, for people and for programs.

Rule: whoever compares names the two sides; a difference is told in the same words whatever
they are, and what is the same on both is only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import asdict, frozen

from conductor_adapters.cli.console import counted, cut
from conductor_adapters.debugger.ends import End, Ends, Live, StepChange


@frozen(kw_only=True)
class Sides:
    """What the two sides are called: before an outcome, where a step is missing, and if alike."""

    a: str
    b: str
    missing_in_a: str
    missing_in_b: str
    same: str
    end_same: str


BRANCH: Final = Sides(
    a="recorded",
    b="branch",
    missing_in_a="was recorded",
    missing_in_b="in the branch",
    same="as recorded",
    end_same="it ends as recorded",
)
LOGS: Final = Sides(
    a="A",
    b="B",
    missing_in_a="in A",
    missing_in_b="in B",
    same="the same",
    end_same="both end alike",
)


def few(lines: Iterable[str], most: int) -> Iterator[str]:
    """The first of some lines, and how many more there are."""
    every = list(lines)
    yield from every[:most]
    if len(every) > most:
        yield f"  and {len(every) - most:,} more"


def told_ends(ends: Ends, sides: Sides, most: int) -> Iterator[str]:
    """Say how both ended, and which steps ended differently."""
    a, b = told_end_of(ends.a), told_end_of(ends.b)
    if a == b and not ends.steps:
        yield f"{sides.end_same}: {a}"
        return
    width = max(len(sides.a), len(sides.b)) + 1
    yield f"{f'{sides.a}:':<{width}} {a}"
    yield f"{f'{sides.b}:':<{width}} {b}"
    yield from few((f"  {_told_change(change, sides)}" for change in ends.steps), most)
    yield f"  {counted(ends.same_steps, 'step')} {sides.same}"


def told_end_of(end: End) -> str:
    """Say how a flow ended, or that it did not."""
    status, outcome = end
    if outcome is None:
        return f"{status}, not finished"
    reason = "" if outcome.reason is None else f", {outcome.reason}"
    step = "" if outcome.step is None else f" at {outcome.step}"
    message = "" if outcome.message is None else f": {cut(outcome.message)}"
    return f"{status}{reason}{step}{message}"


def _told_change(change: StepChange, sides: Sides) -> str:
    match change.a, change.b:
        case None, (attempt, status):
            return f"{attempt}: {status}, and no such step {sides.missing_in_a}"
        case (attempt, status), None:
            return f"{attempt}: {status}, and no such step {sides.missing_in_b}"
        case (attempt, before), (other, status):
            renamed = "" if attempt == other else f"{other} "
            return f"{attempt}: {before} -> {renamed}{status}"
        case _:
            return change.step


# --- as data ---


def ends_as_data(ends: Ends, *, a: str, b: str) -> dict[str, Any]:
    """All of it, the two sides under these names."""
    return {
        a: _end_as_data(ends.a),
        b: _end_as_data(ends.b),
        "steps": [
            {"step": it.step, a: _live_as_data(it.a), b: _live_as_data(it.b)} for it in ends.steps
        ],
        "same_steps": ends.same_steps,
    }


def _end_as_data(end: End) -> dict[str, Any]:
    status, outcome = end
    return {"status": status, "outcome": None if outcome is None else asdict(outcome)}


def _live_as_data(live: Live | None) -> dict[str, str] | None:
    return None if live is None else {"attempt": live[0], "status": live[1]}
