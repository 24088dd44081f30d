"""`conductor temporal worker`: run the flows of a Temporal cluster, and do their work.

Rule: what could keep the worker from working is told before it begins. Exit code 0 after an
orderly end, 2 when it never began.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Final

import click

from conductor_adapters.cli.console import say
from conductor_adapters.cli.flow_file import import_workers
from conductor_adapters.cli.interrupts import Interrupts
from conductor_adapters.cli.operate.folders import go_to
from conductor_adapters.cli.process import ran
from conductor_adapters.shell import Shell
from conductor_adapters.temporal_urls import LINGER_S, SCHEME, connected, place_of
from conductor_adapters.workers import Workers

MOST: Final = 10_000
THREADS: Final = 32
GRACE_S: Final = 10.0


@click.group()
def temporal() -> None:
    """Run flows on a Temporal cluster."""


@temporal.command()
@click.option(
    "--store",
    default=SCHEME,
    metavar="URL",
    help="The cluster: temporal://HOST:PORT/NAMESPACE?queue=Q; what is left out is as usual.",
)
@click.option("--handlers", metavar="MODULE", help="A module whose `handlers` do the work.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Work there: commands run there, and handlers are imported from there.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST),
    default=THREADS,
    show_default=True,
    help="How many handlers that are no coroutines run at once.",
)
@click.pass_context
def worker(
    ctx: click.Context, store: str, handlers: str | None, directory: Path | None, threads: int
) -> None:
    """Run the flows of a task queue and do their work, until told to stop.

    Signal it once to stop it when the work that runs has ended, within some seconds. Work that
    is left then is delivered again to others.
    """
    go_to(directory)
    workers = import_workers(handlers, Shell())
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr)
    ctx.exit(ran(_served(store, workers, threads)))


async def _served(store: str, workers: Workers, threads: int) -> int:
    """Serve until told to stop; returns the exit code."""
    place = place_of(store)
    interrupts = Interrupts()
    client = await connected(place)
    from conductor_adapters.temporal import conductor_worker  # noqa: PLC0415 - an extra

    serving = conductor_worker(
        client,
        workers.handlers,
        generators=workers.generators,
        task_queue=place.queue,
        threads=threads,
        grace_s=GRACE_S,
    )
    stopped = asyncio.Event()
    interrupts.then(stopped.set, stopped.set)
    async with serving:
        say(f"a worker of {place} runs; stop it with Ctrl-C")
        await stopped.wait()
    del client
    await asyncio.sleep(LINGER_S)
    return 0
