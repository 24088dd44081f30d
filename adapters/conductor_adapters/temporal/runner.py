"""Runs workflows so that what happened comes in the order of the history, and updates last.

Temporal's core drops workflow tasks that led to nothing when it replays, and then hands what
came in several tasks over at once. The SDK lets updates and signals of one activation run before
all else in it, so that on a worker without a warm cache an update would see an older state than
it saw when it was answered, and another one than it sees at the next replay (temporalio/sdk-rust
issue 1146). Here an activation is split: each kind of job on its own, in the order in which they
came, and every update by itself, after all else. An update is never in a task that led to
nothing, so that it has always come last of what it is handed over with.

Rule: nothing is added to the history. A workflow that is about to end sees that more is to come,
and waits for it (`Turn.more`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final, TypeAlias

from attrs import define
from temporalio.bridge.proto.workflow_activation import (
    NotifyHasPatch,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from conductor_core.events import Event
from conductor_core.loglines import Position
from conductor_core.reducer import Transition

TURN: Final = "conductor-turn"
"""The extern function by which a workflow gets its turn."""
SINK: Final = "conductor-sink"
"""The extern function by which it gets what wants to see its log."""

Sink: TypeAlias = Callable[[Event | None, Transition | None, str, Position], None]
"""Sees an event, its transition, the lines that they add to the log, and where it stands then.

The header, and the line that closes a log, come without an event.
"""

LISTENER: Final = "conductor-listener"
"""The extern function by which the workflow of a group gets what wants to hear its reports."""

Listener: TypeAlias = Callable[[int, Event], None]
"""Hears the number of an entry of a child's reports, from 0, and the event that it is about."""


@define
class Turn:
    """What a workflow may know of the activation that it is in.

    `number` counts them. `more`: further jobs of the same follow. `evicted`: what happens now is
    only that the workflow leaves the cache.
    """

    number: int = 0
    more: bool = False
    evicted: bool = False


class InOrder(WorkflowRunner):
    """Runs workflows outside the sandbox, with activations that are split."""

    def __init__(self, sink: Sink | None = None, listener: Listener | None = None) -> None:
        self._inner = UnsandboxedWorkflowRunner()
        self._sink = sink
        self._listener = listener

    def prepare_workflow(self, defn: Any) -> None:
        """Get ready for workflows of a definition."""
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make a workflow."""
        turn = Turn()
        more = {
            TURN: lambda: turn,
            SINK: lambda: self._sink,
            LISTENER: lambda: self._listener,
        }
        known = dataclasses.replace(det, extern_functions={**det.extern_functions, **more})
        return InOrderInstance(self._inner.create_instance(known), turn)


class InOrderInstance(WorkflowInstance):
    """A workflow that is handed its jobs piece by piece."""

    def __init__(self, inner: WorkflowInstance, turn: Turn) -> None:
        self._inner = inner
        self._turn = turn

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Hand jobs over; the completion is that of all."""
        parts = split(list(act.jobs))
        self._turn.number += 1
        self._turn.evicted = any(job.HasField("remove_from_cache") for job in act.jobs)
        whole = None
        for number, jobs in enumerate(parts, 1):
            self._turn.more = number < len(parts)
            part = self._inner.activate(act if len(parts) == 1 else _with_jobs(act, [*jobs, LOOK]))
            whole = part if whole is None else _joined(whole, part)
            if whole.HasField("failed"):
                break
        assert whole is not None, "an activation has jobs"
        return whole

    def get_serialization_context(self, command_info: Any) -> Any:
        """What the inner one says."""
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """What the inner one says."""
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        """What the inner one says."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """What the inner one says."""
        return self._inner.get_thread_id()


LOOK: Final = WorkflowActivationJob(notify_has_patch=NotifyHasPatch(patch_id="conductor-look"))
"""Means nothing to a workflow. Without it the SDK would not look at what a workflow waits for
after an update that was refused, and what had happened before it would wake nobody."""


def split(jobs: list[WorkflowActivationJob]) -> list[list[WorkflowActivationJob]]:
    """The jobs of an activation in the parts, and the order, in which they are applied."""
    others = [job for job in jobs if not job.HasField("do_update")]
    parts = [list(part) for _, part in groupby(others, key=lambda job: job.HasField(SIGNAL))]
    return [*_apart_at_the_start(parts), *([job] for job in jobs if job.HasField("do_update"))]


SIGNAL: Final = "signal_workflow"


def _apart_at_the_start(
    parts: list[list[WorkflowActivationJob]],
) -> Iterator[list[WorkflowActivationJob]]:
    """A workflow begins before it hears of anything, be that said first or not."""
    start = [job for part in parts for job in part if job.HasField("initialize_workflow")]
    if start:
        yield start
    for part in parts:
        rest = [job for job in part if not job.HasField("initialize_workflow")]
        if rest:
            yield rest


def _with_jobs(act: WorkflowActivation, jobs: list[WorkflowActivationJob]) -> WorkflowActivation:
    part = WorkflowActivation()
    part.CopyFrom(act)
    del part.jobs[:]
    part.jobs.extend(jobs)
    return part


def _joined(
    whole: WorkflowActivationCompletion, part: WorkflowActivationCompletion
) -> WorkflowActivationCompletion:
    """A completion and what follows it; the first that failed stands for all."""
    if whole.HasField("failed") or part.HasField("failed"):
        return whole if whole.HasField("failed") else part
    whole.successful.commands.extend(part.successful.commands)
    flags = {*whole.successful.used_internal_flags, *part.successful.used_internal_flags}
    del whole.successful.used_internal_flags[:]
    whole.successful.used_internal_flags.extend(sorted(flags))
    if part.successful.versioning_behavior:
        whole.successful.versioning_behavior = part.successful.versioning_behavior
    return whole
