"""Whatever was damaged in a log is noticed by `conductor replay`, at the line where it is."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from tests.debugger.damages import Damage, damages
from tests.debugger.recordings import RELEASE, large_lines

CUT: Final = 600
"""So many lines of the large log have approvals, failures, timers and retries."""


@cache
def lines_of(log: str) -> list[bytes]:
    """The lines of the log of a release, or the first of the rollout."""
    if log == "release":
        return RELEASE.read_bytes().splitlines(keepends=True)
    return list(large_lines()[:CUT])


def every_damage() -> dict[str, Damage]:
    """What happens to the two logs, by a name."""
    return {
        f"{log}-{name}": damage
        for log in ("release", "rollout")
        for name, damage in damages(lines_of(log), closed=log == "release")
    }


DAMAGES: Final = every_damage()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder of its own."""
    monkeypatch.chdir(tmp_path)


def run(content: bytes, *options: str) -> Result:
    """Replay a log; nothing but an exit may come out of it."""
    Path("damaged.jsonl").write_bytes(content)
    result = CliRunner().invoke(conductor, ["replay", "damaged.jsonl", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(content: bytes) -> dict[str, Any]:
    """What programs are told of it."""
    (log,) = json.loads(run(content, "--json").stdout)["logs"]
    found: dict[str, Any] = log
    return found


def test_the_logs_are_sound_before() -> None:
    """Nothing is noticed of a log that is as it was written, and all kinds of events are in it."""
    release, rollout = b"".join(lines_of("release")), b"".join(lines_of("rollout"))
    for content, entries in ((release, 16), (rollout, CUT - 1)):
        result = run(content)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"replay: {entries} entries verified; ")
    assert told(release)["closed"]
    kinds = Counter(json.loads(line)["event"]["type"] for line in lines_of("rollout")[1:])
    assert kinds["approval-responded"] > 3
    assert kinds["timer-fired"] > 1


def test_there_are_enough_damages() -> None:
    """No two of them leave the same, and every way to notice one is among them."""
    assert len({damage.content for damage in DAMAGES.values()}) == len(DAMAGES) > 100
    assert Counter(damage.noticed for damage in DAMAGES.values()).keys() == {
        "error",
        "warning",
        "not closed",
    }


@pytest.mark.parametrize("name", DAMAGES)
def test_the_damage_is_noticed_where_it_is(name: str) -> None:
    """An error, or a warning of the last line, names the line; a log without its end says so."""
    damage = DAMAGES[name]
    result, log = run(damage.content), told(damage.content)
    assert damage.says in result.stderr
    if damage.noticed == "error":
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith(f"damaged.jsonl: line {damage.line}: ")
        assert log["error"]["line"] == damage.line
        return
    entries = damage.line - 2
    if damage.noticed == "warning":
        assert result.stderr.startswith(f"damaged.jsonl: warning: line {damage.line}: ")
        assert log["truncated"]["line"] == damage.line
        entries = log["entries"] if damage.says == "has no line end" else entries
    else:
        assert result.stderr == ""
    assert result.exit_code == 0
    closed = log["closed"]
    assert closed == (name == "release-line_end_lost-1")
    assert log["entries"] == entries
    note = "" if closed else "not closed, "
    assert (
        result.stdout == f"replay: {entries} entries verified; {note}the flow is {log['status']}\n"
    )
