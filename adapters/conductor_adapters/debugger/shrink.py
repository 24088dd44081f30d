"""A log made as small as it gets while it still shows one behaviour.

Rule: a candidate is a flow and a row of events, reduced from the initial state; it replaces what
there is only if it shows the behaviour, so that whatever comes out shows it too. What is taken
out is first half of what there is, then a quarter, and so on down to one: in the end nothing
can be left out alone (delta debugging). Steps go first, with all that is said of them, because
one of them takes many events along; then attempts, events, and last what payloads there are.

A state never changes, so that a candidate goes on from the state before the first event that it
lacks, and not from the start. What was tried is not tried again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeAlias, TypeVar

from attrs import evolve, frozen

from conductor_adapters.debugger.predicates import NOTHING, Predicate, Seen, noted
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.smaller import (
    Case,
    in_order,
    places_of,
    repeated_attempts,
    with_places,
    with_steps,
    without_attempts,
)
from conductor_core.checking import Story
from conductor_core.errors import ConductorError
from conductor_core.log import LogWriter, Played, Replay
from conductor_core.loglines import after_header
from conductor_core.reducer import Transition
from conductor_core.semantics import Reducer
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.story_scenario import scenario_of
from conductor_core.verdicts import Accepted

T = TypeVar("T")
LONGEST_RETIMED: Final = 1000
"""Of more events than this the times are left as they are."""


@frozen
class Run:
    """A case that was reduced: the initial state and that after each event, and what was seen."""

    case: Case
    states: list[FlowState]
    seen: list[Seen]
    transitions: list[Transition]

    @property
    def entries(self) -> tuple[Played, ...]:
        """Every event with what became of it."""
        happened = zip(self.case.events, self.transitions, strict=True)
        # No log holds them yet, so that none has a digest.
        return tuple(
            Played(seq, event, after, digest="") for seq, (event, after) in enumerate(happened, 1)
        )


Keeps: TypeAlias = Callable[[Run], bool]
"""Whether a run shows the behaviour."""
Progress: TypeAlias = Callable[[Case], None]
"""Is told of every case that is smaller."""


def keeps_of(predicate: Predicate) -> Keeps:
    """The behaviour that a predicate tells."""
    return lambda run: predicate.holds(run.states[-1], run.seen[-1])


@frozen(kw_only=True)
class Shrunk:
    """What a log was shrunk to, and what it took: so many candidates, so many events reduced.

    `interrupted`: it was not looked at to the end, and may get smaller.
    """

    recording: Recording
    run: Run
    candidates: int
    reductions: int
    interrupted: bool

    @property
    def story(self) -> Story:
        """The flow and the events, at times that are possible."""
        case = self.run.case
        return Story(case.spec, self.recording.header.flow_id, case.events)

    def scenario(self, name: str) -> dict[str, Any] | None:
        """The data of a scenario file that passes; None where virtual time tells otherwise."""
        story = self.story
        return scenario_of(story, name) if story.events == self.run.case.events else None

    def log(self) -> str:
        """The log, which `replay` verifies."""
        case, state = self.run.case, self.run.states[-1]
        at_ms = min([event.at_ms for event in case.events], default=0)
        header = evolve(self.recording.header, spec=case.spec, at_ms=at_ms, accepted_only=False)
        _, position = after_header(header, self.run.states[0])
        start = Replay(
            state=self.run.states[0], header=header, position=position, size=0, terminated=True
        )
        writer = LogWriter.resume(start)
        lines = [writer.header()]
        lines += [writer.entry(entry.event, entry.transition) for entry in self.run.entries]
        return "".join(lines) + (writer.close(state) if state.outcome else "")


class NotShown(ConductorError):
    """The log does not show the behaviour that it was to keep."""


def shrunk(
    recording: Recording,
    keeps: Keeps,
    *,
    keep_flow: bool = False,
    progress: Progress = lambda _: None,
) -> Shrunk:
    """Shrink a log; `keep_flow` leaves the flow as it is. Raises NotShown.

    A KeyboardInterrupt ends it with the smallest that was found until then.
    """
    case = Case(recording.header.spec, tuple(entry.event for entry in recording.entries))
    search = _Search(recording, keeps, case, progress)
    interrupted = False
    try:
        search.try_all(keep_flow=keep_flow)
    except KeyboardInterrupt:
        interrupted = True
    return Shrunk(
        recording=recording,
        run=search.run,
        candidates=search.candidates,
        reductions=search.reductions,
        interrupted=interrupted,
    )


class _Search:
    """The smallest case so far, as it ran, and what was tried to get there."""

    def __init__(self, recording: Recording, keeps: Keeps, case: Case, progress: Progress) -> None:
        self._flow_id = recording.header.flow_id
        self._reduce: Reducer = recording.reduce
        self._keeps, self._progress = keeps, progress
        self._tried: set[bytes] = set()
        self._parts: dict[int, object] = {}
        self.candidates = self.reductions = 0
        self.run = self._ran(case, 0)
        if not keeps(self.run):
            raise NotShown(f"{recording.name} does not show it")

    # --- what is tried ---

    def try_all(self, *, keep_flow: bool) -> None:
        """Leave out whatever can go, the largest parts first."""
        self._try_in_order()
        self._try_without_what_changed_nothing()
        while True:
            before = self.run.case
            if not keep_flow:
                self._try_fewer_steps()
            self._try_fewer_attempts()
            self._try_fewer_events()
            if self.run.case is before:
                break
        self._try_fewer_payloads(keep_flow=keep_flow)
        self._try_earliest_times()

    def _try_in_order(self) -> None:
        """Let no time go back."""
        self._try(in_order(self.run.case))

    def _try_without_what_changed_nothing(self) -> None:
        """Leave out at once all that was ignored or rejected."""
        entries = self.run.entries
        kept = [it.event for it in entries if isinstance(it.transition.verdict, Accepted)]
        if len(kept) < len(entries):
            self._try(evolve(self.run.case, events=tuple(kept)))

    def _try_fewer_steps(self) -> None:
        """Leave out steps, with all that is said of them."""
        case = self.run.case
        minimized(case.steps, lambda kept: self._try(with_steps(case, kept)))

    def _try_fewer_attempts(self) -> None:
        """Leave out attempts, and count the others anew."""
        case = self.run.case
        attempts = frozenset(repeated_attempts(case))

        def keeps(kept: tuple[str, ...]) -> bool:
            return self._try(without_attempts(case, attempts.difference(kept)))

        minimized(repeated_attempts(case), keeps)

    def _try_fewer_events(self) -> None:
        """Leave out events."""
        case = self.run.case
        minimized(case.events, lambda kept: self._try(evolve(case, events=kept)))

    def _try_fewer_payloads(self, *, keep_flow: bool) -> None:
        """Empty what payloads there are."""
        case = self.run.case
        places = places_of(case)
        ours = tuple(place for place in places if not keep_flow or place.startswith("event "))
        others = tuple(place for place in places if place not in ours)
        minimized(ours, lambda kept: self._try(with_places(case, (*others, *kept))))

    def _try_earliest_times(self) -> None:
        """Let everything happen as early as it can."""
        case = self.run.case
        if len(case.events) <= LONGEST_RETIMED:
            story = Story(case.spec, self._flow_id, case.events)
            self._try(evolve(case, events=story.events))

    # --- a candidate ---

    def _try(self, case: Case | None) -> bool:
        """Take a case in place of the smallest so far if it shows the behaviour; tell whether."""
        if case is None or self._was_tried(case):
            return False
        self.candidates += 1
        run = self._ran(case, _shared(self.run.case, case))
        if not self._keeps(run):
            return False
        self.run = run
        self._progress(case)
        return True

    def _was_tried(self, case: Case) -> bool:
        """Whether a case was tried, as far as is seen from its very parts; note that it is."""
        # Events are mostly the very same objects. They live as long as their ids stand for them,
        # of which there is but a digest: a candidate is as long as its log.
        parts = (case.spec, *case.events)
        ids = array("Q", map(id, parts))
        digest = blake2b(ids.tobytes(), digest_size=16).digest()
        if digest in self._tried:
            return True
        self._tried.add(digest)
        self._parts.update(zip(ids, parts, strict=True))
        return False

    def _ran(self, case: Case, shared: int) -> Run:
        """Reduce the events of a case behind so many that the smallest so far begins with too."""
        if shared:
            states, seen = self.run.states[: shared + 1], self.run.seen[: shared + 1]
            transitions = self.run.transitions[:shared]
        else:
            states, seen = [initial_state(case.spec, self._flow_id)], [NOTHING]
            transitions = []
        for event in case.events[shared:]:
            transition = self._reduce(states[-1], event)
            transitions.append(transition)
            states.append(transition.state)
            seen.append(noted(seen[-1], event, transition))
        self.reductions += len(case.events) - shared
        return Run(case, states, seen, transitions)


def _shared(smallest: Case, case: Case) -> int:
    """How many of the first events are the very same; none where the flow is another."""
    if case.spec is not smallest.spec:
        return 0
    pairs = zip(smallest.events, case.events, strict=False)
    apart = (index for index, (ours, other) in enumerate(pairs) if ours is not other)
    return next(apart, min(len(smallest.events), len(case.events)))


def minimized(items: Sequence[T], keeps: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """The items of which none can be left out alone, by leaving out ever smaller parts of them.

    `keeps` is asked about the items that are left. The end goes first: what is left out there
    has the longest beginning in common with what there was.
    """
    kept = tuple(items)
    size = len(kept)
    while kept:
        smaller, end = False, len(kept)
        while end > 0:
            start = max(0, end - size)
            left = (*kept[:start], *kept[end:])
            if keeps(left):
                kept, smaller = left, True
            end = start
        if size == 1 and not smaller:
            break
        size = max(1, min(size, len(kept)) // 2)
    return kept
