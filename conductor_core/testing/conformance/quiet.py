"""What must be true of a host whenever its flow is quiet.

Rule: what is written is held against what the host has, at once; for what it must have told
others it may take its time.
"""

from __future__ import annotations

from conductor_core.state import FlowState
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.diagnosis import Finding
from conductor_core.testing.conformance.patience import Patience
from conductor_core.testing.conformance.recorded import LogReader, LogSoFar, verify
from conductor_core.testing.conformance.rig import Rig
from conductor_core.testing.conformance.worker import Worker


async def check_quiet(rig: Rig, log: LogReader, worker: Worker, patience: Patience) -> None:
    """Raise Breach unless the log leads to the host's state, and all was told that is to be."""
    so_far, state = await _together(rig, log)
    verify(so_far, state)
    while (untold := await _untold(rig, worker, so_far, state)) is not None:
        if not patience.lasts(untold):
            raise Breach(*untold)
        await patience.pause()


async def _together(rig: Rig, log: LogReader) -> tuple[LogSoFar, FlowState]:
    """The log and the state of a moment in which nothing was written."""
    so_far = await log.read()
    while True:
        state = await rig.state()
        latest = await log.read()
        if latest is so_far:
            return so_far, state
        so_far = latest


async def _untold(rig: Rig, worker: Worker, log: LogSoFar, state: FlowState) -> Finding | None:
    """What the host has not told work, people, or whoever waits for the end."""
    if working := worker.untold(log.cancelled()):
        what = f"the work of {working[0]!r} was never told to give up"
        return Breakage.CANCEL_NOT_TOLD, what
    asked = await rig.asked()
    unasked = [a.id for a in state.open_approvals() if asked is not None and a.id not in asked]
    if unasked:
        return Breakage.LOST_COMMAND, f"nobody was asked for the approval of {unasked[0]!r}"
    finished = await rig.finished()
    if state.outcome is not None and finished is not None and state.run not in finished:
        return Breakage.LOST_COMMAND, f"the end of run {state.run} was not carried out"
    return None
