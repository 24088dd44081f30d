"""What docs/debugging/diff.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.debugger.attempt_diff import IGNORABLE
from conductor_adapters.debugger.facts import VOCABULARY
from tests.debugger.recordings import put_samples
from tests.documents import BLOCK, ROOT, commands_in, sh, write_files

PAGE: Final = (ROOT / "docs" / "debugging" / "diff.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both logs, and the flow files that the page shows."""
    folder = tmp_path_factory.mktemp("diff")
    put_samples(folder)
    write_files(BLOCK.findall(PAGE), folder)
    return folder


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command prints what stands below it."""
    for session in (text for kind, text in BLOCK.findall(PAGE) if kind == "console"):
        for command, shown in commands_in(session):
            assert sh(folder, command).stdout.rstrip("\n") == shown, command


def test_the_keys_for_programs_are_those_that_are_listed(folder: Path) -> None:
    """Of logs and of flow files, in their order."""
    _, _, told = PAGE.partition("## For programs")
    logs, flows = told.partition("## Exit codes")[0].split("Of two flow files")
    quick = "--reruns 0 --processes 1"
    for keys, command in (
        (logs, "release.jsonl release.jsonl --times"),
        (flows, f"before.yaml before.yaml {quick}"),
    ):
        data = json.loads(sh(folder, f"conductor diff {command} --json").stdout)
        assert re.findall(r"`(\w+)`", keys) == list(data)


def test_the_vocabulary_is_the_one_that_is_compared() -> None:
    """The table has every form of a fact, and the text every field that may be ignored."""
    rows = "\n".join(f"| `{form}` | {meaning} |" for form, meaning in VOCABULARY)
    assert f"\n{rows}\n" in PAGE
    assert all(f"`{field}`" in PAGE for field in IGNORABLE)
