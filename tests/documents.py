"""How documents are tried: their blocks, the commands in them, and where links lead."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\(([^)#]+)[^)]*\)")
# What a check costs differs from one machine, and one moment, to the next.
COST: Final = re.compile(r"[\d.]+ s, [\d,]+ MiB")
_MAIN: Final = "from conductor_adapters.cli.main import main; main()"
_PYTHON: Final = shlex.quote(sys.executable)
# What a program named `conductor` would be, for the Python that runs the tests.
PROGRAM: Final = f'{_PYTHON} -c {shlex.quote(_MAIN)} "$@"'
_CONDUCTOR: Final = f"conductor() {{ {PROGRAM}; }}"
# What a reader types, done by the Python that runs the tests.
COMMANDS: Final = "\n".join(
    [
        _CONDUCTOR,
        f'python() {{ {_PYTHON} "$@"; }}',
        f'celery() {{ {_PYTHON} -m celery "$@"; }}',
        f'pytest() {{ {_PYTHON} -m pytest -p no:cacheprovider "$@"; }}',
    ]
)


def commands_in(session: str) -> Iterator[tuple[str, str]]:
    """Every command of a console block, and what stands below it."""
    for part in session.removeprefix("$ ").split("\n$ "):
        command, _, shown = part.rstrip("\n").partition("\n")
        yield command, shown


def sh(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a reader would type it, with nobody at the keyboard."""
    return subprocess.run(
        ["/bin/sh", "-c", f"{_CONDUCTOR}; {command}"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def write_files(
    blocks: Iterable[tuple[str, str]], folder: Path, kinds: tuple[str, ...] = ("yaml",)
) -> None:
    """Write every file that is shown, under the name in its first line."""
    for kind, text in blocks:
        if kind in kinds:
            name = text.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(text, encoding="utf-8")


def check_prints(document: Path) -> None:
    """Run the blocks of Python one after another: each prints the blocks of text below it."""
    names: dict[str, Any] = {"__name__": document.stem}
    printed = ""
    for language, text in BLOCK.findall(document.read_text(encoding="utf-8")):
        if language == "text":
            assert printed == text
        else:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(text, str(document), "exec"), names)
            printed = output.getvalue()


def first_column(document: str, title: str, word: re.Pattern[str]) -> set[str]:
    """The words in the first column of a table, which is known by the title of that column."""
    rows = document.partition(f"\n| {title} | ")[2].partition("\n\n")[0].splitlines()[1:]
    return {found for row in rows for found in word.findall(row.split(" | ")[0])}


def public(kind: type) -> set[str]:
    """What others may use of a class."""
    return {name for name in vars(kind) if not name.startswith("_")}
