"""`conductor explain`: where a recorded flow stands, or what a flow file will do.

What is recorded is the log in a file, or that of a flow in a store.

Rule: nothing is run and nothing is changed. Exit code 0, 1 when a log diverges, 2 when a
file cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from conductor_adapters.cli.console import say, say_json
from conductor_adapters.cli.intent import intent_as_data, told_intent
from conductor_adapters.cli.recorded import Recorded, Source, look_at
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.cli.standing import told_standing
from conductor_adapters.cli.standing_data import standing_as_data


@click.command()
@click.argument("what", metavar="FILE|FLOW_ID", type=click.Path())
@click.option(
    "--at", type=click.IntRange(min=0), metavar="N", help="Look at a log's entry N, not at its end."
)
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write the same as JSON.")
def explain(what: str, at: int | None, sources: Sources, as_json: bool) -> None:
    """Say where the flow of a log stands, or what the flow in a flow file will do.

    With --store it is a flow of that store; of the store in the environment where no such file is.
    """
    source = look_at(sources, what, at)
    if as_json:
        say_json(_as_data(source))
        return
    for line in _told(source):
        say(line)


def _told(source: Source) -> Iterator[str]:
    if not isinstance(source, Recorded):
        yield from told_intent(source.spec)
        return
    if source.at is not None:
        yield f"after entry {source.at:,}"
    yield from told_standing(source.replay.state, source.now_ms)


def _as_data(source: Source) -> dict[str, Any]:
    if not isinstance(source, Recorded):
        return {"file": source.file, "kind": "flow", **intent_as_data(source.spec)}
    return {
        "file": source.file,
        "kind": "log",
        "entries": source.replay.entries,
        "closed": source.replay.closed,
        "truncated": None if source.replay.truncated is None else str(source.replay.truncated),
        **standing_as_data(source.replay.state, source.now_ms),
    }
