"""A flow as a graph, and the graph in Mermaid and in DOT."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from itertools import chain
from typing import Final

import pytest

from conductor_core import (
    ApprovalSpec,
    AttemptStatus,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    StepSpec,
    events,
)
from conductor_core.graph import FLOW, Edge, Graph, graph_of
from conductor_core.graphtext import COLOURS, LONGEST, dot, mermaid
from conductor_core.state import FlowState
from conductor_core.testing import given
from conductor_core.testing.brief import START, answered, failed, flow, group, succeeded

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(required=2))
DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[
        group("network", PLAN, StepSpec(key="apply", needs=["plan"])),
        group("services", "api", "web", "db", parallel=True, max_parallel=2),
        group("smoke", StepSpec(key="smoke", needs=["api", "apply"])),
    ],
)

# What could end a string, a line, a label or an element, or turn into something else.
UNTAMED: Final = (
    "end",
    'a "quoted" name',
    "]) } > ]]",
    '"]; flow --> x',
    "<b>bold</b> &amp; #35; #quot;",
    "1. one",
    "- *two* _three_ `four` ~~five~~ __init__",
    "two\nlines\r\nand\ttabs",
    "\u202eright to left",
    "état 日本語 \U0001f680",
    "%% no comment %%{init: {}}%%",
    "https://a.example www.example.com a@b.example",
    "$$x^2$$ fa:fa-car",
    r"back\slash \N \l \"",
    "style s1 fill:#f00;",
    "  ",
    "x" * 500,
)


def shown(name: str) -> str:
    """The name as a label may show it: on one line, printable, and not too long."""
    line = " ".join(name.split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
    return line.replace("\u202e", r"\u202e")


def untamed() -> FlowSpec:
    """A flow whose parts bear every one of these names."""
    steps = [
        StepSpec(key=f"s{n}", name=name, approval=ApprovalSpec() if n % 3 == 0 else None)
        for n, name in enumerate(UNTAMED)
    ]
    return FlowSpec(
        type='the "flow" <i>',
        groups=[
            GroupSpec(key="end", name='a "group"\nof <b>', steps=steps[:8]),
            GroupSpec(key="graph", name="\t", steps=steps[8:], parallel=True),
        ],
    )


def half_deployed() -> FlowState:
    """A flow whose plan was approved by one of two, at the second attempt."""
    back = events.ApprovalResponded(at_ms=0, step="plan", response="retry", by="ann")
    again = succeeded("plan#2"), answered("plan")
    return given(DEPLOY, START, succeeded("plan#1"), back, *again).state


def order(graph: Graph) -> list[tuple[str, str]]:
    """The edges that say what comes next."""
    return [(edge.source, edge.target) for edge in graph.edges if edge.kind == "order"]


# --- what is in a graph ---


def test_groups_follow_one_another_and_so_do_the_steps_of_a_sequential_one() -> None:
    """Order leads from the flow through the groups, and through the steps that wait in line."""
    assert order(graph_of(DEPLOY)) == [(FLOW, "g1"), ("g1", "g2"), ("g2", "g3"), ("s1", "s2")]


def test_a_need_is_an_edge_of_its_own() -> None:
    """Each step is led to by those whose outputs it is given."""
    needs = [edge for edge in graph_of(DEPLOY).edges if edge.kind == "need"]
    assert needs == [
        Edge(source="s1", target="s2", kind="need"),
        Edge(source="s3", target="s6", kind="need"),
        Edge(source="s2", target="s6", kind="need"),
    ]


def test_a_spec_has_no_statuses() -> None:
    """What is only declared stands nowhere yet."""
    graph = graph_of(DEPLOY)
    nodes = [node for box in graph.boxes for node in box.nodes]
    assert graph.lines == ("deploy",)
    assert {graph.status, *(box.status for box in graph.boxes)} == {None}
    assert {(node.status, node.attempt) for node in nodes} == {(None, None)}


def test_an_approval_is_marked_with_how_many_it_takes() -> None:
    """A step that asks says how many must approve, and other steps say nothing of it."""
    plan, apply = graph_of(DEPLOY).boxes[0].nodes
    assert (plan.required, plan.lines) == (2, ("plan", "approval: 2 required"))
    assert (apply.required, apply.lines) == (None, ("apply",))


@pytest.mark.parametrize(
    ("limit", "of_all", "at_once", "told"),
    [
        (None, None, 3, "in parallel"),
        (2, None, 2, "in parallel, 2 at a time"),
        (None, 1, 1, "in parallel, 1 at a time"),
        (2, 1, 2, "in parallel, 2 at a time"),
        (9, None, 3, "in parallel"),
    ],
)
def test_a_parallel_group_says_how_many_run_together(
    limit: int | None, of_all: int | None, at_once: int, told: str
) -> None:
    """The group's own limit counts, else the flow's, and neither is more than there are steps."""
    parallel = group("g", "a", "b", "c", parallel=True, max_parallel=limit)
    (box,) = graph_of(flow(parallel, options=FlowOptions(max_parallel=of_all))).boxes
    assert (box.at_once, box.lines) == (at_once, ("g", told))


def test_a_state_says_where_everything_stands() -> None:
    """Statuses, the number of a later attempt, and how far an approval is."""
    graph = graph_of(half_deployed())
    plan, apply = graph.boxes[0].nodes
    assert (graph.lines, graph.status) == (("flow", "approval-awaiting"), "approval-awaiting")
    assert [box.status for box in graph.boxes] == ["approval-awaiting", "pending", "pending"]
    assert plan.lines == ("plan#2", "approval: 1 of 2", "approval-awaiting")
    assert (plan.attempt, plan.given, plan.status) == ("plan#2", 1, "approval-awaiting")
    assert (apply.lines, apply.attempt) == (("apply", "pending"), "apply#1")


def test_a_name_stands_before_the_key() -> None:
    """People read the name; the key is what they call the step by."""
    spec = flow(GroupSpec(key="g", name="The group", steps=[StepSpec(key="a", name="The step")]))
    (box,) = graph_of(spec).boxes
    assert (box.lines, box.nodes[0].lines) == (("The group",), ("The step", "a"))


def test_an_approval_that_only_the_work_asked_for_is_marked_too() -> None:
    """A directive asks people as well as a declaration does."""
    asked = succeeded("a#1", directive="await-approval")
    (box,) = graph_of(given(flow(group("g", "a")), START, asked).state).boxes
    assert box.nodes[0].lines == ("a", "approval: 0 of 1", "approval-awaiting")


def test_an_automatic_approval_says_what_decided_it() -> None:
    """Nobody was asked, and the graph does not pretend otherwise."""
    spec = flow(group("g", PLAN), options=FlowOptions(approval="approve-all"))
    (box,) = graph_of(given(spec, START, succeeded("plan#1")).state).boxes
    assert box.nodes[0].lines == ("plan", "approval: automatic (approve-all)", "success")


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        ((START, succeeded("a#1")), ("flow", "success")),
        ((START, failed("a#1")), ("flow", "error", "failed at a#1", "Step failed")),
        (
            (events.CancelRequested(at_ms=0, by="ann", reason="not today"),),
            ("flow", "cancelled", "cancelled", "not today"),
        ),
        ((events.CancelRequested(at_ms=0, by="ann"),), ("flow", "cancelled", "cancelled")),
    ],
)
def test_the_outcome_stands_with_the_flow(
    sent: tuple[events.Event, ...], lines: tuple[str, ...]
) -> None:
    """How a flow ended, why and at which attempt."""
    assert graph_of(given(flow(group("g", "a")), *sent).state).lines == lines


def test_groups_that_are_yet_to_come_are_spoken_of() -> None:
    """A flow that has its groups generated is no empty one."""
    assert graph_of(FlowSpec()).lines == ("flow", "its groups are generated when it starts")
    state = given(FlowSpec(), START).state
    assert graph_of(state).lines == ("flow", "in-progress", "groups are being generated")
    more = events.GroupsGenerated(at_ms=0, groups=(group("g", "a"),))
    assert [box.group for box in graph_of(given(FlowSpec(), START, more).state).boxes] == ["g"]


# --- in Mermaid ---

LABEL: Final = re.compile(r'"([^"]*)"')
NODE: Final = re.compile(r'    (s\d+)(?:\["(.*)"\]|\{\{"(.*)"\}\})(?::::([a-z-]+))?')


def read(label: str) -> str:
    """A label of Mermaid as it is shown, with its line breaks; nothing in it is left to mean."""
    assert re.fullmatch(r"(?:[^\W_]| |(?<=[^\W_])[-_](?=[^\W_])|#\d+;|<br>)*", label), label
    text = re.sub(r"#(\d+);", lambda number: chr(int(number[1])), label.replace("<br>", "\n"))
    return text.replace("\u200b", "")


def test_mermaid_draws_a_flow() -> None:
    """Boxes, nodes and edges, approvals as hexagons, needs dashed, parallel groups marked."""
    assert mermaid(graph_of(DEPLOY)) == (
        "flowchart TB\n"
        "  %% solid arrows: what comes next; dashed arrows: whose output is handed over\n"
        "  %% hexagons: steps that ask for approval;"
        " dashed boxes: groups whose steps run in parallel\n"
        '  flow(["deploy"])\n'
        '  subgraph g1["network"]\n'
        '    s1{{"plan<br>approval#58; 2 required"}}\n'
        '    s2["apply"]\n'
        "  end\n"
        '  subgraph g2["services<br>in parallel#44; 2 at a time"]\n'
        '    s3["api"]\n'
        '    s4["web"]\n'
        '    s5["db"]\n'
        "  end\n"
        '  subgraph g3["smoke"]\n'
        '    s6["smoke"]\n'
        "  end\n"
        "  flow --> g1\n"
        "  g1 --> g2\n"
        "  g2 --> g3\n"
        "  s1 --> s2\n"
        "  s1 -.-> s2\n"
        "  s3 -.-> s6\n"
        "  s2 -.-> s6\n"
        "  classDef parallel stroke-dasharray:5 5\n"
        "  class g2 parallel\n"
    )


def test_mermaid_says_no_more_than_there_is() -> None:
    """Without parallel groups there is no class for them, and without groups just the flow."""
    *_, last = mermaid(graph_of(FlowSpec())).splitlines()
    assert last == '  flow(["flow<br>its groups are generated when it starts"])'


def test_mermaid_colours_what_stands_somewhere() -> None:
    """Every node has the class of its status, and the legend names the colours that occur."""
    text = mermaid(graph_of(half_deployed()))
    nodes = {found[1]: found[4] for found in NODE.finditer(text)}
    pending = dict.fromkeys(("s2", "s3", "s4", "s5", "s6"), "pending")
    assert nodes == {"s1": "approval-awaiting", **pending}
    assert "  %% colours: #ffffff pending, #fde68a approval-awaiting\n" in text
    assert set(re.findall(r"classDef (\S+) fill", text)) == set(nodes.values())


def test_no_name_means_anything_to_mermaid() -> None:
    """Whatever a part is called, it is shown, and changes nothing but its own label."""
    text = mermaid(graph_of(untamed()))
    nodes = {found[1]: read(found[2] or found[3]) for found in NODE.finditer(text)}
    assert [label.split("\n")[0] for label in nodes.values()] == [shown(name) for name in UNTAMED]
    titles = [read(*LABEL.findall(line)) for line in text.splitlines() if "subgraph" in line]
    assert titles == ['a "group" of <b>', "\nin parallel"]
    unnamed = [line for line in text.splitlines() if '"' not in line]
    plain = graph_of(untamed())
    assert len(unnamed) == 3 + len(plain.boxes) + len(plain.edges) + 2


# --- in DOT ---


@pytest.fixture
def graphviz() -> str:
    """The program `dot`, if it is there."""
    found = shutil.which("dot")
    if found is None:
        pytest.skip("Graphviz is not installed: nothing has read the DOT that we write")
    return found


def drawn(graphviz: str, text: str) -> str:
    """What Graphviz draws of a text, without a word of complaint."""
    done = subprocess.run(
        [graphviz, "-Tsvg"], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout


def texts(svg: str) -> list[str]:
    """The lines of text in a drawing."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return [html.unescape(text).replace("\u00a0", " ") for text in found]


def test_dot_draws_a_flow() -> None:
    """Boxes as clusters; the arrows of groups run between steps and end at the boxes."""
    assert dot(graph_of(DEPLOY)) == (
        "digraph flow {\n"
        "  // solid arrows: what comes next; dashed arrows: whose output is handed over\n"
        "  // hexagons: steps that ask for approval;"
        " dashed boxes: groups whose steps run in parallel\n"
        "  graph [compound=true, ranksep=0.8]\n"
        '  node [shape=box, style=filled, fillcolor="#ffffff", color="#18181b"]\n'
        '  flow [label="deploy", style="filled,rounded"]\n'
        "  subgraph cluster_g1 {\n"
        '    label="network"\n'
        "    style=solid\n"
        '    s1 [label="plan\\napproval: 2 required", shape=hexagon]\n'
        '    s2 [label="apply"]\n'
        "  }\n"
        "  subgraph cluster_g2 {\n"
        '    label="services\\nin parallel, 2 at a time"\n'
        "    style=dashed\n"
        '    s3 [label="api"]\n'
        '    s4 [label="web"]\n'
        '    s5 [label="db"]\n'
        "  }\n"
        "  subgraph cluster_g3 {\n"
        '    label="smoke"\n'
        "    style=solid\n"
        '    s6 [label="smoke"]\n'
        "  }\n"
        "  flow -> s1 [lhead=cluster_g1]\n"
        "  s2 -> s4 [ltail=cluster_g1, lhead=cluster_g2]\n"
        "  s4 -> s6 [ltail=cluster_g2, lhead=cluster_g3]\n"
        "  s1 -> s2\n"
        "  s1 -> s2 [style=dashed, constraint=false]\n"
        "  s3 -> s6 [style=dashed, constraint=false]\n"
        "  s2 -> s6 [style=dashed, constraint=false]\n"
        "}\n"
    )


def test_dot_colours_what_stands_somewhere() -> None:
    """A node is filled by its status, the flow's by that of the flow."""
    text = dot(graph_of(half_deployed()))
    fills = dict(re.findall(r'^ +(\w+) \[label.*fillcolor="(.*?)"', text, re.MULTILINE))
    white = dict.fromkeys(("s2", "s3", "s4", "s5", "s6"), COLOURS["pending"])
    awaiting = COLOURS["approval-awaiting"]
    assert fills == {"flow": awaiting, "s1": awaiting, **white}


def test_graphviz_draws_every_node_and_box(graphviz: str) -> None:
    """What we write is DOT: Graphviz shows what is in the graph and complains of nothing."""
    for graph in (graph_of(DEPLOY), graph_of(half_deployed()), graph_of(FlowSpec())):
        lines = chain(graph.lines, *(box.lines for box in graph.boxes))
        lines = chain(lines, *(node.lines for box in graph.boxes for node in box.nodes))
        assert sorted(texts(drawn(graphviz, dot(graph)))) == sorted(lines)


def test_no_name_means_anything_to_graphviz(graphviz: str) -> None:
    """Whatever a part is called, it is shown as it is."""
    shown_lines = texts(drawn(graphviz, dot(graph_of(untamed()))))
    assert {shown(name) for name in UNTAMED if name.strip()} <= set(shown_lines)


# --- in both ---


def test_every_status_has_a_colour() -> None:
    """No status of an attempt, and none of a flow, is left out."""
    flows = {"pending", "in-progress", "paused", "failed-pending-retry", "approval-awaiting"}
    flows |= {"cancelling", "success", "error", "cancelled"}
    assert COLOURS.keys() == {status.value for status in AttemptStatus} | flows


def test_equal_flows_have_equal_texts() -> None:
    """The text depends on the flow alone."""
    assert mermaid(graph_of(half_deployed())) == mermaid(graph_of(half_deployed()))
    assert dot(graph_of(untamed())) == dot(graph_of(untamed()))
