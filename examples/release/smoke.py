"""Installs the published wheel into a folder of its own and runs an example on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.release.sources import digest_of
from examples.release.step import answer, told

EXAMPLE = Path("examples", "embedding.py").resolve()
WHERE = "import conductor_core, conductor_adapters as a; print(conductor_core.__file__, a.__file__)"


def main() -> None:
    """See that what was published is whole, can be installed and works."""
    manifest_file = Path(told()["needs"]["publish"]["manifest"])
    manifest = json.loads(manifest_file.read_bytes())
    published = [manifest_file.with_name(name) for name in manifest["files"]]
    for file in published:
        if digest_of(file) != manifest["files"][file.name]:
            sys.exit(f"{file} is not what the manifest says")
    (wheel,) = (file for file in published if file.suffix == ".whl")
    with TemporaryDirectory() as folder:
        install(wheel, folder)
        for place in python(folder, "-c", WHERE).split():
            if not Path(place).is_relative_to(Path(folder).resolve()):
                sys.exit(f"{place} was imported instead of what was installed")
        lines = python(folder, str(EXAMPLE)).splitlines()
    print(f"{EXAMPLE.name}, installed from {wheel.name}: {lines[-1]}")
    answer(output={"example": lines})


def install(wheel: Path, folder: str) -> None:
    """Install a wheel without its dependencies, which are installed here already."""
    options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder, str(wheel)]
    subprocess.run(command, check=True)


def python(folder: str, *arguments: str) -> str:
    """Run Python where only the folder and the dependencies can be imported."""
    environment = {**os.environ, "PYTHONPATH": str(Path(folder).resolve())}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
