"""What all commands that ask something of a flow share: their options, and what comes of it.

Rule: a command phrases a request and nothing else; whether it counts is the verdict that the
flow gives. Exit code 0 where what was asked is so now, or was so already, 1 where it was
rejected, 2 where it never reached the flow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, Final, TypeAlias, TypedDict, assert_never

import click

from conductor_adapters.cli.console import leave_unwritten, say, say_json
from conductor_adapters.cli.operate.stores import asked, with_flows
from conductor_adapters.cli.user import user_name
from conductor_adapters.client import Client, ClientFlow
from conductor_core.errors import ConductorError, shown
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

REJECTED: Final = 1


class Signed(TypedDict):
    """Who asks, and the id under which the same request counts once."""

    by: str
    request_id: str | None


Ask: TypeAlias = Callable[[ClientFlow], Awaitable[Verdict]]
"""What asks something of a flow."""


def asks_a_flow(command: Callable[..., Ask]) -> Callable[..., None]:
    """Give a command the options of every request, and carry out the `Ask` that it returns.

    It is given `signed`, and the arguments and options of its own.
    """

    @click.argument("flow_id")
    @click.option("--by", metavar="NAME", help="Who asks; you, if it is left out.")
    @click.option(
        "--request-id",
        metavar="ID",
        help="The same request counts once, however often it is sent under this id.",
    )
    @with_flows
    @click.option("--json", "as_json", is_flag=True, help="Write the verdict as JSON.")
    @wraps(command)
    def whole(
        flow_id: str,
        by: str | None,
        request_id: str | None,
        store: str,
        as_json: bool,
        **rest: Any,
    ) -> None:
        signed = Signed(
            by=user_name() if by is None else _text("--by", "a name", by),
            request_id=None if request_id is None else _text("--request-id", "an id", request_id),
        )
        ask = command(signed=signed, **rest)
        click.get_current_context().exit(asked(store, partial(_carry_out, flow_id, ask, as_json)))

    return whole


def _text(option: str, what: str, given: str) -> str:
    """What was given for an option, where that is a text that a log can hold."""
    if not given.strip() or not _is_text(given):
        raise ConductorError(f"{option}: expected {what}, got {shown(given)}")
    return given


def _is_text(given: str) -> bool:
    """Whether something is text: bytes that are none come from the shell as half surrogates."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _carry_out(flow_id: str, ask: Ask, as_json: bool, client: Client) -> int:
    flow = await client.flow(flow_id)
    verdict = await ask(flow)
    try:
        if as_json:
            say_json(_as_data(flow, verdict))
        else:
            say(told_verdict(verdict))
    except OSError as error:
        # What came of the request does not depend on whether it could be told.
        leave_unwritten(error)
    return REJECTED if isinstance(verdict, Rejected) else 0


def told_verdict(verdict: Verdict) -> str:
    """Tell a verdict: `accepted`, `ignored: no-change`, `rejected: unknown-step (...)`."""
    match verdict:
        case Accepted():
            return "accepted"
        case Ignored(reason=reason):
            return f"ignored: {reason}"
        case Rejected(code=code, message=message):
            return f"rejected: {code}" + (f" ({message})" if message else "")
        case _:
            assert_never(verdict)


def _as_data(flow: ClientFlow, verdict: Verdict) -> dict[str, Any]:
    """A verdict as data, and where the flow is with it."""
    return {
        "flow_id": flow.flow_id,
        "verdict": type(verdict).__name__.lower(),
        "reason": verdict.reason if isinstance(verdict, Ignored) else None,
        "code": verdict.code if isinstance(verdict, Rejected) else None,
        "message": verdict.message if isinstance(verdict, Rejected) else None,
        "status": flow.state.status,
    }
