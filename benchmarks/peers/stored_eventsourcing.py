"""eventsourcing's stored replay: the events of an aggregate, read from SQLite and applied.

Events are decoded and applied in their order; that the aggregate would say the same to the
same calls again is not verified, and no digest pins what is stored. Called with a file and
an id it reads the aggregate in this fresh process, and prints how fast that was.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time_ns
from uuid import UUID

from eventsourcing.application import Application

from benchmarks.children import tell
from benchmarks.peers.peer import events_of
from benchmarks.peers.with_eventsourcing import Flow, calls_of


def flows(file: Path) -> Application[UUID]:
    """The application whose events are in a file."""
    return Application(
        env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(file)}
    )


def store(file: Path, steps: int) -> UUID:
    """Play a flow, store its events, and give its id."""
    flow = Flow(steps=steps)
    for call in calls_of(flow):
        call()
    flow.check()
    application = flows(file)
    application.save(flow)
    application.close()
    return flow.id


def main(file: str, flow_id: str) -> None:
    """Read the flow."""
    application = flows(Path(file))
    begin = process_time_ns()
    flow: Flow = application.repository.get(UUID(flow_id))
    took = process_time_ns() - begin
    flow.check()
    tell(per_event_us=took / events_of(flow.steps) / 1_000)


if __name__ == "__main__":
    main(*sys.argv[1:])
