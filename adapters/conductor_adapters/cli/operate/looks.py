"""`conductor status` and `conductor log`: where a flow of a store is, and all that led there.

Rule: a look changes nothing, and the log leaves the store as it stands there, to the byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from attrs import asdict

from conductor_adapters.cli.console import counted, say, say_json
from conductor_adapters.cli.operate.ends import code_of, end_as_data, told_why
from conductor_adapters.cli.operate.needs import warn_of_nobody
from conductor_adapters.cli.operate.stores import asked, with_flows
from conductor_adapters.cli.questions import Failure, OpenApproval
from conductor_adapters.client import Client
from conductor_adapters.clock import WallClock
from conductor_core.attempt import Attempt
from conductor_core.errors import ConductorError
from conductor_core.explain import quorum_of
from conductor_core.state import FlowState

QUESTIONS_SHOWN: Final = 10
"""So many open approvals are told one by one, and so many failures that wait for people."""
LINES_SHOWN: Final = 10
"""So many lines of what work left behind are shown."""
OWNER_ONLY: Final = 0o600


# --- status ---


@click.command()
@click.argument("flow_id")
@with_flows
@click.option("--json", "as_json", is_flag=True, help="Write the same as JSON.")
@click.pass_context
def status(ctx: click.Context, flow_id: str, store: str, as_json: bool) -> None:
    """Say in short where a flow is, and what people are asked.

    Exit code 0 while it runs and when it succeeded, 1 when it failed or was cancelled, 3 when
    it waits for a person.
    """
    ctx.exit(asked(store, partial(_status, flow_id, as_json)))


async def _status(flow_id: str, as_json: bool, client: Client) -> int:
    state = (await client.flow(flow_id)).state
    if as_json:
        say_json(_status_as_data(state))
    else:
        for line in _told_status(state, WallClock().now_ms()):
            say(line)
    await warn_of_nobody(client, state)
    return code_of(state)


def _told_status(state: FlowState, now_ms: int) -> Iterator[str]:
    yield f"flow {state.flow_id} ({state.spec.type}): {state.status}"
    yield from (f"  {line}" for line in told_why(state, now_ms))
    yield from _told_each(list(map(OpenApproval, state.open_approvals())), state)
    parked = (attempt for attempt in state.current_attempts() if attempt.parked)
    yield from _told_each(list(map(Failure, parked)) if state.parked else [], state)


def _told_each(asked_now: Sequence[OpenApproval | Failure], state: FlowState) -> Iterator[str]:
    """What people are asked about attempts: the first ones, and how many there are beside them."""
    for question in asked_now[:QUESTIONS_SHOWN]:
        yield f"{question.subject} {question.ASKS}"
        yield from _told_question(question, state)
    if len(asked_now) > QUESTIONS_SHOWN:
        yield f"and {counted(len(asked_now) - QUESTIONS_SHOWN, asked_now[0].NAME)} more"


def _told_question(question: OpenApproval | Failure, state: FlowState) -> Iterator[str]:
    """What its work left behind, in brief, and who may answer."""
    lines, standing = list(question.told(state)), list(question.standing(state))
    work = lines[: len(lines) - len(standing)]
    yield from work[:LINES_SHOWN]
    if len(work) > LINES_SHOWN:
        yield f"  ({counted(len(work) - LINES_SHOWN, 'line')} more: {question.ALL_BY})"
    yield from standing


def _status_as_data(state: FlowState) -> dict[str, Any]:
    return {
        **end_as_data(state),
        "type": state.spec.type,
        "paused": state.paused,
        "approvals": [_approval_as_data(state, attempt) for attempt in state.open_approvals()],
    }


def _approval_as_data(state: FlowState, attempt: Attempt) -> dict[str, Any]:
    """An open approval with all that was planned; `may_approve` is null for anybody."""
    quorum, result = quorum_of(state, attempt), attempt.result
    return {
        "attempt": attempt.id,
        "step": attempt.step,
        "subject": None if result is None else result.subject,
        "output": None if result is None else result.output.value,
        "policy": None if result is None or result.policy is None else asdict(result.policy),
        "required": quorum.required,
        "given": quorum.given,
        "missing": quorum.missing,
        "may_approve": quorum.left,
        "stale_at_ms": quorum.stale_at_ms,
        "due_at_ms": attempt.due_at_ms,
    }


# --- log ---


@click.command()
@click.argument("flow_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to this new file, which its owner alone may read.",
)
@with_flows
@click.option("--json", "as_json", is_flag=True, help="Write an object that holds the lines.")
def log(flow_id: str, output: Path | None, store: str, as_json: bool) -> None:
    """Write the log of a flow, for conductor replay, explain and graph."""
    lines = log_of(store, flow_id)
    if output is not None:
        _write_new(output, "".join(lines).encode())
    if as_json:
        told = lines if output is None else None
        file = None if output is None else str(output)
        say_json({"flow_id": flow_id, "file": file, "count": len(lines), "lines": told})
    elif output is None:
        click.echo("".join(lines).encode(), nl=False)
    else:
        say(f"{output}: {counted(len(lines), 'line')}, the log of flow {flow_id}")


def log_of(store: str, flow_id: str) -> Sequence[str]:
    """The lines of the log of a flow, each with its newline."""
    lines: list[str] = []

    async def ask(client: Client) -> int:
        lines.extend(await client.log(flow_id))
        return 0

    asked(store, ask)
    return lines


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that was not there; one that cannot be written whole is taken away again."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
    except FileExistsError:
        raise ConductorError(f"{path}: exists; a log is written to a new file") from None
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink()
        raise ConductorError(f"{path}: {error.strerror or error}") from None
