"""What docs/installing.md says is to be installed is what there is to install."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.documents import LINK, ROOT
from tests.pages import FENCE, check

PAGE: Final = ROOT / "docs" / "installing.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
ROW: Final = re.compile(r"^\| (`\w+`|none) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """What pyproject.toml says of the distribution."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared: dict[str, Any] = tomllib.loads(text)["project"]
    return declared


def libraries(requirements: list[str]) -> set[str]:
    """The names in a list of requirements."""
    return {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in requirements}


def test_the_page_goes_as_shown(tmp_path: Path) -> None:
    """Whoever has it installed sees what the page shows."""
    pytest.importorskip("click")
    check(PAGE, tmp_path)


def test_every_extra_is_told_with_what_it_installs(project: dict[str, Any]) -> None:
    """The table has the extras of the distribution, all of them, and what each depends on."""
    wanted = {
        f"`{name}`": libraries(each) for name, each in project["optional-dependencies"].items()
    }
    told = {name: set(installs.split(", ")) for name, installs in ROW.findall(TEXT)}
    assert told == wanted | {"none": libraries(project["dependencies"])}


def test_the_oldest_python_is_told(project: dict[str, Any]) -> None:
    """The page names the Python that the distribution demands."""
    assert f"Python {project['requires-python'].removeprefix('>=')} or later" in TEXT


def test_no_extra_is_made_up(project: dict[str, Any]) -> None:
    """Every extra that a command names is one of the distribution."""
    named = {
        name
        for names in re.findall(r"conductor-core\[([\w,]+)\]", TEXT)
        for name in names.split(",")
    }
    assert named - project["optional-dependencies"].keys() == set()


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(FENCE.sub("", TEXT))
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
