"""Commands as a person types them, for demos that operate flows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """With what is installed beside this Python found first, also by steps."""
    beside = Path(sys.executable).parent
    return os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"}


def command(*arguments: str) -> list[str]:
    """The `conductor` that is installed beside this Python, with arguments."""
    return [str(Path(sys.executable).parent / "conductor"), *arguments]


def conductor(*arguments: str) -> int:
    """Say a command and run it; returns its exit code."""
    print(f"\n$ conductor {' '.join(arguments)}", flush=True)
    return subprocess.run(command(*arguments), env=environment(), check=False).returncode


def told(*arguments: str) -> str:
    """Run a command, and return what it prints."""
    done = subprocess.run(
        command(*arguments), env=environment(), check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout
