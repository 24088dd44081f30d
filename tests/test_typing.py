"""The unions are closed: both type checkers name the case that a `match` forgot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "typing"
FILES = sorted(FOLDER.glob("*.py"))
FORGOTTEN = {
    "forgotten_event.py": "AppendRequested",
    "forgotten_command.py": "FinishFlow",
    "forgotten_verdict.py": "Ignored",
    "forgotten_status.py": "Literal[AttemptStatus.APPROVAL_EXPIRED]",
    "forgotten_directive.py": "Literal[Directive.SKIP_GROUP]",
}
CHECKERS = {
    "mypy": ["--no-error-summary", *map(str, FILES)],
    "pyright": ["--pythonpath", sys.executable, "--project", str(FOLDER)],
}


@pytest.fixture(scope="module", params=CHECKERS)
def complaints(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a type checker says of each of the files, by file."""
    pytest.importorskip(request.param)
    command = [sys.executable, "-m", request.param, *CHECKERS[request.param]]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 1, run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if "error:" in line]
    return {
        path.name: "\n".join(line for line in lines if f"{path.name}:" in line) for path in FILES
    }


def test_every_file_is_meant_to_pass_or_to_fail() -> None:
    """Each file of the folder has an expectation here."""
    assert {path.name for path in FILES} == {"complete.py", *FORGOTTEN}


@pytest.mark.parametrize(("file", "case"), FORGOTTEN.items())
def test_a_forgotten_case_fails_type_checking(
    complaints: dict[str, str], file: str, case: str
) -> None:
    """The one complaint about an incomplete match names the class that it forgot."""
    assert complaints[file].count("error:") == 1
    assert f'"{case}"' in complaints[file]


def test_complete_code_passes(complaints: dict[str, str]) -> None:
    """Code that handles every case, and the types of the public names, are accepted."""
    assert complaints["complete.py"] == ""
