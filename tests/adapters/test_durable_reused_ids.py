"""A flow id that is used again names another flow, whoever remembers the one before it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from attrs import evolve

from conductor_adapters.store.housekeeping import exported, remove_ended
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import TWO, Hand, ended
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, Meter, host, nothing, orders

NEXT = evolve(TWO, metadata={"inputs": {"env": "next"}})
"""The same steps as before, for something else."""


def removed(path: Path, flow_id: str = "f") -> None:
    """Remove a flow from another process, be it that it still runs."""
    with SqliteStore(path) as store, store.transaction():
        store.remove_flow(flow_id)


def grown(hand: Hand, spec: FlowSpec, entries: int) -> None:
    """A flow with so many entries."""
    hand.start(spec)
    for attempt in ("a#1", "b#1", "c#1")[: entries - 1]:
        hand.feed(ended(attempt))


@pytest.mark.parametrize("entries", [1, 3, 4])
@pytest.mark.parametrize("itself", [True, False])
def test_who_remembers_the_old_flow_reads_the_new_one(
    path: Path, entries: int, itself: bool
) -> None:
    """With fewer entries than the old one, as many and more; also who removed it itself."""
    one, two = Hand(path), Hand(path)
    grown(one, TWO, 3)
    assert two.state().spec == TWO
    removed(path)
    grown(one if itself else Hand(path), NEXT, entries)
    assert (two.state(), one.state()) == (Hand(path).state(), Hand(path).state())
    assert two.state().spec == NEXT


@pytest.mark.parametrize(("remembered", "entries"), [(2, 1), (2, 2), (1, 2)])
def test_who_remembers_the_old_flow_appends_to_the_new_one(
    path: Path, remembered: int, entries: int
) -> None:
    """Its fact stands behind the entries of the new log, which is whole."""
    one, two = Hand(path), Hand(path)
    grown(one, TWO, remembered)
    assert two.state().spec == TWO
    removed(path)
    grown(Hand(path), NEXT, entries)
    fact = ("a#1", "b#1")[entries - 1]
    two.feed(ended(fact))
    one.feed(ended(fact))
    replayed = replay(exported(one.store, "f"))
    assert replayed.state == two.state() == one.state()
    assert (replayed.header.spec, replayed.entries) == (NEXT, entries + 2)


def test_handlers_are_told_the_metadata_of_the_new_flow(path: Path) -> None:
    """On a host that did the work of the old one, whoever starts and removes them."""
    seen: list[tuple[object, str]] = []

    async def work(context: StepContext) -> None:
        seen.append((context.inputs, context.flow_metadata.text))

    async def script() -> None:
        async with host(path, {"a": work}), host(path, {}) as client:
            for env in ("test", "prod"):
                spec = evolve(ONE, metadata={"inputs": {"env": env}})
                started = await client.start(spec, flow_id="f")
                assert (await started.wait()).status == "success"
                with SqliteStore(path) as store:
                    assert remove_ended(store, before_ms=2**60) == 1

    play(script())
    assert seen == [
        ({"env": "test"}, '{"inputs":{"env":"test"}}'),
        ({"env": "prod"}, '{"inputs":{"env":"prod"}}'),
    ]


def test_a_handle_of_the_old_flow_shows_the_new_one(path: Path) -> None:
    """It goes on with what stands under its id, and whoever waits there waits for that."""
    go_on = asyncio.Event()

    async def wait(_context: StepContext) -> None:
        await go_on.wait()

    async def script() -> None:
        async with host(path, {}) as one, host(path, {"b": wait, "a": nothing}) as two:
            old = await one.start(ONE, flow_id="f")
            await old.wait()
            with SqliteStore(path) as store:
                remove_ended(store, before_ms=2**60)
            await two.start(flow(group("g", "b")), flow_id="f")
            state = await old.until(lambda state: state.attempt("b#1") is not None)
            assert state.outcome is None
            go_on.set()
            assert (await old.wait()).status == "success"

    play(script())


def test_an_old_attempt_that_still_runs_is_not_taken_for_the_new_one(path: Path) -> None:
    """The worker of a deaf thread leaves the new attempt to others, who answer for it."""
    began, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    def deaf(_context: StepContext) -> str:
        calls.append("old")
        began.set()
        go_on.wait(60)
        return "old"

    async def new(_context: StepContext) -> str:
        calls.append("new")
        return "new"

    async def script() -> None:
        meter = Meter()
        handlers = {"a": deaf, "b": nothing}
        async with host(path, handlers, lease_s=3_600, meter=meter) as one:
            await one.start(ONE, flow_id="f")
            await until(began.is_set)
            removed(path)
            both = flow(group("g", "a", "b", parallel=True))
            started = await one.start(both, flow_id="f")
            await started.until(lambda state: [a.active for a in state.attempts()] == [True, False])
            await until(lambda: meter.seen.get("conductor.leases.lost") == 1)
            assert orders(path) == [("f", "a#1", None)]
            async with host(path, {"a": new}):
                assert (await started.wait()).status == "success"
            go_on.set()
            await until(lambda: one.under_way() == 0)
            log = "".join(await started.log())
        assert (log.count('"new"'), log.count('"old"')) == (1, 0)

    play(script())
    assert calls == ["old", "new"]


def test_a_worker_takes_the_new_attempt_when_the_old_one_has_ended(path: Path) -> None:
    """What the old one says meanwhile is not heard."""
    began, go_on = threading.Event(), threading.Event()

    def work(_context: StepContext) -> str:
        if began.is_set():
            return "new"
        began.set()
        go_on.wait(60)
        return "old"

    async def script() -> None:
        meter = Meter()
        async with host(path, {"a": work}, lease_s=0.5, meter=meter) as one:
            await one.start(ONE, flow_id="f")
            await until(began.is_set)
            removed(path)
            started = await one.start(ONE, flow_id="f")
            await until(lambda: meter.seen.get("conductor.leases.lost") == 1)
            go_on.set()
            assert (await started.wait()).status == "success"
            log = "".join(await started.log())
        assert (log.count('"new"'), log.count('"old"')) == (1, 0)

    play(script())
