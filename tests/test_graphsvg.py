"""A graph as an SVG picture: well-formed, laid out without crossings, and escaped."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec
from conductor_core.attempt import AttemptStatus
from conductor_core.graph import graph_of
from conductor_core.graphsvg import LONGEST, TONES, svg
from conductor_core.state import FLOW_STATUSES
from conductor_core.testing import given
from conductor_core.testing.brief import START, failed, flow, group

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(required=2))
END: Final = StepSpec(key="end", needs=["smoke"])
DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[
        group("network", PLAN, StepSpec(key="apply", needs=["plan"])),
        group("services", "api", "web", "db", "mail", "cache", parallel=True, max_parallel=2),
        group("smoke", StepSpec(key="smoke", needs=["api", "apply"]), END),
    ],
)
NAMESPACE: Final = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    """The picture as a document; raises for one that is none."""
    return ET.fromstring(text)


def boxes(picture: ET.Element, kind: str) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of the rectangles of a kind."""
    found = []
    for rect in picture.iter(f"{NAMESPACE}rect"):
        if kind in rect.get("class", "").split():
            names = ("x", "y", "width", "height")
            x, y, width, height = (int(rect.get(name, "")) for name in names)
            found.append((x, y, x + width, y + height))
    return found


def texts(picture: ET.Element) -> list[str]:
    """Every line of text, in order."""
    return ["".join(text.itertext()) for text in picture.iter(f"{NAMESPACE}text")]


def test_a_declared_flow_is_drawn_without_statuses() -> None:
    """The flow, then its groups in order, each with its steps."""
    assert texts(parsed(svg(graph_of(DEPLOY)))) == [
        *("deploy", "network", "services · in parallel, 2 at a time", "smoke"),
        *("plan", "approval: 2 required", "apply", "api", "web", "db", "mail", "cache"),
        *("smoke", "end"),
    ]


def test_a_step_that_asks_for_approval_is_a_hexagon() -> None:
    """It is told by its shape, and its corners lie where a box would."""
    (hexagon,) = parsed(svg(graph_of(DEPLOY))).iter(f"{NAMESPACE}polygon")
    assert len(hexagon.get("points", "").split()) == 6


def test_a_state_says_where_each_step_stands() -> None:
    """A status is a word, and colour repeats it."""
    state = given(flow(group("g", "a", "b")), START, failed("a#1")).state
    picture = svg(graph_of(state))
    assert texts(parsed(picture)) == [
        *("flow", "error", "failed at a#1", "Step failed", "g · error"),
        *("a", "error", "b", "discarded"),
    ]
    assert 'class="status bad">error' in picture
    assert 'class="status gone">discarded' in picture


def test_every_status_has_a_tone() -> None:
    """Those that are not named came to nothing, and look like it."""
    known = {status.value for status in AttemptStatus} | set(FLOW_STATUSES)
    assert known >= TONES.keys()
    assert {name for name in known - TONES.keys() if "skipped" not in name} == {
        *("cancelled", "cancelling", "discarded", "not-attempted"),
    }


def test_nothing_overlaps() -> None:
    """Nodes lie within boxes, and neither two of them nor two boxes share a place."""
    picture = parsed(svg(graph_of(DEPLOY)))
    for kind in ("node", "box"):
        for a, b in combinations(boxes(picture, kind), 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def lines(picture: str) -> list[tuple[int, int, int, int]]:
    """Every stretch of what is needed, as left, top, right and bottom."""
    found = []
    for path in re.findall(r'class="need" d="([^"]+)"', picture):
        x, y = map(int, re.findall(r"M(\d+) (\d+)", path)[0])
        for axis, value in re.findall(r"([VH])(\d+)", path):
            to = (int(value), y) if axis == "H" else (x, int(value))
            found.append((min(x, to[0]), min(y, to[1]), max(x, to[0]), max(y, to[1])))
            x, y = to
    return found


def test_what_is_needed_crosses_no_step() -> None:
    """Lines run between rows and beside the boxes, and touch only what they join."""
    text = svg(graph_of(DEPLOY))
    picture = parsed(text)
    assert len(lines(text)) == 5 * 4
    for left, top, right, bottom in lines(text):
        for x1, y1, x2, y2 in boxes(picture, "node"):
            assert right <= x1 or x2 <= left or bottom <= y1 or y2 <= top


def test_lanes_are_used_again() -> None:
    """A line that ended leaves its lane to the next, so that a long flow grows no wider."""
    keys = [f"s{number}" for number in range(30)]
    steps = [StepSpec(key=keys[0])]
    steps += [StepSpec(key=b, needs=[a]) for a, b in pairwise(keys)]
    path = re.compile(r'class="need" d="M\d+ \d+V\d+H(\d+)')
    assert len(set(path.findall(svg(graph_of(flow(group("g", *steps))))))) <= 2


def test_a_parallel_group_is_drawn_in_rows_of_four() -> None:
    """It is dashed, and a large one grows downwards."""
    picture = parsed(svg(graph_of(DEPLOY)))
    tops = [top for _, top, _, _ in boxes(picture, "node")[2:7]]
    assert (tops.count(tops[0]), tops[4] > tops[0]) == (4, True)
    assert len(boxes(picture, "parallel")) == 1


@pytest.mark.parametrize(
    "name",
    [
        "</text><script>alert(1)</script>",
        '" onload="x',
        "&amp; &#60;",
        "]]><!--",
        "\x00\x1b[31m",
        "two\nlines",
        "\u202eright to left",
        "\ufffe\uffff",
        "日本語" * 30,
        "x" * 500,
    ],
)
def test_names_stay_text(name: str) -> None:
    """What people wrote adds no element and no attribute, and is cut."""
    tame, wild = named("n"), named(name)
    shape = [(it.tag, sorted(it.keys())) for it in parsed(svg(graph_of(wild))).iter()]
    assert shape == [(it.tag, sorted(it.keys())) for it in parsed(svg(graph_of(tame))).iter()]
    shown = texts(parsed(svg(graph_of(wild))))
    assert all(len(text) <= LONGEST for text in shown)
    assert all(text.isprintable() for text in shown)


def named(name: str) -> FlowSpec:
    """A flow, a group and a step of the same name."""
    step = StepSpec(key="s", name=name)
    return FlowSpec(type=name, groups=[GroupSpec(key="g", name=name, steps=[step])])


def test_equal_graphs_give_equal_text() -> None:
    """Nothing but integers and the graph goes into it."""
    assert svg(graph_of(DEPLOY)) == svg(graph_of(DEPLOY))
    assert re.search(r'="[^"]*\d\.\d', svg(graph_of(DEPLOY))) is None


def test_a_flow_without_groups_is_drawn_alone() -> None:
    """What is still to be generated is told in words."""
    picture = parsed(svg(graph_of(FlowSpec(type="made"))))
    assert texts(picture) == ["made", "its groups are generated when it starts"]


def test_light_and_dark_are_left_to_the_viewer() -> None:
    """Every colour is named once for each."""
    head, _, dark = svg(graph_of(DEPLOY)).partition("@media (prefers-color-scheme: dark)")
    named = re.findall(r"--(\w+): #", head)
    assert sorted(named) == sorted(re.findall(r"--(\w+): #", dark))
