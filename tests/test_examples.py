"""The examples, run as a reader would run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_core.log import replay

PROJECT = Path(__file__).parent.parent
CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project, as it is released."""
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    for folder in ("conductor_core", "adapters", "examples"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def in_copy(copy: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the copy, with this Python first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command, cwd=copy, env={**os.environ, "PATH": path, **environment}, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_the_project_releases_itself(copy: Path) -> None:
    """Plan, approval, wheel and sdist, publication and smoke test: all of it, for real."""
    arguments = ["--log", "log.jsonl", "--approve", "plan", "--by", "demo"]
    done = in_copy(copy, *CONDUCTOR, "run", "examples/release/flow.yaml", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    manifest = json.loads((copy / "dist-local" / "manifest.json").read_bytes())
    published = {path.name for path in (copy / "dist-local").iterdir()}
    assert published == {"manifest.json", *manifest["files"]}
    with (copy / "log.jsonl").open("rb") as file:
        state = replay(file).state
    plan = state.attempt("plan#1")
    assert plan is not None
    assert plan.result is not None
    assert manifest["approved"] == plan.result.subject
    assert "conductor_core/reducer.py" in plan.result.output.value["files"]
    assert {attempt.status.value for attempt in state.attempts()} == {"success"}


def test_nothing_is_built_but_what_was_approved(copy: Path) -> None:
    """Sources that changed after the approval are not built."""
    context = {"subjects": {"plan": "sha256:0"}, "needs": {"plan": {"version": "0"}}}
    (copy / "context.json").write_text(json.dumps(context))
    command = (sys.executable, "-m", "examples.release.artifact", "wheel")
    done = in_copy(copy, *command, CONDUCTOR_CONTEXT="context.json")
    assert done.returncode == 1
    assert "the sources are no longer those that were approved: sha256:0" in done.stderr
    assert not (copy / "build").exists()


def test_a_host_of_one_s_own_runs_a_flow() -> None:
    """The embedding example asks, retries, and comes to its end."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "examples" / "embedding.py")],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "approve plan#1? yes",
        "plan#1 success",
        "apply#1 error",
        "apply#2 success",
        "success after 6 events",
    ]
