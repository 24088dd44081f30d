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
from conductor_adapters.cli.new_files import check_no_store
from conductor_core.checking.checks_schema import checks_schema
from conductor_core.errors import ConductorError
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
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, which a schema is anyhow.")
def schema(kind: str, output: Path | None, as_json: bool) -> None:
    """Print the JSON Schema of flow files, of scenario files or of checks files."""
    made = SCHEMAS[kind]()
    if output is None:
        say_json(made)
        return
    check_no_store("--output", output)
    try:
        output.write_text(f"{json.dumps(made, indent=2)}\n", encoding="ascii")
    except OSError as error:
        raise ConductorError(f"{output}: {error.strerror or error}") from None
    if as_json:
        say_json({"schema": kind, "file": str(output)})
    else:
        say(f"wrote the schema of {kind} files to {output}")
