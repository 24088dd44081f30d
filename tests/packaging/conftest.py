"""What is built, once for all of these tests, from copies of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from tests.documents import ROOT

# What is no part of the project, wherever it stands.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".coverage*", "build", "dist",
    "dist-local", "htmlcov", "site", ".fuzz", "node_modules",
)  # fmt: skip


@frozen
class Artifacts:
    """A wheel and an sdist."""

    wheel: Path
    sdist: Path


def build(folder: Path, umask: int, touched_s: int) -> Artifacts:
    """Build both from a copy of the project whose files are so old and readable for so many."""
    old = os.umask(umask)
    try:
        copy = Path(shutil.copytree(ROOT, folder / "project", ignore=LEFT_OUT))
        for path in copy.rglob("*"):
            # What can be run stays so.
            path.chmod((0o777 if path.is_dir() or os.access(path, os.X_OK) else 0o666) & ~umask)
            os.utime(path, (touched_s, touched_s))
        into = folder / "dist"
        command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={into}", str(copy)]
        environment = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        os.umask(old)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return Artifacts(wheel, sdist)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The wheel and the sdist of this project as it is."""
    return build(tmp_path_factory.mktemp("first"), umask=0o022, touched_s=1_700_000_000)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The same, built from another folder by somebody whose files are nobody else's."""
    return build(tmp_path_factory.mktemp("second-one"), umask=0o077, touched_s=1_600_000_000)
