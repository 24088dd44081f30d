"""The `conductor` command: its list of commands, and how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from conductor_adapters.cli import main
from conductor_adapters.cli.sections import SECTIONS
from conductor_core.errors import ConductorError
from conductor_core.version import VERSION


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a Python of its own."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, **environment}
    )


def test_the_version_is_that_of_the_distribution() -> None:
    """`--version` tells it."""
    result = CliRunner().invoke(main.conductor, ["--version"])
    assert result.output == f"conductor, version {VERSION}\n"


def test_help_lists_every_command_on_a_line() -> None:
    """Each once, in a section, with what it does uncut; each can be imported and has help."""
    result = CliRunner().invoke(main.conductor, ["--help"])
    assert result.exit_code == 0
    listed = [name for commands in SECTIONS.values() for name in commands]
    assert sorted(listed) == sorted(main.COMMANDS)
    for commands in SECTIONS.values():
        for name, told in commands.items():
            assert f"\n  {name:<{main.WIDEST}}  {told}\n" in result.output
    for name in main.COMMANDS:
        assert CliRunner().invoke(main.conductor, [name, "--help"]).exit_code == 0


def test_help_imports_no_command() -> None:
    """It is there at once."""
    code = f"""
import sys, {main.__name__} as main
try:
    main.conductor(["--help"])
finally:
    print(*sys.modules)
"""
    imported = set(python("-c", code).stdout.decode().splitlines()[-1].split())
    assert imported.isdisjoint(main.COMMANDS.values())


def test_what_needs_a_posix_system_says_so_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows `run` is not listed, and who asks for it is told why; the rest is there."""
    monkeypatch.setattr(main, "POSIX", False)
    listed = CliRunner().invoke(main.conductor, ["--help"]).output
    assert "\n  run " not in listed
    assert "\n  replay " in listed
    result = CliRunner().invoke(main.conductor, ["run", "flow.yaml"])
    assert result.exit_code == 2
    assert result.stderr == "conductor run needs a POSIX system, such as Linux or macOS\n"


def test_nothing_else_imports_what_windows_lacks() -> None:
    """The memory host and all commands that are there on Windows can be imported without it."""
    there = main.COMMANDS.keys() - main.POSIX_ONLY
    others = sorted({main.COMMANDS[name] for name in there})
    modules = ["conductor_adapters.memory", "conductor_adapters.metrics", *others]
    lacking = ("pty", "resource", "termios", "tty")  # asyncio here is built on fcntl
    code = f"import sys; sys.modules.update(dict.fromkeys({lacking}))\n"
    for module in modules:
        code += f"import {module}\n"
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, b"")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["--version"], ["init", "--help"]])
def test_output_that_cannot_be_written_is_told(arguments: list[str]) -> None:
    """One line, exit code 2, no traceback."""
    code = "from conductor_adapters.cli.main import main; main()"
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "cannot write the output: No space left on device\n"


def test_an_unknown_command_is_a_mistake() -> None:
    """What is not in the list is refused."""
    assert CliRunner().invoke(main.conductor, ["replicate"]).exit_code == 2


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("aprove", "No such command 'aprove' (perhaps 'approve'?)."),
        ("retry-grup", "No such command 'retry-grup' (perhaps 'retry-group'?)."),
    ],
)
def test_a_misspelt_command_is_told_with_the_one_that_was_meant(typed: str, told: str) -> None:
    """As a misspelt option or key is; nothing runs."""
    result = CliRunner().invoke(main.conductor, [typed, "deploy-1"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, f"Error: {told}")


def test_what_is_like_no_command_is_not_guessed_at() -> None:
    """An option that there is not stays an option."""
    for typed, told in (("zzz", "No such command 'zzz'."), ("--list", "No such option '--list'.")):
        result = CliRunner().invoke(main.conductor, [typed])
        assert result.exit_code == 2
        assert told in result.output


def test_an_error_about_the_input_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a command raises on purpose is told line by line, escaped, with exit code 2."""
    module = ModuleType("broken")

    @click.command()
    def broken() -> None:
        """Raise an error."""
        raise ConductorError("no such flow: \x1b[2J\nand more")

    monkeypatch.setattr(module, "broken", broken, raising=False)
    monkeypatch.setitem(sys.modules, "broken", module)
    monkeypatch.setitem(main.COMMANDS, "broken", "broken")
    result = CliRunner().invoke(main.conductor, ["broken"])
    assert result.exit_code == 2
    assert (result.stdout, result.stderr) == ("", "no such flow: \\x1b[2J\nand more\n")


def test_commands_do_not_pay_for_each_other() -> None:
    """A command is imported only when it is asked for."""
    code = f"import {main.__name__}, sys; print(*sys.modules)"
    imported = set(python("-c", code).stdout.decode().split())
    assert imported.isdisjoint(main.COMMANDS.values())
    assert imported.isdisjoint({"yaml", "rich", "asyncio", "cattrs"})


def test_without_the_cli_extra_the_command_says_what_it_needs() -> None:
    """A missing click is no traceback either."""
    code = f"import sys; sys.modules['click'] = None; import {main.__name__}"
    done = python("-c", code)
    assert done.returncode == 1
    assert done.stderr.startswith(b"conductor: the command line needs its extra: pip install")
    assert done.stderr.count(b"\n") == 1


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """A terminal without Unicode gets the escape of a character, not an exception."""
    file = tmp_path / "flow.yaml"
    file.write_text(
        "format: conductor-scenario/1\n"
        "scenarios: [{name: →, flow: {groups: [{key: g, steps: [{key: a}]}]},"
        " expect: {flow: error}}]\n",
        encoding="utf-8",
    )
    code = f"from {main.__name__} import main; main()"
    done = python("-c", code, "scenario", "run", str(file), PYTHONIOENCODING="latin-1")
    assert done.returncode == 1
    assert b"\\u2192\n" in done.stdout
