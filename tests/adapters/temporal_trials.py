"""Trials of the conformance kit, several at a time: most of each is waiting for a dead worker.

Rule: each lane has a worker process of its own, and plays one trial after the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeAlias

from conductor_core.testing.conformance import Case, Weather, conforms
from tests.adapters.temporal_rigs import Plant, TemporalRig

LANES: Final = 5
PATIENCE_S: Final = 60.0
"""A worker that was killed has died after some moments, and so has what it knew of a flow."""

Trial: TypeAlias = tuple[Case, Weather]


def name_of(trial: Trial) -> str:
    """The name of a trial."""
    case, weather = trial
    return f"{case}-{weather}"


class Trials:
    """Plays trials in the background; `outcome` waits for one of them."""

    def __init__(
        self, trials: Iterable[Trial], folder: Path, server: str, *, children: bool = False
    ) -> None:
        self._trials = {name_of(trial): trial for trial in trials}
        self._outcomes: dict[str, Future[None]] = {name: Future() for name in self._trials}
        self._folder = folder
        self._server = server
        self._children = children
        self._thread = threading.Thread(target=self._play_all, daemon=True)
        self._thread.start()

    def outcome(self, name: str) -> Future[None]:
        """What becomes of a trial."""
        return self._outcomes[name]

    def _play_all(self) -> None:
        asyncio.run(self._play())

    async def _play(self) -> None:
        left = iter(list(self._trials.items()))
        await asyncio.gather(*(self._lane(number, left) for number in range(LANES)))

    async def _lane(self, number: int, left: Iterable[tuple[str, Trial]]) -> None:
        folder, queue = self._folder / str(number), f"kit-{self._children}-{number}"
        folder.mkdir()
        plant = Plant(folder, self._server, queue=queue, children=self._children)
        for name, trial in left:
            outcome = self._outcomes[name]
            try:
                await _played(trial, plant, queue)
            except BaseException as error:  # noqa: BLE001 - it belongs to the test that waits
                outcome.set_exception(error)
            else:
                outcome.set_result(None)
        await plant.end()


async def _played(trial: Trial, plant: Plant, name: str) -> None:
    case, weather = trial
    await conforms(
        lambda worker: TemporalRig(worker, plant), case, weather,
        patience_s=PATIENCE_S, flow_id=f"{name}/{case}/{weather}",
    )  # fmt: skip
