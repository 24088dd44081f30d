"""SIGKILL of workers and of who speaks to them, over flows in one SQLite file.

Rule: however often they are killed, between whichever two statements, every flow ends as its
reducer says, every log verifies, nothing that the log says has finished runs again, no two
that live work on one attempt, what must not run twice does not, and every request that was
acknowledged stands in the log, where it counts once.

    python -m property_tests.worker_crashes --kills 100 --seed 7

Children are killed at random moments from outside, and besides kill themselves at random
statements of the store, begin and commit included. What they do is told by `worker_crash_flows`,
how they do it by `worker_crash_children`, and what must be left of it by `worker_crash_checks`.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import define, field, frozen

from property_tests.worker_crash_checks import CrashError, Left, checked_file, left_in_file

CHILDREN: Final = "property_tests.worker_crash_children"
PATIENCE_S: Final = 120.0
POLL_S: Final = 0.1
NAMES: Final = ("coordinate-1", "coordinate-2", "work-1", "work-2", "work-3")


@frozen
class Story:
    """How often children were killed, by others and by themselves, and what was left."""

    kills: int
    by_themselves: int
    left: Left


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
        try:
            for name in NAMES:
                self.spawn(name, deadly=True)
            while self.kills < kills:
                time.sleep(self.chance.uniform(0.1, 0.9))
                for name in NAMES:
                    self.replace_if_dead(name)
                self.kill(self.chance.choice(NAMES), deadly=True)
                self.check_nothing_wrong()
            (self.folder / "stop").touch()
            for name in NAMES:
                self.replace_if_dead(name)
                self.kill(name, deadly=False)
            self.wait_for_the_end()
        finally:
            for child in self.children.values():
                child.kill()
                child.communicate()
        self.check_nothing_wrong()
        return Story(self.kills, self.by_themselves, checked_file(self.folder))

    def spawn(self, name: str, *, deadly: bool) -> None:
        """Begin a child, which kills itself now and then where it is a deadly one."""
        role = name.partition("-")[0]
        seed = str(self.chance.randrange(2**32))
        command = [sys.executable, "-m", CHILDREN, role, str(self.folder), seed]
        command += ["--deadly"] if deadly else []
        with (self.folder / "errors").open("ab") as errors:
            self.children[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)

    def kill(self, name: str, *, deadly: bool) -> None:
        """Kill a child, and begin it anew."""
        child = self.children[name]
        child.kill()
        child.communicate()
        self.kills += 1
        self.spawn(name, deadly=deadly)

    def replace_if_dead(self, name: str) -> None:
        """Begin a child anew that killed itself."""
        child = self.children[name]
        code = child.poll()
        if code is None:
            return
        if code != -signal.SIGKILL:
            raise CrashError(f"{name} ended with {code}: {self.text('errors')[-4_000:]}")
        child.communicate()
        self.by_themselves += 1
        self.spawn(name, deadly=True)

    def wait_for_the_end(self) -> None:
        """Wait until all flows have ended and nothing is left to do, and have the workers end.

        What the dead still hold of flows that have ended goes when their leases run out.
        """
        patience_s = time.monotonic() + PATIENCE_S
        while waiting := [*self.speaking(), *left_in_file(self.folder)]:
            if time.monotonic() > patience_s:
                errors = self.text("errors")[-4_000:]
                raise CrashError(f"it comes to no end: {waiting} {errors}")
            time.sleep(POLL_S)
        for child in self.children.values():
            child.communicate(timeout=PATIENCE_S)
        codes = [child.returncode for child in self.children.values()]
        if any(codes):
            raise CrashError(f"children ended with {codes}: {self.text('errors')[-4_000:]}")

    def speaking(self) -> list[str]:
        """Who speaks to flows that have not ended."""
        return [
            name
            for name, child in self.children.items()
            if name.startswith("coordinate") and child.poll() is None
        ]

    def text(self, name: str) -> str:
        """What stands in a file of the folder."""
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def check_nothing_wrong(self) -> None:
        """See that no worker found fault."""
        if self.text("wrong"):
            raise CrashError(self.text("wrong"))


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
    begin = time.monotonic()
    try:
        told = story(options.kills, options.seed)
    except CrashError as error:
        print(error)
        return 1
    left = told.left
    print(
        f"seed {options.seed}: {told.kills} kills, and {told.by_themselves} more at a statement, "
        f"in {time.monotonic() - begin:.0f} s; {left.flows} flows, {left.cancelled} of them "
        f"cancelled, with {left.lines} entries; {left.begun_again} attempts began again, "
        f"{left.interrupted} were interrupted, {left.too_late} came too late; every flow ended "
        "as it should"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
