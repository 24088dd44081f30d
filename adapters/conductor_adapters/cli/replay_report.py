"""What is said of logs that were replayed, to people and to programs.

Rule: a log is told the same however many there are, and by however many processes they were
verified. What is wrong with one goes to the standard error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from conductor_adapters.cli.console import counted, say, warn
from conductor_adapters.cli.standing_data import standing_as_data
from conductor_adapters.debugger.against import departure_as_data, told_departure
from conductor_adapters.debugger.verifying import Moment, Verification, Verified
from conductor_adapters.debugger.view import records_of
from conductor_core.durations import told_elapsed
from conductor_core.errors import LogError, ReplayDivergence
from conductor_core.json_text import loads
from conductor_core.log import snapshot

NAMED: Final = 3
"""So many files that are no logs are named, the others counted."""
COMPARED: Final = ("same", "different")


# --- for people ---


def warn_of(result: Verified) -> None:
    """Write what is wrong with a log, or with its last line alone."""
    if result.error is not None:
        for line in f"{result.file}: {result.error}".splitlines():
            warn(line)
    elif result.found is not None and result.found.truncated is not None:
        warn(f"{result.file}: warning: {result.found.truncated}")


def tell(result: Verified, *, named: bool, until: int | None = None) -> None:
    """Write how many entries were verified, where they leave the flow, and what differs."""
    if result.found is None:
        return
    name = f"{result.file}: " if named else ""
    say(f"{name}{told_found(result.found, until)}{_compared(result)}")
    if result.departure is not None:
        for line in told_departure(result.departure):
            say(f"  {line}")


def told_found(found: Verification, until: int | None = None) -> str:
    """Say how many entries were verified, and where they leave the flow."""
    if until is not None:
        return f"replay: {found.entries} entries verified, as far as asked; {_flow(found)}"
    closed = "" if found.closed else "not closed, "
    return f"replay: {found.entries} entries verified; {closed}{_flow(found)}"


def _flow(found: Verification) -> str:
    return f"the flow is {found.status}"


def _compared(result: Verified) -> str:
    if not result.compared:
        return ""
    return (
        "; same" if result.departure is None else f"; differs from entry {result.departure.seq} on"
    )


def told_summary(results: Iterable[Verified], elapsed_ms: int) -> str:
    """Count what became of many logs."""
    counts = summary(results)
    told = [f"{counts[key]:,} {key}" for key in ("verified", "diverged", "unreadable")]
    if "different" in counts:
        told += (f"{counts[key]:,} {key}" for key in ("same", "different"))
    entries = f"{counted(counts['entries'], 'entry', 'entries')} in {told_elapsed(elapsed_ms)}"
    unclosed = f"{counts['not_closed']:,} not closed"
    return f"{counted(counts['logs'], 'log')}: {', '.join(told)}; {unclosed}; {entries}"


def told_others(others: Sequence[Path]) -> str:
    """Count the files that are no logs, and name the first of them."""
    names = ", ".join(map(str, others[:NAMED]))
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return f"passed over, no {'log' if len(others) == 1 else 'logs'}: {names}{more}"


# --- for programs ---


def summary(results: Iterable[Verified]) -> dict[str, int]:
    """What became of many logs, in numbers; `same` and `different` of those that were compared."""
    counts: Counter[str] = Counter()
    compared = False
    for result in results:
        compared = compared or result.compared
        counts["entries"] += 0 if result.found is None else result.found.entries
        counts.update(_kinds(result))
    names = ("logs", "verified", "diverged", "unreadable", "not_closed", "entries")
    return {name: counts[name] for name in (*names, *(COMPARED if compared else ()))}


def _kinds(result: Verified) -> Iterator[str]:
    """What a log counts as."""
    yield "logs"
    if result.found is None:
        yield "diverged" if isinstance(result.error, ReplayDivergence) else "unreadable"
        return
    yield "verified"
    if not result.found.closed:
        yield "not_closed"
    if result.compared:
        yield "same" if result.departure is None else "different"


def as_data(result: Verified) -> dict[str, Any]:
    """All that is known about a log."""
    if result.found is None:
        assert result.error is not None, "a log that was not replayed has an error"
        return {"file": result.file, "error": error_as_data(result.error)}
    data = {"file": result.file, **found_as_data(result.found)}
    if result.compared:
        departure = result.departure
        data["same"] = departure is None
        data["departure"] = None if departure is None else departure_as_data(departure)
    return data


def found_as_data(found: Verification) -> dict[str, Any]:
    """All that was found in a log that verifies."""
    truncated = found.truncated
    return {
        "flow_id": found.flow_id,
        "status": found.status,
        "entries": found.entries,
        "digest": found.digest,
        "closed": found.closed,
        "truncated": truncated and error_as_data(truncated),
    }


def error_as_data(error: LogError) -> dict[str, Any]:
    """What is wrong, where, and for a divergence what was expected and what came instead."""
    told: dict[str, Any] = {"line": error.line, "problem": error.reason}
    if isinstance(error, ReplayDivergence):
        told |= {"entry": error.entry, "expected": error.expected, "actual": error.actual}
    return told


def moment_as_data(moment: Moment) -> dict[str, Any]:
    """Where a flow stood: as `explain` tells it, as the page shows it, and whole."""
    return {
        "at_ms": moment.at_ms,
        "standing": standing_as_data(moment.state, moment.at_ms),
        "records": records_of(moment.state),
        "snapshot": loads(snapshot(moment.state)),
    }
