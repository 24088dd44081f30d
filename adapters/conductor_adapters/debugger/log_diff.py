"""How two logs differ: what they declare, where they part, what became of attempts, their ends.

Rule: two logs are *the same* when they declare the same flow, never part, and agree on every
attempt and on the end. Whose flow it was, when it all happened, and what did not count makes no
difference; it is only remarked on.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from conductor_adapters.debugger.attempt_diff import Attempts, attempts_of
from conductor_adapters.debugger.declared import Change, changes_of
from conductor_adapters.debugger.ends import Ends, ends_of
from conductor_adapters.debugger.parting import Parting, parting_of
from conductor_adapters.debugger.recording import Recording
from conductor_core.events import is_request
from conductor_core.verdicts import Accepted


@frozen(kw_only=True)
class LogDiff:
    """Two recordings, and all in which they differ."""

    a: Recording
    b: Recording
    declared: tuple[Change, ...]
    parting: Parting
    attempts: Attempts
    ends: Ends

    @property
    def are_alike(self) -> bool:
        """Whether the two flows went the same way."""
        alike = self.attempts.are_alike and self.ends.are_alike
        return alike and not self.declared and not self.parting.parts


def diff_of(a: Recording, b: Recording, ignored: frozenset[str] = frozenset()) -> LogDiff:
    """Hold two recordings against one another."""
    ours, theirs = a.replay.state, b.replay.state
    return LogDiff(
        a=a,
        b=b,
        declared=changes_of(a.header.spec, b.header.spec),
        parting=parting_of(a, b, ignored),
        attempts=attempts_of(ours, theirs, ignored),
        ends=ends_of(ours, theirs, messages="error" not in ignored),
    )


def remarks_on(diff: LogDiff) -> Iterator[str]:
    """What is no difference, and may be good to know."""
    a, b = diff.a, diff.b
    if a.header.flow_id != b.header.flow_id:
        yield f"of two flows: {a.header.flow_id} in A, {b.header.flow_id} in B"
    if diff.parting.swapped:
        times = "once" if diff.parting.swapped == 1 else f"{diff.parting.swapped:,} times"
        yield f"parallel work came in another order {times}"
    refused, others = _refused(a), _refused(b)
    if refused != others:
        yield f"requests that were refused: {refused:,} in A, {others:,} in B"
    runs, incarnations = a.replay.state.incarnation, b.replay.state.incarnation
    if runs != incarnations:
        yield f"continued as new: {runs:,} times in A, {incarnations:,} times in B"


def _refused(recording: Recording) -> int:
    """How often people asked for what did not count."""
    return sum(
        is_request(entry.event) and not isinstance(entry.transition.verdict, Accepted)
        for entry in recording.entries
    )
