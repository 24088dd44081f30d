"""Commands about flows on a Temporal cluster, which a URL names, or the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from conductor_core.log import replay
from tests.services.temporal import Temporal

PATIENCE_S = 60.0
DEPLOY = """\
flow: deploy
groups:
  - key: network
    steps:
      - {key: plan, run: "echo planned", approval: {}}
      - {key: apply, run: "echo applied", needs: [plan]}
"""
NO_WORKER = "warning: no worker runs just now; the flow waits for one\n"
CONDUCTOR = str(Path(sys.executable).with_name("conductor"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one, and no store in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONDUCTOR_STORE", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "deploy.yaml").write_text(DEPLOY)
    return tmp_path


@pytest.fixture
def url(temporal: Temporal, tmp_path: Path) -> str:
    """The URL of a server, and of a queue that nobody else knows."""
    return f"temporal://{temporal.url}/default?queue={tmp_path.name}"


def told(*arguments: str, store: str | None = None) -> tuple[int, str, str]:
    """The exit code of a command, and what it writes to both streams."""
    command = [CONDUCTOR, *arguments, *(("--store", store) if store else ())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def data(*arguments: str, store: str) -> Any:
    """What a command writes as JSON."""
    return json.loads(told(*arguments, "--json", store=store)[1])


@pytest.fixture
def worker(url: str) -> Generator[subprocess.Popen[str]]:
    """A worker of commands, once it runs."""
    command = [CONDUCTOR, "temporal", "worker", "--store", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"a worker of {url} runs")
        yield process
        process.terminate()


def test_a_flow_is_started_approved_and_led_to_its_end(
    url: str, worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    """All that operators ask of one works as it does with a file."""
    flow_id = f"f-{tmp_path.name}"
    code, out, _ = told("start", "deploy.yaml", "--flow-id", flow_id, store=url)
    assert (code, out) == (0, f"{flow_id}\n")
    code, out, _ = told("wait", flow_id, "--no-people", store=url)
    assert (code, "waits for a person" in out) == (3, True)
    code, out, _ = told("status", flow_id, store=url)
    assert (code, "plan#1 asks for approval" in out) == (3, True)
    assert "plan#1: 0 of 1 approvals" in told("explain", flow_id, store=url)[1]
    assert told("pause", flow_id, store=url)[:2] == (0, "accepted\n")
    assert told("resume", flow_id, store=url)[:2] == (0, "accepted\n")
    assert told("approve", flow_id, "--by", "ann", store=url)[:2] == (0, "accepted\n")
    assert told("wait", flow_id, store=url)[0] == 0
    assert data("wait", flow_id, store=url)["status"] == "success"
    assert told("cancel", flow_id, store=url)[:2] == (
        1,
        "rejected: flow-finished (the flow has ended)\n",
    )
    rows = {row["flow_id"]: row["status"] for row in data("list", store=url)}
    assert rows[flow_id] == "success"
    lines = told("log", flow_id, store=url)[1].splitlines(keepends=True)
    assert replay(lines).state.flow_id == flow_id
    code, _, error = told("start", "deploy.yaml", "--flow-id", flow_id, store=url)
    assert (code, error) == (0, f"{flow_id} was started already, and is success\n")
    worker.send_signal(signal.SIGINT)
    assert worker.wait(PATIENCE_S) == 0


def test_the_environment_names_the_usual_cluster(
    temporal: Temporal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for Temporal's own tools; --temporal means it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.url)
    flow_id = f"g-{tmp_path.name}"
    code, out, _ = told("start", "deploy.yaml", "--flow-id", flow_id, "--temporal")
    assert (code, out) == (0, f"{flow_id}\n")
    assert told("status", flow_id, "--temporal")[:2] == (
        0, f"flow {flow_id} (deploy): pending\n  waits for its start (host)\n"
    )  # fmt: skip
    assert told("explain", flow_id, "--temporal")[0] == 0
    code, _, error = told("status", flow_id, "--temporal", store="flows.db")
    assert (code, "--temporal does not go together with --store" in error) == (2, True)
    code, _, error = told("explain", flow_id, "--temporal", store="flows.db")
    assert (code, "--temporal does not go together with --store" in error) == (2, True)
    monkeypatch.setenv("CONDUCTOR_STORE", f"temporal://{temporal.url}")
    assert told("log", flow_id)[0] == 0


def test_a_flow_that_nobody_works_on_waits(url: str, tmp_path: Path) -> None:
    """Whoever starts it is warned."""
    flow_id = f"h-{tmp_path.name}"
    assert told("start", "deploy.yaml", "--flow-id", flow_id, store=url) == (
        0, f"{flow_id}\n", NO_WORKER
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "store", "problem"),
    [
        (["status", "nobody"], None, "URL: no flow is named 'nobody'"),
        (["log", "nobody"], None, "URL: no flow is named 'nobody'"),
        (["list"], "temporal://127.0.0.1:1", "temporal://127.0.0.1:1/default: Temporal cannot be"),
        (["list"], "temporal://h/n/more", "expected temporal://HOST:PORT/NAMESPACE?queue=Q, got"),
        (["list"], "temporal://h/n?colour=red", "expected temporal://HOST:PORT/NAMESPACE?queue=Q"),
        (["list"], "temporal:h", "expected temporal://HOST:PORT/NAMESPACE?queue=Q, got"),
        (["temporal", "worker"], "temporal://127.0.0.1:1", "Temporal cannot be reached"),
        (["list"], "nowhere", "Namespace nowhere is not found"),
        (["temporal", "worker"], "nowhere", "Namespace nowhere is not found"),
        (["worker"], None, "on a cluster conductor temporal worker"),
        (["vacuum", "--older-than", "1d"], None, "flows on Temporal have no store to be opened"),
        (["temporal", "worker", "--handlers", "nothing"], None, "No module named 'nothing'"),
        (["temporal", "worker", "--directory", "nowhere"], None, "--directory: nowhere: No such"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(
    url: str, arguments: list[str], store: str | None, problem: str
) -> None:
    """In a line, with exit code 2."""
    elsewhere = url.replace("/default", "/nowhere")
    code, out, error = told(*arguments, store=elsewhere if store == "nowhere" else store or url)
    assert (code, out) == (2, "")
    assert problem.replace("URL", url) in error


def test_without_the_extra_it_is_named(tmp_path: Path, url: str) -> None:
    """What is missing, and how to get it."""
    (tmp_path / "temporalio.py").write_text("raise ImportError('not here')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [CONDUCTOR, "list", "--store", url], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'conductor-core[temporal]'" in done.stderr
