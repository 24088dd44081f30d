"""`conductor list`: the flows of a store, in the order in which they began.

Rule: what is listed are rows, no flow is loaded; all that was asked for is listed, or it is
said that there is more.
"""

from __future__ import annotations

from functools import partial

import click

from conductor_adapters.cli.console import say, warn
from conductor_adapters.cli.operate.rows import Wanted, rows_as_json, rows_of, told_rows
from conductor_adapters.cli.operate.stores import asked, with_flows
from conductor_adapters.client import Client
from conductor_core.explain import UP_TO_PEOPLE
from conductor_core.state import FLOW_STATUSES


@click.command()
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(FLOW_STATUSES),
    metavar="STATUS",
    help="Only flows of this status; may be repeated.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only flows of this type; may be repeated.",
)
@click.option(
    "--waiting",
    is_flag=True,
    help=f"Only flows that wait for people: {', '.join(UP_TO_PEOPLE)}.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many flows.")
@with_flows
@click.option("--json", "as_json", is_flag=True, help="Write an array with an object per flow.")
@click.pass_context
def list(  # noqa: A001 - commands stand in their module under their name
    ctx: click.Context,
    statuses: tuple[str, ...],
    types: tuple[str, ...],
    waiting: bool,
    limit: int | None,
    store: str,
    as_json: bool,
) -> None:
    """List the flows of a store, in the order in which they began."""
    wanted = Wanted(
        statuses=(*statuses, *(UP_TO_PEOPLE if waiting else ())),
        types=frozenset(types),
        limit=limit,
    )
    ctx.exit(asked(store, partial(_list, wanted, as_json)))


async def _list(wanted: Wanted, as_json: bool, client: Client) -> int:
    rows, more = await rows_of(client, wanted)
    if as_json:
        click.echo(rows_as_json(rows))
    elif rows:
        click.echo(told_rows(rows))
    else:
        say("no flow is like that" if wanted.statuses or wanted.types else "no flow")
    if more:
        warn(f"there are more than {wanted.limit:,} such flows (--limit)")
    return 0
