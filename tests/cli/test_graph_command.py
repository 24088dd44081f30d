"""`conductor graph` draws what a file holds; how, is the matter of the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_core import FlowSpec, events, initial_state, reduce
from conductor_core.codec import encode_spec
from conductor_core.graph import graph_of
from conductor_core.graphsvg import svg
from conductor_core.graphtext import dot, mermaid
from conductor_core.log import LogWriter
from conductor_core.testing.brief import flow, group, succeeded

SPEC: Final = flow(group("build", "wheel", "sdist", parallel=True), group("publish", "publish"))


def log(*sent: events.Event) -> str:
    """The log of a flow to which these events happened."""
    state = initial_state(SPEC, flow_id="release-1")
    writer = LogWriter(state, at_ms=0)
    text = writer.header()
    for event in sent:
        transition = reduce(state, event)
        text += writer.entry(event, transition)
        state = transition.state
    return text


HISTORY: Final = (events.FlowStarted(at_ms=0), succeeded("wheel#1"), succeeded("sdist#1"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a flow file and a log."""
    monkeypatch.chdir(tmp_path)
    write_flow(SPEC)
    (tmp_path / "log.jsonl").write_text(log(*HISTORY))
    return tmp_path


def write_flow(spec: FlowSpec) -> None:
    """Write a flow as a flow file."""
    Path("flow.json").write_text(json.dumps({"groups": encode_spec(spec)["groups"]}))


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["graph", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_mermaid_is_what_is_drawn_unless_told_otherwise() -> None:
    """A flow file as it is declared, in each notation."""
    assert run("flow.json").stdout == mermaid(graph_of(SPEC))
    assert run("flow.json", "--format", "mermaid").stdout == mermaid(graph_of(SPEC))
    assert run("flow.json", "--format", "dot").stdout == dot(graph_of(SPEC))
    assert run("flow.json", "--format", "svg").stdout == svg(graph_of(SPEC))


def test_a_log_is_drawn_as_it_stands() -> None:
    """With a log the picture says how far the flow is, now or after an entry."""
    now, then = run("log.jsonl").stdout, run("log.jsonl", "--at", "2").stdout
    assert '    s3["publish<br>queued"]:::queued\n' in now
    assert '    s1["wheel<br>success"]:::success\n    s2["sdist<br>queued"]:::queued\n' in then


def test_a_notation_and_json_do_not_go_together() -> None:
    """One of them would have no effect."""
    result = run("log.jsonl", "--format", "svg", "--json")
    assert result.exit_code == 2
    assert "--json does not go together with --format." in result.stderr


def test_json_names_nodes_and_edges_with_their_statuses() -> None:
    """`--json` gives the graph as data, whatever the notation."""
    told = json.loads(run("log.jsonl", "--json").stdout)
    assert told["file"] == "log.jsonl"
    assert told["flow"] == {
        "id": "flow",
        "lines": ["release-1", "in-progress"],
        "status": "in-progress",
    }
    assert [(box["id"], box["group"], box["status"]) for box in told["groups"]] == [
        ("g1", "build", "success"),
        ("g2", "publish", "in-progress"),
    ]
    assert [(node["id"], node["group"], node["attempt"]) for node in told["nodes"]] == [
        ("s1", "g1", "wheel#1"),
        ("s2", "g1", "sdist#1"),
        ("s3", "g2", "publish#1"),
    ]
    assert told["edges"] == [
        {"source": "flow", "target": "g1", "kind": "order"},
        {"source": "g1", "target": "g2", "kind": "order"},
    ]


def test_a_picture_that_mermaid_would_not_draw_is_warned_of() -> None:
    """Mermaid has limits that a reader would meet only later; Graphviz has none."""
    write_flow(flow(group("g", *(f"s{n}" for n in range(501)))))
    result = run("flow.json")
    assert result.exit_code == 0
    assert result.stderr.startswith("flow.json: warning: 501 edges and ")
    assert run("flow.json", "--format", "dot").stderr == ""


def test_a_truncated_log_is_drawn_with_a_warning(folder: Path) -> None:
    """What stands before a line that was cut off is as good as ever."""
    (folder / "log.jsonl").write_text(log(*HISTORY)[:-9])
    result = run("log.jsonl")
    assert (result.exit_code, "s2[" in result.stdout) == (0, True)
    assert result.stderr.startswith("log.jsonl: warning: line 4: ")


def test_what_cannot_be_read_is_not_drawn(folder: Path) -> None:
    """Bad input is one line and exit code 2."""
    (folder / "bad").write_text("")
    result = run("bad")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "bad: it is empty, expected a log or a flow file\n"
