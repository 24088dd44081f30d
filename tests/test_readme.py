"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest

from tests.documents import BLOCK, COST, LINK, ROOT, commands_in, sh, write_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = BLOCK.findall(README)
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def blocks(language: str) -> list[str]:
    """The code blocks in a language, in order."""
    return [text for kind, text in BLOCKS if kind == language]


def test_the_python_example_prints_what_it_says() -> None:
    """The first example runs as it stands, and its output is the block after it."""
    (example,) = blocks("python")
    (expected,) = blocks("text")
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(example, "README.md", "exec"), {})
    assert output.getvalue() == expected


def test_the_commands_print_what_they_say(tmp_path: Path) -> None:
    """Each `conductor` command prints what stands below it, on the files that are shown."""
    pytest.importorskip("click")
    write_files(BLOCKS, tmp_path)
    shutil.copytree(ROOT / "examples" / "debugging", tmp_path / "examples" / "debugging")
    for block in blocks("console"):
        for command, shown in commands_in(block):
            if command.startswith("conductor "):
                done = sh(tmp_path, command)
                printed = COST.sub("", done.stdout.rstrip("\n"))
                # The flow of `init` waits for an approval, which nobody here gives.
                assert done.returncode in (0, 3), printed
                assert COST.sub("", shown) in (printed, "")


def test_every_make_target_that_is_named_exists() -> None:
    """A target that the documents name is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for name in DOCUMENTS
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", (ROOT / name).read_text("utf-8"))
    }
    assert named - targets == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_first_example_is_on_the_first_screen() -> None:
    """The first runnable example begins within the first 25 lines."""
    assert README[: README.index("```python")].count("\n") < 25
