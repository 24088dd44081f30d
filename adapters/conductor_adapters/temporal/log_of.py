"""The whole log of a flow, and where it stands now, from all histories that have part of it.

Rule: a flow that went on in a fresh history names the run before; its log is that of all runs.
"""

from __future__ import annotations

from temporalio.client import Client

from conductor_adapters.temporal.children import add_unreported
from conductor_adapters.temporal.errors import TemporalError
from conductor_adapters.temporal.history import Run, Seen, replayed, run_of
from conductor_core.errors import ConductorError, shown


async def seen_now(client: Client, run: Run) -> Seen:
    """What the last run of a flow came to, with what a child knows already."""
    seen = await replayed(client, run)
    await add_unreported(client, run, seen)
    return seen


async def log_lines(client: Client, flow_id: str, *, after: int = -1) -> list[str]:
    """The lines of a flow's log behind an entry, from the histories of all its runs.

    Raises UnknownFlow, and TemporalError where the history of an early run is gone.
    """
    runs = [await run_of(client, flow_id)]
    while runs[-1].previous is not None and runs[-1].begins_after > after:
        try:
            runs.append(await run_of(client, flow_id, runs[-1].previous))
        except ConductorError as error:
            raise TemporalError(
                f"flow {shown(flow_id)}: the history of its run {runs[-1].previous} is gone, and "
                f"with it the log up to entry {runs[-1].begins_after} ({error})"
            ) from None
    found: list[str] = []
    for run in reversed(runs):
        seen = await (seen_now if run is runs[0] else replayed)(client, run)
        found += [lines for number, lines in seen.lines if number > after]
    return found
