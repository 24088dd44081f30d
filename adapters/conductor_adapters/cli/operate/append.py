"""`conductor append`: add groups from a file at the end of a flow.

Rule: the file is a list of groups, or a flow file of which the groups are taken. What is
wrong with how they are written is told with its line; what keeps the flow from taking them
is its verdict.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.documents import Document, read_document
from conductor_adapters.cli.operate.asking import Ask, Signed, asks_a_flow
from conductor_core.errors import FormatError, SpecError, shown
from conductor_core.flowfile import decode_flow_groups
from conductor_core.places import key_place
from conductor_core.spec import GroupSpec


@click.command()
@asks_a_flow
@click.argument("file", type=click.Path(path_type=Path))
def append(file: Path, signed: Signed) -> Ask:
    """Add the groups in FILE at the end of a flow."""
    groups = groups_in(read_document(file))
    return lambda flow: flow.append(groups, **signed)


def groups_in(document: Document) -> tuple[GroupSpec, ...]:
    """The groups in a list of groups, or in a flow file; raises DocumentError."""
    data, path = _list_in(document)
    try:
        return decode_flow_groups(data, path)
    except (FormatError, SpecError) as error:
        raise document.refused(error.problems) from None


def _list_in(document: Document) -> tuple[Any, str]:
    """What should be a list of groups, and its path."""
    data = document.data
    if isinstance(data, list):
        return data, ""
    if not isinstance(data, dict) or "groups" not in data:
        raise document.error("", f"expected a list of groups or a flow file, got {shown(data)}")
    for key in data:
        if key not in ("groups", "flow"):
            place = f"{document.name}:{document.line_of(key_place(key))}"
            warn(f"{place}: warning: {key_place(key)}: it is not appended, groups alone are")
    return data["groups"], "groups"
