"""The wheel and the sdist hold what they should, say what is true, and are built alike anywhere."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import tomllib
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

from conductor_core.version import VERSION
from docs.hooks.description import described
from examples.release.files import in_sdist, in_wheel
from tests.documents import ROOT
from tests.packaging.conftest import Artifacts

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = {"conductor_core": "conductor_core", "conductor_adapters": "adapters/conductor_adapters"}


def metadata_of(wheel: Path) -> Message:
    """What a wheel says of itself."""
    with ZipFile(wheel) as archive:
        name = f"conductor_core-{VERSION}.dist-info/METADATA"
        return email.message_from_bytes(archive.read(name))


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_same_sources_build_the_same_bytes(
    artifacts: Artifacts, again: Artifacts, kind: str
) -> None:
    """Whoever builds a release gets it to the byte: folder, umask and times make no difference."""
    first, second = getattr(artifacts, kind), getattr(again, kind)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_holds_the_two_packages(artifacts: Artifacts) -> None:
    """Each file of either, and nothing else but what every wheel has."""
    sources = {
        f"{name}/{path.relative_to(ROOT / folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = set(in_wheel(artifacts.wheel))
    notes = {name for name in found if name.startswith(f"conductor_core-{VERSION}.dist-info/")}
    assert found - notes == sources
    assert {Path(name).name for name in notes} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "LICENSE",
    }  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_the_packages_are_typed(artifacts: Artifacts, name: str) -> None:
    """Both say that they have types."""
    assert f"{name}/py.typed" in in_wheel(artifacts.wheel)


def test_the_sdist_holds_what_a_packager_needs(artifacts: Artifacts) -> None:
    """To build, test and document it; and nothing that tools leave behind."""
    found = set(in_sdist(artifacts.sdist))
    needed = {
        "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile",
        "SECURITY.md", "mkdocs.yml", ".ci/run", "tests/conftest.py", "property_tests/test_laws.py",
        "docs/hooks/description.py", "docs/semantics.md", "benchmarks/__main__.py",
        "examples/embedding.py", "tests/public_api.txt", ".github/workflows/ci.yml",
    }  # fmt: skip
    assert needed - found == set()
    assert [
        name for name in found if re.search(r"__pycache__|\.pyc$|(^|/)\.venv/|^site/", name)
    ] == []


def test_the_sdist_builds_the_same_wheel(artifacts: Artifacts, tmp_path: Path) -> None:
    """What is built from the sdist is the wheel that was built beside it, to the byte."""
    with tarfile.open(artifacts.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = (folder / "dist").iterdir()
    assert wheel.read_bytes() == artifacts.wheel.read_bytes()


def test_the_metadata_is_that_of_the_project(artifacts: Artifacts) -> None:
    """Name, version, Pythons, requirements and extras are those of pyproject.toml."""
    told = metadata_of(artifacts.wheel)
    assert (told["Name"], told["Version"]) == ("conductor-core", VERSION)
    assert told["Requires-Python"] == PROJECT["requires-python"]
    assert told["License-Expression"] == "Apache-2.0"
    assert set(told.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    needed = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) == len(PROJECT["dependencies"])
    assert told.get_all("Classifier") == sorted(PROJECT["classifiers"])


def test_the_description_leads_nowhere_else(artifacts: Artifacts) -> None:
    """No picture and no link of it is one that only the repository has."""
    text = metadata_of(artifacts.wheel).get_payload()
    assert isinstance(text, str)
    assert "reduce(state, event)" in text
    assert re.findall(r"<picture|<img|<!--|!\[", text) == []
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if "://" not in link] == []


def test_a_link_keeps_its_words() -> None:
    """And a link to another site stays one."""
    readme = "# x\n\n[a `b`](docs/c.md), ![p](q.png)[d](https://example.org)\n"
    assert described(readme).endswith("a `b`, [d](https://example.org)\n")


@pytest.mark.parametrize(
    "command",
    [["check-wheel-contents", "{wheel}"], ["validate-pyproject", str(ROOT / "pyproject.toml")],
     ["twine", "check", "--strict", "{wheel}", "{sdist}"]],
    ids=lambda command: command[0],
)  # fmt: skip
def test_the_tools_of_packagers_agree(artifacts: Artifacts, command: list[str]) -> None:
    """Contents, declarations and description are what indexes and installers accept."""
    named = [word.format(wheel=artifacts.wheel, sdist=artifacts.sdist) for word in command]
    program = Path(sys.executable).with_name(named[0])
    done = subprocess.run([program, *named[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
