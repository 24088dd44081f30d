"""Which reference pages there are, and who makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from docs.generating.command_line import command_line
from docs.generating.diagrams import diagram
from docs.generating.files import checks_files, flow_files, scenario_files
from docs.generating.messages import commands, events
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
        "events.md": events(),
        "commands.md": commands(),
        "flow-files.md": flow_files(),
        "scenario-files.md": scenario_files(),
        "checks-files.md": checks_files(),
        "command-line.md": command_line(),
        "python.md": python_page(),
    }
