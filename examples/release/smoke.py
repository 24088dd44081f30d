"""Installs what was published from where it was published, and runs an example on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.release.files import digest
from examples.release.plan import Plan, approved
from examples.release.quickstart import WHERE, check_origin
from examples.release.step import answer, refuse, told

EXAMPLE = Path("examples", "embedding.py")


def main() -> None:
    """See that what was published is whole, can be installed and works."""
    plan = approved(told())
    look_over(plan)
    with TemporaryDirectory() as folder:
        install(plan, folder)
        check_origin(python(folder, "-c", WHERE), folder)
        lines = python(folder, str(EXAMPLE.resolve())).splitlines()
    print(f"{EXAMPLE} on what was published: {lines[-1]}")
    answer(output={"example": lines})


def look_over(plan: Plan) -> None:
    """Compare what is there with what the manifest says."""
    manifest = json.loads(plan.manifest.read_bytes())
    if manifest["approved"] != plan.subject:
        refuse(f"{plan.manifest} is about something else: {manifest['approved']}")
    for name, said in manifest["files"].items():
        if digest(Path(plan.target, name).read_bytes()) != said["digest"]:
            refuse(f"{plan.target}/{name} is not what the manifest says")


def install(plan: Plan, folder: str) -> None:
    """Install it by its name; what it depends on is installed here already."""
    source = ["--no-index", "--no-deps", "--find-links", plan.target]
    command = [sys.executable, "-m", "pip", "install", "-qq", *source, "--target", folder]
    subprocess.run([*command, f"conductor-core=={plan.version}"], check=True)


def python(folder: str, *arguments: str) -> str:
    """Run Python with what is in the folder in front of everything else."""
    environment = {**os.environ, "PYTHONPATH": str(Path(folder).resolve())}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
