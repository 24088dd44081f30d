"""New files that a command makes of what it reads.

Rule: a file is there as a whole or not at all, and whether it may be written is known before
anything is done. What exists is replaced only if that is said, what is read never, and no store
ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from conductor_core.errors import ConductorError

KEPT: Final = ("", "-wal", "-shm", "-journal")
"""How a store and what is kept beside it are named; without them what was accepted is lost."""

DATABASE: Final = b"SQLite format 3\0"
"""How every SQLite file begins."""

F = TypeVar("F", bound=Callable[..., object])


def with_replace(command: F) -> F:
    """Give a command that writes files the option --replace, as its argument `replace`."""
    option = click.option("--replace", is_flag=True, help="Write over a file that exists.")
    return option(command)


def check_new(option: str, path: Path | None, *read: Path | None, replace: bool) -> None:
    """Refuse to write where there is something already, unless it is to be replaced.

    `read` are files that are read meanwhile, and are not to be replaced at all.
    """
    if path is None:
        return
    if str(path) == "-":
        raise ConductorError(f"{option}: the standard output is not offered, expected a file")
    if path.is_dir():
        raise ConductorError(f"{option}: {path} is a folder, expected a file")
    if path.exists() and not path.is_file():
        raise ConductorError(f"{option}: {path} is no regular file, expected one or none")
    if any(_belongs_to(path, file) for file in read if file is not None):
        raise ConductorError(f"{option}: {path} is what is read, expected another file")
    check_no_store(option, path)
    if path.exists() and not replace:
        raise _taken(option, path)
    if not path.parent.is_dir():
        raise ConductorError(f"{option}: {path.parent} is no folder to write to")


def check_no_store(option: str, path: Path) -> None:
    """Refuse to write over a SQLite file, or what is kept beside one: flows would be lost."""
    place = path.resolve()
    for behind in KEPT:
        file = place.with_name(place.name.removesuffix(behind))
        if place.name.endswith(behind) and _is_database(file):
            raise ConductorError(
                f"{option}: {path} belongs to a SQLite file, expected another file"
            )


def _is_database(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(DATABASE)) == DATABASE
    except OSError:
        return False


def _belongs_to(path: Path, file: Path) -> bool:
    """Whether a path is a file, or one of those that SQLite keeps beside it, by whatever name."""
    place = file.resolve()
    return any(_are_one(path, place.with_name(place.name + behind)) for behind in KEPT)


def _are_one(path: Path, other: Path) -> bool:
    return path.resolve() == other or (path.exists() and other.exists() and path.samefile(other))


def write(path: Path, text: str) -> None:
    """Put a text into the place of a file, all at once; a link to it stays what it is."""
    place = path.resolve()
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None


def write_new(option: str, path: Path, text: str, *, replace: bool) -> None:
    """Write a file that may be written; one that came to be there meanwhile is left, too."""
    if replace:
        write(path, text)
        return
    try:
        file = path.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise _taken(option, path) from None
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    try:
        with file:
            file.write(text)
    except BaseException as error:
        # Also where Ctrl-C comes while it is written.
        path.unlink()
        if isinstance(error, OSError):
            raise ConductorError(f"{path}: {error.strerror or error}") from None
        raise


def _taken(option: str, path: Path) -> ConductorError:
    return ConductorError(f"{option}: {path} exists already; --replace writes over it")
