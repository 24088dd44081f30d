"""`kill -9` of `conductor run` at random moments, and what going on with its log makes of it.

Rule: however often a run is killed, the flow ends as one that was left alone, its log
verifies, nothing that the log says has finished runs again, work that must not run twice
does not, and no process is left behind.

    python -m property_tests.crashes --kills 100 --seed 7
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil
from attrs import define, frozen

from conductor_core.events import StepFinished
from conductor_core.log import Entry, Replay, read_log, replay
from conductor_core.loglines import Line

CONDUCTOR: Final = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
PATIENCE_S: Final = 120.0
AGAIN: Final = 0.3
"""So often the run that goes on is killed too."""
AS_FAST: Final = 10
"""After so many flows it is measured again how fast a run is."""

FLOW: Final = """
flow: crashing
groups:
  - key: first
    steps:
      - {key: plan, run: "$RUN; sleep 0.05; echo planned", approval: true}
      - {key: apply, run: "$RUN; sleep 0.03", needs: [plan]}
      - key: once
        run: "$RUN; sleep 0.05"
        on_recovery: fail
        retryable: true
        retry: {max_auto_retries: 0}
        skip_on_failure: true
  - key: wide
    parallel: true
    max_parallel: 3
    steps:
      - {key: a, run: "$RUN; sleep 0.1 & wait"}
      - {key: b, run: "$RUN; trap '' TERM; sleep 0.1"}
      - {key: c, run: "$RUN; [ -e tried ] || { touch tried; exit 1; }",
         retry: {max_auto_retries: 9, backoff_ms: [20]}}
      - {key: d, run: "$RUN; sleep 0.05"}
  - key: last
    steps:
      - {key: publish, run: "$RUN; echo published"}
"""
"""Each step first writes down which attempt it works on."""

RUN: Final = """echo $(sed -n 's/.*"attempt": "\\([^"]*\\)".*/\\1/p' "$CONDUCTOR_CONTEXT") >> ran"""
MUST_RUN: Final = ("plan#1", "apply#1", "a#1", "b#1", "c#1", "d#1", "publish#1")
OPTIONS: Final = ("--approve", "plan", "--by", "demo", "--no-input")


class CrashError(AssertionError):
    """What a crash broke."""


@frozen
class Story:
    """What became of one flow whose host was killed."""

    kills: int
    resumed: bool
    interrupted: bool
    entries: int


@define
class Victim:
    """One flow in a folder of its own."""

    folder: Path
    chance: random.Random
    moments_s: tuple[float, float]
    kills: int = 0

    def run(self) -> Story:
        """Kill a run, perhaps the next too, and see what is left to the last."""
        self._kill("run", "flow.yaml", "--log", "log.jsonl", *OPTIONS)
        resumed = self._began()
        finished = self._finished()
        while resumed and self.chance.random() < AGAIN:
            self._kill("run", "--resume", "log.jsonl", *OPTIONS)
            self._check_none_ran_again(finished)
            finished = self._finished()
        how = ("--resume",) if resumed else ("flow.yaml", "--log")
        done = self._conductor("run", *how, "log.jsonl", *OPTIONS)
        if done.returncode != 0:
            raise CrashError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
        self._check_none_ran_again(finished)
        return self._checked(resumed)

    def _kill(self, *arguments: str) -> None:
        """Begin something and kill it at a random moment."""
        process = subprocess.Popen(
            [*CONDUCTOR, *arguments], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(self.chance.uniform(*self.moments_s))
        except subprocess.TimeoutExpired:
            self.kills += 1
        process.kill()
        process.wait()

    def _conductor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CONDUCTOR, *arguments], cwd=self.folder, check=False, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip

    def _began(self) -> bool:
        """Whether there is a log with a header; without one nothing has happened."""
        log = self.folder / "log.jsonl"
        return log.exists() and b"\n" in log.read_bytes()

    def _lines(self) -> Iterator[Line]:
        with (self.folder / "log.jsonl").open("rb") as file:
            yield from read_log(line for line in file if line.endswith(b"\n"))

    def _finished(self) -> Counter[str]:
        """How often what the log says has finished had run by then."""
        if not self._began():
            return Counter()
        entries = [line.event for line in self._lines() if isinstance(line, Entry)]
        done = {event.attempt for event in entries if isinstance(event, StepFinished)}
        return Counter(attempt for attempt in self._ran() if attempt in done)

    def _ran(self) -> list[str]:
        """The attempts that were worked on, one entry each time."""
        file = self.folder / "ran"
        return file.read_text().split() if file.exists() else []

    def _check_none_ran_again(self, finished: Counter[str]) -> None:
        ran = Counter(self._ran())
        again = sorted(attempt for attempt in finished if ran[attempt] != finished[attempt])
        if again:
            raise CrashError(f"had finished and ran again: {', '.join(again)}")

    def _checked(self, resumed: bool) -> Story:
        """See that everything came out as it should."""
        with (self.folder / "log.jsonl").open("rb") as file:
            replayed = replay(file)
        if not replayed.closed or replayed.truncated is not None:
            raise CrashError(f"the log is not whole: {replayed.truncated}")
        interrupted = _check_end(replayed)
        ran = Counter(self._ran())
        if ran["once#1"] > 1 or not all(ran[attempt] for attempt in MUST_RUN):
            raise CrashError(f"what ran, and how often: {dict(ran)}")
        left = [process for process in psutil.process_iter(["cwd"]) if _is_in(self.folder, process)]
        if left:
            raise CrashError(f"left behind: {left}")
        if list(self.folder.glob("log.jsonl.d/*.group")):
            raise CrashError("a record of a process group was left behind")
        return Story(self.kills, resumed, interrupted, replayed.entries)


def _check_end(replayed: Replay) -> bool:
    """See that the flow ended as one that was left alone; tells whether `once` was interrupted."""
    statuses = {attempt.id: attempt.status.value for attempt in replayed.state.attempts()}
    once = statuses.pop("once#1")
    ended = {f"{step}#1": "success" for step in ("plan", "apply", "a", "b", "d", "publish")}
    # When it is killed in the middle of its first try, the second one finds that it has tried.
    for tries in ({"c#1": "success"}, {"c#1": "error", "c#2": "success"}):
        if statuses == ended | tries and once in ("success", "error"):
            return once == "error"
    raise CrashError(f"it ended otherwise: {statuses}, once#1 {once}")


def _is_in(folder: Path, process: psutil.Process) -> bool:
    return bool(process.info["cwd"] == str(folder) and process.status() != psutil.STATUS_ZOMBIE)


def _prepared(folder: Path) -> Path:
    quoted = RUN.replace("\\", "\\\\").replace('"', '\\"')
    (folder / "flow.yaml").write_text(FLOW.replace("$RUN", quoted))
    return folder


def moments_s(folder: Path) -> tuple[float, float]:
    """From shortly before a run has a log until it ends, in seconds after its start."""
    log = _prepared(folder) / "log.jsonl"
    begin = time.monotonic()
    process = subprocess.Popen(
        [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl", *OPTIONS],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not log.exists() and process.poll() is None:
        time.sleep(0.001)
    began_s = time.monotonic() - begin
    process.wait(PATIENCE_S)
    return 0.9 * began_s, time.monotonic() - begin


def stories(kills: int, seed: int) -> Iterator[Story]:
    """Kill at least so many runs; raises CrashError where one of them is not made good."""
    chance = random.Random(seed)
    moments = (math.inf, math.inf)
    done = number = 0
    while done < kills:
        if number % AS_FAST == 0:
            # As fast as ever: who waits for longer than a run takes kills none.
            with TemporaryDirectory() as folder:
                measured = moments_s(Path(folder).resolve())
            moments = min(moments[0], measured[0]), min(moments[1], measured[1])
        number += 1
        with TemporaryDirectory() as folder:
            try:
                story = Victim(_prepared(Path(folder).resolve()), chance, moments).run()
            except CrashError as error:
                raise CrashError(f"flow {number} of seed {seed}: {error}") from None
        done += story.kills
        yield story


def main(arguments: Sequence[str]) -> int:
    """Print what became of the flows; 1 when a crash broke something."""
    parser = argparse.ArgumentParser(description="Kill conductor run and go on with its log.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args(arguments)
    told = Counter[str]()
    try:
        for story in stories(options.kills, options.seed):
            told["kills"] += story.kills
            told["flows"] += 1
            told["gone on with"] += story.resumed
            told["with work that was interrupted"] += story.interrupted
            told["entries"] += story.entries
    except CrashError as error:
        print(error)
        return 1
    counted = ", ".join(f"{count} {what}" for what, count in told.items())
    print(f"seed {options.seed}: {counted}; every flow ended as it should")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
