"""Replays the histories in a folder by Temporal's own Replayer, and prints the logs they come to.

Rule: it is run as a process of its own, under a hash seed that the recording had not.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory

from conductor_adapters.temporal import conductor_replayer
from conductor_core.events import Event
from conductor_core.loglines import Position
from conductor_core.reducer import Transition


async def log_of(path: Path) -> str:
    """The log that the histories of a flow come to; raises where one does not replay."""
    lines: list[str] = []

    def see(
        _event: Event | None, _transition: Transition | None, added: str, _position: Position
    ) -> None:
        lines.append(added)

    for history in json.loads(path.read_text("utf-8")):
        replayer = conductor_replayer(sink=see)
        await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, history))
    return "".join(lines)


async def main(folder: Path) -> None:
    """Print the log of each flow as a line of JSON; those of groups have none of their own."""
    for path in sorted(folder.glob("*.json")):
        log = await log_of(path)
        if not path.stem.endswith(".groups"):
            print(json.dumps([path.stem, log]))
    await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
