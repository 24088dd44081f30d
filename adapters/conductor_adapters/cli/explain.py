"""`conductor explain`: where a recorded flow stands, or what a flow file will do.

What is recorded is the log in a file, or that of a flow in a store.

Rule: nothing is run and nothing is changed. Exit code 0, 1 when a log diverges, 2 when a
file cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve
from click.core import ParameterSource

from conductor_adapters.cli.console import say, say_json
from conductor_adapters.cli.intent import intent_as_data, told_intent
from conductor_adapters.cli.recorded import (
    Recorded,
    Source,
    read_log,
    read_source,
    warn_of_truncation,
)
from conductor_adapters.cli.standing import told_standing
from conductor_adapters.cli.standing_data import standing_as_data
from conductor_adapters.temporal_urls import SCHEME
from conductor_core.errors import shown

STORE: Final = "CONDUCTOR_STORE"
"""The environment variable that names a store, as for the commands about its flows."""


@click.command()
@click.argument("what", metavar="FILE|FLOW_ID", type=click.Path())
@click.option(
    "--at", type=click.IntRange(min=0), metavar="N", help="Look at a log's entry N, not at its end."
)
@click.option(
    "--store",
    envvar=STORE,
    metavar="STORE",
    help=f"The file or the URL of what keeps the flow FLOW_ID; {STORE}, if it is left out.",
)
@click.option("--temporal", is_flag=True, help="The flow is one of the usual Temporal cluster.")
@click.option("--json", "as_json", is_flag=True, help="Write the same as JSON.")
@click.pass_context
def explain(
    ctx: click.Context, what: str, at: int | None, store: str | None, temporal: bool, as_json: bool
) -> None:
    """Say where the flow of a log stands, or what the flow in a flow file will do.

    With --store it is a flow of that store; of the store in the environment where no such file is.
    """
    named = ctx.get_parameter_source("store") is ParameterSource.COMMANDLINE
    if temporal and named:
        raise click.UsageError("--temporal does not go together with --store.")
    if temporal:
        store, named = SCHEME, True
    if store is not None and (named or not Path(what).exists()):
        source: Source = _read_flow(store, what, at)
    else:
        source = read_source(Path(what), at)
    warn_of_truncation(source)
    if as_json:
        say_json(_as_data(source))
        return
    for line in _told(source):
        say(line)


def _read_flow(store: str, flow_id: str, at: int | None) -> Recorded:
    """Read the log of a flow in a store."""
    from conductor_adapters.cli.operate.looks import log_of  # noqa: PLC0415 - slow to import
    from conductor_adapters.store_urls import told  # noqa: PLC0415 - as above

    lines = (line.encode() for line in log_of(store, flow_id))
    return evolve(read_log(f"{told(store)}: flow {shown(flow_id)}", lines, at), file=told(store))


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
