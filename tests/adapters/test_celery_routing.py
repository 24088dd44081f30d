"""Where work goes, who does it, and for whom, on real workers."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from conductor_core import FlowSpec, GroupSpec, StepSpec
from conductor_core.errors import SpecError
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_app import conductor
from tests.adapters.celery_scenes import Scene, scene
from tests.adapters.processes import play
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

ONE = flow(group("g", "quick"))


@pytest.fixture(params=["redis", "rabbitmq"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Scene]:
    """A scene at each broker, whose workers tell of their tasks."""
    service: Redis | RabbitMQ = request.getfixturevalue(request.param)
    with scene(tmp_path, service.url, tells_tasks=True) as made:
        yield made


def said(**host: Any) -> dict[str, Any]:
    """Metadata that says something to hosts."""
    return {"host": host}


def test_the_nearest_word_counts(at: Scene) -> None:
    """A step, its group, its flow, its handler, then what goes for everything else."""
    own = at.settings["queue"]
    routes = {"plan": {"queue": f"{own}-plan", "priority": 7}, "quick": {"priority": 6}}
    more: dict[str, Any] = {
        "routes": routes,
        "default_route": {"queue": f"{own}-else", "priority": 1},
    }
    host = conductor(at.app, {**at.settings, **more, "options": {"name": "routed"}}, at.notes)
    queues = ",".join(f"{own}{end}" for end in ("-step", "-group", "-flow", "-plan", "-else"))
    at.worker("-Q", queues, options={"name": "routed"}, **more)
    step = StepSpec(
        key="s", work="quick",
        metadata=said(queue=f"{own}-step", priority=9, owner={"id": "of-step", "type": "user"}),
    )  # fmt: skip
    of_flow = said(queue=f"{own}-flow", owner={"id": "of-flow"})
    in_group = GroupSpec(
        key="g", steps=[step, StepSpec(key="t", work="quick")],
        metadata=said(queue=f"{own}-group"),
    )  # fmt: skip
    routed = FlowSpec(groups=[in_group, group("h", "plan")], metadata=of_flow)

    async def script() -> None:
        async with host:
            for flow_id, spec in (("f", routed), ("g", flow(group("g", "plan", "quick")))):
                await (await host.start(spec, flow_id=flow_id)).wait()

    play(script())
    assert _tasks(at) >= {
        ("f/s#1", "routed.step", "of-step", "user", "-step", "9"),
        ("f/t#1", "routed.step", "of-flow", "", "-group", "6"),
        ("f/plan#1", "routed.step", "of-flow", "", "-flow", "7"),
        ("g/plan#1", "routed.step", "None", "None", "-plan", "7"),
        ("g/quick#1", "routed.step", "None", "None", "-else", "6"),
    }


def _tasks(at: Scene) -> set[tuple[str, ...]]:
    """What tasks were told of, with the ends of their queues."""
    own = at.settings["queue"]
    return {
        (words[1].partition("~")[0], *words[2:5], words[5].removeprefix(own), words[6])
        for words in at.notes.of("task")
    }


def test_a_route_that_is_none_is_refused_before_a_flow_begins(at: Scene) -> None:
    """With the place where it is said."""
    wrong = StepSpec(key="quick", metadata=said(priority="high"))

    async def script() -> None:
        async with at.host as host:
            with pytest.raises(SpecError, match=r"groups\[0\]\.steps\[0\]\.metadata\.host"):
                await host.start(flow(group("g", wrong)), flow_id="f")
            assert not await host.list()

    play(script())


def test_workers_may_know_different_work(at: Scene) -> None:
    """Each has the handlers of its queue, and a flow goes from one to the other."""
    own = at.settings["queue"]
    routes = {"plan": {"queue": f"{own}-plan"}}
    host = conductor(
        at.app, {**at.settings, "routes": routes, "options": {"name": "apart"}}, at.notes
    )
    apart: dict[str, Any] = {"options": {"name": "apart"}, "routes": routes}
    first = at.worker("-Q", own, handlers=["quick", "apply"], **apart)
    other = at.worker("-Q", f"{own}-plan", handlers=["plan"], **apart)
    spec = flow(group("g", "quick", "plan", StepSpec(key="apply", needs=["plan"])))

    async def script() -> str:
        async with host:
            return (await (await host.start(spec, flow_id="f")).wait()).status

    assert play(script()) == "success"
    ran = {words[2]: int(words[3]) for words in at.notes.of("ran")}
    assert ran["quick#1"] in first.family()
    assert ran["apply#1"] in first.family()
    assert ran["plan#1"] in other.family()


def test_two_hosts_may_share_an_app(at: Scene, tmp_path: Path) -> None:
    """Each has its own store, and tasks under its own name."""
    second = {"store": str(tmp_path / "others.db"), "options": {"name": "second"}}
    at.worker(more=[second])
    host = conductor(at.app, {**at.settings, **second}, at.notes)

    async def script() -> None:
        async with at.host, host:
            began = [await each.start(ONE, flow_id="f") for each in (at.host, host)]
            for each in began:
                assert (await each.wait()).status == "success"
            assert [row.flow_id for row in await host.list()] == ["f"]

    play(script())
    tasks = sorted(words[2] for words in at.notes.of("task", "f/quick#1"))
    assert tasks == ["conductor.step", "second.step"]
    assert len(at.notes.of("ran", "f", "quick#1")) == 2


def test_a_host_serves_one_loop_after_the_other(at: Scene) -> None:
    """And several clients at once, each in its own."""
    at.worker(pool="threads")

    async def script(flow_id: str) -> str:
        async with at.host as host, host.client() as other:
            began = await host.start(ONE, flow_id=flow_id)
            seen = await other.flow(flow_id)
            return (await seen.wait()).status + (await began.wait()).status

    assert [play(script(flow_id)) for flow_id in ("f", "g")] == 2 * ["successsuccess"]
