"""Where two logs of a flow part: the first thing that happened in one and not in the other.

Rule: only what counted is looked at. Left out as *noise* are times, the ids of requests, who
asked and what they noted (who approved is told of each attempt), reports that work started,
events that were ignored or rejected, and continuing as new (S13.4). All else is the *content*
of an event.

Of what happens to two attempts of one parallel group the order is not looked at: whichever
came first, the runs have not parted, though which of two failures came first may name their end
(S7.4), which is told with the ends. Everything else has an order. So a log is a row of *stretches*,
of events that have no order among each other but for those of one step (`lane`); stretches are
compared one by one, lane by lane. This finds the longest beginning that both have in common,
whatever the interleaving, and it finds the same one from either side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, TypeAlias

from attrs import frozen

from conductor_adapters.debugger.recording import Recording
from conductor_core import events
from conductor_core.codec import encode_event
from conductor_core.events import Event
from conductor_core.log import Played
from conductor_core.payload import canonical_text
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

NOISE: Final = (events.StepStarted, events.ContinueAsNewSuggested, events.ContinuedAsNew)
"""What says nothing of how a flow goes."""
LEFT_OUT: Final = ("at_ms", "request_id", "by", "note", "flow_id")
"""The fields of an event that are no content of it."""
ALONE: Final = ""
"""The lane of what comes before or after everything else."""
Lanes: TypeAlias = dict[str, list["Step"]]
Pair: TypeAlias = tuple["Step | None", "Step | None"]


@frozen
class Step:
    """An entry that counted, with its content, and where the flow stood before it."""

    entry: Played
    before: FlowState
    content: str


@frozen
class Stretch:
    """Events without an order among each other; of one lane are those that do have one."""

    group: str
    steps: tuple[Step, ...]
    lanes: Lanes

    @property
    def order(self) -> list[str]:
        """The contents in the order in which they were recorded."""
        return [step.content for step in self.steps]


@frozen(kw_only=True)
class Parting:
    """Where two logs part, if they do, and how much they have in common until then.

    Of `a` and `b` one may be missing: then its log is over, or has nothing there that the other
    has. `swapped` counts the stretches that went alike in another order.
    """

    a: Step | None
    b: Step | None
    common: int
    swapped: int

    @property
    def parts(self) -> bool:
        """Whether they part at all."""
        return self.a is not None or self.b is not None


def parting_of(a: Recording, b: Recording, ignored: frozenset[str] = frozenset()) -> Parting:
    """Find where two logs part; `ignored` are fields of events that are taken for noise, too."""
    ours, theirs = ([*_stretches(recording, ignored)] for recording in (a, b))
    common = swapped = 0
    for index, (one, other) in enumerate(zip_longest(ours, theirs)):
        pair = _unlike(one, other, _next(ours, index), _next(theirs, index))
        if pair is not None:
            common += _in_common(one, other)
            return Parting(a=pair[0], b=pair[1], common=common, swapped=swapped)
        common += len(one.steps)
        swapped += one.order != other.order
    return Parting(a=None, b=None, common=common, swapped=swapped)


# --- the row of stretches ---


def _stretches(recording: Recording, ignored: frozenset[str]) -> Iterator[Stretch]:
    """What happened, cut where an order begins to matter."""
    group, open_ = ALONE, list[tuple[str, Step]]()
    for step in _steps(recording, ignored):
        its_group, lane = _place(step)
        if open_ and (its_group == ALONE or its_group != group):
            yield _stretch(group, open_)
            open_ = []
        group = its_group
        open_.append((lane, step))
    if open_:
        yield _stretch(group, open_)


def _stretch(group: str, steps: Sequence[tuple[str, Step]]) -> Stretch:
    lanes: Lanes = {}
    for lane, step in steps:
        lanes.setdefault(lane, []).append(step)
    return Stretch(group, tuple(step for _, step in steps), lanes)


def _steps(recording: Recording, ignored: frozenset[str]) -> Iterator[Step]:
    before = recording.state_at(0)
    for entry in recording.entries:
        accepted = isinstance(entry.transition.verdict, Accepted)
        if accepted and not isinstance(entry.event, NOISE):
            yield Step(entry, before, content_of(entry.event, ignored))
        before = entry.transition.state


def content_of(event: Event, ignored: frozenset[str] = frozenset()) -> str:
    """What an event says, without its noise, as canonical text."""
    data = encode_event(event)
    if isinstance(event, events.ApprovalResponded):
        # One that names another subject than what was planned does not count (section 8).
        ignored = ignored | {"subject"}
    if isinstance(event, events.RerunRequested):
        # An attempt that is named is the live one (S10.1): it stands for its step.
        data["step_id"] = event.step_id.partition("#")[0]
    kept = {key: data[key] for key in data if key not in LEFT_OUT and key not in ignored}
    return canonical_text(kept)


def _place(step: Step) -> tuple[str, str]:
    """The parallel group in which an event happened and the step that it was about, if it did."""
    state, key = step.before, _about(step.entry.event)
    position = None if key is None else state.catalog.position_of(key)
    if key is None or position is None or position not in state.span:
        return ALONE, ALONE
    group = state.catalog.groups[state.current]
    return (f"{group.key}@{state.generation}", key) if group.parallel else (ALONE, ALONE)


def _about(event: Event) -> str | None:
    """The step that an event is about and no other."""
    match event:
        case events.StepFinished(attempt=attempt):
            return attempt.rpartition("#")[0]
        case events.TimerFired(timer=timer):
            return timer.partition(":")[2].rpartition("#")[0] or None
        case events.ApprovalResponded(step=step) | events.RetryNowRequested(step=step):
            return step
        case _:
            return None


# --- two stretches ---


def _unlike(
    one: Stretch | None, other: Stretch | None, next_a: Step | None, next_b: Step | None
) -> Pair | None:
    """Where two stretches part; what comes next stands in for what is missing in one."""
    if one is None or other is None:
        return _first(one), _first(other)
    if one.group != other.group:
        return one.steps[0], other.steps[0]
    pairs = [pair for lane in {**one.lanes, **other.lanes} for pair in _in_lane(one, other, lane)]
    if not pairs:
        return None
    a, b = min(pairs, key=_rank)
    return (a or next_a, b or next_b)


def _first(stretch: Stretch | None) -> Step | None:
    return None if stretch is None else stretch.steps[0]


def _in_lane(one: Stretch, other: Stretch, lane: str) -> Iterator[Pair]:
    """The first of a lane that are not alike, if any are not."""
    for a, b in zip_longest(one.lanes.get(lane, ()), other.lanes.get(lane, ())):
        if a is None or b is None or a.content != b.content:
            yield a, b
            return


def _rank(pair: Pair) -> tuple[bool, int, str]:
    """What is told of several: what both sides have, then the earliest."""
    there = [step for step in pair if step is not None]
    seqs = sum(step.entry.seq for step in there)
    return len(there) == 1, seqs, max(step.content for step in there)


def _in_common(one: Stretch | None, other: Stretch | None) -> int:
    """How much two stretches that part have in common."""
    if one is None or other is None or one.group != other.group:
        return 0
    return sum(_alike(one.lanes[lane], other.lanes.get(lane, [])) for lane in one.lanes)


def _alike(a: list[Step], b: list[Step]) -> int:
    count = 0
    for one, other in zip(a, b, strict=False):
        if one.content != other.content:
            break
        count += 1
    return count


def _next(stretches: list[Stretch], index: int) -> Step | None:
    """The first step after a stretch."""
    return _first(stretches[index + 1]) if index + 1 < len(stretches) else None
