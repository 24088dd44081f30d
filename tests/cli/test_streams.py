"""Readers that do not read: they hold up neither a flow nor its signals, and get what is due."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.cli import streams
from conductor_adapters.cli.streams import Streams, Writer

CODE = "from conductor_adapters.cli.main import main; main()"
PATIENCE_S = 30.0
POLL_S = 0.02
STEPS, LINES = 40, 100
PRINTING = f"yes {'x' * 390} | head -n {LINES}"
"""Together far more than a pipe and the run keep for a reader."""


def many(steps: int, last: str = "true") -> str:
    """A flow of steps that print much, and of a last one."""
    printing = ", ".join(f"{{key: s{n}, run: {PRINTING}}}" for n in range(steps))
    return f"groups: [{{key: g, steps: [{printing}, {{key: last, run: '{last}'}}]}}]"


class Unread:
    """A `conductor run` whose standard output nobody reads, unless somebody asks for the rest."""

    def __init__(self, folder: Path, flow: str, *options: str) -> None:
        self._log = folder / "log.jsonl"
        (folder / "flow.yaml").write_text(flow, encoding="utf-8")
        run = [sys.executable, "-c", CODE, "run", "flow.yaml", "--log", "log.jsonl", *options]
        self.process = subprocess.Popen(
            run, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for(self, logged: str) -> None:
        """Wait until the log says something."""
        end = time.monotonic() + PATIENCE_S
        while not (self._log.exists() and logged in self._log.read_text(encoding="utf-8")):
            assert time.monotonic() < end, f"{logged!r} is not in the log"
            time.sleep(POLL_S)

    def wait_for_the_end(self) -> None:
        """Wait until the flow is over, and nothing but the reader is missing."""
        self.wait_for('"closed":')
        assert self.process.poll() is None

    def insist(self) -> None:
        """Send signals until the process is gone."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not hear"
            self.process.send_signal(signal.SIGTERM)
            time.sleep(POLL_S)

    def rest(self) -> tuple[str, str]:
        """Read all that is left."""
        return self.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[Any]:
    """Makes runs that nobody reads, and that do not outlive the test."""
    started: list[Unread] = []

    def start(flow: str, *options: str) -> Unread:
        started.append(Unread(tmp_path, flow, *options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def left_out(text: str) -> int:
    """How many lines are said to be left out."""
    return sum(int(n.replace(",", "")) for n in re.findall(r"\(([\d,]+) lines? left out", text))


# --- for people ---


def test_a_flow_runs_to_its_end_unread(unread: Any) -> None:
    """Who reads late gets what was kept, how much was not, and the end."""
    run = unread(many(STEPS))
    run.wait_for_the_end()
    output, errors = run.rest()
    assert (run.process.returncode, errors) == (0, "")
    assert left_out(output) > 1_000
    events = 3 + 2 * STEPS
    assert output.count("\n") - 1 + left_out(output) == STEPS * LINES + events + 1
    assert output.splitlines()[-1].endswith("left out: nobody read them)")


def test_a_run_that_nobody_reads_hears_signals(unread: Any) -> None:
    """It stops as any other does, and says how much was not read."""
    run = unread(many(STEPS, last="exec sleep 60"))
    run.wait_for('{"type":"step-started","at_ms":')
    run.wait_for('"attempt":"last#1"')
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(PATIENCE_S) == 1
    _, errors = run.rest()
    assert "stopped" in errors
    assert left_out(errors) > 1_000


def test_a_run_that_only_waits_for_its_reader_ends_when_it_is_told_to(unread: Any) -> None:
    """One signal is enough; the exit code is that of the flow."""
    run = unread(many(2))
    run.wait_for_the_end()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(PATIENCE_S) == 0
    output, errors = run.rest()
    assert left_out(errors) > 0
    assert output.count("\n") + left_out(errors) == 2 * LINES + 8


# --- for programs ---


def test_programs_get_all_of_it(unread: Any) -> None:
    """With --json nothing is left out, however late it is read and though a signal came."""
    run = unread(many(STEPS), "--json")
    run.wait_for_the_end()
    run.process.send_signal(signal.SIGTERM)
    time.sleep(streams.FLUSH_S + 0.1)  # that nothing happens cannot be waited for
    output, errors = run.rest()
    *entries, end = map(json.loads, output.splitlines())
    assert [entry["seq"] for entry in entries] == list(range(1, 4 + 2 * STEPS))
    assert (end["status"], run.process.returncode, errors) == ("success", 0, "")
    assert len(output) > STEPS * LINES * 390


def test_a_program_that_never_reads_is_told_of(unread: Any) -> None:
    """Who insists ends the wait for it, and what it did not get is counted."""
    run = unread(many(STEPS), "--json")
    run.wait_for_the_end()
    run.insist()
    output, errors = run.rest()
    assert output.count("\n") + left_out(errors) == 3 + 2 * STEPS + 1


def test_what_python_code_prints_is_not_among_the_objects(tmp_path: Path) -> None:
    """A handler may print what it likes: programs read objects alone."""
    done = printing(tmp_path, "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()][-1]["status"] == "success"
    assert done.stderr.splitlines() == ["text", "bytes", "error", "forked"]


def test_what_python_code_prints_stands_where_it_was_printed(tmp_path: Path) -> None:
    """Between the events, though a pipe is written in larger pieces by Python."""
    done = printing(tmp_path)
    lines = [line.split("s  ")[-1] for line in done.stdout.splitlines()]
    assert lines[1:-2] == ["a#1 runs", "text", "bytes", "forked"]
    assert done.stderr.splitlines() == ["error"]


def printing(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a handler that prints in every way."""
    (folder / "work.py").write_text(
        "import os, sys\n"
        "async def a(context):\n"
        "    print('text')\n"
        "    sys.stdout.buffer.write(b'bytes\\n')\n"
        "    print('error', file=sys.stderr)\n"
        "    sys.stdout.flush()\n"
        "    read, write = os.pipe()\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        os.dup2(write, 1)\n"
        "        print('forked')\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    print(os.read(read, 100).decode(), end='')\n"
        "handlers = {'a': a}\n",
        encoding="utf-8",
    )
    (folder / "flow.yaml").write_text("groups: [{key: g, steps: [{key: a}]}]", encoding="utf-8")
    run = [sys.executable, "-W", "ignore", "-c", CODE, "run", "flow.yaml", "--handlers", "work"]
    return subprocess.run(
        [*run, *options], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )


# --- the streams themselves ---


@contextmanager
def full_pipe_for(*descriptors: int) -> Generator[int]:
    """Let descriptors end at a pipe that holds no byte more, and yield the side to read from."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"." * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    before = {descriptor: os.dup(descriptor) for descriptor in descriptors}
    for descriptor in descriptors:
        os.dup2(write, descriptor)
    try:
        yield read
    finally:
        os.set_blocking(read, False)
        for descriptor, kept in before.items():
            os.dup2(kept, descriptor)
            os.close(kept)
        os.close(write)
        os.close(read)


def test_a_hurry_at_the_end_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first limits it, the second ends it."""
    monkeypatch.setattr(streams, "FLUSH_S", 3_600.0)

    async def finish() -> None:
        both = Streams("utf-8")
        both.output.write("a line\n")
        finishing = asyncio.ensure_future(both.finish())
        for _ in range(2):
            await asyncio.sleep(POLL_S)
            assert not finishing.done()
            both.hurry()
        await asyncio.wait_for(finishing, PATIENCE_S)
        assert both.output.writer.lines_kept == 1

    with full_pipe_for(1, 2):
        asyncio.run(finish())


def test_a_hurry_before_the_end_leaves_the_reader_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that was told to stop, twice even, waits no longer than FLUSH_S for its reader."""
    monkeypatch.setattr(streams, "FLUSH_S", 0.05)

    async def finish(*, read: int | None = None) -> int:
        both = Streams("utf-8")
        both.output.write("a line\n")
        both.hurry()
        both.hurry()
        if read is not None:
            asyncio.get_running_loop().call_soon(os.read, read, 65_536)
        await asyncio.wait_for(both.finish(), PATIENCE_S)
        return both.output.writer.lines_kept

    with full_pipe_for(1, 2):
        assert asyncio.run(finish()) == 1
    monkeypatch.setattr(streams, "FLUSH_S", 3_600.0)
    with full_pipe_for(1, 2) as read:
        assert asyncio.run(finish(read=read)) == 0


def test_both_streams_to_one_place_keep_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong stands behind what was told before it."""
    both_to_one = "import os; os.dup2(1, 2)\n"
    code = both_to_one + (
        "from conductor_adapters.cli.streams import Streams\n"
        "import asyncio\n"
        "async def tell():\n"
        "    both = Streams()\n"
        "    for n in range(500):\n"
        "        both.output.write(f'{n}\\n')\n"
        "        both.errors.write(f'{n} is wrong\\n')\n"
        "    await both.finish()\n"
        "asyncio.run(tell())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)
    told = [line for n in range(500) for line in (str(n), f"{n} is wrong")]
    assert capfd.readouterr().out.splitlines() == told


def test_a_prompt_is_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much waits before it; lines are left out, and counted before the next one."""
    monkeypatch.setattr(streams, "MOST_KEPT", 10)

    async def tell(read: int) -> None:
        both = Streams("utf-8")
        for line in ("kept to its end\n", "left out\n", "left\nout\n"):
            both.output.write(line)
        both.output.show("prompt? ")
        reading = asyncio.get_running_loop().run_in_executor(None, os.read, read, 1_000_000)
        await reading
        await both.output.writer.written()
        both.output.write("and on\n")
        await both.finish()

    with full_pipe_for(1, 2) as read:
        asyncio.run(tell(read))
        told = os.read(read, 1_000_000).lstrip(b".").decode()
    expected = "kept to its end\nprompt? (3 lines left out: nobody read them)\nand on\n"
    assert told == expected


def test_nothing_is_kept_for_a_reader_that_is_gone() -> None:
    """Writing goes on as if it had worked, and what goes elsewhere still does."""
    gone, nowhere = os.pipe()
    os.close(gone)
    read, write = os.pipe()
    writer = Writer()
    writer.write(nowhere, b"lost")
    writer.wait()
    writer.write(nowhere, b"lost as well")
    writer.write(write, b"read")
    writer.wait()
    assert (writer.kept, os.read(read, 100)) == (0, b"read")
    for descriptor in (nowhere, read, write):
        os.close(descriptor)


def test_a_descriptor_that_does_not_wait_is_waited_for() -> None:
    """Whoever started the process may have made its output non-blocking."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    writer = Writer()
    writer.write(write, b"x" * 1_000_000)
    left = 1_000_000
    while left:
        left -= len(os.read(read, 65_536))
    writer.wait()
    assert writer.kept == 0
    os.close(read)
    os.close(write)
