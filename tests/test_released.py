"""What was recorded for a release, logs and histories of Temporal, stands there for ever.

Rule: the manifest of a folder names its files, and tests/released.sha256 names the manifests of
what was released: only where nothing was released yet can a file be added, changed or taken away.
`sha256sum --check` reads both.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from tests.documents import ROOT
from tests.recorded.record import MANIFEST, pin

TESTS: Final = ROOT / "tests"
FOLDERS: Final = sorted(
    path.relative_to(TESTS).as_posix()
    for kind in ("histories", "recorded")
    for path in (TESTS / kind).iterdir()
    if any(path.glob("*.jsonl"))
)
"""One for each release that something was recorded for, of each kind."""


def digest(file: Path) -> str:
    """The digest of a file."""
    return sha256(file.read_bytes()).hexdigest()


def pinned(file: Path) -> dict[str, str]:
    """The digests in a list, by the names of their files."""
    lines = [line.partition("  ") for line in file.read_text("ascii").splitlines()]
    assert len({name for _, _, name in lines}) == len(lines), f"{file} names a file twice"
    return {name: digest for digest, _, name in lines}


RELEASED: Final = pinned(TESTS / "released.sha256")


def test_something_was_released() -> None:
    """The tests below are about something, of both kinds."""
    assert {name.partition("/")[0] for name in RELEASED} == {"histories", "recorded"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_manifest_names_every_file_as_it_is(folder: str) -> None:
    """None was changed, added by hand, or taken away."""
    files = {path.name: digest(path) for path in (TESTS / folder).iterdir()}
    del files[MANIFEST]
    assert pinned(TESTS / folder / MANIFEST) == files


@pytest.mark.parametrize("name", RELEASED)
def test_what_was_released_is_as_it_was(name: str) -> None:
    """Its manifest is the one of the release, so that no file and its digest change together."""
    assert digest(TESTS / name) == RELEASED[name]


def test_what_is_not_pinned_belongs_to_no_release() -> None:
    """A folder of a version that the changelog has a heading for is one of those released."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = set(re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE))
    left = {folder for folder in FOLDERS if f"{folder}/{MANIFEST}" not in RELEASED}
    assert [folder for folder in left if folder.partition("/")[2] in released] == []


def test_a_file_is_pinned_as_it_is(tmp_path: Path) -> None:
    """Files are added to a manifest one by one, each under its name."""
    for name in ("a.json", "b.jsonl"):
        (tmp_path / name).write_text(name)
        pin(tmp_path / name)
    found = {name: digest(tmp_path / name) for name in ("a.json", "b.jsonl")}
    assert pinned(tmp_path / MANIFEST) == found
