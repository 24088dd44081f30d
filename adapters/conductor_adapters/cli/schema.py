"""`conductor schema`: the JSON Schema of flow, scenario or checks files, for editors.

Rule: what is written is made from the declarations at this moment. The files in
`conductor_core/schemas` are what it wrote with `--output`; a test demands that they still
are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from conductor_adapters.cli.console import say, say_json
from conductor_adapters.cli.new_files import check_new, with_replace, write_new
from conductor_core.checking.checks_schema import checks_schema
from conductor_core.schema import flow_schema
from conductor_core.testing.scenario_schema import scenario_schema

SCHEMAS: Final[Mapping[str, Callable[[], Any]]] = {
    "flow": flow_schema,
    "scenario": scenario_schema,
    "checks": checks_schema,
}


@click.command()
@click.argument("kind", type=click.Choice([*SCHEMAS]), default="flow")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to this new file.",
)
@with_replace
@click.option("--json", "as_json", is_flag=True, help="Write JSON, which a schema is anyhow.")
def schema(kind: str, output: Path | None, replace: bool, as_json: bool) -> None:
    """Print the JSON Schema of flow files, of scenario files or of checks files."""
    if output is None:
        if replace:
            raise click.UsageError("--replace needs --output.")
        say_json(SCHEMAS[kind]())
        return
    check_new("-o", output, replace=replace)
    text = f"{json.dumps(SCHEMAS[kind](), indent=2)}\n"
    write_new("-o", output, text, replace=replace)
    if as_json:
        say_json({"schema": kind, "file": str(output)})
    else:
        say(f"wrote the schema of {kind} files to {output}")
