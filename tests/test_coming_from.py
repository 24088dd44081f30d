"""What docs/coming-from.md maps names to is there."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

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


def test_every_name_is_mapped() -> None:
    """No name of that system is left out, and each is mapped once."""
    names = [row[0] for row in ROWS]
    assert MAPPED - set(names) == set()
    assert len(names) == len(set(names))


def test_every_directive_is_there() -> None:
    """The table of directives has all of them."""
    assert all(f"`conductor_core.Directive.{directive.name}`" in PAGE for directive in Directive)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_name_leads_to_what_can_be_imported(row: list[str]) -> None:
    """What stands beside a name is an object, or an attribute of one."""
    parts = row[1].strip("`").split(".")
    depth = next(n for n in range(len(parts), 0, -1) if is_module(".".join(parts[:n])))
    found: Any = importlib.import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        fields = getattr(found, "__annotations__", {})
        assert hasattr(found, part) or part in fields
        found = getattr(found, part, None)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_rules_that_are_cited_exist(row: list[str]) -> None:
    """Each number is that of a rule."""
    for number in row[2].split(", "):
        assert re.search(rf"(- |\| ){re.escape(number)}[ a]", RULES), number


def is_module(name: str) -> bool:
    """Whether a dotted name is that of a module."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
