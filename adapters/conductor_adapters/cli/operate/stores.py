"""The store that a command works on: named by an option or by the environment.

Rule: every command about a flow that runs elsewhere opens its store here and asks a `Client`,
whatever kind of store it is (`store_urls`). A command ends when its question is
answered; what it asked for stands in the log, or nothing happened.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click
from click.core import ParameterSource

from conductor_adapters import store_urls
from conductor_adapters.cli.operate.interruptible import interruptible
from conductor_adapters.cli.process import ran
from conductor_adapters.client import Client
from conductor_adapters.durable_client import DurableClient
from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.store.protocol import Store
from conductor_adapters.temporal_urls import SCHEME, client_at, is_temporal, place_of
from conductor_core.errors import ConductorError

VARIABLE: Final = "CONDUCTOR_STORE"
"""The environment variable that names the store where no option does."""

F = TypeVar("F", bound=Callable[..., object])


def with_store(command: F) -> F:
    """Give a command that opens a store the option --store, as its argument `store`."""
    option = click.option(
        "--store",
        envvar=VARIABLE,
        required=True,
        show_envvar=True,
        metavar="STORE",
        help="What keeps the flows: a SQLite file, or postgresql://USER@HOST/DATABASE.",
    )
    return option(command)


def with_flows(command: F) -> F:
    """Give a command the options --store and --temporal, as its argument `store`."""
    store_option = click.option(
        "--store",
        envvar=VARIABLE,
        show_envvar=True,
        metavar="STORE",
        help="What keeps the flows: a SQLite file, postgresql://USER@HOST/DATABASE, or a cluster, "
        "temporal://HOST:PORT/NAMESPACE.",
    )
    temporal_option = click.option(
        "--temporal", is_flag=True, help="Flows of the usual Temporal cluster: temporal://."
    )

    @wraps(command)
    def with_one(*arguments: Any, store: str | None, temporal: bool, **rest: Any) -> object:
        return command(*arguments, store=_the_one(store, temporal=temporal), **rest)

    return cast(F, store_option(temporal_option(with_one)))


def _the_one(store: str | None, *, temporal: bool) -> str:
    """The store that is meant; raises UsageError where none is, or two are."""
    context = click.get_current_context()
    named = context.get_parameter_source("store") is ParameterSource.COMMANDLINE
    if temporal and named:
        raise click.UsageError("--temporal does not go together with --store.")
    if temporal:
        return SCHEME
    if store is None:
        (option,) = (it for it in context.command.params if it.name == "store")
        raise click.MissingParameter(ctx=context, param=option)
    return store


def file_of(store: str) -> Path | None:
    """The file of a store, None for others; raises ConductorError for what is no store."""
    if is_temporal(store):
        return None
    try:
        return store_urls.file_of(store)
    except ConductorError as error:
        raise ConductorError(f"--store: {error}") from None


def file_for(store: str, what: str) -> Path:
    """The file of a store for what is done with files alone; raises ConductorError."""
    path = file_of(store)
    if path is None:
        raise ConductorError(f"--store: {store_urls.told(store)}: {what}")
    return path


def opener(store: str, *, create: bool = False) -> Callable[[], Store]:
    """What opens a store; raises ConductorError where nothing can, as with a cluster."""
    if is_temporal(store):
        raise ConductorError(f"--store: {store}: flows on Temporal have no store to be opened")
    file_of(store)
    return store_urls.opener(store, create=create)


@asynccontextmanager
async def client_of(store: str) -> AsyncGenerator[Client]:
    """A client of a store that is there; raises StoreError, and TemporalError for a cluster."""
    if is_temporal(store):
        async with client_at(store) as flows, _named(store):
            yield flows
        return
    async with DurableClient(open_store=opener(store)) as client, _named(store):
        yield client


@asynccontextmanager
async def _named(store: str) -> AsyncGenerator[None]:
    """Name the store that does not know a flow: it may be another than was meant."""
    try:
        yield
    except UnknownFlow as error:
        told = str(place_of(store)) if is_temporal(store) else store_urls.told(store)
        raise UnknownFlow(error.flow_id, of=told) from None


def asked(store: str, ask: Callable[[Client], Awaitable[int]]) -> int:
    """Ask a client of a store something, and return the exit code that this comes to."""

    async def whole() -> int:
        async with client_of(store) as client:
            return await ask(client)

    return ran(interruptible(whole()))
