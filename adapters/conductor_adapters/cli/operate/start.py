"""`conductor start`: begin the flow of a file in a store, for whichever worker takes it up.

Rule: what is wrong with the file is told before anything begins; that nobody does its work
just now is a warning, since workers may come later. Exit code 0 when the flow is in the
store, also where the same was there already, 2 when it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from conductor_adapters.cli.console import leave_unwritten, say, say_json, warn
from conductor_adapters.cli.flow_file import import_workers, read_flow_for_others
from conductor_adapters.cli.flow_ids import made_up_id
from conductor_adapters.cli.operate.needs import NO_WORKER, living_works, nobody_does
from conductor_adapters.cli.operate.stores import opener, with_flows
from conductor_adapters.cli.options import with_settings
from conductor_adapters.cli.parameters import with_inputs
from conductor_adapters.cli.process import ran
from conductor_adapters.durable_client import DurableClient
from conductor_adapters.store.protocol import Store
from conductor_adapters.temporal_urls import client_at, is_temporal
from conductor_core import initial_state
from conductor_core.events import Event, FlowStarted
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

SUCCEEDED: Final = 0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_flows
@with_settings
@click.option("--flow-id", metavar="ID", help="The id of the flow; made up, if it is left out.")
@click.option(
    "--handlers", metavar="MODULE", help="Refuse a flow for which this module has no handlers."
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.pass_context
def start(
    ctx: click.Context,
    file: Path,
    store: str,
    settings: tuple[str, ...],
    flow_id: str | None,
    handlers: str | None,
    as_json: bool,
) -> None:
    """Start the flow in FILE, and leave its work to workers.

    Where the same flow was started under this id, it is found as it is.
    """
    known = None if handlers is None else import_workers(handlers, _never)
    spec = with_inputs(read_flow_for_others(file, known), settings)
    name = made_up_id(spec) if flow_id is None else flow_id
    initial_state(spec, name)  # raises SpecError before a file is made
    if is_temporal(store):
        ctx.exit(ran(_started_at(store, spec, name, as_json=as_json)))
    open_store = opener(store, create=True)
    ctx.exit(ran(_started(open_store, spec, name, as_json=as_json)))


def _never(_context: object) -> object:
    """Stand for the shell, which only workers run."""
    raise AssertionError("only asked for, never called")


async def _started(
    open_store: Callable[[], Store], spec: FlowSpec, flow_id: str, *, as_json: bool
) -> int:
    """Start a flow and say so; returns the exit code."""
    begun: list[bool] = []

    def observe(event: Event, _transition: Transition) -> None:
        begun.append(isinstance(event, FlowStarted))

    async with DurableClient(open_store=open_store) as host:
        flow = await host.start(spec, flow_id=flow_id, observe=observe)
        state, works = flow.state, await host.consult(lambda ledger: living_works(ledger.store))
    for line in nobody_does(state, works):
        warn(line)
    _tell(state, begun=any(begun), as_json=as_json)
    return SUCCEEDED


async def _started_at(store: str, spec: FlowSpec, flow_id: str, *, as_json: bool) -> int:
    """Start a flow on a cluster and say so; returns the exit code."""
    async with client_at(store) as client:
        flow, begun = await client.start_or_find(spec, flow_id=flow_id)
        if not await client.has_workers():
            warn(NO_WORKER)
    _tell(flow.state, begun=begun, as_json=as_json)
    return SUCCEEDED


def _tell(state: FlowState, *, begun: bool, as_json: bool) -> None:
    """Say which flow was started, or found."""
    try:
        if as_json:
            say_json({"flow_id": state.flow_id, "status": state.status, "started": begun})
        else:
            say(state.flow_id)
    except OSError as error:
        # The flow is in the store whether that could be told or not.
        leave_unwritten(error)
    if not as_json and not begun:
        warn(f"{state.flow_id} was started already, and is {state.status}")
