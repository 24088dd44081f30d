"""Pages that teach: all that they show is done from top to bottom, as a reader would.

A block of Python, YAML and the like whose first line is a comment with a file's name is written
as that file. Other Python is run, one block after another, and prints the block of text below it.
The commands of a console block are typed, and print what stands below them; a line `...` stands
for any lines. A block behind the comment `<!-- stays open -->` is one command in a terminal of its
own, which goes on while the reader works in another; at the end of the page it is ended as by
Ctrl-C, once it has printed what stands above a line `^C`, and compared, in any order of lines.
The reader goes on in the other one as soon as its first line is to be seen, if any is shown: that
line comes of nothing that is typed later.

    python -m tests.pages docs/tutorial.md ...

renews what is shown where something else is printed now.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define, frozen

from tests.documents import COMMANDS, PROGRAM, ROOT

FENCE: Final = re.compile(
    r"^(?P<open><!-- stays open -->\n+)?```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NAME: Final = re.compile(r"(?:#|//) (?P<name>[\w./-]+\.\w+)\n")
_EXPORT: Final = re.compile(r"export (\w+)=(\S+)")
_FILES: Final = ("yaml", "python", "json", "toml", "ini", "javascript")
# What takes a network or changes the machine of who types it; it shows no output.
_NOT_TYPED: Final = ("pip install ", "python -m venv ", "make ", ". .venv/")
# By some of these tools tell that nobody looks at what they write.
_NOT_OF_A_READER: Final = ("CONDUCTOR_", "CI", "BUILD_NUMBER", "PYTEST_", "COVERAGE_")
_WAIT_S: Final = 60
# Where `conductor` is a file, for what runs commands by itself: `exec`, `sh -c`, `xargs`.
_BIN: Final = ".bin"
# What differs from one run to the next, or from one machine to the next.
_MASKS: Final = (
    (re.compile(r"sha256:[0-9a-f]{8,64}"), "sha256:…"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?( UTC)?"), "WHEN"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?( UTC)?"), "WHEN"),
    (re.compile(r"(?<=[a-z0-9])-\d{8}-\d{6}-[0-9a-f]{4}"), "-ID"),
    (re.compile(r"[\d.]+ s, [\d,]+ MiB"), "COST"),
    (re.compile(r"\b[\d,]+ bytes\b"), "SIZE"),
    (re.compile(r" *\d+(\.\d+)? ?(ms|s|min)\b( ago)?"), " TIME"),
    (re.compile(r"\b[\w.-]+:\d{2,}\b(?!\.)"), "HOST:PID"),
    (re.compile(r"(\"\w*at_ms\": ?)\d+"), r"\1WHEN"),
)


class Differs(AssertionError):
    """A page shows what is not so."""


@frozen(kw_only=True)
class Block:
    """A block of a page, where its text begins, and whether it has a terminal of its own."""

    kind: str
    text: str
    at: int
    open: bool


@frozen(kw_only=True)
class Opened:
    """A command that goes on in a terminal of its own, and what is shown of it."""

    shown: str
    at: int
    process: subprocess.Popen[str]
    output: Path

    @property
    def awaited(self) -> int:
        """How many lines are to be seen before Ctrl-C is pressed."""
        return len(self.shown.partition("^C\n")[0].splitlines())

    def wait_for(self, lines: int) -> str:
        """Wait until so many lines are printed, or no more will be; all that was printed."""
        ends = time.monotonic() + _WAIT_S
        while self.process.poll() is None and time.monotonic() < ends:
            if len(self.output.read_text().splitlines()) >= lines:
                break
            time.sleep(0.05)
        return self.output.read_text()


@define(kw_only=True)
class Reading:
    """A reader in a folder: what was printed last, and what differs from what is shown."""

    page: Path
    folder: Path
    environment: dict[str, str] = Factory(dict)
    code: int | None = None
    printed: str = ""
    names: dict[str, Any] = Factory(dict)
    opened: list[Opened] = Factory(list)
    # Where a text begins and ends in the page, and what is to stand there.
    changes: list[tuple[int, int, str]] = Factory(list)

    def compare(self, shown: str, printed: str, at: int, *, ordered: bool = True) -> None:
        """Note what is to stand at a place, where something else is shown."""
        if not alike(shown, printed, ordered=ordered):
            self.changes.append((at, at + len(shown), printed))


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for match in FENCE.finditer(page.read_text(encoding="utf-8")):
        yield Block(
            kind=match["kind"],
            text=match["text"],
            at=match.start("text"),
            open=match["open"] is not None,
        )


def masked(text: str) -> str:
    """A text without what differs from one run to the next."""
    for mask, instead in _MASKS:
        text = mask.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def alike(shown: str, printed: str, *, ordered: bool = True) -> bool:
    """Whether what is shown was printed; `...` on a line stands for any lines."""
    wanted, got = masked(shown), masked(printed)
    if not ordered:
        wanted, got = ("\n".join(sorted(text.splitlines())) for text in (wanted, got))
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line.strip() == "..." else re.escape(line) + r"\n"
        for line in wanted.splitlines()
    )
    return re.fullmatch(pattern, got + "\n" if got else "") is not None


def surroundings(reading: Reading) -> dict[str, str]:
    """What the commands of a reader find in their environment: little that is of ours."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_OF_A_READER)
    }
    paths = [str(ROOT), str(ROOT / "adapters")]
    return ours | {
        "HOME": str(reading.folder),
        "PATH": os.pathsep.join([str(reading.folder / _BIN), ours.get("PATH", os.defpath)]),
        "COLUMNS": "100",
        "TERM": "dumb",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        **reading.environment,
    }


def install(folder: Path) -> None:
    """Make `conductor` a program that others can run, as an installation does."""
    program = folder / _BIN / "conductor"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nexec {PROGRAM}\n", encoding="utf-8")
    program.chmod(0o755)


def write_file(block: Block, folder: Path) -> bool:
    """Write a block as the file that its first line names, if it names one."""
    match = _NAME.match(block.text) if block.kind in _FILES else None
    if match is None:
        return False
    path = folder / match["name"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
    return True


def run_python(reading: Reading, block: Block) -> None:
    """Run a block among the names of those before it."""
    code = compile(block.text, f"{reading.page.name}", "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.chdir(reading.folder):
        exec(code, reading.names)
    reading.printed = output.getvalue()


def typed(command: str) -> list[str]:
    """A command as a shell is given it, with the Python that runs this."""
    return ["/bin/sh", "-c", f"{COMMANDS}\n{command}"]


def open_terminal(reading: Reading, block: Block) -> None:
    """Begin with the one command of a block, and leave it at its work."""
    command, _, shown = block.text.removeprefix("$ ").partition("\n")
    output = reading.folder / f".terminal-{len(reading.opened)}"
    with output.open("w") as screen:
        # A session of its own is ended with all that it started.
        process = subprocess.Popen(
            typed(command), cwd=reading.folder, env=surroundings(reading), text=True,
            stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    at = block.at + len(block.text) - len(shown)
    opened = Opened(shown=shown, at=at, process=process, output=output)
    reading.opened.append(opened)
    opened.wait_for(min(1, opened.awaited))


def close_terminal(reading: Reading, opened: Opened) -> None:
    """Press Ctrl-C where `^C` is shown, or in the end, and compare all that was printed."""
    _, pressed, _ = opened.shown.partition("^C\n")
    first = opened.wait_for(opened.awaited)
    press_ctrl_c(opened.process)
    rest = opened.output.read_text().removeprefix(first)
    reading.compare(opened.shown, f"{first}{pressed}{rest}", opened.at, ordered=False)


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Interrupt a command and the shell that waits for it, until both have ended."""
    for wait_s in (_WAIT_S / 4, _WAIT_S):
        # A shell that is just about to start a command loses it now and then.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=wait_s)
            return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise Differs(f"{process.args!r} does not end by Ctrl-C")


def type_commands(reading: Reading, block: Block) -> None:
    """Type each command of a block, and compare what it prints."""
    at = block.at
    for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE)[1:]:
        line = re.match(r"\$ ((?:[^\n]*\\\n)*[^\n]*)\n", part)
        assert line is not None
        shown, command = part[line.end() :], line[1]
        if not command.startswith(_NOT_TYPED):
            printed = type_command(reading, command)
            reading.compare(shown, printed, at + line.end())
        at += len(part)


def type_command(reading: Reading, command: str) -> str:
    """What a command prints; `echo $?` tells how the one before it ended, `export` is kept."""
    if match := _EXPORT.fullmatch(command):
        reading.environment[match[1]] = match[2]
        return ""
    if command == "echo $?":
        return f"{reading.code}\n"
    done = subprocess.run(
        typed(command), cwd=reading.folder, env=surroundings(reading), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=_WAIT_S, check=False,
    )  # fmt: skip
    reading.code = done.returncode
    return done.stdout


def take(reading: Reading, block: Block) -> None:
    """Do what a block says."""
    match block.kind:
        case "console" if block.open:
            open_terminal(reading, block)
        case "console":
            type_commands(reading, block)
        case "text":
            reading.compare(block.text, reading.printed, block.at)
        case _ if write_file(block, reading.folder):
            pass
        case "python":
            run_python(reading, block)
        case _:
            raise Differs(f"{reading.page}: a block of {block.kind!r} that nothing tries")


def read(page: Path, folder: Path) -> list[tuple[int, int, str]]:
    """Do a whole page in a folder; where it shows what was not printed, and what was."""
    install(folder)
    reading = Reading(page=page, folder=folder, names={"__name__": page.stem})
    try:
        for block in blocks_of(page):
            take(reading, block)
    finally:
        for opened in reading.opened:
            close_terminal(reading, opened)
    return sorted(reading.changes)


def check(page: Path, folder: Path) -> None:
    """Demand that all that a page shows is so."""
    text = page.read_text(encoding="utf-8")
    wrong = [
        f"{page}:{text.count(chr(10), 0, begin) + 1}: shown is\n{text[begin:end]}printed was\n{now}"
        for begin, end, now in read(page, folder)
    ]
    if wrong:
        raise Differs("\n".join(wrong))


def renew(page: Path) -> int:
    """Let a page show what is printed now; how many places were changed."""
    with tempfile.TemporaryDirectory() as folder:
        changes = read(page, Path(folder))
    text = page.read_text(encoding="utf-8")
    for begin, end, now in reversed(changes):
        ended = now if now.endswith("\n") or not now else now + "\n"
        text = text[:begin] + ended + text[end:]
    page.write_text(text, encoding="utf-8")
    return len(changes)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{shlex.quote(name)}: {renew(Path(name))} changed")
