"""`conductor ui` of flows in a PostgreSQL database, and on a Temporal cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.ledgers import Hand, close_all, ended
from tests.cli.operate.at_work import ASKING
from tests.cli.operating import CONDUCTOR
from tests.services.fixtures import require
from tests.services.postgres import Postgres
from tests.services.temporal import Temporal
from tests.ui.calling import Caller

DEPLOY = """\
flow: deploy
groups:
  - key: network
    steps:
      - {key: plan, run: "echo planned", approval: {}}
      - {key: apply, run: "echo applied", needs: [plan]}
"""
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no store in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONDUCTOR_STORE", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def served(store: str) -> Generator[Caller]:
    """A server of a store, to which the token was shown."""
    command = [*CONDUCTOR, "ui", "--store", store, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        caller = Caller(said["url"])
        caller.sign_in(said["token"])
        yield caller
        process.terminate()
    assert process.returncode == 0


def run(*words: str) -> None:
    """Run a command that does what it is told."""
    subprocess.run([*CONDUCTOR, *words], check=True, capture_output=True, timeout=PATIENCE_S)


def approved(caller: Caller, flow_id: str, then: Callable[[], object]) -> list[Any]:
    """Approve what asks, have the rest done, and follow to the end; the entries."""
    entries: list[Any] = []
    answered = False
    for kind, data in caller.events(f"/api/flows/{flow_id}/events?after=0"):
        if kind == "entries":
            entries += data
        elif kind == "standing" and data["approvals"] and not answered:
            request = data["requests"][0]
            body = {"event": request["event"], "by": "ann", "attempt": request["attempt"]}
            answer = caller.post(f"/api/flows/{flow_id}/requests", body)
            assert answer.json["verdict"] == "accepted"
            answered = True
            then()
        elif kind == "standing" and data["ended"]:
            assert data["status"] == "success"
            break
    return entries


def check(caller: Caller, flow_id: str, then: Callable[[], object] = bool) -> None:
    """A flow that asks is listed, shown, answered and followed."""
    (row,) = caller.get("/api/flows?kind=people").json["flows"]
    assert (row["flow_id"], row["status"]) == (flow_id, "approval-awaiting")
    waits = caller.get(f"/api/waits?flow={flow_id}").json[flow_id]["waits"]
    assert waits[0]["subject"] == "plan#1"
    assert caller.get(f"/flows/{flow_id}").status == 200
    entries = approved(caller, flow_id, then)
    assert [entry["seq"] for entry in entries] == [*range(1, len(entries) + 1)]
    assert [it["event"]["by"] for it in entries if it.get("request")] == ["ann"]


def test_flows_in_a_database(request: pytest.FixtureRequest) -> None:
    """As in a file; its password is shown nowhere."""
    require(Postgres)
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database().replace("postgres@", "postgres:s3cret@")
    Path("flow.yaml").write_text(ASKING)
    run("start", "flow.yaml", "--flow-id", "f", "--store", url)
    Hand(url).feed(ended("plan#1", subject="3 servers"))
    try:
        with served(url) as caller:
            for path in ("/", "/flows/f"):
                assert b"s3cret" not in caller.get(path).body
            check(caller, "f", lambda: Hand(url).feed(ended("apply#1")))
    finally:
        close_all()


def test_flows_on_a_cluster(temporal: Temporal, tmp_path: Path) -> None:
    """Their logs are made again from their histories, and are followed all the same."""
    url = f"temporal://{temporal.url}/default?queue={tmp_path.name}"
    flow_id = f"f-{tmp_path.name}"
    Path("deploy.yaml").write_text(DEPLOY)
    worker = [*CONDUCTOR, "temporal", "worker", "--store", url]
    with subprocess.Popen(worker, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        run("start", "deploy.yaml", "--flow-id", flow_id, "--store", url)
        waited = [*CONDUCTOR, "wait", flow_id, "--no-people", "--store", url]
        assert subprocess.run(waited, check=False, timeout=PATIENCE_S).returncode == 3
        try:
            with served(url) as caller:
                check(caller, flow_id)
        finally:
            process.terminate()
