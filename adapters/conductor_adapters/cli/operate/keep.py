"""`conductor vacuum`, `conductor backup`: a store is kept small and safe while it is in use.

Rule: only flows that have ended are removed, with what their commands printed. Exit code 0
when it is done, 2 when it cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from conductor_adapters.cli.console import counted, say, say_json
from conductor_adapters.cli.operate.ages import as_age_ms
from conductor_adapters.cli.operate.attempt_claims import Claims, files_beside
from conductor_adapters.cli.operate.stores import file_for, file_of, opener, with_store
from conductor_adapters.clock import WallClock
from conductor_adapters.store.housekeeping import AT_ONCE, ENDED, remove_ended
from conductor_adapters.store.housekeeping import backup as copied
from conductor_adapters.store.protocol import FlowRow, Store
from conductor_adapters.store.sqlite import SqliteStore


@click.command()
@with_store
@click.option(
    "--older-than",
    "age_ms",
    required=True,
    callback=as_age_ms,
    metavar="AGE",
    help="Remove flows that ended longer ago than this: 30d, 12h, 90min, 45s.",
)
@click.option("--dry-run", is_flag=True, help="Only name what would be removed.")
@click.option("--shrink", is_flag=True, help="Give the room back to the disk; nobody works then.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
def vacuum(store: str, age_ms: int, dry_run: bool, shrink: bool, as_json: bool) -> None:
    """Remove the flows that ended some time ago, with their logs.

    A flow that ended in an error could have been rerun: one that is removed cannot be.
    """
    if shrink:
        file_for(store, "a database is given room back by its own VACUUM, not with --shrink")
    before_ms = WallClock().now_ms() - age_ms
    with closing(opener(store)()) as rows:
        old = _ended_before(rows, before_ms) if dry_run else []
        removed = 0 if dry_run else remove_ended(rows, before_ms=before_ms)
        if not dry_run:
            _remove_outputs(file_of(store), rows)
        if shrink and not dry_run:
            assert isinstance(rows, SqliteStore), "what is no file was refused"
            rows.shrink()
    if as_json:
        would = {"would_remove": old} if dry_run else {}
        say_json({"removed": removed, "before_ms": before_ms, **would})
    elif dry_run:
        for flow_id in old:
            say(flow_id)
        say(f"{counted(len(old), 'flow')} would be removed")
    else:
        say(f"{counted(removed, 'flow')} removed")


def _ended_before(store: Store, before_ms: int) -> list[str]:
    """The ids of the flows that ended before a time."""
    return [row.flow_id for row in _rows(store, ENDED) if row.changed_ms < before_ms]


def _rows(store: Store, statuses: tuple[str, ...]) -> Iterator[FlowRow]:
    """The rows of flows, perhaps of some statuses."""
    after = None
    while True:
        with store.reading():
            rows = store.flows(statuses=statuses, after=after, limit=AT_ONCE)
        yield from rows
        if not rows:
            return
        after = rows[-1].began_ms, rows[-1].flow_id


def _remove_outputs(path: Path | None, store: Store) -> None:
    """Remove what commands of flows printed that are gone; beside a database lies nothing."""
    if path is None:
        return
    claims = Claims(files_beside(path))
    # Looked at first: a flow that is started meanwhile is among those that are there.
    names = claims.flows_with_outputs()
    if names:
        claims.remove_outputs(names, (row.flow_id for row in _rows(store, ())))


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@with_store
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
def backup(target: Path, store: str, as_json: bool) -> None:
    """Copy a store to the new file TARGET while it is in use.

    The copy is whole and of one moment. Never work on both: each would do the work.
    """
    path = file_for(store, "a database is copied with pg_dump, not with conductor backup")
    with SqliteStore(path, create=False) as file:
        copied(file, target)
    size = target.stat().st_size
    if as_json:
        say_json({"store": str(path), "target": str(target), "bytes": size})
    else:
        say(f"{path} copied to {target}: {size:,} bytes")
