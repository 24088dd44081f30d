"""The options of a search: what may happen in it, and how far it looks.

Rule: every command that searches takes these, under the same names and with the same defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from conductor_adapters.cli.check_choices import SWITCHES
from conductor_adapters.cli.check_progress import MIB, memory_now
from conductor_core.checking.alphabet import ALL_OPERATIONS, RESPONSES
from conductor_core.checking.check import MAX_STATES
from conductor_core.checking.search import Driver
from conductor_core.errors import ConductorError

COUNT: Final = click.IntRange(min=0)
FILE: Final = click.Path(path_type=Path)
Command: TypeAlias = Callable[..., Any]

ALPHABET: Final = (
    click.option(
        "--full",
        is_flag=True,
        help="Begin with all that may happen at all, each of it once: for small flows.",
    ),
    click.option(
        "--endings",
        metavar="LIST",
        help="How work ends, as ok,fail or ok:stop,fail:retry-group (it asks for that directive); "
        "a list that begins with + adds to the others.",
    ),
    click.option(
        "--answers", metavar="LIST", help=f"How people answer approvals: of {', '.join(RESPONSES)}."
    ),
    click.option(
        "--operations",
        metavar="LIST",
        help=f"What people do about what failed: of {', '.join(ALL_OPERATIONS)}.",
    ),
    click.option(
        "--with",
        "switched_on",
        multiple=True,
        metavar="LIST",
        help=f"What may happen too: of {', '.join(SWITCHES)}.",
    ),
    click.option(
        "--without",
        "switched_off",
        multiple=True,
        metavar="LIST",
        help="What never happens, of these.",
    ),
    click.option(
        "--reruns", type=COUNT, metavar="N", help="So often people rerun what failed, at most."
    ),
    click.option(
        "--replans", type=COUNT, metavar="N", help="So often people have plans made again, at most."
    ),
    click.option(
        "--suggestions",
        type=COUNT,
        metavar="N",
        help="So often the host suggests to continue as new.",
    ),
    click.option(
        "--generated", type=FILE, metavar="FILE", help="A flow whose groups are what is generated."
    ),
    click.option(
        "--appended", type=FILE, metavar="FILE", help="A flow whose groups people may append."
    ),
)
BOUNDS: Final = (
    click.option(
        "--max-states",
        type=click.IntRange(min=1),
        default=MAX_STATES,
        show_default=True,
        metavar="N",
        help="Give up beyond so many states.",
    ),
    click.option(
        "--max-memory",
        type=click.IntRange(min=1),
        metavar="MIB",
        help="Give up beyond so much memory, that of all processes together.",
    ),
    click.option(
        "--processes",
        type=click.IntRange(min=1),
        metavar="N",
        help="Search with so many processes.  [default: one for each core]",
    ),
)


def alphabet_options(command: Command) -> Command:
    """Let a command be told what may happen."""
    return _with(ALPHABET, command)


def bounds_options(command: Command) -> Command:
    """Let a command be told how far to look."""
    return _with(BOUNDS, command)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    # The last decorator is the first to be shown.
    for option in reversed(options):
        command = option(command)
    return command


def check_memory(most: int | None) -> None:
    """Refuse a limit that is reached before the search begins."""
    taken = memory_now()
    if most is not None and most * MIB < taken:
        raise ConductorError(
            f"--max-memory: {most:,} MiB are less than the {taken // MIB:,} MiB that are taken "
            "before the search begins"
        )


def driver_of(processes: int) -> Driver | None:
    """What carries the search out; a single process needs none."""
    if processes == 1:
        return None
    from conductor_core.checking.processes import Processes  # noqa: PLC0415 - slow to import

    return Processes(processes)
