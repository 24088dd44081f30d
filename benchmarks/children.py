"""Measuring in a process of its own, whose figures come back as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]


def figures(module: str, *arguments: object, **environment: str) -> dict[str, Any]:
    """What a module of the benchmarks prints when it is run."""
    command = [sys.executable, "-m", module, *(str(argument) for argument in arguments)]
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=env)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def tell(**found: object) -> None:
    """Print figures for the process that asked for them."""
    print(json.dumps(found))
