"""The entries of a log that grows, from the last one that was seen on.

Rule: each is reduced once more, so that what it led to can be told; the log was verified up to
where the reading began.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from conductor_core import reduce
from conductor_core.codec import decode_event
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.reducer import Transition


@frozen(kw_only=True)
class Told:
    """An entry, and what it led to; `elapsed_ms` is the time since the log began."""

    seq: int
    event: Event
    transition: Transition
    elapsed_ms: int


class Entries:
    """The entries of a log behind those that it has now; raises LogError where it is damaged."""

    def __init__(self, lines: Sequence[str]) -> None:
        replayed = replay(lines)
        self.state = replayed.state
        self.count = replayed.entries
        self._began_ms = replayed.header.at_ms

    def behind(self, lines: Iterable[str]) -> Iterator[Told]:
        """What the lines tell that follow the entry `count`."""
        for line in lines:
            data = json.loads(line)
            # Between the entries stand checkpoints, and behind them the line that closes a log.
            if "seq" in data:
                event = decode_event(data["event"], "event")
                transition = reduce(self.state, event)
                self.state, self.count = transition.state, data["seq"]
                elapsed_ms = event.at_ms - self._began_ms
                yield Told(
                    seq=data["seq"], event=event, transition=transition, elapsed_ms=elapsed_ms
                )
