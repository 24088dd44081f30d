"""Installs the wheel in a fresh environment and does there what the README begins with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.release.plan import approved
from examples.release.step import refuse, told

WHERE = "import conductor_core, conductor_adapters as a; print(conductor_core.__file__, a.__file__)"
OFFLINE = """\
cannot install the wheel with what it depends on (pip says why above); without a network,
set PIP_NO_INDEX=1 and PIP_FIND_LINKS to a folder with wheels of attrs, cattrs, typing-extensions"""


def main() -> None:
    """See that the first example of the README prints what the README says."""
    plan = approved(told())
    example, expected = first_example(Path("README.md").read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        python = fresh_environment(Path(folder), plan.workplace / plan.artifacts["wheel"])
        check_origin(run(python, WHERE), folder)
        printed = run(python, example)
    if printed != expected:
        refuse(f"the README promises:\n{expected}\nits example prints:\n{printed}")
    print(f"the README's first example prints its {len(expected.splitlines())} lines")


def check_origin(places: str, folder: str) -> None:
    """Refuse what was imported from anywhere but a folder."""
    for place in places.split():
        if not Path(place).resolve().is_relative_to(Path(folder).resolve()):
            refuse(f"{place} was imported instead of what was installed")


def first_example(readme: str) -> tuple[str, str]:
    """The first block of Python, and the block of text that follows it."""
    pattern = r"^```python\n(.*?)^```\n.*?^```text\n(.*?)^```$"
    blocks = re.search(pattern, readme, re.MULTILINE | re.DOTALL)
    if blocks is None:
        refuse("README.md has no example in Python with a text of what it prints")
    return blocks[1], blocks[2]


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """A Python that has the wheel, what it depends on, and nothing else."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq"]
    # A few words of a network that fails are enough: the flow tries again.
    if subprocess.run([*pip, "--retries=1", str(wheel)], check=False).returncode:
        sys.exit(OFFLINE)
    return python


def run(python: Path, code: str) -> str:
    """What some code prints, far from this checkout: `-I` heeds no folder and no variable."""
    done = subprocess.run(
        [python, "-I", "-c", code], cwd=os.sep, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        refuse(f"it ended with {done.returncode} where only the wheel is installed:\n{code}")
    return done.stdout


if __name__ == "__main__":
    main()
