"""All benchmarks, run once at sizes at which no figure means anything."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.documents import ROOT


@cache
def tiny_rows() -> tuple[dict[str, Any], ...]:
    """The rows of all parts, from a real run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        done = benchmarks("--tiny", "--json", str(file))
        # Goals are missed at such sizes, or not, as it happens.
        assert done.returncode in (0, 1), done.stderr
        return tuple(json.loads(file.read_text(encoding="utf-8")))


def benchmarks(*arguments: str, module: str = "benchmarks") -> subprocess.CompletedProcess[str]:
    """Run a module of the benchmarks as a command."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
