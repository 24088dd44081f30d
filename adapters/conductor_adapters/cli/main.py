"""The `conductor` command and the list of its sub-commands.

Rule: a sub-command is one line of COMMANDS and is imported only when it is asked for, so
that none pays for another. What is wrong with the input is one line on the standard error
and exit code 2, never a traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import Any, Final

from conductor_core.errors import ConductorError
from conductor_core.version import VERSION

try:
    import click
except ModuleNotFoundError:
    sys.exit("conductor: the command line needs its extra: pip install 'conductor-core[cli]'")

from conductor_adapters.cli.console import INTERRUPTED, leave_unwritten, warn
from conductor_adapters.cli.sections import SECTIONS

COMMANDS: Final = {
    "append": "conductor_adapters.cli.operate.append",
    "approval-option": "conductor_adapters.cli.operate.requests",
    "approve": "conductor_adapters.cli.operate.answers",
    "backup": "conductor_adapters.cli.operate.keep",
    "cancel": "conductor_adapters.cli.operate.requests",
    "celery": "conductor_adapters.cli.celery",
    "check": "conductor_adapters.cli.check",
    "completion": "conductor_adapters.cli.completion",
    "deny": "conductor_adapters.cli.operate.answers",
    "diff": "conductor_adapters.cli.diff",
    "explain": "conductor_adapters.cli.explain",
    "export": "conductor_adapters.cli.export",
    "graph": "conductor_adapters.cli.graph",
    "html": "conductor_adapters.cli.html",
    "import": "conductor_adapters.cli.operate.take_in",
    "init": "conductor_adapters.cli.init",
    "list": "conductor_adapters.cli.operate.listing",
    "log": "conductor_adapters.cli.operate.looks",
    "pause": "conductor_adapters.cli.operate.requests",
    "replay": "conductor_adapters.cli.replay",
    "rerun": "conductor_adapters.cli.operate.requests",
    "resume": "conductor_adapters.cli.operate.requests",
    "retry": "conductor_adapters.cli.operate.requests",
    "retry-group": "conductor_adapters.cli.operate.requests",
    "retry-now": "conductor_adapters.cli.operate.requests",
    "retry-plan": "conductor_adapters.cli.operate.answers",
    "run": "conductor_adapters.cli.run",
    "scenario": "conductor_adapters.cli.scenario",
    "schema": "conductor_adapters.cli.schema",
    "shrink": "conductor_adapters.cli.shrink",
    "skip": "conductor_adapters.cli.operate.requests",
    "skip-current": "conductor_adapters.cli.operate.answers",
    "start": "conductor_adapters.cli.operate.start",
    "status": "conductor_adapters.cli.operate.looks",
    "temporal": "conductor_adapters.cli.temporal",
    "ui": "conductor_adapters.cli.ui",
    "vacuum": "conductor_adapters.cli.operate.keep",
    "wait": "conductor_adapters.cli.operate.follow",
    "watch": "conductor_adapters.cli.operate.follow",
    "what-if": "conductor_adapters.cli.what_if",
    "worker": "conductor_adapters.cli.operate.worker",
}
"""Sub-command and module; the module holds the command under its name, `_` in place of `-`.

The name of a word that Python keeps for itself ends in `_`.
"""


POSIX: Final = os.name == "posix"
POSIX_ONLY: Final = frozenset({"import", "run", "start", "temporal", "worker"})
"""What needs process groups, file locks and terminals as Linux and macOS have them."""
WIDEST: Final = 15
"""No command has a longer name."""


class BadInput(click.ClickException):
    """Something that was given and cannot be used."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Write what is wrong, line by line."""
        for line in self.message.splitlines():
            warn(line)


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the alphabet."""
        return sorted(COMMANDS.keys() - (frozenset() if POSIX else POSIX_ONLY))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Tell what there is, by what it is for; nothing is imported to say so."""
        there = self.list_commands(ctx)
        for title, commands in SECTIONS.items():
            if rows := [
                (f"{name:<{WIDEST}}", told) for name, told in commands.items() if name in there
            ]:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in POSIX_ONLY and not POSIX:
            raise BadInput(f"conductor {cmd_name} needs a POSIX system, such as Linux or macOS")
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; of one that is misspelt tell which one was perhaps meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches  # noqa: PLC0415 - slow to import

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if args[0].startswith("-") or not close:
                raise
            ctx.fail(f"No such command {args[0]!r} (perhaps {close[0]!r}?).")

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that was raised on purpose is about the input."""
        try:
            return super().invoke(ctx)
        except ConductorError as error:
            raise BadInput(str(error)) from None


@click.command(cls=Commands)
@click.version_option(VERSION, prog_name="conductor")
def conductor() -> None:
    """Run flows, look into their logs, and test them."""


def main() -> None:
    """Run the `conductor` command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape, not an exception.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = conductor(standalone_mode=False)
        _flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        warn("aborted")
        sys.exit(INTERRUPTED)
    except OSError as error:
        leave_unwritten(error)
        sys.exit(2)


def _flush() -> None:
    """Write what is still in the buffer, while a failure can be told."""
    if sys.stdout is not None:
        sys.stdout.flush()
