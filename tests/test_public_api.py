"""What others rely on changes only when somebody means it to."""

from __future__ import annotations

import builtins
import collections.abc
import re
import typing

import pytest

from conductor_adapters.store import Conflict
from conductor_core.errors import ConductorError
from docs.generating.python_names import public_modules
from tests.documents import BLOCK, ROOT
from tests.public_api import FILE, lines

MODULES = {module.__name__: module for module in public_modules()}
IMPORT = re.compile(
    r"^from (conductor_(?:core|adapters)[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE
)
DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def test_the_public_surface_is_as_written_down() -> None:
    """Whoever changes it on purpose runs `python -m tests.public_api`, and writes a changelog."""
    assert list(lines()) == FILE.read_text(encoding="utf-8").splitlines()


def imported() -> list[tuple[str, str, str]]:
    """What documents and examples import: where, from what, and which name."""
    texts = [(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in DOCUMENTS]
    code = [(name, "\n".join(text for kind, text in BLOCK.findall(page) if kind == "python"))
            for name, page in texts]  # fmt: skip
    code += [
        (str(path.relative_to(ROOT)), path.read_text("utf-8"))
        for path in sorted((ROOT / "examples").glob("*.py"))
    ]
    return [
        (where, module, name.strip())
        for where, text in code
        for module, names in IMPORT.findall(text)
        for name in names.strip("()\n").split(",")
        if name.strip()
    ]


@pytest.mark.parametrize(("where", "module", "name"), imported())
def test_what_documents_import_is_public(where: str, module: str, name: str) -> None:
    """Nobody is taught to import what may change at any time."""
    submodule = f"{module}.{name}"
    assert submodule in MODULES or name in getattr(MODULES[module], "__all__", ()), where


@pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))
def test_exceptions_are_of_one_family(module: object) -> None:
    """Whoever catches ConductorError misses no exception of ours.

    That another was faster is a word between a store and its ledger, and reaches nobody else.
    """
    kinds = [getattr(module, name) for name in getattr(module, "__all__", ())]
    raised = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    family = (ConductorError, AssertionError, Conflict)
    assert [kind for kind in raised if not issubclass(kind, family)] == []


WORD = re.compile(r"\b[A-Z]\w+")
OF_OTHERS = {
    *("ABC", "AbstractContextManager", "FileIO", "Future", "Logger", "Path", "StrEnum", "Task"),
    *("TracebackType", "TypeIs"),
    *("Celery", "Client", "DataConverter", "DataObject", "Replayer", "RuleBasedStateMachine"),
    *("SearchStrategy", "SpanExporter"),
}
# Public names that take or hold these are made by ours, or read by the rules alone
# (docs/stability.md): nobody has to write such a type down.
UNNAMED = {
    *("Catalog", "Place", "PositionSet", "Vector"),  # within a FlowState
    *("About", "Driver", "Explored", "Memory", "Scanner"),  # how a search or a replay goes on
    *("Breach", "LogReader", "Script"),  # within the conformance kit
    *("Config", "Door", "DurableClient", "DurableHost", "Run", "Sender"),  # within hosts
    *("Holder", "News", "PostgresConnection", "SqlStore", "SqliteConnection"),  # within stores
    *("Value",),  # of an attribute of a span
}
CONSTANTS = {"ALL", "CALM", "NOWHERE", "PENDING"}


def test_types_in_signatures_are_public() -> None:
    """Whoever annotates what goes into a public function, or comes out, finds the type."""
    public = {name for module in MODULES.values() for name in module.__all__}
    known = public.union(
        dir(typing), dir(builtins), dir(collections.abc), OF_OTHERS, CONSTANTS, {"E_co"}
    )
    signatures = [line for line in lines() if line.startswith("conductor_")]
    told = [
        re.sub(r"'[^']*'", "", re.split(r"[:( =\[]", line, maxsplit=1)[1]) for line in signatures
    ]
    words = {word for line in told for word in WORD.findall(line)}
    assert words - known - UNNAMED == set()
    assert UNNAMED - words == set()
