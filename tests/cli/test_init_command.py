"""`conductor init`: a first flow file that runs as it is."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.cli.documents import parse_document
from conductor_core.codec import decode_flow
from conductor_core.log import replay
from conductor_core.schema import flow_schema
from tests.agreement import Checker

CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def conductor(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `conductor` to its end, with nobody at the keyboard."""
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def data_of(text: str) -> Any:
    """The data of a flow file."""
    return parse_document(text.encode(), "flow.yaml").data


def test_what_is_written_runs_to_its_end() -> None:
    """With an approval in advance it succeeds, a retry included, and its log verifies."""
    assert conductor("init").returncode == 0
    done = conductor("run", "flow.yaml", "--approve", "all", "--log", "flow.log.jsonl")
    assert done.returncode == 0, done.stderr
    assert "applied to staging" in done.stdout
    with Path("flow.log.jsonl").open("rb") as file:
        state = replay(file).state
    assert {attempt.id: attempt.status.value for attempt in state.attempts()} == {
        "plan#1": "success",
        "apply#1": "success",
        "smoke#1": "error",
        "smoke#2": "success",
        "report#1": "success",
    }


def test_without_an_answer_it_waits_at_its_approval() -> None:
    """Nobody is there to approve: exit code 3, and nothing was applied."""
    conductor("init")
    done = conductor("run", "flow.yaml")
    assert done.returncode == 3
    assert "applied" not in done.stdout


def test_the_commands_that_it_names_work() -> None:
    """What it says to try can be tried, in that order, whatever the name of the file."""
    done = conductor("init", "my flow.yaml")
    first, *commands = done.stdout.splitlines()
    assert first == "wrote my flow.yaml; try:"
    codes = []
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "conductor"
        codes.append(conductor(*arguments).returncode)
    assert codes == [3, 0, 0]


def test_it_shows_what_flows_can_do() -> None:
    """An approval, a need, a parallel group and a retry are in it; the schema accepts it."""
    conductor("init")
    data = data_of(Path("flow.yaml").read_text("utf-8"))
    assert Checker(flow_schema()).places(data) == set()
    spec = decode_flow(data)
    steps = [step for group in spec.groups for step in group.steps]
    assert any(step.approval for step in steps)
    assert any(step.needs for step in steps)
    assert any(group.parallel for group in spec.groups)
    assert any(step.retry.max_auto_retries for step in steps)


def test_what_is_commented_out_can_be_tried() -> None:
    """Without their marks, the lines that show inputs, a folder and variables are right too."""
    conductor("init")
    text = Path("flow.yaml").read_text("utf-8")
    tried = re.sub(r"^( *)#\|", r"\1", text, flags=re.MULTILINE)
    data = data_of(tried)
    assert Checker(flow_schema()).places(data) == set()
    assert data["metadata"]["inputs"] == {"target": "staging"}
    assert data["groups"][0]["steps"][0]["env"]["FOLDER"] == {"from_env": "HOME"}
    Path("flow.yaml").write_text(tried, encoding="utf-8")
    done = conductor("run", "flow.yaml", "--approve", "all", "--set", "target=production")
    assert done.returncode == 0, done.stderr
    assert "applied to production" in done.stdout


def test_nothing_is_overwritten() -> None:
    """A file that exists is left as it is: exit code 2."""
    Path("flow.yaml").write_text("mine")
    done = conductor("init")
    assert (done.returncode, done.stderr) == (2, "flow.yaml: exists, and is left as it is\n")
    assert Path("flow.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("flow.json", "what is written is YAML, which no .json file holds"),
        ("none/flow.yaml", "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error(name: str, problem: str) -> None:
    """It is named, and the exit code is 2."""
    done = conductor("init", name)
    assert (done.returncode, done.stderr) == (2, f"{name}: {problem}\n")


def test_an_odd_name_stays_in_its_line() -> None:
    """A file name with a line end in it does not break the comments that hold it."""
    assert conductor("init", "a\nb.yaml").returncode == 0
    assert decode_flow(data_of(Path("a\nb.yaml").read_text("utf-8"))).type == "example"


def test_programs_are_told_in_json() -> None:
    """`--json` names the file and the next commands."""
    told = json.loads(conductor("init", "--json").stdout)
    assert told["file"] == "flow.yaml"
    assert told["next"][0] == "conductor run flow.yaml"
