"""Runs one peer in this process and prints what an event took by the wall."""

from __future__ import annotations

import sys
from importlib import import_module
from time import perf_counter_ns

from benchmarks.children import tell
from benchmarks.peers.peer import Peer, events_of


def main(module: str, steps: int) -> None:
    """Play one flow of so many steps."""
    peer: Peer = import_module(module).PEER
    play = peer.prepare(steps)
    begin = perf_counter_ns()
    play()
    tell(per_event_us=(perf_counter_ns() - begin) / events_of(steps) / 1_000)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
