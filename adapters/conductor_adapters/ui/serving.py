"""The whole of it: a store, served on a port of this machine for as long as a `with` takes.

Rule: the port is known before anything is answered, since the gate is of that port alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from conductor_adapters.client import Client
from conductor_adapters.ui.gate import Gate
from conductor_adapters.ui.pages import seal
from conductor_adapters.ui.server import LOOPBACK, Patience, Server, bound
from conductor_adapters.ui.site import Site


@asynccontextmanager
async def serving(
    client: Client,
    *,
    store: str,
    port: int = 0,
    token: str | None = None,
    by: str = "",
    patience: Patience | None = None,
) -> AsyncGenerator[str]:
    """Serve what a client sees, and give the address; without a token nobody may ask anything.

    `store` is what pages call the store, `by` the name that is suggested to who answers.
    """
    listening = bound(port)
    number: int = listening.getsockname()[1]
    site = Site(client, Gate(number, token), store=store, by=by)
    server = Server(site.answer, seal, patience=patience)
    await server.begin(listening)
    try:
        yield f"http://{LOOPBACK}:{number}/"
    finally:
        await server.close()
