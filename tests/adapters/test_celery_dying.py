"""Workers that die, stand still, are told to end, or were never fit to begin."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest

from conductor_core import StepSpec
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_scenes import Scene, kill, scene
from tests.adapters.processes import play, runs, until
from tests.services.redis import Redis

WAITS = flow(group("g", "waits", "quick"))
LEASE_S = 0.8


@pytest.fixture
def at(redis: Redis, tmp_path: Path) -> Generator[Scene]:
    """A scene in which nobody is waited for long."""
    with scene(tmp_path, redis.url, options={"lease_s": LEASE_S}) as made:
        yield made


def error_of(state: FlowState, attempt: str) -> str:
    """The type of the error of an attempt."""
    found = state.attempt(attempt)
    assert found is not None
    assert found.result is not None
    assert found.result.error is not None
    return found.result.error.type


def test_what_takes_its_processes_down_is_lost_in_the_end(at: Scene) -> None:
    """It is delivered so often, and then it has failed, and nobody dies any more."""
    worker = at.worker(options={"lease_s": LEASE_S, "max_deliveries": 2})

    async def script() -> tuple[str, str]:
        async with at.host as host:
            began = await host.start(flow(group("g", "deadly")), flow_id="f")
            outcome = await began.wait()
            return outcome.status, error_of(began.state, "deadly#1")

    assert play(script()) == ("error", "lost")
    assert len(at.notes.of("began", "f", "deadly#1")) == 2
    assert worker.family()


def test_what_must_not_run_twice_unseen_is_answered_for(at: Scene) -> None:
    """Its process died while it ran; people may see after it."""
    step = StepSpec(key="deadly", on_recovery="fail")
    at.worker()

    async def script() -> str:
        async with at.host as host:
            began = await host.start(flow(group("g", step)), flow_id="f")
            await began.wait()
            return error_of(began.state, "deadly#1")

    assert play(script()) == "interrupted"
    assert len(at.notes.of("began", "f", "deadly#1")) == 1


def test_who_stood_still_is_not_heard(at: Scene) -> None:
    """Another did the work when the lease had run out; what comes late changes nothing."""
    held_up = at.worker(pool="threads")

    async def script() -> tuple[list[str], list[str]]:
        async with at.host as host:
            began = await host.start(WAITS, flow_id="f")
            await at.noted("began", "f", "waits#1")
            held_up.send(signal.SIGSTOP)
            other = at.worker(pool="threads")
            await at.noted("began", "f", "waits#1", times=2)
            at.go()
            await began.wait()
            lines = list(await began.log())
            held_up.send(signal.SIGCONT)
            await at.noted("ran", "f", "waits#1", times=2)
            held_up.send(signal.SIGTERM)
            await held_up.ended()
            assert other.family()
            return lines, list(await began.log())

    before, after = play(script())
    assert before == after
    assert sum('"step-finished"' in line for line in after) == 2


def test_a_worker_that_shall_end_ends_what_it_does(at: Scene) -> None:
    """SIGTERM is a warm shutdown: work under way is answered for, and others do the rest."""
    first = at.worker("--queues", at.settings["queue"])

    async def script() -> str:
        async with at.host as host:
            began = await host.start(WAITS, flow_id="f")
            _, _, _, pid = await at.noted("began", "f", "waits#1")
            first.send(signal.SIGTERM)
            await until(lambda: first.wrote("Warm shutdown"))
            at.go()
            await first.ended()
            assert not runs(int(pid))
            at.worker()
            return (await began.wait()).status

    assert play(script()) == "success"
    assert len(at.notes.of("began", "f", "waits#1")) == 1
    assert len(at.notes.of("ran", "f", "quick#1")) == 1


def test_a_signal_to_a_process_of_a_pool_is_no_failure(at: Scene) -> None:
    """Whoever ends all processes of a machine ends no flow: others do the work."""
    at.worker()

    async def script() -> tuple[str, object]:
        async with at.host as host:
            began = await host.start(WAITS, flow_id="f")
            _, _, _, pid = await at.noted("began", "f", "waits#1")
            os.kill(int(pid), signal.SIGTERM)
            await at.noted("began", "f", "waits#1", times=2)
            at.go()
            outcome = await began.wait()
            return outcome.status, began.state.attempt("waits#2")

    assert play(script()) == ("success", None)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_nothing_outlives_a_worker_that_is_killed(at: Scene, pool: str) -> None:
    """The processes of its pool and its relay end too, and another does its work."""
    worker = at.worker(pool=pool)

    async def script() -> str:
        async with at.host as host:
            began = await host.start(WAITS, flow_id="f")
            await at.noted("began", "f", "waits#1")
            family = worker.family()
            assert len(family) == (4 if pool == "prefork" else 1)
            worker.send(signal.SIGKILL)
            at.go()
            at.worker(pool=pool)
            outcome = await began.wait()
            await until(lambda: not any(map(runs, family)))
            return outcome.status

    assert play(script()) == "success"


def test_a_relay_that_dies_has_another_after_it(at: Scene) -> None:
    """A timer fires and what the broker lost is sent, though the first one was killed."""
    worker = at.worker()

    async def script() -> str:
        async with at.host as host:
            first = await host.start(flow(group("g", "quick")), flow_id="f")
            await first.wait()
            relays = await relay_of(at, worker.family())
            kill(relays)
            slow = StepSpec(key="waits", timeout_ms=1)
            began = await host.start(flow(group("g", slow)), flow_id="g")
            await began.until(lambda state: state.outcome is not None)
            assert relays.isdisjoint(await relay_of(at, worker.family()))
            return error_of(began.state, "waits#1")

    assert play(script()) == "timeout"
    assert worker.wrote("the relay ended (exit code -9); another begins")


async def relay_of(at: Scene, family: set[int]) -> set[int]:
    """The process of a worker that says for all of it what is done there."""

    def found() -> set[int]:
        with sqlite3.connect(at.settings["store"]) as store:
            rows = store.execute("SELECT name FROM workers WHERE works <> ''").fetchall()
        return {int(name.rpartition(":")[2]) for (name,) in rows} & family

    await until(found)
    return found()


def test_a_worker_of_another_release_does_not_begin(at: Scene) -> None:
    """It says what is wrong, and ends with an error."""

    async def script() -> None:
        async with at.host as host:
            await host.start(WAITS, flow_id="f")

    play(script())
    with sqlite3.connect(at.settings["store"]) as store:
        store.execute("PRAGMA user_version = 99")
    worker = at.worker()
    play(worker.ended())
    assert worker.wrote("its schema has version 99, this release knows up to")
    assert not worker.wrote("Traceback")
    assert not at.notes.of("began")


def test_time_limits_of_celery_are_ends_of_work(at: Scene) -> None:
    """A soft one is a failure of the step, a hard one the death of its process."""
    other = f"{at.settings['queue']}-hard"
    mortal = {"lease_s": LEASE_S, "max_deliveries": 1}
    at.worker(conf={"task_soft_time_limit": 0.3})
    at.worker("-Q", other, conf={"task_time_limit": 0.3}, options=mortal)
    step = StepSpec(key="sleeps", input={"s": 60.0})
    there = StepSpec(key="sleeps", input={"s": 60.0}, metadata={"host": {"queue": other}})

    async def script() -> list[str]:
        async with at.host as host:
            flows = [
                await host.start(flow(group("g", one)), flow_id=name)
                for name, one in (("soft", step), ("hard", there))
            ]
            for each in flows:
                await each.wait()
            return [error_of(each.state, "sleeps#1") for each in flows]

    assert play(script()) == ["SoftTimeLimitExceeded", "lost"]


def test_work_is_given_back_where_its_host_failed_it(at: Scene) -> None:
    """It begins again elsewhere, or later, and nothing counts as failed."""
    at.worker()

    async def script() -> tuple[str, object]:
        async with at.host as host:
            began = await host.start(flow(group("g", "given_back")), flow_id="f")
            outcome = await began.wait()
            return outcome.status, began.state.attempt("given_back#2")

    assert play(script()) == ("success", None)
    assert len(at.notes.of("began", "f", "given_back#1")) == 2
