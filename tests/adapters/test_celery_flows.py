"""Whole flows on Celery workers: people, generated groups, observers, and logs that replay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from conductor_core import ApprovalSpec, FlowSpec, StepSpec
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_scenes import Scene, scene
from tests.adapters.processes import play
from tests.services.postgres import Postgres
from tests.services.redis import Redis

PLANNED = flow(
    group(
        "g",
        StepSpec(key="plan", work="quick", approval=ApprovalSpec()),
        StepSpec(key="apply", work="quick", needs=["plan"]),
    )
)

MAIN = "from conductor_adapters.cli.main import main; main()"


@pytest.fixture(params=["sqlite", "postgres"])
def at(request: pytest.FixtureRequest, redis: Redis, tmp_path: Path) -> Generator[Scene]:
    """A scene with each store, whose workers tell whom they ask and what they see."""
    store = str(tmp_path / "flows.db")
    if request.param == "postgres":
        cluster: Postgres = request.getfixturevalue("postgres")
        store = cluster.new_database()
    with scene(tmp_path, redis.url, store=store, asks=True, observes=True) as made:
        yield made


def commanded(at: Scene, *arguments: str) -> tuple[int, str]:
    """The exit code of a command about flows, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        env={"CONDUCTOR_STORE": at.settings["store"], "PATH": "", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_operators_need_no_broker(at: Scene) -> None:
    """People are asked by a worker, answer by a command, and a relay sends what that sets going."""
    at.worker()

    async def script() -> None:
        async with at.host as host:
            began = await host.start(PLANNED, flow_id="f")
            await at.noted("asked", "f", "plan#1")
            assert commanded(at, "approve", "f", "plan", "--by", "ana")[0] == 0
            outcome = await began.wait()
            assert outcome.status == "success"

    play(script())
    code, status = commanded(at, "status", "f", "--json")
    assert (code, json.loads(status)["status"]) == (0, "success")


def test_a_log_that_workers_wrote_replays(at: Scene, tmp_path: Path) -> None:
    """It says the same on the store, as a file, and to who saw its entries in their processes."""
    at.worker()

    async def script() -> list[str]:
        async with at.host as host:
            began = await host.start(PLANNED, flow_id="f")
            await began.until(lambda state: bool(state.open_approvals()))
            await began.approve("plan", by="ana")
            await began.wait()
            lines = list(await began.log())
            assert replay(lines).state == began.state
            return lines

    lines = play(script())
    code, exported = commanded(at, "log", "f")
    assert (code, exported) == (0, "".join(lines))
    file = tmp_path / "f.jsonl"
    file.write_text(exported)
    code, told = commanded(at, "replay", str(file))
    assert (code, "the flow is success" in told) == (0, True)
    saw = [words[1] for words in at.notes.of("saw")]
    entries = [line for line in lines if '"event":' in line]
    assert len(saw) == len(entries)


def test_workers_make_groups(at: Scene) -> None:
    """A flow without groups has them made by a worker, and goes on with them."""
    at.worker()

    async def script() -> str:
        async with at.host as host:
            began = await host.start(FlowSpec(type="generated"), flow_id="f")
            outcome = await began.wait()
            assert [spec.key for spec in began.state.catalog.groups] == ["made"]
            return outcome.status

    assert play(script()) == "success"
    assert len(at.notes.of("ran", "f", "quick#1")) == 1


def test_many_flows_end_on_several_workers(at: Scene) -> None:
    """Each step runs once, whichever worker gets it."""
    spec = flow(
        group("g", "quick", StepSpec(key="b", work="quick"), parallel=True),
        group("h", StepSpec(key="c", work="quick")),
    )
    for _ in range(2):
        at.worker()

    async def script() -> None:
        async with at.host as host:
            flows = [await host.start(spec, flow_id=f"f{number}") for number in range(20)]
            for each in flows:
                assert (await each.wait()).status == "success"

    play(script())
    ran = [tuple(words[1:3]) for words in at.notes.of("ran")]
    assert len(ran) == len(set(ran)) == 60
