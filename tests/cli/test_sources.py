"""What looks at a log looks at a flow of a store as well, and never writes over either."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli.sources import STORE as VARIABLE
from conductor_core.log import replay
from tests.cli.operating import ASKS, STORE, begun, run

ID: Final = "deploy-1"
PAUSE: Final = '{"type":"pause-requested","by":"ana","at_ms":1}'
COMMANDS: Final = {
    "explain": ("explain", "--at", "3"),
    "graph": ("graph", "--format", "svg"),
    "export": ("export", "--format", "otlp-json"),
    "what-if": ("what-if", "--at", "3", "--event", PAUSE, "--assume-approval", "approve"),
    "shrink": ("shrink", "--keep", "status:approval-awaiting"),
}
WRITING: Final = {
    "export": COMMANDS["export"],
    "html": ("html",),
    "what-if": COMMANDS["what-if"],
    "shrink": COMMANDS["shrink"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store, in which a flow waits for an approval, and with its log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    begun(ASKS, until="approval-awaiting")
    run("log", ID, "-o", "flow.jsonl")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flow_of_a_store_is_what_its_log_is(command: str) -> None:
    """To the byte, but for what it is called."""
    name, *options = COMMANDS[command]
    of_file = run(name, "flow.jsonl", *options, store=None)
    of_flow = run(name, ID, *options)
    called = of_file.output.replace("flow.jsonl", f"flows.db: flow '{ID}'")
    assert (of_flow.exit_code, of_flow.output) == (of_file.exit_code, called)
    assert of_file.exit_code in {0, 3}


@pytest.mark.parametrize("options", [(), ("--until", "2", "--state"), ("--json",)])
def test_a_flow_of_a_store_is_replayed_as_its_log_is(options: tuple[str, ...]) -> None:
    """Its log is verified anew; the store is not believed."""
    of_file = run("replay", "flow.jsonl", *options, store=None)
    of_flow = run("replay", ID, *options)
    called = of_file.output.replace("flow.jsonl", f"flows.db: flow '{ID}'")
    assert (of_flow.exit_code, of_flow.output) == (0, called)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_flows_and_logs_are_replayed_side_by_side(
    processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no file is a flow; one that is not there is told when it is its turn."""
    monkeypatch.setenv(VARIABLE, STORE)
    told = run("replay", ID, "nobody", "flow.jsonl", "--processes", processes, store=None)
    assert told.stdout.splitlines() == [
        f"{name}: replay: 3 entries verified; not closed, the flow is approval-awaiting"
        for name in (f"flows.db: flow '{ID}'", "flow.jsonl")
    ]
    assert (told.exit_code, told.stderr) == (2, "flows.db: no flow is named 'nobody'\n")
    looked = run("replay", "nobody", "--until", "1", store=None)
    assert (looked.exit_code, looked.stderr) == (2, "flows.db: no flow is named 'nobody'\n")
    monkeypatch.delenv(VARIABLE)
    for options in ((), ("--until", "1")):
        nothing = run("replay", "nobody", *options, store=None)
        needed = f"a flow of a store needs --store or {VARIABLE}"
        assert nothing.stderr == f"nobody: No such file or directory; {needed}\n"


def test_an_entry_that_was_changed_in_the_store_is_found() -> None:
    """Whoever can write to the file can change it, and not without its digests telling."""
    with closing(sqlite3.connect(STORE)) as store, store:
        changed = store.execute(
            "UPDATE entries SET lines = replace(lines, '3 servers', '9 servers') WHERE seq = 3"
        )
        assert changed.rowcount == 1
    told = run("replay", ID)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"flows.db: flow '{ID}': line 4: broken digest chain")


def test_a_flow_of_a_store_is_followed_by_another_command() -> None:
    """Which is named."""
    told = run("replay", ID, "--follow")
    assert told.exit_code == 2
    assert "--follow takes a file; conductor log writes that of a flow" in told.stderr


def test_a_flow_is_shown_on_a_page_beside_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the store in the environment, what is no file is a flow."""
    monkeypatch.setenv(VARIABLE, STORE)
    told = run("html", ID, "flow.jsonl", "-o", "run.html", "--json", store=None)
    logs = json.loads(told.output)["logs"]
    assert [each["file"] for each in logs] == [f"flows.db: flow '{ID}'", "flow.jsonl"]
    assert ID in Path("run.html").read_text()


def test_a_flow_is_compared_with_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own log is the same, and what a branch has more is told."""
    monkeypatch.setenv(VARIABLE, STORE)
    assert run("diff", ID, "flow.jsonl", store=None).exit_code == 0
    name, *options = COMMANDS["what-if"]
    run(name, ID, *options, "--assume-work", "succeeded", "-o", "branch.jsonl", store=None)
    differs = run("diff", ID, "branch.jsonl", store=None)
    assert differs.exit_code == 1
    assert differs.stdout.startswith(f"A: flows.db: flow '{ID}', flow {ID} (flow), 3 entries\n")


@pytest.mark.parametrize("command", WRITING)
def test_the_store_is_never_written_over(command: str) -> None:
    """Nor the log, whatever is said about what exists."""
    before = Path(STORE).read_bytes(), Path("flow.jsonl").read_bytes()
    name, *options = WRITING[command]
    for what, store in ((ID, STORE), ("flow.jsonl", None)):
        output = what if store is None else store
        done = run(name, what, *options, "-o", output, "--replace", store=store)
        told = f"-o: {output} is what is read, expected another file\n"
        assert (done.exit_code, done.stderr) == (2, told)
    assert (Path(STORE).read_bytes(), Path("flow.jsonl").read_bytes()) == before


@pytest.mark.parametrize("replace", [(), ("--replace",)])
@pytest.mark.parametrize("beside", ["-wal", "-shm", "-journal"])
def test_what_a_store_keeps_beside_it_is_not_written_over(
    beside: str, replace: tuple[str, ...]
) -> None:
    """Be it there or not, and by whatever name: what was accepted may stand there alone."""
    Path("link").symlink_to(f"{STORE}{beside}")
    with closing(sqlite3.connect(STORE)) as held:
        # Whoever has the store open keeps those files there.
        held.execute("SELECT count(*) FROM sqlite_master").fetchone()
        assert run("pause", ID, "--by", "ana").exit_code == 0
        for name, *options in WRITING.values():
            for output in (f"{STORE}{beside}", "link"):
                done = run(name, ID, *options, "-o", output, *replace)
                told = f"-o: {output} is what is read, expected another file\n"
                assert (done.exit_code, done.stderr) == (2, told)
    assert json.loads(run("explain", ID, "--json").stdout)["paused"]


@pytest.mark.parametrize("command", [*COMMANDS, "html"])
def test_what_is_not_there_is_told(command: str) -> None:
    """A flow of the store, and a file."""
    name, *options = {**COMMANDS, **WRITING}[command]
    options += ["-o", "run.html"] if command == "html" else []
    nobody = run(name, "nobody", *options)
    assert (nobody.exit_code, nobody.stderr) == (2, "flows.db: no flow is named 'nobody'\n")
    nothing = run(name, "nobody", *options, store=None)
    told = f"nobody: No such file or directory; a flow of a store needs --store or {VARIABLE}\n"
    assert (nothing.exit_code, nothing.stderr) == (2, told)
    no_flow = run(name, "nobody.jsonl", *options, store=None)
    assert no_flow.stderr == "nobody.jsonl: No such file or directory\n"
    both = run(name, "nobody", *options, "--temporal")
    assert both.exit_code == 2
    assert "--temporal does not go together with --store" in both.stderr


def test_the_branch_of_a_flow_replays() -> None:
    """A flow that waits is asked what becomes of it, and its branch is a log."""
    name, *options = COMMANDS["what-if"]
    run(name, ID, *options, "--assume-work", "succeeded", "-o", "branch.jsonl")
    with Path("branch.jsonl").open("rb") as lines:
        assert replay(lines).state.paused
