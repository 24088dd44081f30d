"""`conductor completion`: what a shell is told when it asks what may follow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_adapters.cli.completion import ASKED_BY, SHELLS, completion
from conductor_adapters.cli.main import COMMANDS

# The program must be known under the name that the scripts call.
CODE = "import sys; sys.argv[0] = 'conductor'\nfrom conductor_adapters.cli.main import main\nmain()"
FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


def conductor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `conductor`, perhaps as a shell does."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={**os.environ, **environment},
    )  # fmt: skip


def following(*words: str) -> list[str]:
    """What bash is told may stand in the place of the last word."""
    done = conductor(
        **{ASKED_BY: "bash_complete"},
        COMP_WORDS=" ".join(("conductor", *words)),
        COMP_CWORD=str(len(words)),
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_beginning_of_a_command_is_completed() -> None:
    """`conductor ru` can only mean one command, and nothing at all any of them."""
    assert following("ru") == ["run"]
    assert set(following("")) == COMMANDS.keys()


def test_options_and_choices_are_completed() -> None:
    """What may follow a command is asked of that command."""
    assert "--approve" in following("run", "--a")
    assert following("schema", "sc") == ["scenario"]
    assert following("completion", "") == sorted(SHELLS)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_that_asks(shell: str) -> None:
    """The script calls `conductor` with the variable that makes it answer."""
    done = conductor("completion", shell)
    assert done.returncode == 0
    assert f"{ASKED_BY}={shell}_complete" in done.stdout
    assert json.loads(conductor("completion", shell, "--json").stdout) == {
        "shell": shell,
        "script": done.stdout.removesuffix("\n"),
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_is_one_for_its_shell(shell: str) -> None:
    """The shell itself reads its script without complaint."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = conductor("completion", shell).stdout
    subprocess.run([program, "-n"], input=script, check=True, text=True, timeout=60)


def test_other_shells_are_refused() -> None:
    """A shell that click does not know is a mistake."""
    assert conductor("completion", "tcsh").returncode == 2


def test_the_help_says_where_each_script_goes_as_the_documents_do() -> None:
    """There is one line for each shell, the same in both."""
    told = completion.help or ""
    lines = dict(re.findall(r"^ *(\w+): +(conductor completion .*)$", told, re.MULTILINE))
    assert lines.keys() == set(SHELLS)
    text = FORMATS.read_text("utf-8")
    assert all(f"`{line}`" in text for line in lines.values())
