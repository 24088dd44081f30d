"""`conductor ui`: the flows of a store in a browser on this machine, live.

Rule: it looks and asks like every command about a flow, and does no work. It is served to this
machine alone; whoever is to look, or to ask, shows the token that is printed, unless nobody may
ask anything. Exit code 0 when it was told to end, 2 when it could not begin.
"""

from __future__ import annotations

import asyncio
import json
import signal
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import FrameType
from typing import Final

import click

from conductor_adapters import store_urls
from conductor_adapters.cli.console import say
from conductor_adapters.cli.operate.stores import client_of, with_flows
from conductor_adapters.cli.process import ran
from conductor_adapters.temporal_urls import is_temporal
from conductor_adapters.ui.gate import new_token
from conductor_adapters.ui.serving import serving

PORT: Final = 8642
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
OWNER_ONLY: Final = 0o600


@click.command()
@with_flows
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Where to listen, on 127.0.0.1 alone; 0 takes a free port.",
)
@click.option("--by", metavar="NAME", default="", help="The name that is suggested to who answers.")
@click.option(
    "--read-only", is_flag=True, help="Nobody may ask anything; anybody on this machine may look."
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Write address and token as JSON.")
@click.pass_context
def ui(
    ctx: click.Context,
    store: str,
    port: int,
    by: str,
    read_only: bool,
    opens: bool,
    as_json: bool,
) -> None:
    """Serve the flows of a store to a browser on this machine, until told to end."""
    token = None if read_only else new_token()
    ctx.exit(ran(_served(store, port, token, by, opens=opens, as_json=as_json)))


async def _served(
    store: str, port: int, token: str | None, by: str, *, opens: bool, as_json: bool
) -> int:
    name = name_of(store)
    async with client_of(store) as client:
        # What cannot be read is told now, and not to a browser.
        await client.list(limit=1)
        async with serving(client, store=name, port=port, token=token, by=by) as url:
            address = url if token is None else f"{url}#token={token}"
            with _until_signalled() as told_to_end, leading_there(address if opens else None):
                _tell(name, url, address, token, as_json=as_json)
                await told_to_end.wait()
    return 0


def name_of(store: str) -> str:
    """What a store is called on pages: without its password."""
    return store if is_temporal(store) else store_urls.told(store)


def _tell(name: str, url: str, address: str, token: str | None, *, as_json: bool) -> None:
    """Say where it is, and how to get in."""
    if as_json:
        click.echo(json.dumps({"url": url, "token": token, "read_only": token is None}))
    elif token is None:
        say(f"{name}: {url}")
        say("to look only: anybody on this machine may; Ctrl-C ends it")
    else:
        say(f"{name}: {address}")
        say("who has this address may look and answer; Ctrl-C ends it")


@contextmanager
def _until_signalled() -> Generator[asyncio.Event]:
    """An event that is set when this is told to end, by Ctrl-C or SIGTERM."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        # The loop sleeps on: only what comes this way wakes it.
        loop.call_soon_threadsafe(event.set)

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def leading_there(address: str | None) -> Generator[None]:
    """Open an address in a browser.

    A command line is for all to read, so that the browser is given a file of its user's own that
    leads there.
    """
    if address is None:
        yield
        return
    with TemporaryDirectory(prefix="conductor-ui-") as folder:
        file = Path(folder) / "open.html"
        file.touch(OWNER_ONLY)
        told = escape(address)
        file.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={told}">'
            f'<meta name="referrer" content="no-referrer"><a href="{told}">conductor ui</a>',
            encoding="utf-8",
        )
        # A browser in the terminal would keep the server waiting.
        Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True).start()
        yield
