"""What would have become of a flow, had something else happened at one entry of its log.

Rule: the recording is not changed, and nothing is carried out; a *branch* shares the entries up
to its fork with the recording, and what follows is played by a virtual host. A branch is a run
like any other: its log replays.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from conductor_adapters.debugger.ends import Ends, ends_of
from conductor_adapters.debugger.happening import Assume, Happened, Question
from conductor_adapters.debugger.known import Known
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.virtual import VirtualHost
from conductor_core.errors import LogError
from conductor_core.events import Event
from conductor_core.log import LogWriter, Played, Replay
from conductor_core.loglines import after_header
from conductor_core.state import FlowState


@frozen(kw_only=True)
class Branch:
    """What a recording would have become from an entry on.

    `replaced` is the entry in whose place the given events came, if they did. `unknown` is what
    would have to be known to go on, `unsent` what people did and now had no occasion to do.
    """

    recording: Recording
    at: int
    replaced: Played | None
    happened: tuple[Happened, ...]
    unknown: tuple[Question, ...]
    unsent: tuple[Known, ...]
    state: FlowState

    @property
    def refused(self) -> tuple[Happened, ...]:
        """What people did, and what now does not count."""
        return tuple(happened for happened in self.happened if happened.refused)

    def log(self) -> str:
        """The branch as a log, which `replay` verifies."""
        header, before = self.recording.header, self.recording.state_at(0)
        _, position = after_header(header, before)
        writer = LogWriter.resume(
            Replay(state=before, header=header, position=position, size=0, terminated=True)
        )
        shared = ((it.event, it.transition) for it in self.recording.entries[: self.at])
        added = ((it.event, it.transition) for it in self.happened)
        lines = [writer.header()]
        lines += [writer.entry(*entry) for entries in (shared, added) for entry in entries]
        return "".join(lines) + (writer.close(self.state) if self.state.outcome else "")


def branch_of(
    recording: Recording,
    at: int,
    given: Iterable[Event],
    assume: Assume,
    *,
    instead: bool = False,
) -> Branch:
    """Fork a recording after the entry `at`, let the given events happen, and play on."""
    check_fork(recording, at, instead=instead)
    dropped = at + 1 if instead else None
    host = VirtualHost(recording, at, assume, dropped=dropped)
    for event in given:
        host.send(event, "given")
    host.play()
    return Branch(
        recording=recording,
        at=at,
        replaced=recording.entries[at] if instead else None,
        happened=tuple(host.happened),
        unknown=tuple(host.open),
        unsent=tuple(host.unsent()),
        state=host.state,
    )


def check_fork(recording: Recording, at: int, *, instead: bool) -> None:
    """Refuse an entry that does not exist, and one behind which there is nothing to replace."""
    recording.state_at(at)
    if instead and at == len(recording.entries):
        raise LogError(f"{recording.name} has no entry {at + 1} that could be replaced")


def default_ms(recording: Recording, at: int, *, instead: bool) -> int:
    """When an event happens that does not say so: at the fork, or when what it replaces did."""
    return recording.at_ms(at + 1 if instead else at)


def difference_of(branch: Branch) -> Ends:
    """Hold the end of a branch, as side b, against that of its recording."""
    return ends_of(branch.recording.replay.state, branch.state)
