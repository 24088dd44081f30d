"""Commands about flows in a PostgreSQL database, which its URL names."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conductor_adapters.cli.main import conductor
from conductor_core import events
from conductor_core.log import replay
from tests.adapters.ledgers import Hand, close_all, ended
from tests.cli.operate.at_work import ASKING, ONE
from tests.services.fixtures import require
from tests.services.postgres import Postgres

NO_WORKER = "warning: no worker runs just now; the flow waits for one\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDUCTOR_STORE", raising=False)
    return tmp_path


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Generator[str]:
    """The URL of a database in which no store is yet, with a password that it does not ask for."""
    require(Postgres)
    server: Postgres = request.getfixturevalue("postgres")
    yield server.new_database().replace("postgres@", "postgres:s3cret@")
    close_all()


def told(command: str, *arguments: str, store: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it writes to both streams."""
    result = CliRunner().invoke(conductor, [command, *arguments, "--store", store])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "s3cret" not in result.stdout + result.stderr
    return result.exit_code, result.stdout, result.stderr


def data(command: str, *arguments: str, store: str) -> Any:
    """What a command writes as JSON."""
    return json.loads(told(command, *arguments, "--json", store=store)[1])


def started(url: str, flow: str = ASKING, flow_id: str = "f") -> tuple[int, str, str]:
    """Start a flow."""
    Path("flow.yaml").write_text(flow)
    return told("start", "flow.yaml", "--flow-id", flow_id, store=url)


def test_a_flow_is_started_approved_and_led_to_its_end(url: str) -> None:
    """All that operators ask of one works as it does with a file."""
    assert started(url) == (0, "f\n", NO_WORKER)
    assert started(url)[2].endswith("f was started already, and is in-progress\n")
    Hand(url).feed(ended("plan#1", subject="3 servers"))
    code, out, _ = told("status", "f", store=url)
    assert (code, "plan#1 asks for approval" in out) == (3, True)
    assert [row["status"] for row in data("list", store=url)] == ["approval-awaiting"]
    assert told("approve", "f", "--by", "ann", store=url) == (0, "accepted\n", "")
    assert told("pause", "f", store=url) == (0, "accepted\n", "")
    assert told("resume", "f", store=url) == (0, "accepted\n", "")
    Hand(url).feed(ended("apply#1"))
    assert told("wait", "f", store=url)[0] == 0
    assert data("wait", "f", store=url)["status"] == "success"
    assert told("cancel", "f", store=url)[:2] == (
        1,
        "rejected: flow-finished (the flow has ended)\n",
    )


def test_the_environment_may_name_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it may name a file."""
    started(url)
    monkeypatch.setenv("CONDUCTOR_STORE", url)
    result = CliRunner().invoke(conductor, ["list"])
    assert (result.exit_code, "in-progress" in result.stdout) == (0, True)


def test_a_log_goes_out_of_one_store_into_another(url: str) -> None:
    """From the database to a file, and back where it was removed."""
    started(url)
    Hand(url).feed(ended("plan#1"))
    assert told("log", "f", "-o", "f.jsonl", store=url)[0] == 0
    state = replay(Path("f.jsonl").read_bytes().splitlines(keepends=True)).state
    taken = "f.jsonl: a flow is named 'f' already: this very log is there\n"
    assert told("import", "f.jsonl", store=url) == (2, "", taken)
    code, out, _ = told("import", "f.jsonl", store="flows.db")
    assert (code, out) == (0, "f: approval-awaiting, 2 entries\n")
    hand = Hand(url)
    hand.do(lambda ledger: ledger.store.remove_flow("f"))
    assert told("import", "f.jsonl", store=f"{url}?application_name=again")[0] == 0
    assert hand.state() == state


def test_a_log_that_is_refused_makes_no_store(url: str) -> None:
    """And of one that is cut off nothing comes in."""
    Path("bad.jsonl").write_text("no log\n")
    code, out, err = told("import", "bad.jsonl", store=url)
    assert (code, out) == (2, "")
    assert err.startswith("bad.jsonl: ")
    assert told("list", store=url)[2].endswith("there is no such store\n")


def test_a_log_is_explained_and_followed(url: str) -> None:
    """Under the name of the store, without the password."""
    started(url)
    Hand(url).feed(partial(events.CancelRequested, by="ann"))
    assert told("explain", "f", store=url)[0] == 0
    assert data("explain", "f", store=url)["file"] == url.replace(":s3cret", "")
    code, out, _ = told("watch", "f", store=url)
    assert (code, "cancelled" in out) == (1, True)


def test_flows_that_ended_are_removed(url: str) -> None:
    """The rest is the business of the database, and that is told."""
    for flow_id in ("old", "other"):
        started(url, ONE, flow_id)
    Hand(url).feed(ended("hello#1"), "old")
    assert told("vacuum", "--older-than", "0s", "--dry-run", store=url)[1] == (
        "old\n1 flow would be removed\n"
    )
    assert told("vacuum", "--older-than", "0s", store=url)[:2] == (0, "1 flow removed\n")
    assert [row["flow_id"] for row in data("list", store=url)] == ["other"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["vacuum", "--older-than", "0s", "--shrink"],
            "a database is given room back by its own VACUUM, not with --shrink",
        ),
        (["backup", "copy.db"], "a database is copied with pg_dump, not with conductor backup"),
        (
            ["worker"],
            (
                "conductor worker works on a SQLite file; on a database Celery workers do the "
                "work, on a cluster conductor temporal worker"
            ),
        ),
    ],
)
def test_what_is_for_files_alone_is_refused(arguments: list[str], error: str) -> None:
    """Before anything is opened, and without the password."""
    url = "postgresql://ann:s3cret@127.0.0.1:1/flows"
    expected = f"--store: postgresql://ann@127.0.0.1:1/flows: {error}\n"
    assert told(*arguments, store=url) == (2, "", expected)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["status", "f"],
        ["log", "f"],
        ["watch", "f"],
        ["wait", "f"],
        ["approve", "f"],
        ["cancel", "f"],
        ["explain", "f"],
        ["vacuum", "--older-than", "1d"],
    ],
)
def test_a_database_that_is_no_store_is_told(url: str, arguments: list[str]) -> None:
    """By all that only ask, and nothing is made in it."""
    shown = url.replace(":s3cret", "")
    for _ in range(2):
        expected = f"{shown}: there is no such store\n"
        assert told(*arguments, store=url) == (2, "", expected)


@pytest.mark.parametrize("command", ["start", "list", "vacuum"])
def test_a_server_that_is_not_there_is_told(command: str) -> None:
    """In one line."""
    Path("flow.yaml").write_text(ONE)
    arguments = {"start": ["flow.yaml"], "list": [], "vacuum": ["--older-than", "1d"]}[command]
    url = "postgresql://ann:s3cret@127.0.0.1:1/flows"
    code, out, err = told(command, *arguments, store=url)
    assert (code, out) == (2, "")
    assert err.startswith("postgresql://ann@127.0.0.1:1/flows: connection")
    assert err.endswith("Is the server running on that host and accepting TCP/IP connections?\n")
    assert len(err.splitlines()) == 1
