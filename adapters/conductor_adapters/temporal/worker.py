"""Workers of flows: the workflow, the activities of some handlers, and how both are run.

Rule: a worker and a replayer are made here and nowhere else, so that they cannot disagree on how
workflows run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.worker import Replayer, Worker

from conductor_adapters.clock import WallClock
from conductor_adapters.local import Asker, nobody
from conductor_adapters.observing import Observer, watched
from conductor_adapters.temporal.activities import Activities
from conductor_adapters.temporal.group import ConductorGroup
from conductor_adapters.temporal.names import TASK_QUEUE
from conductor_adapters.temporal.runner import InOrder, Listener, Sink
from conductor_adapters.temporal.workflow import ConductorFlow
from conductor_adapters.workers import GroupsOf, Handler, Workers
from conductor_core.events import Event
from conductor_core.reducer import Transition

HEARS_S: Final = 1.0
"""So soon work hears that it is to give up."""
GRACE_S: Final = 10.0
THREADS: Final = 32


def conductor_worker(
    client: Client,
    handlers: Mapping[str, Handler],
    *,
    generators: Mapping[str, GroupsOf] | None = None,
    task_queue: str = TASK_QUEUE,
    ask: Asker = nobody,
    observe: Observer | None = None,
    threads: int = THREADS,
    hears_s: float = HEARS_S,
    grace_s: float = GRACE_S,
    **options: Any,
) -> Worker:
    """A Temporal worker that runs flows and does their work; use it as `async with` or `run()`.

    `handlers`, `generators`, `ask` and `observe` are those of the other hosts; `observe` sees what
    this worker reduces, and sees it again after a crash. Functions run in so many `threads`.
    Within about `hears_s` seconds work hears that it is to give up; when the worker ends, what runs
    has `grace_s` seconds, and is then delivered to others. `options` are those of
    `temporalio.worker.Worker`; those of which flows rely on something else are refused by it as
    given twice.
    """
    activities = Activities(
        Workers(handlers=handlers, generators=generators or {}),
        clock=WallClock(),
        threads=threads,
        beat_s=hears_s / 2,
        ask=ask,
    )
    throttle = timedelta(seconds=hears_s)
    more: dict[str, Any] = {
        "graceful_shutdown_timeout": timedelta(seconds=grace_s),
        "max_heartbeat_throttle_interval": throttle,
        "default_heartbeat_throttle_interval": throttle,
    }
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[ConductorFlow, ConductorGroup],
        activities=activities.all(),
        unsandboxed_workflow_runner=InOrder(_shown_to(observe)),
        **more | options,
    )


def _shown_to(observe: Observer | None) -> Sink | None:
    """What shows an observer all that happens, and nothing that is only replayed."""
    if observe is None:
        return None

    def show(event: Event | None, transition: Transition | None, *_more: object) -> None:
        if event is None or transition is None:
            return
        if not workflow.unsafe.is_replaying():
            watched(observe, event, transition)

    return show


def conductor_replayer(
    *,
    sink: Sink | None = None,
    listener: Listener | None = None,
    data_converter: DataConverter = DataConverter.default,
) -> Replayer:
    """Temporal's Replayer for histories of flows; `sink` sees what becomes of every event.

    `listener` hears what the child that runs a group reports.
    """
    return Replayer(
        workflows=[ConductorFlow, ConductorGroup],
        unsandboxed_workflow_runner=InOrder(sink, listener),
        data_converter=data_converter,
    )
