"""The wheel, installed where nothing else is, does what it says, and so does each extra."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import BLOCK, ROOT
from tests.packaging.conftest import Artifacts

EXAMPLE = next(
    text
    for kind, text in BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    if kind == "python"
)
# What an extra is for, in a line of Python.
EXTRAS = {
    "celery": "import conductor_adapters.celery",
    "cli": "import conductor_adapters.cli.main, conductor_adapters.cli.run",
    "fast": "import msgspec, conductor_core.log",
    "otel": "import conductor_adapters.opentelemetry; from opentelemetry.sdk import trace",
    "postgres": "import conductor_adapters.postgres_client; import psycopg",
    "temporal": "import conductor_adapters.temporal",
    "test": "import conductor_core.testing.strategies, conductor_core.testing.flow_machine",
}
# What does not work without its extra, and which that is.
NEEDS = {
    "import conductor_adapters.celery": "celery",
    "import conductor_adapters.cli.main": "cli",
    "import conductor_adapters.temporal": "temporal",
}
TYPED = """\
from conductor_core import FlowSpec, GroupSpec, StepSpec, events, initial_state, reduce
from conductor_adapters.memory import MemoryHost

spec = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a")])])
reveal_type(reduce(initial_state(spec, flow_id="f"), events.FlowStarted(at_ms=0)).state.flow_id)
reveal_type(MemoryHost({}))
StepSpec(key=1)
"""


class Place:
    """An environment in which nothing is installed but what a test asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"

    def install(self, what: str) -> None:
        """Install a requirement with the pip of these tests."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        subprocess.run([*pip, what], check=True, capture_output=True, timeout=300)

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the place, with nothing of ours in its way."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CONDUCTOR_"))}
        program = self.folder / "bin" / command[0]
        return subprocess.run(
            [program, *command[1:]], cwd=cwd or self.folder, env=clean, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def bare(artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with the wheel, and no extra."""
    place = Place(tmp_path_factory.mktemp("bare") / "env")
    place.install(str(artifacts.wheel))
    return place


@pytest.fixture
def place_with(artifacts: Artifacts, tmp_path: Path) -> Callable[[str], Place]:
    """A place with the wheel and an extra."""

    def made(extra: str) -> Place:
        place = Place(tmp_path / "env")
        place.install(f"{artifacts.wheel}[{extra}]")
        return place

    return made


def test_the_first_example_runs(bare: Place) -> None:
    """As the README prints it, with the core alone."""
    done = bare.run("python", "-c", EXAMPLE)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "StepFinished: accepted, ['FinishFlow'], success"


def test_the_core_needs_three_libraries(bare: Place) -> None:
    """What is installed with it is attrs, cattrs and typing-extensions."""
    code = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
    found = set(bare.run("python", "-c", code).stdout.split())
    assert found == {"conductor-core", "attrs", "cattrs", "typing_extensions"}


def test_the_core_imports_nothing_else(bare: Place) -> None:
    """All modules of the core, but what tests flows, import with these alone."""
    code = (
        "import pkgutil, importlib, conductor_core as c\n"
        "for m in pkgutil.walk_packages(c.__path__, 'conductor_core.'):\n"
        "    if '.testing.' not in m.name: importlib.import_module(m.name)\n"
    )
    done = bare.run("python", "-W", "error", "-c", code)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("code", "extra"), NEEDS.items())
def test_what_is_missing_is_named(bare: Place, code: str, extra: str) -> None:
    """Who uses a part without its extra is told which one to install."""
    done = bare.run("python", "-c", code)
    assert done.returncode != 0
    assert f"conductor-core[{extra}]" in done.stdout


def test_the_command_without_its_extra_says_so(bare: Place) -> None:
    """One line, and no traceback."""
    done = bare.run("conductor", "--help")
    assert (
        done.stdout
        == "conductor: the command line needs its extra: pip install 'conductor-core[cli]'\n"
    )


@pytest.mark.parametrize(("extra", "code"), EXTRAS.items())
def test_an_extra_brings_what_it_is_for(
    place_with: Callable[[str], Place], extra: str, code: str
) -> None:
    """Nothing else needs to be installed for it."""
    done = place_with(extra).run("python", "-c", code)
    assert done.returncode == 0, done.stdout


def test_a_flow_runs_on_the_command_line(
    place_with: Callable[[str], Place], tmp_path: Path
) -> None:
    """What `init` writes runs, and its log replays."""
    place = place_with("cli")
    for command in (
        ["conductor", "init"],
        ["conductor", "run", "flow.yaml", "--approve", "plan", "--by", "ana", "--log", "a.jsonl"],
        ["conductor", "replay", "a.jsonl"],
        ["conductor", "html", "a.jsonl", "--output", "a.html"],
        ["conductor", "check", "flow.yaml"],
    ):
        done = place.run(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout


def test_users_get_types(bare: Place, tmp_path: Path) -> None:
    """A type checker sees what the packages say, and what a user gets wrong."""
    (tmp_path / "flow.py").write_text(TYPED, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(bare.python)]
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(
        [*command, "flow.py"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    told = re.findall(r"flow\.py:(\d+): (\w+): (.*)", done.stdout)
    assert [(line, kind) for line, kind, _ in told] == [
        ("5", "note"),
        ("6", "note"),
        ("7", "error"),
    ]
    assert '"str"' in told[0][2]
    assert "MemoryHost" in told[1][2]


def test_the_time_that_importing_takes_is_told(bare: Place) -> None:
    """How long `import conductor_core` takes is printed, for who reads: no test is timed."""
    clock = "time.perf_counter()"
    code = f"import time; t = {clock}; import conductor_core; print({clock} - t)"
    times = [float(bare.run("python", "-c", code).stdout) for _ in range(5)]
    print(f"import conductor_core: {min(times) * 1000:.1f} ms, the best of {len(times)}")
