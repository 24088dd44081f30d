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
    """The file holds what would be printed, and takes the place of an older one."""
    file = tmp_path / "flow.schema.json"
    for _ in range(2):
        result = run("--output", str(file))
        assert (result.exit_code, result.stdout) == (
            0,
            f"wrote the schema of flow files to {file}\n",
        )
    assert file.read_text("utf-8") == run().stdout
    told = json.loads(run("scenario", "--output", str(file), "--json").stdout)
    assert told == {"schema": "scenario", "file": str(file)}


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """It is named, and the exit code is 2."""
    result = run("--output", str(tmp_path))
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path}: Is a directory\n")


def test_there_are_no_other_schemas() -> None:
    """A kind that does not exist is a mistake."""
    assert run("log").exit_code == 2
