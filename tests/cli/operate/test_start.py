"""`conductor start`: a flow file becomes a flow in a store, which workers take up."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.operate.at_work import ASKING, ONE, STORE, WORK, conductor, flow_log, worker

NO_WORKER = "warning: no worker runs just now; the flow waits for one\n"
SECRET = """
groups: [{key: g, steps: [{key: a, run: "true", env: {TOKEN: {from_env: NOBODY_HAS_THIS}}}]}]
"""
INPUTS = """
flow: sized
metadata: {inputs: {count: 3}}
groups: [{key: g, steps: [{key: a, run: "true"}]}]
"""
WRONG = """
flow: wrong
groups:
  - key: g
    steps:
      - {key: a, run: 7}
      - {key: b, run: "true", envy: {X: "1"}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(flow: str, *arguments: str) -> tuple[int, str, str]:
    """Start a flow; the exit code, and both streams."""
    Path("flow.yaml").write_text(flow)
    done = conductor("start", "flow.yaml", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_flow_is_started_and_its_id_is_printed() -> None:
    """The store is made for its owner alone, and nothing is done yet."""
    assert start(ONE, "--flow-id", "one/1") == (0, "one/1\n", NO_WORKER)
    assert stat.S_IMODE(Path(STORE).stat().st_mode) == 0o600
    assert [line["event"]["type"] for line in flow_log("one/1")[1:]] == ["flow-started"]
    assert not Path(f"{STORE}.d").exists()


def test_a_flow_that_nobody_names_gets_an_id_of_its_own() -> None:
    """Two starts are two flows, named by their type."""
    ids = [start(ONE)[1].rstrip() for _ in range(2)]
    assert len(set(ids)) == 2
    assert all(flow_id.startswith("one-") for flow_id in ids)


def test_the_same_start_again_finds_the_flow() -> None:
    """Its exit code is 0 as before, and it says that it is nothing new."""
    start(ONE, "--flow-id", "one-1")
    code, out, err = start(ONE, "--flow-id", "one-1")
    assert (code, out) == (0, "one-1\n")
    assert err == f"{NO_WORKER}one-1 was started already, and is in-progress\n"
    assert len(flow_log("one-1")) == 2


def test_another_flow_under_the_same_id_is_refused() -> None:
    """Also where nothing but its inputs differs, which is told."""
    start(INPUTS, "--flow-id", "f-1")
    exists = "a flow is named 'f-1' already: it declares otherwise"
    code, out, err = start(INPUTS, "--flow-id", "f-1", "--set", "count=4")
    assert (code, out) == (2, "")
    assert err == f"{exists}: metadata.inputs.count: there 3, here 4\n"
    code, out, err = start(ONE, "--flow-id", "f-1")
    assert (code, out) == (2, "")
    assert err.startswith(f"{exists}: type: there ")
    assert err.count("\n") == 1


def test_programs_are_told_whether_it_was_there() -> None:
    """`--json` says the id, the status, and whether this start began it."""
    told = [json.loads(start(ONE, "--flow-id", "one-1", "--json")[1]) for _ in range(2)]
    assert told == [
        {"flow_id": "one-1", "status": "in-progress", "started": True},
        {"flow_id": "one-1", "status": "in-progress", "started": False},
    ]


def test_inputs_are_filled() -> None:
    """As `conductor run` fills them, and wrong ones are refused as there."""
    start(INPUTS, "--flow-id", "f-1", "--set", "count=4")
    assert flow_log("f-1")[0]["spec"]["metadata"]["inputs"] == {"count": 4}
    assert start(INPUTS, "--set", "size=4") == (
        2, "", "--set: the flow has no input 'size' (it has count)\n",
    )  # fmt: skip


def test_missing_handlers_are_named_and_no_reason_to_refuse() -> None:
    """Workers may come later; those that live are asked what they do."""
    assert start(WORK, "--flow-id", "w-1") == (0, "w-1\n", NO_WORKER)
    with worker() as process:
        while start(ASKING, "--flow-id", "seen")[2].startswith(NO_WORKER):
            assert process.poll() is None
        assert start(ONE, "--flow-id", "one-1") == (0, "one-1\n", "")
        told = "warning: no worker has a handler for 'plan-servers'; the flow waits for one\n"
        assert start(WORK, "--flow-id", "w-2") == (0, "w-2\n", told)
        # A flow without groups waits for who makes them.
        told = "warning: no worker has a generator for flows of type 'made'; the flow waits for one"
        assert start("flow: made", "--flow-id", "m-1") == (0, "m-1\n", f"{told}\n")


def test_with_handlers_a_flow_that_needs_others_is_refused() -> None:
    """Every problem is told with its place, and no store is made."""
    Path("mine.py").write_text("handlers = {'other': print}\n")
    code, out, err = start(WORK, "--handlers", "mine")
    assert (code, out) == (2, "")
    assert err == (
        "flow.yaml:3: groups[0].steps[0].work: no handler is named 'plan-servers' "
        "(known: other, shell)\n"
    )
    assert not Path(STORE).exists()


def test_the_environment_of_steps_is_that_of_the_worker() -> None:
    """What a step takes from it need not be here."""
    assert start(SECRET, "--flow-id", "s-1")[:2] == (0, "s-1\n")


@pytest.mark.parametrize(
    ("flow", "arguments", "told"),
    [
        ("groups: [", [], "flow.yaml:2: groups[0]: no valid YAML"),
        (WRONG, [], "flow.yaml:6: groups[0].steps[0].run: expected"),
        (WRONG, [], "flow.yaml:7: groups[0].steps[1]"),
        (ONE, ["--flow-id", "a b"], "flow_id: 'a b' does not match"),
        (ONE, ["--flow-id", ""], "flow_id: '' does not match"),
        (ONE, ["--set", "x"], "--set: expected KEY=VALUE, got 'x'"),
        (ONE, ["--handlers", "nowhere"], "--handlers nowhere: ModuleNotFoundError"),
        (
            ONE,
            ["--store", "sqlite://x"],
            "--store: expected a file or postgresql://..., got 'sqlite://x'",
        ),
        (ONE, ["--store", "no/where.db"], "no/where.db: there is no directory"),
        (ONE, ["--store", "."], "it is a directory"),
        (ONE, ["--store", "flow.yaml"], "it is no database"),
        (ONE, ["--store", ""], ""),
    ],
)
def test_bad_input_is_refused(flow: str, arguments: list[str], told: str) -> None:
    """With exit code 2, what is wrong and where, and no traceback; no store is made."""
    code, out, err = start(flow, *arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert not Path(STORE).exists()


def test_a_file_that_is_not_there_is_told() -> None:
    """And so is a store that nobody named."""
    assert conductor("start", "none.yaml").stderr == "none.yaml: No such file or directory\n"
    Path("flow.yaml").write_text(ONE)
    done = conductor("start", "flow.yaml", env={"PATH": ""})
    assert done.returncode == 2
    assert "Missing option '--store'" in done.stderr
