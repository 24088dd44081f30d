"""What docs/stability.md promises is of things that there are."""

from __future__ import annotations

import importlib
import re
import tomllib

from conductor_adapters.debugger import view
from conductor_adapters.store import Store
from conductor_core import FlowState, snapshot
from conductor_core.checking import claims
from conductor_core.checking.check import FORMAT as CERTIFICATE
from conductor_core.log import FORMAT, SEMANTICS
from conductor_core.semantics import REDUCERS
from conductor_core.testing import scenarios
from tests.documents import LINK, ROOT

DOCUMENT = ROOT / "docs/stability.md"
PAGE = " ".join(DOCUMENT.read_text(encoding="utf-8").split())


def test_every_format_is_named() -> None:
    """Nobody has to find out which versions of which formats there are."""
    modules = (scenarios, claims, snapshot, view)
    formats = {FORMAT, CERTIFICATE, *(module.FORMAT for module in modules)}
    assert set(re.findall(r"`(conductor-[a-z]+/\d+)`", PAGE)) == formats


def test_there_is_one_set_of_rules() -> None:
    """A second number comes with hosts that go by it, and with another page."""
    assert set(REDUCERS) == {SEMANTICS} == {1}
    assert "There is one set of rules so far, **number 1**" in PAGE
    assert "Hosts know one number" in PAGE


def test_the_pythons_are_those_of_the_distribution() -> None:
    """The page and the classifiers say the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = [line.rpartition(" ")[2] for line in project["classifiers"] if ":: Python :: 3." in line]
    assert f"{said[0]} to {said[-1]} on" in PAGE
    assert project["requires-python"] == f">={said[0]}"


def test_what_is_promised_of_a_state_is_there() -> None:
    """A state can be asked what the page says that it can be asked."""
    promise = PAGE.partition("Stable are ")[2].partition(". Its other")[0]
    names = re.findall(r"`(\w+)`", promise)
    assert len(names) > 10
    assert [name for name in names if not hasattr(FlowState, name)] == []


def test_what_is_experimental_is_there() -> None:
    """The packages that are named exist, and the store has as many methods as is said."""
    for name in re.findall(r"`(conductor_adapters[.\w]*)`", PAGE):
        importlib.import_module(name)
    assert len([name for name in vars(Store) if not name.startswith("_")]) > 40


def test_links_lead_somewhere() -> None:
    """Every file that the page links to is there."""
    links = [link for link in LINK.findall(PAGE) if "://" not in link]
    assert [link for link in links if not (DOCUMENT.parent / link).exists()] == []
