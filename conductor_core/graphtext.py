"""A graph in the notations of Mermaid and of Graphviz (DOT).

Rule: equal graphs give equal text. What people wrote stands in quotes and on one line, with
everything escaped that the notation, or the Markdown and HTML in it, could take for a mark of
its own; ids are made by us and need no quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from conductor_core.graph import FLOW, Box, Edge, Graph

__all__ = ["dot", "mermaid"]

COLOURS: Final = {
    "pending": "#ffffff",
    "waiting-to-retry": "#ffedd5",
    "queued": "#e0f2fe",
    "in-progress": "#bae6fd",
    "approval-awaiting": "#fde68a",
    "paused": "#fde68a",
    "failed-pending-retry": "#fdba74",
    "cancelling": "#d4d4d8",
    "success": "#bbf7d0",
    "error": "#fca5a5",
    "approval-denied": "#fca5a5",
    "approval-expired": "#fca5a5",
    "cancelled": "#d4d4d8",
    "auto-skipped": "#f4f4f5",
    "user-skipped": "#f4f4f5",
    "discarded": "#f4f4f5",
    "not-attempted": "#f4f4f5",
}
"""What fills a node, by the status of an attempt or of the flow."""

INK: Final = "#18181b"
LONGEST: Final = 120
"""So many characters of a line are shown."""
KEY: Final = (
    "solid arrows: what comes next; dashed arrows: whose output is handed over",
    "hexagons: steps that ask for approval; dashed boxes: groups whose steps run in parallel",
)
# Within a word a hyphen or an underscore means nothing; letters and digits never do.
MARKS: Final = re.compile(r"(?<![^\W_])[-_]|[-_](?![^\W_])|[^\w -]")
# Formulas and icons, which Mermaid looks for even behind its own escapes.
CHARMS: Final = re.compile(r"\$(?=\$)|:(?=fa-)")
ZERO_WIDTH_SPACE: Final = "\u200b"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    return "".join(f"{line}\n" for line in _mermaid(graph))


def dot(graph: Graph) -> str:
    """The graph as a digraph of Graphviz."""
    return "".join(f"{line}\n" for line in _dot(graph))


def _legend(graph: Graph) -> Iterator[str]:
    """What the shapes mean, and the colours that occur."""
    yield from KEY
    if graph.status is not None:
        yield "colours: " + ", ".join(f"{COLOURS[name]} {name}" for name in _statuses(graph))


def _statuses(graph: Graph) -> tuple[str, ...]:
    """The statuses that occur, each once, in the order of the colours."""
    found = {graph.status, *(node.status for box in graph.boxes for node in box.nodes)}
    return tuple(status for status in COLOURS if status in found)


def plain(line: str) -> str:
    """A line as one that can be shown, and not too long a one."""
    line = " ".join(line.split())
    line = line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in line
    )


# --- Mermaid ---


def _mermaid(graph: Graph) -> Iterator[str]:
    yield "flowchart TB"
    yield from (f"  %% {line}" for line in _legend(graph))
    yield f'  {FLOW}(["{_in_mermaid(graph.lines)}"]){_class(graph.status)}'
    for box in graph.boxes:
        yield f'  subgraph {box.id}["{_in_mermaid(box.lines)}"]'
        for node in box.nodes:
            opening, closing = ("[", "]") if node.required is None else ("{{", "}}")
            label = f'{opening}"{_in_mermaid(node.lines)}"{closing}'
            yield f"    {node.id}{label}{_class(node.status)}"
        yield "  end"
    for edge in graph.edges:
        yield f"  {edge.source} {'-->' if edge.kind == 'order' else '-.->'} {edge.target}"
    for status in _statuses(graph):
        yield f"  classDef {status} fill:{COLOURS[status]},stroke:{INK},color:{INK}"
    parallel = ",".join(box.id for box in graph.boxes if box.parallel)
    if parallel:
        yield "  classDef parallel stroke-dasharray:5 5"
        yield f"  class {parallel} parallel"


def _class(status: str | None) -> str:
    return "" if status is None else f":::{status}"


def _in_mermaid(lines: tuple[str, ...]) -> str:
    return "<br>".join(MARKS.sub(_numbered, _apart(plain(line))) for line in lines)


def _apart(line: str) -> str:
    return CHARMS.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", line)


def _numbered(mark: re.Match[str]) -> str:
    return f"#{ord(mark[0])};"


# --- DOT ---


def _dot(graph: Graph) -> Iterator[str]:
    boxes = {box.id: box for box in graph.boxes}
    yield f"digraph {FLOW} {{"
    yield from (f"  // {line}" for line in _legend(graph))
    yield "  graph [compound=true, ranksep=0.8]"
    yield f'  node [shape=box, style=filled, fillcolor="#ffffff", color="{INK}"]'
    yield f'  {FLOW} [label="{_in_dot(graph.lines)}", style="filled,rounded"{_fill(graph.status)}]'
    for box in graph.boxes:
        yield f"  subgraph cluster_{box.id} {{"
        yield f'    label="{_in_dot(box.lines)}"'
        yield f"    style={'dashed' if box.parallel else 'solid'}"
        for node in box.nodes:
            shape = "" if node.required is None else ", shape=hexagon"
            yield f'    {node.id} [label="{_in_dot(node.lines)}"{shape}{_fill(node.status)}]'
        yield "  }"
    yield from (f"  {_arrow(edge, boxes)}" for edge in graph.edges)
    yield "}"


def _fill(status: str | None) -> str:
    return "" if status is None else f', fillcolor="{COLOURS[status]}"'


def _arrow(edge: Edge, boxes: dict[str, Box]) -> str:
    """An edge; arrows run between nodes, and those of boxes are cut off at their borders."""
    if edge.kind == "need":
        return f"{edge.source} -> {edge.target} [style=dashed, constraint=false]"
    source, target, cuts = edge.source, edge.target, []
    if source in boxes:
        cuts.append(f"ltail=cluster_{source}")
        source = _node_of(boxes[source], last=True)
    if target in boxes:
        cuts.append(f"lhead=cluster_{target}")
        target = _node_of(boxes[target], last=False)
    return f"{source} -> {target}" + (f" [{', '.join(cuts)}]" if cuts else "")


def _node_of(box: Box, *, last: bool) -> str:
    """The node where an arrow of a box begins or ends."""
    if box.parallel:
        return box.nodes[len(box.nodes) // 2].id
    return box.nodes[-1 if last else 0].id


def _in_dot(lines: tuple[str, ...]) -> str:
    escaped = str.maketrans({"&": "&amp;", "\\": r"\\", '"': r"\""})
    return r"\n".join(plain(line).translate(escaped) for line in lines)
