"""What a durable flow knows never goes back, and nobody waits for a flow to come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.sqlite import SqliteClient
from conductor_adapters.store.office import News
from conductor_core import initial_state, reduce
from conductor_core.events import FlowStarted, StepFinished
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group

NEW = initial_state(flow(group("g", "a")), flow_id="deploy-42")
RUNS = reduce(NEW, FlowStarted(at_ms=0)).state
ENDED = reduce(RUNS, StepFinished(at_ms=1, attempt="a#1", outcome="succeeded")).state


class SlowStore(SqliteClient):
    """A client whose store does what a test says, when it says it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[Callable[[FlowState, BaseException | None], None]] = []
        # Nothing goes to a store, and none is opened.
        vars(self._jobs).update(submit=self._asked, open=self._opened)
        self.flow_here = DurableFlow(self, NEW)
        self._flows["deploy-42"] = self.flow_here

    async def _opened(self) -> None:
        vars(self._jobs).update(_loop=asyncio.get_running_loop())

    def _asked(self, _act: object, done: Any = None, *, reads: bool = False) -> None:
        assert reads, "a look changes nothing"
        self.asked.append(done)

    def changed(self, state: FlowState) -> None:
        """A transaction brought a flow on."""
        self._act(News(changed={"deploy-42": state}))

    def passed(self) -> None:
        """A transaction changed nothing."""
        self._act(News())


def play(path: Path, script: Callable[[SlowStore], Any]) -> None:
    """Run a script with such a client."""

    async def run() -> None:
        await script(SlowStore(path))

    asyncio.run(run())


async def asked(store: SlowStore) -> Callable[[FlowState, BaseException | None], None]:
    """The next look that the store was asked for."""
    while not store.asked:
        await asyncio.sleep(0)
    return store.asked.pop(0)


def test_a_look_that_comes_late_does_not_take_back_what_was_heard(tmp_path: Path) -> None:
    """After `wait` the state is the one that the outcome is of."""

    async def script(store: SlowStore) -> None:
        waiting = asyncio.ensure_future(store.flow_here.wait())
        (await asked(store))(RUNS, None)
        store.changed(ENDED)  # before the one who looked goes on
        assert (await waiting).status == "success"
        assert store.flow_here.state is ENDED

    play(tmp_path / "flows.db", script)


def test_a_look_within_a_transaction_is_older_than_what_that_changed(tmp_path: Path) -> None:
    """What a transaction brought about is told first, and a look that came before it not again."""

    async def script(store: SlowStore) -> None:
        looking = asyncio.ensure_future(store.flow_here.refresh())
        done = await asked(store)
        store.changed(ENDED)
        done(RUNS, None)
        assert await looking is ENDED

    play(tmp_path / "flows.db", script)


def test_a_look_tells_what_others_wrote(tmp_path: Path) -> None:
    """What no transaction of this host brought about is seen by looking."""

    async def script(store: SlowStore) -> None:
        looking = asyncio.ensure_future(store.flow_here.refresh())
        done = await asked(store)
        store.changed(RUNS)
        store.passed()
        done(ENDED, None)
        assert await looking is ENDED

    play(tmp_path / "flows.db", script)


@pytest.mark.parametrize("often", [1, 50])
def test_nobody_waits_for_a_flow_to_come_to_rest(tmp_path: Path, often: int) -> None:
    """One look is enough, however much is heard meanwhile."""

    async def script(store: SlowStore) -> None:
        looking = asyncio.ensure_future(store.flow_here.refresh())
        done = await asked(store)
        for number in range(often):
            store.changed(RUNS if number % 2 else NEW)
        done(RUNS, None)
        store.changed(ENDED)
        assert await looking is ENDED
        assert store.asked == []

    play(tmp_path / "flows.db", script)
