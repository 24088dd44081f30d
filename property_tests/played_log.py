"""The log of one random play, as bytes: the same for the same seed wherever it is written.

Rule: all that is chosen comes from the seed. `python -m property_tests.played_log SEED LENGTH`.
"""

from __future__ import annotations

import random
import sys

from conductor_core.log import LogWriter
from conductor_core.testing.arbitrary.plays import Play, any_play


def log_of(play: Play) -> str:
    """The log of a play: header, entries, and `closed` when the flow has ended."""
    writer = LogWriter(play.start, at_ms=0)
    lines = [writer.header()]
    for _, event, transition in play.steps():
        lines.append(writer.entry(event, transition))
    last = play.transitions[-1].state
    return "".join(lines) + (writer.close(last) if last.outcome is not None else "")


def played(seed: str, length: int) -> Play:
    """The play of this seed."""
    return any_play(random.Random(seed).randrange, length)


if __name__ == "__main__":
    name, number = sys.argv[1:]
    sys.stdout.buffer.write(log_of(played(name, int(number))).encode())
