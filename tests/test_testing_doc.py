"""What docs/testing.md shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from conductor_core.testing import conditions
from conductor_core.testing.flow_assertions import FlowClaims
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh, write_files

TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(TESTING)
# What a search costs is told, and may become less.
SIZE = re.compile(r"\d+ states and \d+ transitions")


def test_the_code_prints_what_it_says() -> None:
    """The blocks run one after another, and print the blocks of text below them."""
    names: dict[str, Any] = {"__name__": "testing"}
    printed = ""
    for language, text in BLOCKS:
        if language == "text":
            assert SIZE.sub("#", printed) == SIZE.sub("#", text)
        elif language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(text, "docs/testing.md", "exec"), names)
            printed = output.getvalue()


def test_the_command_prints_what_it_says(tmp_path: Path) -> None:
    """The claim in a file is broken as the one in Python is."""
    pytest.importorskip("click")
    write_files(BLOCKS, tmp_path)
    (session,) = (text for language, text in BLOCKS if language == "console")
    ((command, shown),) = commands_in(session)
    done = sh(tmp_path, command)
    assert (done.stdout.rstrip("\n"), done.returncode) == (shown, 1)


def test_every_claim_and_every_condition_is_listed() -> None:
    """What can be claimed, and of what, stands in the text."""
    rows = TESTING.partition("\n| claim | ")[2].partition("\n\n")[0]
    claims = {name for name in vars(FlowClaims) if not name.startswith("_")}
    assert set(re.findall(r"^\| `\.(\w+)\(", rows, re.MULTILINE)) == claims - {
        "alphabet",
        "max_states",
        "spec",
    }
    told = TESTING.partition("A condition is made of")[2].partition("\n\n")[0]
    made = {name for name in vars(conditions.Step) if not name.startswith("_")} - {"key"}
    assert set(re.findall(r"`step\(key\)\.(\w+)", told)) == made
    assert {"flow_is", "before", "after"} == set(re.findall(r"`(\w+)\((?!key)", told))


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(TESTING)
    assert [link for link in links if not Path(ROOT / "docs" / link).exists()] == []
