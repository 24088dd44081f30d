"""`conductor worker`: do the work of the flows in a store.

Rule: what could keep the worker from working is told before it begins. Exit code 0 after an
orderly end, 1 when its store failed for good or, with --until-idle, when it was told to stop
or work waits that no worker does, 2 when it never began, 3 when with --until-idle flows wait
for people.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.flow_file import import_workers
from conductor_adapters.cli.operate.folders import go_to
from conductor_adapters.cli.operate.stores import file_for, with_store
from conductor_adapters.cli.operate.worker_screen import WorkerJson, WorkerText
from conductor_adapters.cli.operate.working import Order, run_by_worker, work
from conductor_adapters.cli.options import LONGEST_S, seconds, with_grace
from conductor_adapters.cli.process import ran
from conductor_adapters.durable_options import LEASE_S, SLOTS, THREADS
from conductor_adapters.store.sqlite_file import Synchronous

SHORTEST_LEASE_S: Final = 0.1
MOST: Final = 10_000


@click.command()
@with_store
@click.option("--handlers", metavar="MODULE", help="A module whose `handlers` do the work.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Work there: commands run there, and handlers are imported from there.",
)
@click.option(
    "--slots",
    type=click.IntRange(1, MOST),
    default=SLOTS,
    show_default=True,
    help="How much work is in the hands of this worker at most.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST),
    default=THREADS,
    show_default=True,
    help="How many handlers that are no coroutines run at once.",
)
@click.option(
    "--lease",
    type=click.FloatRange(SHORTEST_LEASE_S, LONGEST_S),
    default=LEASE_S,
    show_default=True,
    metavar="SECONDS",
    callback=seconds,
    help="How long after this worker died others do what it held.",
)
@with_grace
@click.option(
    "--synchronous",
    type=click.Choice(["FULL", "NORMAL"]),
    default="FULL",
    show_default=True,
    help="FULL: what was acknowledged survives the loss of power; NORMAL: the death of processes.",
)
@click.option(
    "--on-approval", metavar="CMD", help="Run this command when an approval is asked for."
)
@click.option("--until-idle", is_flag=True, help="End when nothing goes on by itself.")
@click.option("--json", "as_json", is_flag=True, help="Write an object per entry.")
@click.pass_context
def worker(
    ctx: click.Context,
    store: str,
    handlers: str | None,
    directory: Path | None,
    slots: int,
    threads: int,
    lease: float,
    grace: float,
    synchronous: Synchronous,
    on_approval: str | None,
    until_idle: bool,
    as_json: bool,
) -> None:
    """Do the work of the flows in a store, until told to stop.

    Signal it once to stop it when the work that runs has ended, and once more to stop it at
    once. Others do what is left.
    """
    path = file_for(
        store,
        "conductor worker works on a SQLite file; on a database Celery workers do the work, "
        "on a cluster conductor temporal worker",
    ).absolute()
    go_to(directory)
    order = Order(
        store=path,
        synchronous=synchronous,
        workers=import_workers(handlers, run_by_worker),
        slots=slots,
        threads=threads,
        lease_s=lease,
        grace_s=grace,
        until_idle=until_idle,
        on_approval=on_approval,
        screen=WorkerJson() if as_json else WorkerText(),
    )
    if _may_be_made(path):
        # Its name may have been misspelt, and others would wait for this worker.
        warn(f"{store}: there is no such store; it is made")
    ctx.exit(ran(work(order)))


def _may_be_made(path: Path) -> bool:
    """Whether there is no such file, but a folder in which one may be made."""
    there = os.path.exists(path)  # noqa: PTH110 - `Path` raises where nobody may look
    return not there and os.access(path.parent, os.W_OK | os.X_OK)
