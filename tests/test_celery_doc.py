"""What docs/celery.md shows is what happens."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_adapters.celery import ConductorApp, Owner, Route, measures
from conductor_adapters.cli.flow_file import read_flow_for_others
from conductor_adapters.client import Client
from conductor_adapters.durable_options import LEASE_S, MAX_DELIVERIES, POLL_S
from conductor_adapters.routes import NOWHERE, Routes, route_problems
from conductor_adapters.store.protocol import STEP, Order
from conductor_core import initial_state
from tests.documents import BLOCK, ROOT, commands_in, first_column, public, sh, write_files
from tests.services.redis import Redis

CELERY_PATH = ROOT / "docs" / "celery.md"
CELERY = CELERY_PATH.read_text(encoding="utf-8")
BLOCKS = BLOCK.findall(CELERY)
QUIET = subprocess.DEVNULL
WORD = re.compile(r"`([\w.]+)`")


def test_what_is_shown_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    """A worker is started as it says; the client prints what stands below it, and so on."""
    module, client = (text for kind, text in BLOCKS if kind == "python")
    (printed,) = (text for kind, text in BLOCKS if kind == "text")
    (tmp_path / "deploys.py").write_text(module, "utf-8")
    (tmp_path / "client.py").write_text(client, "utf-8")
    monkeypatch.setenv("BROKER_URL", redis.url)
    monkeypatch.setenv("CONDUCTOR_STORE", str(tmp_path / "flows.db"))
    command = [sys.executable, "-m", "celery", "-A", "deploys", "worker", "--concurrency", "4"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=QUIET, stderr=QUIET) as worker:
        try:
            told = subprocess.run(
                [sys.executable, "client.py"],
                cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True, timeout=50,
            )  # fmt: skip
        finally:
            worker.terminate()
    assert told.stdout == printed
    sessions = [text for kind, text in BLOCKS if kind == "console" and "conductor log" in text]
    for line, shown in commands_in(sessions[0]):
        assert sh(tmp_path, line).stdout.strip() == shown


def test_every_argument_is_listed() -> None:
    """With its default."""
    arguments = inspect.signature(ConductorApp).parameters.keys()
    assert first_column(CELERY, "argument", WORD) == set(arguments)
    for default in (LEASE_S, POLL_S, MAX_DELIVERIES):
        assert f"({default:g}) |" in CELERY


def test_every_measure_is_told() -> None:
    """With its name as it stands where it is measured."""
    assert measures.__doc__ is not None
    for name in re.findall(r"`(conductor\.[\w.]+)`", measures.__doc__):
        assert f"`{name}`" in CELERY


def test_an_app_is_a_client() -> None:
    """It has every verb of the protocol."""
    assert public(Client) <= set(dir(ConductorApp))


def test_the_nearest_word_counts(tmp_path: Path) -> None:
    """As the flow that is shown says it."""
    write_files(BLOCKS, tmp_path)
    spec = read_flow_for_others(tmp_path / "train.yaml", None)
    assert [*route_problems(spec)] == []
    order = Order(flow_id="f", kind=STEP, name="fit#1", work="fit")
    route = Routes({"fit": Route(queue="cpu")}, NOWHERE).of(order, initial_state(spec, "f"))
    assert route == Route(queue="gpu", priority=9, owner=Owner(id="team-7", type="team"))
