"""`conductor replay`: recompute every entry of a log and hold it against what was recorded.

Rule: logs are streamed, each gets its turn, and none is changed. Exit code 0 when all
entries verify, 1 when one diverges, 2 when a log cannot be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from attrs import frozen

from conductor_adapters.cli.console import say, say_json, warn
from conductor_adapters.cli.replay_progress import lines_of
from conductor_core.errors import LogError, ReplayDivergence
from conductor_core.log import Replay
from conductor_core.log import replay as replayed


@frozen
class Verified:
    """What became of a log: its replay, or what is wrong with it."""

    file: str
    replay: Replay | None = None
    error: LogError | None = None

    @property
    def exit_code(self) -> int:
        """0 for a log that verifies, 1 for one that diverges, 2 for one that is no log."""
        if self.error is None:
            return 0
        return 1 if isinstance(self.error, ReplayDivergence) else 2


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON.")
@click.pass_context
def replay(ctx: click.Context, logs: tuple[Path, ...], as_json: bool) -> None:
    """Verify every entry of each LOG by running its events again."""
    results = []
    for log in logs:
        result = _verify(log)
        results.append(result)
        _warn(result)
        if not as_json:
            _tell(result, named=len(logs) > 1)
    if as_json:
        say_json({"logs": [_as_json(result) for result in results]})
    ctx.exit(max(result.exit_code for result in results))


def _verify(log: Path) -> Verified:
    """Replay a log line by line."""
    try:
        with log.open("rb") as file, lines_of(file, str(log)) as lines:
            return Verified(str(log), replay=replayed(lines))
    except OSError as error:
        return Verified(str(log), error=LogError(error.strerror or str(error)))
    except LogError as error:
        return Verified(str(log), error=error)


def _warn(result: Verified) -> None:
    """Write what is wrong with a log, or with its last line alone."""
    if result.error is not None:
        for line in f"{result.file}: {result.error}".splitlines():
            warn(line)
    elif result.replay is not None and result.replay.truncated is not None:
        warn(f"{result.file}: warning: {result.replay.truncated}")


def _tell(result: Verified, *, named: bool) -> None:
    """Write how many entries were verified, and where they leave the flow."""
    if result.replay is not None:
        name = f"{result.file}: " if named else ""
        closed = "" if result.replay.closed else "not closed, "
        flow = f"{closed}the flow is {result.replay.state.status}"
        say(f"{name}replay: {result.replay.entries} entries verified; {flow}")


def _as_json(result: Verified) -> dict[str, Any]:
    """All that is known about a log."""
    if result.replay is None:
        assert result.error is not None, "a log that was not replayed has an error"
        return {"file": result.file, "error": _error_as_json(result.error)}
    truncated = result.replay.truncated
    return {
        "file": result.file,
        "flow_id": result.replay.state.flow_id,
        "status": result.replay.state.status,
        "entries": result.replay.entries,
        "digest": result.replay.digest,
        "closed": result.replay.closed,
        "truncated": truncated and _error_as_json(truncated),
    }


def _error_as_json(error: LogError) -> dict[str, Any]:
    """What is wrong, where, and for a divergence what was expected and what came instead."""
    told: dict[str, Any] = {"line": error.line, "problem": error.reason}
    if isinstance(error, ReplayDivergence):
        told |= {"entry": error.entry, "expected": error.expected, "actual": error.actual}
    return told
