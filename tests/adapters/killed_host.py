"""A host that runs commands for one log until it is killed: `killed_host.py LOG COMMANDS`.

COMMANDS is a JSON list. The attempts `a#1`, `b#1` and so on run one command each, all at once;
with `--again` before LOG, new attempts follow without end.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import json
import sys
from pathlib import Path

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.shell import Shell
from conductor_adapters.work import StepFailure
from tests.adapters.processes import context_of


async def work(shell: Shell, key: str, command: str, numbers: range | itertools.count[int]) -> None:
    """Run a command for one attempt after the other."""
    for n in numbers:
        try:
            await shell(context_of({"run": command}, attempt=f"{key}#{n}"))
        except StepFailure as failure:
            print(failure.error.type, failure.error.details.text, file=sys.stderr)


async def main(path: Path, commands: list[str], numbers: range | itertools.count[int]) -> None:
    """Hold the log and run the commands."""
    with path.open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        shell = Shell(files=AttemptFiles(path.with_suffix(".files"), log.fileno()), grace_s=60)
        keys = map(chr, itertools.count(ord("a")))
        tasks = [work(shell, *pair, numbers) for pair in zip(keys, commands, strict=False)]
        print("holds the log", flush=True)
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    *options, log, commands = sys.argv[1:]
    numbers = itertools.count(1) if options else range(1, 2)
    asyncio.run(main(Path(log), json.loads(commands), numbers))
