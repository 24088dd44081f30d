"""Looks into both artifacts: all of what was approved is in them, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.release.files import in_sdist, in_wheel
from examples.release.plan import Plan, approved
from examples.release.step import refuse, told

PACKAGES = ("conductor_core/", "conductor_adapters/")


def main() -> None:
    """Look into the wheel and the sdist, and build the wheel once more, from the sdist."""
    plan = approved(told())
    wheel, sdist = (plan.workplace / plan.artifacts[kind] for kind in ("wheel", "sdist"))
    in_both = packaged(plan)
    found = in_wheel(wheel)
    notes = f"conductor_core-{plan.version}.dist-info/"
    compare(wheel.name, {n: d for n, d in found.items() if not n.startswith(notes)}, in_both)
    compare(sdist.name, {n: d for n, d in in_sdist(sdist).items() if n != "PKG-INFO"}, plan.files)
    compare(f"the wheel that {sdist.name} builds", rebuilt(sdist), found)
    print(f"{wheel.name}: {' and '.join(PACKAGES)}, {len(in_both)} files, as approved")
    print(f"{sdist.name}: {len(plan.files)} files, as approved; it builds the same wheel")


def packaged(plan: Plan) -> dict[str, str]:
    """The digest of each file of the two packages, by its name in the wheel."""
    named = {name.removeprefix("adapters/"): value for name, value in plan.files.items()}
    return {name: value for name, value in named.items() if name.startswith(PACKAGES)}


def rebuilt(sdist: Path) -> dict[str, str]:
    """What is in the wheel that pip builds from an sdist."""
    options = ["-qq", "--no-index", "--no-deps", "--no-build-isolation"]
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder]
        subprocess.run([*command, str(sdist)], check=True)
        (wheel,) = Path(folder).iterdir()
        return in_wheel(wheel)


def compare(what: str, found: dict[str, str], expected: dict[str, str]) -> None:
    """Refuse what holds more, less or something else than it should."""
    odd = sorted(name for name, _ in found.items() ^ expected.items())
    if odd:
        refuse(f"{what} is not as approved: {', '.join(dict.fromkeys(odd))}")


if __name__ == "__main__":
    main()
