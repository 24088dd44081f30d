"""A log that is still written, verified and told entry by entry.

Rule: an entry is told when it was verified, and the file is only read. Exit code 0 when the log
was closed, 130 when Ctrl-C came before, and else what the log would get that is replayed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

from conductor_adapters.cli.console import INTERRUPTED, say, warn
from conductor_adapters.cli.replay_report import as_data, tell, warn_of
from conductor_adapters.cli.tail import Tail
from conductor_adapters.debugger.verifying import Verification, Verified
from conductor_core import semantics
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.errors import LogError
from conductor_core.lines import line_of
from conductor_core.log import Played, Player, Replay

EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


def follow(path: Path, *, as_json: bool) -> int:
    """Tell every entry of a log, and those that are appended, until it is closed."""
    tail = Tail(path)
    player: Player | None = None
    try:
        player = Player(tail, reducers=semantics.REDUCERS)
        tail.ended = _closing(player)
        tail.idle = partial(_warn_of_open_end, path, tail, player)
        for played in player:
            _tell_entry(played, as_json=as_json)
    except LogError as error:
        return _end(Verified(file=str(path), error=error), as_json=as_json)
    except KeyboardInterrupt:
        if player is not None:
            _end(_found(path, player.result()), as_json=as_json)
        return INTERRUPTED
    return _end(_found(path, player.result()), as_json=as_json)


def _closing(player: Player) -> Callable[[], bool]:
    """Tells whether a log ends with `closed`, as far as it was read."""
    return lambda: player.result().closed


def _warn_of_open_end(path: Path, tail: Tail, player: Player) -> None:
    """Say once why a log goes on whose flow has ended: no closing line was written, or not yet."""
    state = player.result().state
    if state.outcome is not None:
        told = f"the flow is {state.status}, and its log is not closed; waiting for more of it"
        warn(f"{path}: {told}")
        tail.idle = lambda: None


def _found(path: Path, replay: Replay) -> Verified:
    return Verified(file=str(path), found=Verification.of(replay, replay.entries))


def _end(result: Verified, *, as_json: bool) -> int:
    """Tell what became of the log in the end."""
    warn_of(result)
    if as_json:
        _say_line(as_data(result))
    else:
        tell(result, named=False)
    return result.exit_code


# --- an entry ---


def _tell_entry(played: Played, *, as_json: bool) -> None:
    event, transition = played.event, played.transition
    if not as_json:
        say(f"{played.seq:>6}  {told_moment(event.at_ms)}  {line_of(event, transition)}")
        return
    _say_line(
        {
            "seq": played.seq,
            "event": encode_event(event),
            "verdict": encode_verdict(transition.verdict),
            "commands": [encode_command(command) for command in transition.commands],
            "digest": played.digest,
        }
    )


def told_moment(at_ms: int) -> str:
    """A time as people read it, in UTC: `2026-01-01 00:00:00.100`."""
    try:
        moment = EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return f"{at_ms} ms"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03}"


def _say_line(value: object) -> None:
    """Write an object on a line of its own, in ASCII."""
    click.echo(json.dumps(value))
