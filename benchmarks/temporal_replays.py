"""Temporal's Replayer beside the verified replay of a log, on the same flows.

Run as a process: `temporal_replays.py SERVER STEPS ROUNDS` prints for each kind what a step takes
the Replayer, with the histories of a flow and with those of a hand-written workflow, and what it
takes the replay of the log that was made of the flow, in microseconds of processor time.

Rule: histories and lines are in memory, in the form in which each replay wants them.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from functools import partial

from attrs import frozen
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from benchmarks.children import tell
from benchmarks.rounds import Candidate, Play, medians, played
from benchmarks.temporal_apps import ended, histories, let_go, sides
from benchmarks.temporal_names import FLOWS, KINDS, LOG
from conductor_adapters.temporal import TemporalClient
from conductor_core.log import replay


@frozen
class Recorded:
    """What is left of as many steps, done by each."""

    steps: int
    runs: dict[str, tuple[Replayer, Sequence[WorkflowHistory]]]
    log: Sequence[bytes]

    def candidates(self) -> list[Candidate]:
        """What is timed."""
        plays: dict[str, Play] = {LOG: partial(verify, self.log)}
        plays |= {side: partial(play_again, *known) for side, known in self.runs.items()}
        return [played(name, self.steps, partial(list, [play])) for name, play in plays.items()]


def verify(log: Sequence[bytes]) -> None:
    """Replay a log."""
    assert replay(log).state.status == "success"


def play_again(replayer: Replayer, runs: Sequence[WorkflowHistory]) -> None:
    """Replay histories; raises where one does not replay."""

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for history in runs:
            yield history

    async def run() -> None:
        done = await replayer.replay_workflows(histories(), raise_on_replay_failure=True)
        assert done.replay_failures == {}

    asyncio.run(run())


async def recorded(client: Client, kind: str, steps: int) -> Recorded:
    """Do so many steps on both sides."""
    runs, log = {}, list[bytes]()
    for side, made in sides(client).items():
        name = uuid.uuid4().hex
        await ended(await made.start(kind, steps, name))
        runs[side] = made.replayer(), await histories(client, name)
        if side == FLOWS:
            log = [line.encode() for line in await TemporalClient(client).log(name)]
    return Recorded(steps, runs, log)


async def all_recorded(server: str, steps: int) -> dict[str, Recorded]:
    """What is left of each kind."""
    client = await Client.connect(server)
    return {kind: await recorded(client, kind, steps) for kind in KINDS}


def main(server: str, steps: str, rounds: str) -> None:
    """Print what is found."""
    found = asyncio.run(all_recorded(server, int(steps)))
    for one in found.values():
        medians(one.candidates(), 1)
    tell(**{kind: medians(one.candidates(), int(rounds)) for kind, one in found.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
    let_go()
