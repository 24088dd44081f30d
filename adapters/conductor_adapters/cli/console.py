"""What the commands write, and how.

Rule: whatever was recorded or written by others reaches a terminal escaped; results go to
the standard output, what is wrong with the input to the standard error.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Final

import click

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""
WIDTH: Final = 400
"""So many characters of a text that others wrote are shown."""


def escaped(text: str) -> str:
    """Escape control characters, and whatever else no terminal shows as it is."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def cut(text: str) -> str:
    """A text, or the beginning of one that is longer than WIDTH."""
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things in words: `1 step`, `2,000 retries`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def say(line: str) -> None:
    """Write a line of a result."""
    click.echo(escaped(line))


def warn(line: str) -> None:
    """Write a line about something that is wrong."""
    click.echo(escaped(line), err=True)


def say_json(value: object) -> None:
    """Write a result as JSON; ASCII alone, so that nothing is left to escape."""
    click.echo(json.dumps(value, indent=2))


def leave_unwritten(error: OSError) -> None:
    """Tell that the standard output cannot be written, and write nothing more there."""
    with suppress(OSError):
        # What is still in the buffer must not fail once more when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warn(f"cannot write the output: {error.strerror}")
