"""A cancel reaches what runs, what waits, and what does not listen."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from conductor_core import FlowOptions
from conductor_core.events import StepFinished
from conductor_core.log import Entry, read_log
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_scenes import Scene, scene
from tests.adapters.processes import play
from tests.services.redis import Redis

PATIENT = FlowOptions(cancel_grace_ms=60_000)


@pytest.fixture
def at(redis: Redis, tmp_path: Path) -> Generator[Scene]:
    """A scene."""
    with scene(tmp_path, redis.url) as made:
        yield made


def test_what_nobody_took_never_runs(at: Scene) -> None:
    """Not even by workers that were not there when it was revoked."""

    async def script() -> str:
        async with at.host as host:
            began = await host.start(flow(group("g", "quick"), options=PATIENT), flow_id="f")
            await began.cancel(by="ann")
            outcome = await began.wait()
            at.worker()
            # It is sent after the other, to the same worker.
            await (await host.start(flow(group("g", "plan")), flow_id="g")).wait()
            return outcome.status

    assert play(script()) == "cancelled"
    assert at.notes.of("ran", "g", "plan#1")
    assert not at.notes.of("ran", "f")


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.parametrize("work", ["waits", "waits_async"])
def test_what_runs_is_asked_to_give_up(at: Scene, pool: str, work: str) -> None:
    """A function sees it, a coroutine is interrupted; both are answered for as cancelled."""
    at.worker(pool=pool)

    async def script() -> tuple[str, str]:
        async with at.host as host:
            began = await host.start(flow(group("g", work, "quick"), options=PATIENT), flow_id="f")
            await at.noted("began", "f", f"{work}#1")
            await began.cancel(by="ann")
            outcome = await began.wait()
            attempt = began.state.attempt(f"{work}#1")
            assert attempt is not None
            # The process that gave up does what comes next.
            await (await host.start(flow(group("g", "quick")), flow_id="g")).wait()
            return outcome.status, attempt.status

    assert play(script()) == ("cancelled", "cancelled")
    assert len(at.notes.of("told", "f", f"{work}#1")) == 1
    assert not at.notes.of("ran", "f")


def test_what_does_not_listen_is_terminated_with_its_process(at: Scene) -> None:
    """The flow goes on at once, the attempt is cancelled once, and another process is there."""
    worker = at.worker(options={"terminate_after_s": 0.2})

    async def script() -> list[str]:
        async with at.host as host:
            began = await host.start(flow(group("g", "stubborn"), options=PATIENT), flow_id="f")
            *_, pid = await at.noted("began", "f", "stubborn#1")
            before = worker.family()
            await began.cancel(by="ann")
            outcome = await began.wait()
            await (await host.start(flow(group("g", "quick")), flow_id="g")).wait()
            assert int(pid) in before - worker.family()
            return [outcome.status, *await began.log()]

    status, *lines = play(script())
    assert status == "cancelled"
    ends = [
        line.event.outcome
        for line in read_log(lines)
        if isinstance(line, Entry) and isinstance(line.event, StepFinished)
    ]
    assert ends == ["cancelled"]
    assert worker.wrote("is terminated with its process")


def test_a_thread_that_does_not_listen_is_waited_for(at: Scene) -> None:
    """Nobody takes the place of a worker whose pool is of threads: it does not end itself."""
    worker = at.worker(pool="threads", options={"terminate_after_s": 0.01})

    async def script() -> str:
        async with at.host as host:
            began = await host.start(flow(group("g", "stubborn"), options=PATIENT), flow_id="f")
            await at.noted("began", "f", "stubborn#1")
            await began.cancel(by="ann")
            # Another is asked later, and has heard it.
            other = await host.start(flow(group("g", "waits"), options=PATIENT), flow_id="g")
            await at.noted("began", "g", "waits#1")
            await other.cancel(by="ann")
            await other.wait()
            assert began.state.outcome is None
            at.go()
            return (await began.wait()).status

    assert play(script()) == "cancelled"
    assert worker.family()
    assert len(at.notes.of("ran", "f", "stubborn#1")) == 1
