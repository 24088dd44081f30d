"""What docs/temporal.md shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

from conductor_adapters.temporal import Settings
from conductor_adapters.temporal.options import DEFAULTS, NAMES, option_problems
from conductor_core.flowfile import decode_flow
from tests.documents import BLOCK, ROOT, commands_in
from tests.services.temporal import Temporal

TEXT = (ROOT / "docs" / "temporal.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(TEXT)
PATIENCE_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    python = [text for kind, text in BLOCKS if kind == "python"]
    files = [text for kind, text in BLOCKS if kind == "yaml"]
    (tmp_path / "deploys.py").write_text(python[0])
    (tmp_path / "main.py").write_text(python[1])
    (tmp_path / "deploy.yaml").write_text(files[0])
    return tmp_path


@pytest.fixture
def environment(temporal: Temporal) -> dict[str, str]:
    """Where commands find the server and what is installed here."""
    beside = str(Path(sys.executable).parent)
    path = f"{beside}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"TEMPORAL_ADDRESS": temporal.url, "PATH": path}


@pytest.fixture
def worker(folder: Path, environment: dict[str, str]) -> Generator[None]:
    """The worker of the page, once it runs."""
    command = ["conductor", "temporal", "worker", "--handlers", "deploys"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "runs; stop it with Ctrl-C" in process.stdout.readline()
        yield
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def sh(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command writes."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout


@pytest.mark.usefixtures("worker")
def test_the_session_is_what_happens(folder: Path, environment: dict[str, str]) -> None:
    """Every command writes the lines below it."""
    session = [text for kind, text in BLOCKS if kind == "console"][1]
    for command, shown in commands_in(session):
        assert sh(command, folder, environment).rstrip("\n") == shown, command


def test_the_program_is_what_happens(folder: Path, environment: dict[str, str]) -> None:
    """It writes the lines below it."""
    shown = next(text for kind, text in BLOCKS if kind == "text")
    began_s = time.monotonic()
    assert sh(f"{sys.executable} main.py", folder, environment) == shown
    assert time.monotonic() - began_s < PATIENCE_S


def test_flow_files_say_what_can_be_followed() -> None:
    """The options of the page are options, where they stand."""
    for text in (text for kind, text in BLOCKS if kind == "yaml"):
        spec = decode_flow(yaml.safe_load(text))
        assert not [*option_problems(spec)]


def test_every_option_is_explained() -> None:
    """With its default, and so are the settings."""
    table = TEXT.partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    assert tuple(rows) == NAMES
    for name in ("heartbeat_timeout_ms", "max_deliveries"):
        assert f"({getattr(DEFAULTS, name):,})" in rows[name]
    assert f"({Settings().max_in_flight};" in table
