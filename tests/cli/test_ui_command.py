"""`conductor ui`: what it says, whom it serves, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from conductor_adapters.cli import ui as command
from tests.cli.operating import ASKS, CONDUCTOR, STORE, begun, run, told
from tests.ui.calling import Caller

WITHIN_S = 30


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a store in which a flow asks."""
    monkeypatch.chdir(tmp_path)
    begun(ASKS, until="approval-awaiting")


@contextmanager
def serving(*options: str, store: str = STORE) -> Generator[subprocess.Popen[str]]:
    """A process that serves a store."""
    started = [*CONDUCTOR, "ui", "--store", store, "--port", "0", *options]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    """A line that it says."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_program_is_told_where_and_how() -> None:
    """In one object on a line of its own; what it is told works."""
    with serving("--json", "--by", "ana") as process:
        said = json.loads(line_of(process))
        assert list(said) == ["url", "token", "read_only"]
        assert said["read_only"] is False
        assert len(said["token"]) == 43
        caller = Caller(said["url"])
        assert caller.sign_in(said["token"]).status == 200
        assert caller.get("/api/session").json["by"] == "ana"
        assert caller.get("/api/flows").json["flows"][0]["flow_id"] == "deploy-1"


def test_each_start_has_a_token_of_its_own() -> None:
    """Nobody knows it from before."""
    with serving("--json") as one, serving("--json") as other:
        tokens = [json.loads(line_of(each))["token"] for each in (one, other)]
    assert len(set(tokens)) == 2


def test_a_person_is_told_an_address_to_open() -> None:
    """The token stands behind the mark that no server is sent."""
    with serving() as process:
        first, second = line_of(process), line_of(process)
        form = r"flows\.db: http://127\.0\.0\.1:\d+/#token=[\w-]{43}\n"
        assert re.fullmatch(form, first)
        assert second == "who has this address may look and answer; Ctrl-C ends it\n"


def test_read_only_has_no_token() -> None:
    """And says who may look."""
    with serving("--read-only", "--json") as process:
        said = json.loads(line_of(process))
        assert (said["token"], said["read_only"]) == (None, True)
        assert Caller(said["url"]).get("/api/flows").status == 200
    with serving("--read-only") as process:
        assert re.fullmatch(r"flows\.db: http://127\.0\.0\.1:\d+/\n", line_of(process))
        assert line_of(process).startswith("to look only: anybody on this machine may")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(number: signal.Signals) -> None:
    """At once, in order, though somebody still follows a flow."""
    with serving("--read-only", "--json") as process:
        caller = Caller(json.loads(line_of(process))["url"])
        events = caller.events("/api/flows/deploy-1/events?after=0")
        assert next(events)[0] == "entries"
        process.send_signal(number)
        _, errors = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, errors) == (0, "")


def test_it_listens_on_this_machine_alone() -> None:
    """On no other address that the machine has."""
    with serving("--read-only", "--json") as process:
        port = urlsplit(json.loads(line_of(process))["url"]).port
        assert port is not None
        listening = [
            line.split()[1]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            if Path(table).exists()
            for line in Path(table).read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
        ]
        assert listening in ([f"0100007F:{port:04X}"], [])


def test_a_port_that_is_taken_is_named() -> None:
    """With a way out."""
    with serving("--read-only", "--json") as process:
        port = urlsplit(json.loads(line_of(process))["url"]).port
        code, _, error = told("ui", "--port", str(port))
    assert code == 2
    assert error == (
        f"--port: cannot listen on 127.0.0.1:{port}: it is taken; --port 0 takes a free one\n"
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--store", "nope.db"], "nope.db: there is no such store"),
        (["--store", "mysql://h/d"], "expected a file or postgresql://"),
        (["--store", STORE, "--temporal"], "--temporal does not go together with --store."),
        (["--store", STORE, "--port", "65536"], "65536 is not in the range"),
        ([], "Missing option '--store'"),
    ],
)
def test_what_cannot_begin_says_why(options: list[str], error: str) -> None:
    """With exit code 2, before anything listens."""
    result = run("ui", *options, store=None)
    assert result.exit_code == 2
    assert error in result.stderr


def test_a_browser_is_led_there_by_a_file_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process is started with is for all to read: the token is not among it."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    address = "http://127.0.0.1:8642/#token=a&b"
    with command.leading_there(address):
        while not opened:
            pass
        (url,) = opened
        file = Path(unquote(urlsplit(url).path))
        assert "token" not in url
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert f'content="0; url={address}"' in unescape(file.read_text(encoding="utf-8"))
    assert not file.parent.exists()
    with command.leading_there(None):
        assert opened == [url]


def test_a_password_is_told_to_nobody() -> None:
    """A store is called on pages what it may be called."""
    named = command.name_of
    assert named("postgresql://ana:secret@h/d") == "postgresql://ana@h/d"
    assert named("temporal://h:7233/n") == "temporal://h:7233/n"
