"""`conductor schema`: the schemas that editors use, on the screen or in a file."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor


def run(*arguments: str) -> Result:
    """Run `conductor schema`."""
    return CliRunner().invoke(conductor, ["schema", *arguments])


@pytest.mark.parametrize("kind", ["flow", "scenario", "checks"])
def test_the_schema_of_each_format_is_printed(kind: str) -> None:
    """What is printed is what the package holds."""
    result = run(kind)
    shipped = resources.files("conductor_core") / "schemas" / f"{kind}.schema.json"
    assert (result.exit_code, result.stdout) == (0, shipped.read_text("utf-8"))
    assert run(kind, "--json").stdout == result.stdout


def test_flow_files_are_meant_unless_it_is_said() -> None:
    """Without a kind it is the schema of flow files."""
    assert json.loads(run().stdout)["title"] == "conductor flow file"


def test_a_schema_can_be_written_to_a_file(tmp_path: Path) -> None:
    """The file holds what would be printed."""
    file = tmp_path / "flow.schema.json"
    result = run("--output", str(file))
    assert (result.exit_code, result.stdout) == (0, f"wrote the schema of flow files to {file}\n")
    assert file.read_text("utf-8") == run().stdout


def test_a_file_that_exists_is_replaced_if_that_is_said(tmp_path: Path) -> None:
    """As by every command that writes files: it may be one that somebody wrote by hand."""
    file = tmp_path / "flow.schema.json"
    file.write_text("mine")
    result = run("-o", str(file))
    told = f"-o: {file} exists already; --replace writes over it\n"
    assert (result.exit_code, result.stderr, file.read_text()) == (2, told, "mine")
    written = json.loads(run("scenario", "-o", str(file), "--replace", "--json").stdout)
    assert written == {"schema": "scenario", "file": str(file)}
    assert file.read_text("utf-8") == run("scenario").stdout
    assert "--replace needs --output" in run("--replace").stderr


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """It is named, and the exit code is 2."""
    result = run("--output", str(tmp_path))
    told = f"-o: {tmp_path} is a folder, expected a file\n"
    assert (result.exit_code, result.stderr) == (2, told)


def test_there_are_no_other_schemas() -> None:
    """A kind that does not exist is a mistake."""
    assert run("log").exit_code == 2
