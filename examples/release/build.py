"""Builds the wheel or the sdist from a copy of what was approved, and from nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.release.files import digest, put
from examples.release.plan import Plan, approved
from examples.release.step import answer, refuse, told


def main(kind: str) -> None:
    """Build an artifact; the same plan leads to the same bytes."""
    plan = approved(told())
    file = plan.workplace / plan.artifacts[kind]
    with TemporaryDirectory() as folder:
        sources = copy(plan, Path(folder, "sources"))
        content = build(kind, sources, Path(folder, "built")).read_bytes()
    put(file, content)
    print(f"{file.name}: {len(content):,} bytes")
    answer(output={"file": file.as_posix(), "digest": digest(content), "bytes": len(content)})


def copy(plan: Plan, folder: Path) -> Path:
    """Copy the sources; one that changes at this very moment is found out."""
    for name, planned in plan.files.items():
        into = folder / name
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, into)
        if digest(into.read_bytes()) != planned:
            refuse(f"{name} is no longer what was approved")
    return folder


def build(kind: str, sources: Path, into: Path) -> Path:
    """Build an artifact and return the one file that comes of it."""
    # The build backend is installed here already; nothing is fetched.
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", f"--outdir={into}"]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    if done.returncode:
        refuse(f"the build failed:\n{done.stdout}{done.stderr}")
    (artifact,) = into.iterdir()
    return artifact


if __name__ == "__main__":
    main(sys.argv[1])
