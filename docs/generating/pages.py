"""Which reference pages there are, and who makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from docs.generating.catalogue import commands_page, events_page
from docs.generating.command_line import command_line_page
from docs.generating.diagrams import diagram
from docs.generating.files import checks_page, flow_page, scenario_page
from docs.generating.python_names import python_page
from docs.generating.tables import tables_page
from docs.generating.transitions import KINDS, transitions

FOLDER: Final = Path(__file__).parents[1] / "reference"


def made() -> dict[str, str]:
    """Every reference page, and every drawing on one, by the name of its file."""
    seen = transitions()
    return {
        "tables.md": tables_page(seen),
        **{f"{kind}-status.svg": diagram(kind, seen[kind]) for kind in KINDS},
        "events.md": events_page(),
        "commands.md": commands_page(),
        "flow-files.md": flow_page(),
        "scenario-files.md": scenario_page(),
        "checks-files.md": checks_page(),
        "command-line.md": command_line_page(),
        "python.md": python_page(),
    }
