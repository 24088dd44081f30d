"""What comes from a broker is not believed: it names an order, or it is passed over."""

from __future__ import annotations

import pickle
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from conductor_adapters.celery import ConductorApp
from conductor_core.errors import ConductorError
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_scenes import Scene, scene
from tests.adapters.processes import play, until
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

ONE = flow(group("g", "quick"))


class Creates:
    """What is pickled to create a file where it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.fixture(params=["redis", "rabbitmq"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Scene]:
    """A scene at each broker."""
    service: Redis | RabbitMQ = request.getfixturevalue(request.param)
    with scene(tmp_path, service.url) as made:
        yield made


def send_raw(at: Scene, body: bytes, content_type: str) -> None:
    """Put bytes into the queue as the work of a step."""
    with at.app.producer_pool.acquire(block=True) as producer:
        producer.publish(
            body, routing_key=at.settings["queue"], content_type=content_type,
            content_encoding="binary", serializer=None,
            headers={"lang": "py", "task": "conductor.step", "id": "poison"},
        )  # fmt: skip


def test_what_names_no_order_is_passed_over(at: Scene) -> None:
    """Wrong arguments, flows that nobody knows, and bytes of any kind harm no worker."""
    created = at.folder / "created"
    send = at.app.send_task
    wrong: list[tuple[Any, ...]] = [
        (),
        ("f",),
        ("f", 1),
        ("f", "a#1", "more"),
        (None, None),
        ({}, []),
    ]
    for arguments in wrong:
        send("conductor.step", arguments, queue=at.settings["queue"])
    send("conductor.step", ("f", "quick#1"), {"more": 1}, queue=at.settings["queue"])
    send("conductor.step", ("nobody", "knows#1"), queue=at.settings["queue"])
    send("conductor.generate", ("f", "no number"), queue=at.settings["queue"])
    send("conductor.step", ("x" * 100_000, "\u0000\ud83d\ude00"), queue=at.settings["queue"])
    send_raw(
        at, pickle.dumps((("f", "a#1"), Creates(created), None)), "application/x-python-serialize"
    )
    send_raw(at, b"\xff\xfe\x00not json", "application/json")
    send_raw(at, b'"json of another kind"', "application/json")
    send_raw(at, b"anything", "application/octet-stream")
    worker = at.worker()

    async def script() -> str:
        async with at.host as host:
            started = await host.start(ONE, flow_id="f")
            status = (await started.wait()).status
            # What was refused came first, but to any of the processes of the worker.
            for told in ("names no order", "passed over: ", "application/x-python-serialize"):
                await until(partial(worker.wrote, told))
            return status

    assert play(script()) == "success"
    assert not created.exists()
    assert len(at.notes.of("ran", "f", "quick#1")) == 1


def test_an_order_that_is_gone_is_passed_over(at: Scene) -> None:
    """What comes again, and what comes when the flow has ended, does nothing."""
    at.worker()

    async def script() -> int:
        async with at.host as host:
            started = await host.start(flow(group("g", "quick", "waits")), flow_id="f")
            await at.noted("began", "f", "waits#1")
            for name in ("quick#1", "waits#1") * 5:
                at.app.send_task("conductor.step", ("f", name), queue=at.settings["queue"])
            at.go()
            await started.wait()
            lines = await started.log()
            for name in ("quick#1", "waits#1") * 5:
                at.app.send_task("conductor.step", ("f", name), queue=at.settings["queue"])
            await (await host.start(ONE, flow_id="g")).wait()
            assert await started.log() == lines
            return len(lines)

    assert play(script()) == len(("header", "started", 4 * "step", "closed")) + 3
    assert len(at.notes.of("began", "f", "waits#1")) == 1
    assert len(at.notes.of("ran", "f", "quick#1")) == 1


@pytest.mark.parametrize("content", ["pickle", "yaml", "application/x-python-serialize"])
def test_an_app_that_runs_what_it_reads_is_refused(tmp_path: Path, content: str) -> None:
    """Whoever can send to the broker could run code on its workers."""
    app = Celery("unsafe", broker="memory://")
    app.conf.accept_content = ["json", content]
    with pytest.raises(ConductorError, match="expected nothing but json"):
        ConductorApp(app, tmp_path / "flows.db", {})
    assert not (tmp_path / "flows.db").exists()
