"""Flow files that cannot be run: one clear error each, where it stands in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_adapters.cli.flow_file import read_flow
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core.errors import ConductorError
from conductor_core.flowfile import SHELL

A_SCENARIO = """\
format: conductor-scenario/1
scenarios: [{name: s, flow: {groups: [{key: g, steps: [{key: a}]}]}}]
"""
CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(name: str, content: str | bytes) -> list[str]:
    """What is told, line by line, about a file that cannot be run."""
    data = content.encode() if isinstance(content, str) else content
    Path(name).write_bytes(data)
    with pytest.raises(ConductorError) as refused:
        read_flow(Path(name), Workers(handlers={SHELL: Shell()}))
    return str(refused.value).splitlines()


@pytest.fixture
def log() -> bytes:
    """The log of a flow that was run."""
    Path("run.yaml").write_text("groups: [{key: g, steps: [{key: a, run: 'true'}]}]")
    command = [*CONDUCTOR, "run", "run.yaml", "--log", "run.jsonl"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return Path("run.jsonl").read_bytes()


# --- files of another kind ---


@pytest.mark.parametrize("name", ["log.jsonl", "log.yaml", "log.json"])
def test_a_log_is_told_as_one(log: bytes, name: str) -> None:
    """The lines of a log are no flow file; the error names what takes them."""
    [told] = refusal(name, log)
    assert told == (
        f"{name}:1: this is the log of a flow, no flow file; "
        f"try conductor replay {name}, or conductor run --resume {name}"
    )


@pytest.mark.parametrize("name", ["log.jsonl", "log.json"])
def test_the_first_line_of_a_log_is_enough(log: bytes, name: str) -> None:
    """So is its header alone, in one line or in many, by this version or another."""
    header = json.loads(log.partition(b"\n")[0])
    for text in (json.dumps(header), json.dumps({**header, "log": "conductor-log/99"}, indent=2)):
        [told] = refusal(name, text)
        assert "log: this is the log of a flow, no flow file; try conductor replay" in told


def test_a_scenario_file_is_told_as_one() -> None:
    """The command that plays it is named, with a file name that a shell can read."""
    [told] = refusal("my deny.scenario.yaml", A_SCENARIO)
    assert told == (
        "my deny.scenario.yaml:1: this is a scenario file, no flow file; "
        "try conductor scenario run 'my deny.scenario.yaml'"
    )
    [told] = refusal("later.json", '{"format": "conductor-scenario/2"}')
    assert "this is a scenario file" in told


def test_a_key_of_another_file_does_not_make_one() -> None:
    """A flow file with a misplaced key stays a flow file."""
    for text in ("log: info\ngroups: []", "format: yaml\ngroups: []"):
        [told] = refusal("flow.yaml", text)
        assert told.startswith(f"flow.yaml:1: {text.partition(':')[0]}: unknown key")


# --- files of no kind ---


@pytest.mark.parametrize("name", ["flow.yaml", "flow.json"])
@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_told_as_one(name: str, text: str) -> None:
    """There is nothing in it, in whatever language."""
    [told] = refusal(name, text)
    assert told.endswith(": the document is empty")


def test_a_file_of_comments_is_empty() -> None:
    """A flow that is commented out is none."""
    assert refusal("flow.yaml", "# groups: []\n") == ["flow.yaml:1: the document is empty"]


def test_a_binary_file_is_told_with_its_first_odd_byte() -> None:
    """What is no text is no flow file."""
    assert refusal("flow", b"\x7fELF\xff\x00") == ["flow:1: no valid UTF-8: the byte 0xff"]
    assert refusal("flow", b"{\0}") == ["flow:1: the character '\\x00' is not allowed in YAML"]


def test_a_folder_and_no_file_are_told_by_name(folder: Path) -> None:
    """Neither has a line."""
    for name, problem in (("x.yaml", "No such file or directory"), (".", "Is a directory")):
        with pytest.raises(ConductorError) as refused:
            read_flow(Path(name), Workers(handlers={}))
        assert str(refused.value) == f"{name}: {problem}"


# --- flows that cannot run ---


def test_needs_that_go_in_circles_are_told_where_they_begin() -> None:
    """Each need that does not run earlier has a line of its own."""
    text = """\
groups:
  - key: g
    steps:
      - {key: a, run: x, needs: [b]}
      - key: b
        run: x
        needs: [a, b, late]
  - key: h
    steps: [{key: late, run: x}]
"""
    told = refusal("flow.yaml", text)
    assert [line.partition(" is no step that runs earlier")[0] for line in told] == [
        "flow.yaml:4: groups[0].steps[0].needs: 'b'",
        "flow.yaml:7: groups[0].steps[1].needs: 'b'",
        "flow.yaml:7: groups[0].steps[1].needs: 'late'",
    ]


def test_what_a_shell_refuses_is_told_where_it_is_written() -> None:
    """The keys of a command stand in the step, or in its input where that is written out."""
    text = r"""
groups:
  - key: g
    steps:
      - key: a
        run: x
        env: {"no name": x}
      - key: b
        work: shell
        input:
          run: "\0"
      - {key: c, work: shell, input: 7}
      - {key: shell}
"""
    told = refusal("flow.yaml", text)
    assert [line.split(" ")[:2] for line in told] == [
        ["flow.yaml:7:", "groups[0].steps[0].env['no"],
        ["flow.yaml:11:", "groups[0].steps[1].input.run:"],
        ["flow.yaml:12:", "groups[0].steps[2].input:"],
        ["flow.yaml:13:", "groups[0].steps[3].input.run:"],
    ]


def test_a_variable_that_is_not_there_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step would fail for want of it, perhaps after hours."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    text = "groups: [{key: g, steps: [{key: a, run: x, env: {T: {from_env: NO_SUCH_TOKEN}}}]}]"
    [told] = refusal("flow.yaml", text)
    place = "groups[0].steps[0].env.T.from_env"
    assert told == f"flow.yaml:1: {place}: the environment has no variable NO_SUCH_TOKEN"
    monkeypatch.setenv("NO_SUCH_TOKEN", "")
    assert read_flow(Path("flow.yaml"), Workers(handlers={SHELL: Shell()})).groups
