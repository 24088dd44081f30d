"""A graph as an SVG picture that needs no program to lay it out.

Rule: equal graphs give equal text, made of integers alone. Boxes stand below one another in
order, the nodes of a sequential one as well, those of a parallel one beside each other; what
is needed runs in lanes at the right, so that no line crosses a node. What people wrote is
text, escaped, on one line; a status is told by its word, and colour, which a viewer takes for
light or for dark, only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core.frozen import frozen
from conductor_core.graph import FLOW, Box, Graph, Node
from conductor_core.graphtext import plain

__all__ = ["svg"]

MARGIN: Final = 24
PADDING: Final = 20
HEADER: Final = 40
"""From the top of a box to its first node."""
GAP: Final = 32
"""Between two rows, two boxes, and the flow and its first box."""
BESIDE: Final = 18
"""Between two nodes of a row."""
ABREAST: Final = 4
"""So many nodes of a parallel group stand in a row."""
LINE: Final = 17
LANE: Final = 10
CHARACTER: Final = 7
LONGEST: Final = 40
"""So many characters of a line of a node are drawn; its tooltip has all that is shown of it."""

TONES: Final = {
    "queued": "run",
    "in-progress": "run",
    "approval-awaiting": "wait",
    "paused": "wait",
    "waiting-to-retry": "retry",
    "failed-pending-retry": "retry",
    "success": "good",
    "error": "bad",
    "approval-denied": "bad",
    "approval-expired": "bad",
    "pending": "idle",
}
"""The tone of a status; all others are over without having come to anything: `gone`."""

STYLE: Final = """\
  <style>
    svg { --paper: #ffffff; --box: #faf9f7; --line: #a8a29e; --ink: #1c1917; --soft: #57534e }
    .idle { --fill: #ffffff; --edge: #a8a29e } .gone { --fill: #f1efec; --edge: #a8a29e }
    .run { --fill: #e5f0fc; --edge: #1668c4 } .wait { --fill: #fdf2d3; --edge: #a06a00 }
    .retry { --fill: #fdecdf; --edge: #c2540f } .good { --fill: #e5f5ea; --edge: #1b7a43 }
    .bad { --fill: #fdeaea; --edge: #c0262d }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #131417; --box: #1b1d21; --line: #5b606b; --ink: #eceae6; --soft: #a9a69f }
      .idle { --fill: #212429; --edge: #6b707a } .gone { --fill: #1f2125; --edge: #6b707a }
      .run { --fill: #16293f; --edge: #6cb2ff } .wait { --fill: #372c10; --edge: #f3c04f }
      .retry { --fill: #3a2413; --edge: #ff9d5c } .good { --fill: #14301f; --edge: #59cf8b }
      .bad { --fill: #3c191b; --edge: #ff8583 }
    }
    .paper { fill: var(--paper) } text { font: 12px system-ui, sans-serif; fill: var(--soft) }
    .box { fill: var(--box); stroke: var(--line) } .parallel { stroke-dasharray: 5 4 }
    .node { fill: var(--fill); stroke: var(--edge); stroke-width: 1.5 }
    .name { fill: var(--ink); font-weight: 600 } .status { fill: var(--edge); font-weight: 600 }
    .status.idle, .status.gone { fill: var(--soft) }
    .order, .need { fill: none; stroke: var(--line); stroke-width: 1.5 }
    .need { stroke-dasharray: 4 4 } marker path { fill: var(--line) }
  </style>
  <defs>
    <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0L8 4L0 8z"/></marker>
  </defs>
"""
_MARKS: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"}


@frozen
class Area:
    """Where something stands."""

    left: int
    top: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        """Half-way from left to right."""
        return self.left + self.width // 2

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.top + self.height


@frozen
class Layout:
    """Where everything stands, by id; `row` is where the row of a node begins and ends."""

    areas: dict[str, Area]
    rows: dict[str, Area]
    right: int
    bottom: int


@frozen
class Trunk:
    """The line that leads from a node down to all that need it, in a lane."""

    source: str
    targets: tuple[str, ...]
    lane: int


def svg(graph: Graph) -> str:
    """The graph as an SVG picture."""
    layout = _laid_out(graph)
    trunks = _trunks(graph, layout)
    lanes = max((trunk.lane + 1 for trunk in trunks), default=0)
    width, height = layout.right + (lanes + 1) * LANE + MARGIN, layout.bottom + MARGIN
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">\n'
        ),
        f"  <title>{_escaped(', '.join(map(plain, graph.lines)))}</title>\n",
        STYLE,
        f'  <rect class="paper" width="{width}" height="{height}"/>\n',
        *(f"  {line}\n" for line in _drawn(graph, layout)),
        *(f"  {line}\n" for trunk in trunks for line in _needs(trunk, layout)),
        *(f"  {line}\n" for box in graph.boxes for line in _nodes(box, layout)),
        "</svg>\n",
    ]
    return "".join(parts)


# --- where things stand ---


def _laid_out(graph: Graph) -> Layout:
    wide = max([_width(node.lines) for box in graph.boxes for node in box.nodes], default=0)
    rows = [_rows(box) for box in graph.boxes]
    abreast = max((len(row) for each in rows for row in each), default=0)
    inside = max(
        abreast * (wide + BESIDE) - BESIDE,
        _width(graph.lines),
        *(_width((_heading(box),)) for box in graph.boxes),
        0,
    )
    across = inside + 2 * PADDING
    areas = {FLOW: Area(MARGIN, MARGIN, across, _height(graph.lines))}
    places: dict[str, Area] = {}
    top = areas[FLOW].bottom + GAP
    for box, each in zip(graph.boxes, rows, strict=True):
        bottom = _place_rows(each, top + HEADER, wide, areas, places, MARGIN + across // 2)
        areas[box.id] = Area(MARGIN, top, across, bottom + PADDING - top)
        top = areas[box.id].bottom + GAP
    return Layout(areas, places, MARGIN + across, top - GAP)


def _place_rows(
    rows: list[tuple[Node, ...]],
    top: int,
    wide: int,
    areas: dict[str, Area],
    places: dict[str, Area],
    middle: int,
) -> int:
    """Place the nodes of a box, each row in its middle; returns where the last row ends."""
    for row in rows:
        height = max(_height(node.lines) for node in row)
        across = len(row) * (wide + BESIDE) - BESIDE
        for number, node in enumerate(row):
            left = middle - across // 2 + number * (wide + BESIDE)
            areas[node.id] = Area(left, top, wide, _height(node.lines))
            places[node.id] = Area(left, top, wide, height)
        top += height + GAP
    return top - GAP


def _rows(box: Box) -> list[tuple[Node, ...]]:
    """The nodes of a box in rows: of a sequential one each by itself."""
    abreast = ABREAST if box.parallel else 1
    return [box.nodes[at : at + abreast] for at in range(0, len(box.nodes), abreast)]


def _width(lines: tuple[str, ...]) -> int:
    """About the room that lines take; letters of many scripts take twice that of Latin ones."""
    longest = max((_columns(_cut(line)) for line in lines), default=0)
    return longest * CHARACTER + 2 * PADDING


def _columns(line: str) -> int:
    return sum(2 if char >= "\u1100" else 1 for char in line)


def _height(lines: tuple[str, ...]) -> int:
    return len(lines) * LINE + 16


# --- what is needed ---


def _trunks(graph: Graph, layout: Layout) -> list[Trunk]:
    """A line for each node that others need, in the first lane that is free for its length."""
    targets: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "need":
            targets.setdefault(edge.source, []).append(edge.target)
    ends: list[int] = []
    trunks = []
    for source in sorted(targets, key=lambda node: (layout.areas[node].top, int(node[1:]))):
        begin = layout.rows[source].bottom
        lane = next((lane for lane, end in enumerate(ends) if end < begin), len(ends))
        ends[lane : lane + 1] = [max(layout.areas[target].top for target in targets[source])]
        trunks.append(Trunk(source, tuple(targets[source]), lane))
    return trunks


def _needs(trunk: Trunk, layout: Layout) -> Iterator[str]:
    """From below a node to its lane, down, and to above each node that needs it."""
    source, row = layout.areas[trunk.source], layout.rows[trunk.source]
    lane = layout.right + (trunk.lane + 1) * LANE
    shift = trunk.lane % 3 * 3
    begin = source.middle + source.width // 4
    for name in trunk.targets:
        target = layout.areas[name]
        end, above = target.middle + target.width // 4 - 3 * shift, target.top - 9 - shift
        path = (
            f"M{begin} {source.bottom}V{row.bottom + 6 + shift}H{lane}V{above}H{end}V{target.top}"
        )
        yield f'<path class="need" d="{path}" marker-end="url(#tip)"/>'


# --- what is drawn ---


def _drawn(graph: Graph, layout: Layout) -> Iterator[str]:
    """The flow, the boxes, and the order."""
    flow = layout.areas[FLOW]
    tone = _tone(graph.status)
    yield f'<rect class="node {tone}" {_rect(flow)} rx="{flow.height // 2}"/>'
    yield from _lines(graph.lines, flow, tone, graph.status)
    for box in graph.boxes:
        area = layout.areas[box.id]
        dashed = " parallel" if box.parallel else ""
        yield f'<rect class="box{dashed}" {_rect(area)} rx="12"/>'
        yield (
            f'<text x="{area.left + PADDING}" y="{area.top + 23}">'
            f'<tspan class="name">{_escaped(_cut(box.lines[0]))}</tspan>'
            f"{_escaped(_heading(box)[len(_cut(box.lines[0])) :])}</text>"
        )
    for edge in graph.edges:
        if edge.kind == "order":
            above, below = layout.areas[edge.source], layout.areas[edge.target]
            path = f"M{above.middle} {above.bottom}V{below.top}"
            yield f'<path class="order" d="{path}" marker-end="url(#tip)"/>'


def _nodes(box: Box, layout: Layout) -> Iterator[str]:
    for node in box.nodes:
        area, tone = layout.areas[node.id], _tone(node.status)
        yield f"<g><title>{_escaped(', '.join(map(plain, node.lines)))}</title>"
        yield _shape(node, area, tone)
        yield from _lines(node.lines, area, tone, node.status)
        yield "</g>"


def _shape(node: Node, area: Area, tone: str) -> str:
    """A hexagon for a step that asks for approval, and a box for any other."""
    if node.required is None:
        return f'<rect class="node {tone}" {_rect(area)} rx="8"/>'
    half, right = area.top + area.height // 2, area.left + area.width
    corners = (
        *((area.left, half), (area.left + 12, area.top), (right - 12, area.top)),
        *((right, half), (right - 12, area.bottom), (area.left + 12, area.bottom)),
    )
    points = " ".join(f"{x},{y}" for x, y in corners)
    return f'<polygon class="node {tone}" points="{points}"/>'


def _lines(lines: tuple[str, ...], area: Area, tone: str, status: str | None) -> Iterator[str]:
    for number, line in enumerate(lines):
        kind = "name" if number == 0 else f"status {tone}" if line == status else ""
        style = f' class="{kind}"' if kind else ""
        place = f'x="{area.middle}" y="{area.top + 20 + number * LINE}"'
        yield f'<text {place} text-anchor="middle"{style}>{_escaped(_cut(line))}</text>'


def _heading(box: Box) -> str:
    return " · ".join(_cut(line) for line in box.lines)


def _tone(status: str | None) -> str:
    return "idle" if status is None else TONES.get(status, "gone")


def _rect(area: Area) -> str:
    return f'x="{area.left}" y="{area.top}" width="{area.width}" height="{area.height}"'


def _cut(line: str) -> str:
    line = plain(line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _escaped(line: str) -> str:
    return line.translate(_MARKS)
