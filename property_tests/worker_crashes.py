"""SIGKILL of workers and of who speaks to them, over flows in one SQLite file.

Rule: however often they are killed, between whichever two statements, every flow ends as its
reducer says, every log verifies, nothing that the log says has finished runs again, no two
that live work on one attempt, what must not run twice does not, and every request that was
acknowledged stands in the log, where it counts once.

    python -m property_tests.worker_crashes --kills 100 --seed 7

Children are killed at random moments from outside, and besides kill themselves at random
statements of the store, begin and commit included.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import define, field, frozen

from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import FlowState
from conductor_core.events import is_request
from conductor_core.log import Entry, read_log, replay
from conductor_core.verdicts import Accepted
from property_tests.worker_crash_children import CANCELLED

CHILDREN: Final = "property_tests.worker_crash_children"
PATIENCE_S: Final = 120.0
WORKERS: Final = 3
ENDS: Final = {
    "plan#1": "success", "apply#1": "success", "a#1": "success", "b#1": "success",
    "c#1": "error", "c#2": "success", "d#1": "success", "publish#1": "success",
}  # fmt: skip


class CrashError(AssertionError):
    """What a crash broke."""


@frozen
class Story:
    """What became of the flows of one file."""

    kills: int
    by_themselves: int
    flows: int
    entries: int
    begun_again: int
    interrupted: int


@define
class Killer:
    """Children in one folder, and what kills them."""

    folder: Path
    chance: random.Random
    kills: int = 0
    by_themselves: int = 0
    children: dict[str, subprocess.Popen[bytes]] = field(factory=dict)

    def run(self, kills: int) -> Story:
        """Kill so many, let the rest go on in peace, and see what became of all."""
        names = ["coordinate", *(f"work-{number}" for number in range(WORKERS))]
        try:
            for name in names:
                self.spawn(name, deadly=True)
            while self.kills < kills:
                time.sleep(self.chance.uniform(0.1, 0.9))
                self.kill(self.chance.choice(names))
                self.replace_the_dead()
                self.check_nothing_wrong()
            (self.folder / "stop").touch()
            for name in names:
                self.kill(name)
                self.spawn(name, deadly=False)
            self.wait_for_the_end()
        finally:
            for child in self.children.values():
                child.kill()
                child.communicate()
        return self.checked()

    def spawn(self, name: str, *, deadly: bool) -> None:
        """Begin a child."""
        role = name.partition("-")[0]
        seed = str(self.chance.randrange(2**32))
        command = [sys.executable, "-m", CHILDREN, role, str(self.folder), seed]
        command += ["--deadly"] if deadly else []
        with (self.folder / "errors").open("ab") as errors:
            self.children[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)

    def kill(self, name: str) -> None:
        """Kill a child."""
        child = self.children[name]
        if child.poll() is None:
            child.kill()
            self.kills += 1
            self.by_themselves -= 1
        child.communicate()

    def replace_the_dead(self) -> None:
        """Begin children anew in place of those that were killed, or killed themselves."""
        for name, child in self.children.items():
            code = child.poll()
            if code is None:
                continue
            self.by_themselves += 1
            if code != -signal.SIGKILL:
                raise CrashError(f"{name} ended with {code}: {self.text('errors')[-4_000:]}")
            child.communicate()
            self.spawn(name, deadly=True)

    def wait_for_the_end(self) -> None:
        """Wait until all flows have ended, and have the workers end."""
        code = self.children["coordinate"].wait(PATIENCE_S)
        for name, child in self.children.items():
            if name != "coordinate":
                child.communicate(timeout=PATIENCE_S)
                code = code or child.returncode
        if code:
            raise CrashError(f"a child ended with {code}: {self.text('errors')[-4_000:]}")

    def text(self, name: str) -> str:
        """What stands in a file of the folder."""
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def check_nothing_wrong(self) -> None:
        """See that no worker found fault."""
        if self.text("wrong"):
            raise CrashError(self.text("wrong"))

    # --- what is left ---

    def checked(self) -> Story:
        """See that everything came out as it should."""
        self.check_nothing_wrong()
        words = [line.split() for line in self.text("ran").splitlines()]
        begun = Counter((w[1], w[2]) for w in words if w[0] == "begin")
        twice = [key for key, count in begun.items() if count > 1 and key[1] == "once#1"]
        if twice:
            raise CrashError(f"ran twice unseen: {twice}")
        with SqliteStore(self.folder / "flows.db") as store:
            rows = store.flows(limit=1_000_000)
            logs = {row.flow_id: log_lines(store.entries(row.flow_id)) for row in rows}
            left = store.connection.execute("SELECT * FROM outbox").fetchall()
            left += store.connection.execute("SELECT * FROM timers").fetchall()
        if left:
            raise CrashError(f"left behind: {left}")
        states = {name: self.ended(name, lines) for name, lines in logs.items()}
        self.check_said(logs)
        once = [state.attempt("once#1") for state in states.values()]
        return Story(
            kills=self.kills,
            by_themselves=self.by_themselves,
            flows=len(states),
            entries=sum(len(lines) for lines in logs.values()),
            begun_again=sum(count > 1 for count in begun.values()),
            interrupted=sum(a is not None and a.status.value == "error" for a in once),
        )

    def ended(self, name: str, lines: list[str]) -> FlowState:
        """See that a flow ended as one that was left alone."""
        replayed = replay(lines, flow_id=name)
        state = replayed.state
        if not replayed.closed or state.outcome is None:
            raise CrashError(f"{name} has not ended: {state.status}")
        statuses = {attempt.id: attempt.status.value for attempt in state.attempts()}
        if state.outcome.status == "cancelled" and int(name[1:]) % CANCELLED == 0:
            return state
        once = statuses.pop("once#1")
        if statuses != ENDS or once not in ("success", "error"):
            raise CrashError(f"{name} ended otherwise: {statuses}, once#1 {once}")
        return state

    def check_said(self, logs: dict[str, list[str]]) -> None:
        """See that what was acknowledged stands in the log, and that it counted once."""
        counted: Counter[str] = Counter()
        stand: set[str] = set()
        for lines in logs.values():
            for line in read_log(lines):
                if isinstance(line, Entry) and is_request(line.event):
                    request_id = getattr(line.event, "request_id", None) or ""
                    stand.add(request_id)
                    counted[request_id] += line.verdict == Accepted()
        doubled = [request for request, count in counted.items() if count > 1]
        said = [line.split() for line in self.text("said").splitlines()]
        lost = [w for w in said if w[2] == "accepted" and w[1] not in stand]
        if doubled or lost:
            raise CrashError(f"counted twice: {doubled}; lost: {lost}")


def story(kills: int, seed: int) -> Story:
    """Kill at least so many children; raises CrashError where that is not made good."""
    with TemporaryDirectory() as folder:
        try:
            return Killer(Path(folder).resolve(), random.Random(seed)).run(kills)
        except CrashError as error:
            raise CrashError(f"seed {seed}: {error}") from None


def main(arguments: Sequence[str]) -> int:
    """Print what became of the flows; 1 when a crash broke something."""
    parser = argparse.ArgumentParser(description="Kill the processes that share a file of flows.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args(arguments)
    try:
        told = story(options.kills, options.seed)
    except CrashError as error:
        print(error)
        return 1
    print(
        f"seed {options.seed}: {told.kills} kills, {told.by_themselves} more "
        f"at a statement, {told.flows} flows, {told.entries} lines, "
        f"{told.begun_again} attempts began again, {told.interrupted} were interrupted; "
        "every flow ended as it should"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
