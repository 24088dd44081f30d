"""The store that a command works on: named by an option or by the environment.

Rule: every command about a flow that runs elsewhere opens its store here and asks a `Client`,
so that another kind of store is one more way to open one. A command ends when its question is
answered; what it asked for stands in the log, or nothing happened.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import click

from conductor_adapters.cli.operate.interruptible import interruptible
from conductor_adapters.cli.process import ran
from conductor_adapters.client import Client
from conductor_adapters.sqlite_client import SqliteClient
from conductor_core.errors import ConductorError, shown

VARIABLE: Final = "CONDUCTOR_STORE"
"""The environment variable that names the store where no option does."""
URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

F = TypeVar("F", bound=Callable[..., object])


def with_store(command: F) -> F:
    """Give a command the option --store, as its argument `store`."""
    option = click.option(
        "--store",
        envvar=VARIABLE,
        required=True,
        show_envvar=True,
        metavar="FILE",
        help="The SQLite file that keeps the flows.",
    )
    return option(command)


def path_of(store: str) -> Path:
    """The file of a store; raises ConductorError for what is named as no file is."""
    if URL.match(store):
        raise ConductorError(f"--store: expected a file, got {shown(store)}")
    return Path(store)


@asynccontextmanager
async def client_of(store: str) -> AsyncGenerator[Client]:
    """A client of a store that is there; raises StoreError."""
    async with SqliteClient(path_of(store)) as client:
        yield client


def asked(store: str, ask: Callable[[Client], Awaitable[int]]) -> int:
    """Ask a client of a store something, and return the exit code that this comes to."""

    async def whole() -> int:
        async with client_of(store) as client:
            return await ask(client)

    return ran(interruptible(whole()))
