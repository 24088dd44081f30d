"""Histories that were recorded replay for ever, and come to the logs that they came to then.

A change that breaks one of them breaks the flows that run when it is deployed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_core.log import replay
from tests.documents import ROOT

HISTORIES = ROOT / "tests" / "histories"
RELEASES = sorted(path.name for path in HISTORIES.iterdir() if any(path.glob("*.json")))
SEED = "4711"


def replayed(folder: Path) -> dict[str, str]:
    """The logs of all histories of a folder, in a process under another hash seed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.histories.replaying", str(folder)],
        env={**os.environ, "PYTHONHASHSEED": SEED},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_histories_come_to_their_logs(release: str) -> None:
    """By Temporal's Replayer, to the byte; and each log verifies."""
    folder = HISTORIES / release
    logs = {path.stem: path.read_text("utf-8") for path in folder.glob("*.jsonl")}
    assert len(logs) > 10
    assert replayed(folder) == logs
    for name, text in logs.items():
        found = replay(text.splitlines(keepends=True))
        assert found.state.flow_id == name
        assert found.closed


def test_a_history_that_does_not_replay_is_noticed(tmp_path: Path) -> None:
    """Where an activity that was scheduled is another, the Replayer says so."""
    source = (HISTORIES / RELEASES[0] / "rerun.json").read_text("utf-8")
    (tmp_path / "rerun.json").write_text(source.replace('"b#1"', '"b#9"'), "utf-8")
    with pytest.raises(AssertionError, match="Nondeterminism"):
        replayed(tmp_path)
