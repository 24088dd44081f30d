"""Builds the wheel or the sdist of what was approved, and looks into it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

from examples.release.sources import digest, digest_of, sources
from examples.release.step import answer, told


def main(kind: str) -> None:
    """Build an artifact from the approved sources and from nothing else."""
    context = told()
    approved = context["subjects"]["plan"]
    if digest() != approved:
        sys.exit(f"the sources are no longer those that were approved: {approved}")
    artifact = build(kind, Path("build", "release", kind))
    check(kind, artifact, context["needs"]["plan"]["version"])
    print(f"{artifact.name}: {artifact.stat().st_size} bytes")
    answer(output={"file": artifact.as_posix(), "digest": digest_of(artifact)})


def build(kind: str, folder: Path) -> Path:
    """Build into a folder of its own and return the one file that comes of it."""
    for old in folder.glob("*"):
        old.unlink()
    # What builds is installed here already; nothing is fetched.
    arguments = ["build", "--no-isolation", f"--{kind}", "--outdir", str(folder)]
    subprocess.run([sys.executable, "-m", *arguments], check=True, stdout=subprocess.DEVNULL)
    (artifact,) = folder.glob("*")
    return artifact


def check(kind: str, artifact: Path, version: str) -> None:
    """See that all of the release is in it and, in a wheel, nothing else."""
    names = wheel_names(artifact) if kind == "wheel" else sdist_names(artifact)
    missing = sorted(set(expected(kind)) - names)
    if missing:
        sys.exit(f"{artifact.name} lacks {', '.join(missing)}")
    if version not in artifact.name:
        sys.exit(f"{artifact.name} is not of version {version}")
    packages = {"conductor_core", "conductor_adapters", f"conductor_core-{version}.dist-info"}
    foreign = {name.split("/")[0] for name in names} - packages
    if kind == "wheel" and foreign:
        sys.exit(f"{artifact.name} holds {', '.join(sorted(foreign))}")


def expected(kind: str) -> list[str]:
    """The names that the sources have in the artifact."""
    names = [path.as_posix() for path in sources()]
    if kind == "sdist":
        return names
    return [name.removeprefix("adapters/") for name in names if "/" in name]


def wheel_names(artifact: Path) -> set[str]:
    """The files in a wheel."""
    with ZipFile(artifact) as wheel:
        return set(wheel.namelist())


def sdist_names(artifact: Path) -> set[str]:
    """The files in an sdist, without the folder that they all stand in."""
    with tarfile.open(artifact) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


if __name__ == "__main__":
    main(sys.argv[1])
