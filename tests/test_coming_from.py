"""What docs/coming-from.md maps names to is there."""

from __future__ import annotations

import importlib
import re
from typing import Any

import click
import pytest

from conductor_adapters.cli.main import conductor
from conductor_core import Directive
from tests.documents import ROOT

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| name ")
]
# What the system has a name for that this design comes from.
MAPPED = {
    "continue", "stop", "await approval", "skip group", "retry", "retry group",
    "`DIRECTIVE_KEY`", "`DENY_VIOLATIONS_KEY`", "`WARN_VIOLATIONS_KEY`", "`PASSED_POLICY_IDS_KEY`",
    "cancel future steps", "check step cancellation", "handle cancellation",
    "is-cancellation-error", "dispatch step", "dispatch group, by object",
    "dispatch group, by index", "execute steps via child workflow", "generate steps",
    "step generators by flow type", "step human description", "approval pause", "continue-as-new",
    "flow stopped", "not approved", "flow cancelled", "rerun input", "rerun operation retry-step",
    "rerun operation skip-step", "step config: queue, owner, priority", "conductor handle",
    "conductor rerun",
}  # fmt: skip
# What the reducer has no rule for, since it never looks at it.
RULELESS = {"step config: queue, owner, priority"}


def test_every_name_is_mapped() -> None:
    """No name of that system is left out, and each is mapped once."""
    names = [row[0] for row in ROWS]
    assert MAPPED - set(names) == set()
    assert len(names) == len(set(names))


def test_every_directive_is_there() -> None:
    """The table of directives has all of them."""
    assert all(f"`conductor_core.Directive.{directive.name}`" in PAGE for directive in Directive)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_name_leads_to_what_is_there(row: list[str]) -> None:
    """What stands beside a name can be imported, or is a command that can be typed."""
    places = re.findall(r"`([^`]+)`", row[1])
    assert places
    for place in places:
        if place.startswith("conductor "):
            context = click.Context(conductor)
            assert conductor.get_command(context, place.removeprefix("conductor ")), place
        else:
            assert is_importable(place), place


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_rules_that_are_cited_exist(row: list[str]) -> None:
    """Each number is that of a rule, and only what is no rule's has none."""
    assert (row[2] == "none") == (row[0] in RULELESS)
    cited = [] if row[2] == "none" else row[2].split(", ")
    for number in cited + re.findall(r"\bS\d+\.\d+\w?", row[3]):
        assert re.search(rf"(- |\| ){re.escape(number)}[ a]", RULES), number


def is_importable(name: str) -> bool:
    """Whether a dotted name is that of an object, or of a field of one."""
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if is_module(".".join(parts[:n])))
    found: Any = importlib.import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
            return False
        found = getattr(found, part, None)
    return True


def is_module(name: str) -> bool:
    """Whether a dotted name is that of a module."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
