"""Where a command finds what it looks at: in a file, or in a store that keeps flows.

Rule: a store that an option names holds all that is looked at; the store of the environment
holds what is no file. A file is opened once and never changed, so that a pipe will do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click
from attrs import frozen
from click.core import ParameterSource

from conductor_adapters.cli.replay_progress import lines_of
from conductor_adapters.temporal_urls import SCHEME, is_temporal
from conductor_core.errors import ConductorError, shown

STORE: Final = "CONDUCTOR_STORE"
"""The environment variable that names a store, as for the commands about its flows."""

F = TypeVar("F", bound=Callable[..., object])


@frozen(kw_only=True)
class Sources:
    """Where to look: in a store, and in files unless the store was `named`."""

    store: str | None = None
    named: bool = False

    def has_flow(self, what: str) -> bool:
        """Whether this is the id of a flow in the store, and no file."""
        return self.store is not None and (self.named or not Path(what).exists())

    def name(self, what: str) -> str:
        """What errors and pages call it."""
        return f"{self.place(what)}: flow {shown(what)}" if self.has_flow(what) else what

    def place(self, what: str) -> str:
        """The file or the store in which it is, as anybody may see it."""
        if not self.has_flow(what):
            return what
        from conductor_adapters.store_urls import told  # noqa: PLC0415 - slow to import

        return told(cast(str, self.store))

    def file(self, what: str) -> Path | None:
        """The file that is read, if one is: the log, or the file of its store."""
        if not self.has_flow(what):
            return Path(what)
        from conductor_adapters.store_urls import file_of  # noqa: PLC0415 - slow to import

        return None if is_temporal(self.store) else file_of(cast(str, self.store))

    @contextmanager
    def lines(self, what: str) -> Generator[Iterator[bytes]]:
        """The lines of a log; raises ConductorError where it cannot be read."""
        if self.has_flow(what):
            yield self.flow_lines(what)
            return
        try:
            with Path(what).open("rb") as file, lines_of(file, what) as lines:
                yield lines
        except OSError as error:
            raise self.unread(what, error) from None

    def unread(self, what: str, error: OSError) -> ConductorError:
        """The error of a file that cannot be read."""
        return ConductorError(f"{what}: {self.problem(what, error)}")

    def problem(self, what: str, error: OSError) -> str:
        """What is wrong with a file that cannot be read; perhaps a flow was meant."""
        problem = error.strerror or str(error)
        if isinstance(error, FileNotFoundError) and self.store is None and not Path(what).suffix:
            problem += f"; a flow of a store needs --store or {STORE}"
        return problem

    def flow_lines(self, flow_id: str) -> Iterator[bytes]:
        """The lines of the log of a flow in the store."""
        from conductor_adapters.cli.operate.looks import log_of  # noqa: PLC0415 - slow to import

        assert self.store is not None, "a flow is looked for in a store"
        return (line.encode() for line in log_of(self.store, flow_id))


def with_sources(command: F) -> F:
    """Give a command that reads logs --store and --temporal, as its argument `sources`."""
    store_option = click.option(
        "--store",
        envvar=STORE,
        metavar="STORE",
        help=f"The file or the URL of what keeps the flow FLOW_ID; {STORE}, if it is left out.",
    )
    temporal_option = click.option(
        "--temporal", is_flag=True, help="The flow is one of the usual Temporal cluster."
    )

    @wraps(command)
    def with_them(*arguments: Any, store: str | None, temporal: bool, **rest: Any) -> object:
        return command(*arguments, sources=_sources(store, temporal=temporal), **rest)

    return cast(F, store_option(temporal_option(with_them)))


def _sources(store: str | None, *, temporal: bool) -> Sources:
    """What the options mean; raises UsageError where they name two stores."""
    given = click.get_current_context().get_parameter_source("store")
    named = given is ParameterSource.COMMANDLINE
    if temporal and named:
        raise click.UsageError("--temporal does not go together with --store.")
    return Sources(store=SCHEME, named=True) if temporal else Sources(store=store, named=named)
