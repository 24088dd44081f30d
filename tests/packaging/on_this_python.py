"""Try the wheel in dist/ on the Python that runs this: `make installed PYTHON=python3.13`.

It is installed into a new environment of that Python, with the extra `test`, and the tests of the
core are run there, where no source of the project is in the way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What tests the core alone and needs no more than the extra brings.
TESTS = ["test_reducer.py", "test_rules_*.py", "test_legality.py", "test_log.py", "test_spec.py",
         "test_codec.py", "test_snapshot.py", "test_golden_logs.py", "test_digest.py"]  # fmt: skip


def main() -> int:
    """Install, then test; the exit code is that of the tests."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        env, copy = Path(folder, "env"), Path(folder, "project")
        venv.create(env, with_pip=True)
        python = str(env / ("Scripts" if os.name == "nt" else "bin") / "python")
        wanted = [f"{wheel}[test,cli]", "pytest-timeout"]
        install = [python, "-m", "pip", "install", "--quiet", *wanted]
        subprocess.run(install, check=True)
        for name in ("tests", "examples", "docs"):
            shutil.copytree(ROOT / name, copy / name)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy / name)
        paths = [str(path) for test in TESTS for path in sorted((copy / "tests").glob(test))]
        print(f"{wheel.name} on Python {sys.version.split()[0]}", flush=True)
        # pytest would rewrite the assertions of an installed plugin's distribution, and so ours.
        plain = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-o", "addopts=", "-ra"]
        test = [python, "-m", "pytest", "--import-mode=importlib", *plain, *paths]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(test, cwd=copy, env=clean, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
