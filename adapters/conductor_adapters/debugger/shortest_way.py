"""The shortest way on: the fewest events that lead a flow from where it stands to its end.

Rule: a way is played by the reducer, event by event, each at a time at which it may happen; that
it is *the shortest* is said only where it is proven. What a way may consist of is its `Means`:
first only what is meant to happen, then as few skips as it takes, and where no success can be had,
whatever ends it. Plans are approved one by one on it, never all of them unseen, and none that
is open is made again instead.

1. A *walk* goes straight on: what runs succeeds, what is open is approved, what waits is waited
   for, what failed is retried. It costs one reduction for each event, however large the flow.
2. `least` counts what nobody can do without: a report for each step that is left, its approvals,
   a start, a resume. A walk that takes no more events than that is the shortest way.
3. Else the flow is searched breadth first, by the moves and the keys of the checker
   (`conductor_core.checking`), from this state on. The first end that is looked at is the nearest.
   What the checker leaves out of its keys is argued there; times are left out only where no plan
   can grow stale (S8.5), and counts of retries never, because here time goes on.
4. A search that grows too large says nothing, and the walk is no more than *a* way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from conductor_adapters.debugger.legal import example_group
from conductor_adapters.debugger.walk import Walk, approves_itself, least
from conductor_core import events
from conductor_core.attempt import Attempt
from conductor_core.checking.alphabet import FAIL, NOTHING_SPENT, OK, PASSED, Alphabet, Spent
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.moves import Move, moves
from conductor_core.checking.reductions import ALL, FROM_PLAN, NONE
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import reduce
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState

MOST_STATES: Final = 5_000
MOST_STEPS: Final = 500
"""A search tells so many states apart at most, and is not begun on a flow of more steps."""

Enough: TypeAlias = Callable[[], bool]
"""Is asked now and then whether to give up."""


class Means(StrEnum):
    """What a way may consist of; each of these has all that those before it have."""

    PLAIN = "plain"
    SKIPS = "skips"
    ANYTHING = "anything"


@frozen(kw_only=True)
class Way:
    """Events that lead on, in order, and the state behind them.

    With `means` other than ANYTHING they lead to success. `shortest`: no way by these means that
    skips as little has fewer. Not `whole`: it was given up to tell it to its end, which takes
    `count` events at least.
    """

    means: Means
    events: tuple[Event, ...]
    end: FlowState
    shortest: bool
    whole: bool
    count: int


NoWay: TypeAlias = Literal["over", "impossible", "unknown"]
"""There is nothing left to do; nothing leads on; or none was found within the bounds."""


def never() -> bool:
    """Never give up."""
    return False


def shortest_way(
    state: FlowState, now_ms: int, *, enough: Enough = never, most_states: int = MOST_STATES
) -> Way | NoWay:
    """The shortest way to success; where no success can be had, to any end but by a cancel.

    A flow that stopped is led on by a rerun. No event happens before `now_ms`.
    """
    if state.outcome is not None and state.outcome.status != "error":
        return "over"
    walk = Walk(state, now_ms, enough)
    if not _is_hopeless(state):
        walk.go()
    if walk.succeeded and len(walk.events) == least(state):
        return _walked(walk, shortest=True)
    if len(state.catalog.steps) > MOST_STEPS:
        return _fallback(walk)
    for means in _worth_trying(state):
        found = _Search(state, now_ms, means).run(enough, most_states)
        if isinstance(found, Way):
            return found
        if found == "unknown":
            return _fallback(walk)
    return "impossible"


def _walked(walk: Walk, *, shortest: bool) -> Way:
    return Way(
        means=Means.PLAIN,
        events=tuple(walk.events),
        end=walk.state,
        shortest=shortest,
        whole=walk.succeeded,
        count=len(walk.events) + (0 if walk.succeeded else least(walk.state)),
    )


def _fallback(walk: Walk) -> Way | NoWay:
    """A walk, if it led to success or was given up on the way."""
    if walk.succeeded or (walk.given_up and walk.events):
        return _walked(walk, shortest=False)
    return "unknown"


def _worth_trying(state: FlowState) -> Iterator[Means]:
    """By which means there may be an end."""
    if not _is_hopeless(state):
        yield from (Means.PLAIN, Means.SKIPS)
    if state.outcome is None:
        yield Means.ANYTHING


def _is_hopeless(state: FlowState) -> bool:
    """Whether it never succeeds any more: it was cancelled (S9.5), or has no groups (S12.3)."""
    return state.cancellation is not None or state.generating in ("failing", "failed")


# --- the search ---


@frozen
class _Node:
    """A place of the search, the time there, and how it was reached.

    So many steps were skipped by so many events, the last of which happened to the parent.
    """

    state: FlowState
    spent: Spent
    now_ms: int
    skips: int = 0
    length: int = 0
    parent: _Node | None = None
    event: Event | None = None


class _Search:
    """Looks for an end from a state on, nearest first, by some means."""

    def __init__(self, state: FlowState, now_ms: int, means: Means) -> None:
        self.means = means
        self.start = _Node(state, NOTHING_SPENT, now_ms)
        self.ages = any(_may_grow_stale(step) for step in state.catalog.steps)
        self.alphabet = _alphabet(state, means)
        # A retry from an earlier step tells steps apart that stand side by side.
        apart = self.ages or _is_retried_from_others(state)
        self.canonical = _keys(state, self.alphabet, apart=apart)

    def run(self, enough: Enough, most_states: int) -> Way | NoWay:
        """The nearest end, unless it is given up or there is none."""
        known = set[Hashable]()
        # What was found first comes first of what is equally far.
        found, open_ = count(), [(0, 0, 0, self.start)]
        while open_:
            *_, node = heapq.heappop(open_)
            if self._is_end(node.state):
                return self._way_to(node)
            key = self._key(node)
            if key in known:
                continue
            known.add(key)
            if len(known) > most_states or enough():
                return "unknown"
            for after in self._after(node):
                heapq.heappush(open_, (after.skips, after.length, next(found), after))
        return "impossible"

    def _after(self, node: _Node) -> Iterator[_Node]:
        """Where the moves lead that count."""
        state = node.state
        for move in self._moves(node):
            event = self._at_a_time(move.event, node)
            if event is not None:
                after = reduce(state, event)
                if after.verdict is ACCEPTED and self._is_fair(state, event, after.state):
                    skips = skipped_by(event) if self.means is Means.SKIPS else 0
                    yield _Node(after.state, move.spent, event.at_ms, node.skips + skips,
                                node.length + 1, node, event)  # fmt: skip

    def _moves(self, node: _Node) -> Iterable[Move]:
        """What may come next; of ways that are as long, one is found first by what comes first."""
        positions = self.canonical.one_of_each(node.state, node.spent)
        found = moves(self.alphabet, node.state, node.spent, positions)
        # Who retries all that failed side by side says so more plainly of the whole group.
        return sorted(found, key=partial(_takes_others_along, node.state))

    def _is_fair(self, state: FlowState, event: Event, after: FlowState) -> bool:
        return self.means is Means.ANYTHING or not makes_again(state, event, after)

    def _at_a_time(self, event: Event, node: _Node) -> Event | None:
        """An event when it may happen; None for one that is not among the means."""
        if not isinstance(event, events.TimerFired):
            return evolve(event, at_ms=node.now_ms)
        if self.means is not Means.ANYTHING and not event.timer.startswith("backoff:"):
            return None
        due_at_ms = dict(node.state.timers())[event.timer]
        return evolve(event, at_ms=max(node.now_ms, due_at_ms))

    def _key(self, node: _Node) -> Hashable:
        key = self.canonical.key(node.state, node.spent)
        return (key, node.now_ms) if self.ages else key

    def _is_end(self, state: FlowState) -> bool:
        if state.outcome is None:
            return False
        return self.means is Means.ANYTHING or state.outcome.status == "success"

    def _way_to(self, end: _Node) -> Way:
        way, node = list[Event](), end
        while node.event is not None and node.parent is not None:
            way.append(node.event)
            node = node.parent
        return Way(
            means=self.means,
            events=tuple(reversed(way)),
            end=end.state,
            shortest=True,
            whole=True,
            count=len(way),
        )


def skipped_by(event: Event) -> int:
    """How many steps an event asks to skip."""
    match event:
        case events.ApprovalResponded(response="skip-current"):
            return 1
        case events.RerunRequested(operation=operation, additional_skip_step_ids=along):
            return len(along) + (operation == "skip-step")
        case _:
            return 0


def makes_again(state: FlowState, event: Event, after: FlowState) -> bool:
    """Whether a retry of what failed makes a plan anew that people are asked about."""
    if not isinstance(event, events.GroupRetryRequested | events.RerunRequested):
        return False
    before = state.current_attempts()
    now = after.live.slice(state.span.start, state.span.stop)
    return any(was.awaiting and was.id != it.id for was, it in zip(before, now, strict=True))


def _alphabet(state: FlowState, means: Means) -> Alphabet:
    """What may happen on a way by some means; every failure there is may be rerun."""
    skips, anything = means is not Means.PLAIN, means is Means.ANYTHING
    failed = sum(attempt.failed for attempt in state.current_attempts())
    return Alphabet(
        endings=(
            OK,
            *((PASSED,) if any(map(approves_itself, state.catalog.steps)) else ()),
            *((FAIL,) if anything else ()),
        ),
        answers=(
            "approve",
            *(("skip-current",) if skips else ()),
            *(("deny",) if anything else ()),
        ),
        stale=False,
        impostors=False,
        cancels=False,
        pauses=state.paused,
        operations=(
            *("retry-step", "retry-group", FROM_PLAN),
            *(("skip-step", "skip-along") if skips else ()),
        ),
        reruns=failed + state.awaiting + 1,
        generated=() if state.catalog.groups else (example_group(state, "generated"),),
        generation_fails=anything,
    )


def _is_abreast(state: FlowState) -> bool:
    """Whether the current group is a parallel one."""
    return bool(state.span) and state.catalog.groups[state.current].parallel


def _is_retried_from_others(state: FlowState) -> bool:
    """Whether something failed in a parallel group, and may be retried with others (S10.3)."""
    return _is_abreast(state) and any(attempt.failed for attempt in state.current_attempts())


def _takes_others_along(state: FlowState, move: Move) -> bool:
    """Whether this retries what failed in a parallel group from an earlier step on (S10.3)."""
    event = move.event
    return isinstance(event, events.RerunRequested) and event.stale_plan and _is_abreast(state)


def _keys(state: FlowState, alphabet: Alphabet, *, apart: bool) -> Canonical:
    """The keys of the states from this one on, whichever groups were declared at first."""
    spec = state.spec
    if len(spec.groups) < len(state.catalog.groups):
        spec = FlowSpec(type=spec.type, groups=state.catalog.groups, options=spec.options)
    if apart:
        return Canonical(spec, alphabet, NONE, memory=_nothing)
    # Where nothing has failed beside others, no way on retries it from one of them.
    operations = tuple(each for each in alphabet.operations if each != FROM_PLAN)
    reduced = evolve(alphabet, operations=operations)
    return Canonical(spec, reduced, evolve(ALL, counters=False), memory=_nothing)


def _may_grow_stale(step: StepSpec) -> bool:
    return step.approval_spec.stale_after_ms is not None


def _nothing(_step: StepSpec, _attempt: Attempt) -> None:
    return None
