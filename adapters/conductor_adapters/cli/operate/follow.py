"""`conductor watch` and `conductor wait`: for the end of a flow that runs elsewhere.

Rule: whoever follows a flow reads; it goes on the same whether somebody looks or not. What
`watch` tells are the entries of the log, so that nothing is passed over that was accepted.
"""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import suppress
from functools import partial
from operator import is_not
from typing import Final

import click

from conductor_adapters.cli.console import say, say_json
from conductor_adapters.cli.operate.ends import STOPPED, WAITS, code_of, end_as_data, told_why
from conductor_adapters.cli.operate.entries import Entries, Told
from conductor_adapters.cli.operate.needs import warn_of_nobody
from conductor_adapters.cli.operate.stores import asked, with_flows
from conductor_adapters.client import Client, ClientFlow
from conductor_adapters.clock import WallClock
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.durations import told_duration
from conductor_core.explain import waits_for_people
from conductor_core.lines import line_of
from conductor_core.state import FlowState

ENDED: Final = "ended"
PEOPLE: Final = "people"
TIMEOUT: Final = "timeout"

LOOK_S: Final = 0.5
"""So often a log is looked at in which nothing seems to happen."""


# --- watch ---


@click.command()
@click.argument("flow_id")
@with_flows
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write an object per line: where it is, each entry, how it ended.",
)
@click.pass_context
def watch(ctx: click.Context, flow_id: str, store: str, as_json: bool) -> None:
    """Write a line for everything that happens to a flow from now on, until it ends.

    Exit code 0 when it succeeded, 1 when it failed or was cancelled.
    """
    ctx.exit(asked(store, partial(_watch, flow_id, as_json)))


async def _watch(flow_id: str, as_json: bool, client: Client) -> int:
    flow = await client.flow(flow_id)
    entries = Entries(await client.log(flow_id))
    _tell_beginning(entries, as_json)
    while entries.state.outcome is None:
        with suppress(TimeoutError):
            # What was refused, or ignored, changes no state, and is told all the same.
            async with asyncio.timeout(LOOK_S):
                await flow.until(partial(is_not, flow.state))
        for entry in entries.behind(await client.log(flow_id, after=entries.count)):
            _tell_entry(entry, as_json)
    _tell_end(entries.state, as_json)
    return code_of(entries.state)


def _tell_beginning(entries: Entries, as_json: bool) -> None:
    """Say where a flow is that is watched from now on."""
    state = entries.state
    if as_json:
        _say_line({**end_as_data(state), "entries": entries.count})
    else:
        finished = sum(not attempt.unfinished for attempt in state.live)
        steps = f"{finished} of {len(state.live)} steps finished"
        say(f"flow {state.flow_id}: {state.status}, {steps}")


def _tell_entry(entry: Told, as_json: bool) -> None:
    transition = entry.transition
    if not as_json:
        say(f"{entry.elapsed_ms / 1000:8.2f}s  {line_of(entry.event, transition)}")
        return
    _say_line(
        {
            "seq": entry.seq,
            "event": encode_event(entry.event),
            "verdict": encode_verdict(transition.verdict),
            "commands": [encode_command(command) for command in transition.commands],
        }
    )


def _tell_end(state: FlowState, as_json: bool) -> None:
    if as_json:
        _say_line({**end_as_data(state), "exit_code": code_of(state)})
    else:
        _tell(state, f"flow {state.flow_id}: {state.status}")


def _say_line(value: object) -> None:
    """Write an object on a line of its own, in ASCII."""
    click.echo(json.dumps(value))


# --- wait ---


@click.command()
@click.argument("flow_id")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait no longer than this.",
)
@click.option("--no-people", is_flag=True, help="End as soon as it waits for a person.")
@with_flows
@click.option("--json", "as_json", is_flag=True, help="Write an object that says how it ended.")
@click.pass_context
def wait(
    ctx: click.Context,
    flow_id: str,
    timeout_s: float | None,
    no_people: bool,
    store: str,
    as_json: bool,
) -> None:
    """Wait for the end of a flow.

    Exit code 0 when it succeeded, 1 when it failed, was cancelled or took too long, 3 when it
    waits for a person and nobody waits for that.
    """
    if timeout_s is not None and math.isnan(timeout_s):  # which is in every range
        raise click.BadParameter("nan is not a number of seconds.", param_hint="--timeout")

    async def ask(client: Client) -> int:
        flow = await client.flow(flow_id)
        await warn_of_nobody(client, flow.state)
        why = await _waited(flow, timeout_s, no_people=no_people)
        code = _code_of_wait(flow.state, why)
        if as_json:
            say_json({**end_as_data(flow.state), "why": why, "exit_code": code})
        else:
            _tell(flow.state, _told_wait(flow.state, why, timeout_s))
        return code

    ctx.exit(asked(store, ask))


async def _waited(flow: ClientFlow, timeout_s: float | None, *, no_people: bool) -> str:
    """Wait, and say why that is over: ENDED, PEOPLE or TIMEOUT."""

    def is_over(state: FlowState) -> bool:
        return state.outcome is not None or (no_people and waits_for_people(state))

    try:
        async with asyncio.timeout(timeout_s):
            state = await flow.until(is_over)
    except TimeoutError:
        return TIMEOUT
    return PEOPLE if state.outcome is None else ENDED


def _code_of_wait(state: FlowState, why: str) -> int:
    """The exit code; who waited in vain has it from what the flow waits for."""
    if why == ENDED:
        return code_of(state)
    return WAITS if waits_for_people(state) else STOPPED


def _told_wait(state: FlowState, why: str, timeout_s: float | None) -> str:
    if why == ENDED:
        return f"flow {state.flow_id}: {state.status}"
    if why == PEOPLE:
        return f"flow {state.flow_id} waits for a person: {state.status}"
    assert timeout_s is not None, "only a time limit runs out"
    limit = told_duration(round(timeout_s * 1000))
    return f"flow {state.flow_id} has not ended within {limit}: {state.status}"


def _tell(state: FlowState, heading: str) -> None:
    """Say how it is with a flow, and why."""
    say(heading)
    for line in told_why(state, WallClock().now_ms()):
        say(f"  {line}")
