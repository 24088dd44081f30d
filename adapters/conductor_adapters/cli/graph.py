"""`conductor graph`: a flow as a picture, with where it stands when its log is given.

Rule: the picture is text on the standard output, equal for equal input. Exit code 0, 1 when
a log diverges, 2 when a file cannot be read.
"""

from __future__ import annotations

from typing import Any, Final

import click
from attrs import asdict
from click.core import ParameterSource

from conductor_adapters.cli.console import say, say_json, warn
from conductor_adapters.cli.recorded import Recorded, look_at
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_core.graph import FLOW, Graph, graph_of
from conductor_core.graphsvg import svg
from conductor_core.graphtext import dot, mermaid

NOTATIONS: Final = {"mermaid": mermaid, "dot": dot, "svg": svg}
MERMAID_EDGES: Final = 500
MERMAID_CHARACTERS: Final = 50_000
"""With more of either Mermaid draws nothing, unless its `maxEdges` or `maxTextSize` is raised."""


@click.command()
@click.argument("what", metavar="FILE|FLOW_ID", type=click.Path())
@click.option(
    "--format",
    "notation",
    type=click.Choice(tuple(NOTATIONS)),
    default="mermaid",
    show_default=True,
    help="The notation.",
)
@click.option(
    "--at", type=click.IntRange(min=0), metavar="N", help="Look at a log's entry N, not at its end."
)
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write nodes and edges as JSON instead.")
@click.pass_context
def graph(
    ctx: click.Context,
    what: str,
    notation: str,
    at: int | None,
    sources: Sources,
    as_json: bool,
) -> None:
    """Draw the flow of a log or of a flow file, or a flow of a store."""
    if as_json and ctx.get_parameter_source("notation") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--json does not go together with --format.")
    source = look_at(sources, what, at)
    drawn = graph_of(source.replay.state if isinstance(source, Recorded) else source.spec)
    if as_json:
        say_json({"file": source.file, **_as_data(drawn)})
        return
    text = NOTATIONS[notation](drawn)
    edges = len(drawn.edges)
    if notation == "mermaid" and (edges > MERMAID_EDGES or len(text) > MERMAID_CHARACTERS):
        size = f"{edges:,} edges and {len(text):,} characters"
        warn(f"{source.file}: warning: {size}: Mermaid needs a larger maxEdges and maxTextSize")
    for line in text.splitlines():
        say(line)


def _as_data(graph: Graph) -> dict[str, Any]:
    """A graph as data; edges name the ids of nodes and of groups, or the flow."""
    return {
        "flow": {"id": FLOW, "lines": graph.lines, "status": graph.status},
        "groups": [
            {key: value for key, value in asdict(box).items() if key != "nodes"}
            for box in graph.boxes
        ],
        "nodes": [{**asdict(node), "group": box.id} for box in graph.boxes for node in box.nodes],
        "edges": [asdict(edge) for edge in graph.edges],
    }
