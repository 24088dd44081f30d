"""The key of a state: equal keys, equal futures.

Rule: a key is put together from the parts of a state, each as exact as it has to be; what
may be left out of a part is argued in `reductions`, and nothing is left out otherwise.
Steps that a property names stand in the key as they are, and what properties remember of
those that others rely on, as they say it.

Parts are numbered as they are met, and a key is made of their numbers, which are cheap to
compare and to keep. Most attempts of a state are those of the state before: their numbers
are found again by where they lie in memory, without looking at what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from attrs import evolve

from conductor_core.attempt import Attempt
from conductor_core.checking.alphabet import Alphabet, Spent
from conductor_core.checking.arrangements import arrangements
from conductor_core.checking.encoding import encoded
from conductor_core.checking.reductions import (
    ONLY_NAMES,
    Reductions,
    alike,
    asks_to_wait,
    beyond_recall,
    budget_of_group,
    budget_of_step,
    depends_on_names,
    looks_at_order,
    may_recall,
    ran,
    reduced,
    saturated,
    saturated_groups,
    timeless,
    without_names,
)
from conductor_core.commands import Outcome
from conductor_core.spec import FlowSpec, GroupSpec, StepSpec
from conductor_core.state import FlowState
from conductor_core.vector import Vector

Memory: TypeAlias = Callable[[StepSpec, Attempt], Hashable]
"""What a property can still see of a live attempt that has finished.

One is asked while the attempt's group is current, one later, if the step may ask people and
another step needs it that is still to come.
"""
Key: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""The numbers of the parts of a state: those in order, and those whose order is forgotten."""
Earlier: TypeAlias = Vector[Attempt]

BEHIND_ALL: Final = 2**62
"""Where a step stands that is still to come, as far as anybody asks."""
MOST_KNOWN: Final = 100_000
"""So many attempts are known by where they lie; then all are forgotten, to free the memory."""


class Parts:
    """The parts of keys, numbered in the order in which they are met."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._parts: list[Hashable] = []
        self._encodings: dict[int, bytes] = {}

    def number(self, part: Hashable) -> int:
        """The number of a part."""
        number = self._numbers.setdefault(part, len(self._parts))
        if number == len(self._parts):
            self._parts.append(part)
        return number

    def part(self, number: int) -> Hashable:
        """The part of a number, which means nothing in another process."""
        return self._parts[number]

    def encoding(self, number: int) -> bytes:
        """The part of a number as bytes, equal for equal parts in every process."""
        found = self._encodings.get(number)
        if found is None:
            found = self._encodings[number] = encoded(self._parts[number])
        return found


class Known:
    """The numbers that attempts were given, found again by where these lie in memory.

    Whatever is known is kept, so that nothing else can take its place. What was superseded
    belongs to what is known of an attempt, although it never changes while that lives.
    """

    def __init__(self, give: Callable[[StepSpec, Attempt, Earlier], int]) -> None:
        self._give = give
        self._known: dict[int, tuple[Attempt, Earlier, int]] = {}

    def numbers(self, state: FlowState, start: int, stop: int) -> list[int]:
        """The numbers of the live attempts in a span of positions."""
        numbers: list[int] = []
        if start >= stop:
            return numbers
        known, superseded = self._known, state.superseded.slice(start, stop)
        for attempt, earlier in zip(state.live.slice(start, stop), superseded, strict=True):
            found = known.get(id(attempt))
            if found is None or found[1] is not earlier:
                step = state.catalog.steps[start + len(numbers)]
                found = attempt, earlier, self._give(step, attempt, earlier)
                if len(known) >= MOST_KNOWN:
                    known.clear()
                known[id(attempt)] = found
            numbers.append(found[2])
        return numbers


class Canonical:
    """The keys of the states of one flow, under one alphabet, for some properties.

    `memory` is what these remember of the steps that a dispatch relies on, `settled_memory`
    what is left of that once their group is behind; `named` are the steps that they look at.
    """

    def __init__(
        self,
        spec: FlowSpec,
        alphabet: Alphabet,
        reductions: Reductions,
        *,
        memory: Memory,
        settled_memory: Memory | None = None,
        named: tuple[str, ...] = (),
    ) -> None:
        self.alphabet = alphabet
        self.reductions = reductions
        self.memory = memory
        self.settled_memory = memory if settled_memory is None else settled_memory
        self.named = named
        # What an attempt no longer shows would show again once it is superseded or settled.
        self._reduces = reductions.finished and reductions.superseded and reductions.settled
        merges = reductions.times and reductions.siblings and reductions.settled
        self._declared = len(spec.groups)
        # A group has one declaration under an alphabet, wherever it comes from.
        groups = (*spec.groups, *alphabet.generated, *alphabet.appended)
        needed_by = needs_of(groups)
        classes = {
            group.key: alike(group, spec.options, alphabet, needed_by, frozenset(named))
            for group in groups
        }
        self._merged = {
            key: merges and reductions.names and len(set(of_group)) < len(of_group)
            for key, of_group in classes.items()
        }
        self._arranges = {
            group.key: self._merged[group.key] and looks_at_order(group, alphabet)
            for group in groups
        }
        self._class = {
            step.key: of_step
            for group in groups
            if self._merged[group.key]
            for step, of_step in zip(group.steps, classes[group.key], strict=True)
        }
        self._group_budgets = {group.key: budget_of_group(group, alphabet) for group in groups}
        steps = [step for group in groups for step in group.steps]
        self._budgets = {step.key: budget_of_step(step, alphabet) for step in steps}
        asking = {step.key for step in steps if alphabet.may_ask_people(step)}
        self._relied_on = asking & needed_by.keys()
        self._last_needed = self._last_needs(spec, needed_by)
        self._remembered: dict[int, tuple[int, ...]] = {}
        self._guards = {step.key: tuple(n for n in step.needs if n in asking) for step in steps}
        self._differ = {
            group.key: len({self._guards[step.key] for step in group.steps}) > 1 for group in groups
        }
        self.parts = Parts()
        self._exact = Known(self._number_exactly)
        self._settled = Known(self._number_settled)
        self._later = Known(self._number_later)
        self._current: dict[Hashable, Known] = {}

    def key(self, state: FlowState, spent: Spent) -> Key:
        """The key of a state of which so much was spent to get there."""
        number = self.parts.number
        if not self.reductions.times:
            return (number((state, spent)),), ()
        recall = may_recall(state, self.alphabet, spent)
        named = self._named(state)
        if self.reductions.endings and not recall:
            rest = beyond_recall(state)
            if rest is not None:
                return (number((rest, spent)), *named), ()
        others = (
            number((self._flow(state, spent), spent)),
            *self._before(state),
            *self._later.numbers(state, state.span.stop, len(state.live)),
            *named,
        )
        kinds = self._kinds(state, spent, recall=recall)
        if self._is_merged(state):
            return others, tuple(sorted(kinds))
        return (*others, *kinds), ()

    def encoding(self, key: Key) -> bytes:
        """A key as bytes, equal for equal keys in every process."""
        ordered, unordered = key
        parts = self.parts.encoding
        return b"".join([*map(parts, ordered), *sorted(map(parts, unordered))])

    def one_of_each(self, state: FlowState, spent: Spent) -> Sequence[int]:
        """A position of the current group for each kind of attempt that differs from others."""
        if not self._is_merged(state):
            return state.span
        first: dict[int, int] = {}
        recall = may_recall(state, self.alphabet, spent)
        kinds = self._kinds(state, spent, recall=recall)
        for position, kind in zip(state.span, kinds, strict=True):
            first.setdefault(kind, position)
        return tuple(first.values())

    def arranges(self, state: FlowState) -> bool:
        """Whether twins of the current group are to be tried in other orders."""
        return bool(state.span) and self._arranges[state.catalog.groups[state.current].key]

    def arrangements(self, state: FlowState, spent: Spent) -> Iterator[tuple[FlowState, int]]:
        """The state with its twins in other orders, and where the one stands that is answered."""
        recall = may_recall(state, self.alphabet, spent)
        return arrangements(state, self._kinds(state, spent, recall=recall))

    # --- the parts ---

    def _flow(self, state: FlowState, spent: Spent) -> Hashable:
        """The flow as a whole, and the current group as such."""
        generation, finished = state.generation, state.groups_since
        if self.reductions.counters:
            finished = saturated_groups(state)
            if state.span:
                budget = self._group_budgets[state.catalog.groups[state.current].key]
                generation = saturated(generation, budget, self.alphabet.reruns - spent.reruns)
        outcome, stop, cancellation = state.outcome, state.stop, state.cancellation
        # Whose stop it was is seen by nothing but a claim that looks anywhere.
        who = _culprit if evolve(self.reductions, names=True) == ONLY_NAMES else _nobody
        groups = state.catalog.groups
        return (
            *(state.started, state.generating, state.approval, state.paused, state.continuing),
            *(state.suggested, state.current, state.wait_due_at_ms is not None, state.skipping),
            *(generation, finished),
            None if outcome is None else (outcome.status, outcome.reason, who(outcome)),
            None if stop is None else (stop.reason, who(stop)),
            None if cancellation is None else cancellation.due_at_ms is not None,
            tuple(group.key for group in groups.slice(self._declared, len(groups))),
            None if self.reductions.names else (state.incarnation, state.run),
        )

    def _before(self, state: FlowState) -> Sequence[int]:
        """The groups before the current one: nothing goes back to them (S5.1).

        What properties remember of a step is kept as long as another that needs it is to come.
        Dispatches and reruns concern the current group and later ones, sweeps what has not
        finished (S7.6); outputs are handed on without being looked at.
        """
        start = state.span.start
        if not self.reductions.settled:
            return self._exact.numbers(state, 0, start)
        if not self._relied_on:
            return ()
        remembered = self._remembered.get(start)
        if remembered is None:
            positions = range(min(start, len(self._last_needed)))
            remembered = tuple(p for p in positions if self._last_needed[p] >= start)
            self._remembered[start] = remembered
        numbers = [self._settled.numbers(state, p, p + 1)[0] for p in remembered]
        return numbers + self._settled.numbers(state, len(self._last_needed), start)

    def _last_needs(self, spec: FlowSpec, needed_by: Mapping[str, tuple[str, ...]]) -> list[int]:
        """By position: up to which one something may still rely on a step of the declared flow.

        Where the groups will stand that are still to come is not known, but that it is behind.
        """
        steps = [step for group in spec.groups for step in group.steps]
        places = {step.key: position for position, step in enumerate(steps)}
        return [
            max((places.get(by, BEHIND_ALL) for by in needed_by.get(step.key, ())), default=-1)
            if step.key in self._relied_on
            else -1
            for step in steps
        ]

    def _number_settled(self, step: StepSpec, attempt: Attempt, _: Earlier) -> int:
        relied_on = step.key in self._relied_on
        return self.parts.number(self.settled_memory(step, attempt) if relied_on else None)

    def _number_later(self, _step: StepSpec, attempt: Attempt, _: Earlier) -> int:
        """An attempt of a later group: pending, swept, or skipped by a person before."""
        return self.parts.number((attempt.status, attempt.reason))

    def _named(self, state: FlowState) -> list[int]:
        """The steps that properties look at, wherever they are."""
        numbers: list[int] = []
        for key in self.named:
            position = state.catalog.position_of(key)
            if position is None:
                numbers.append(self.parts.number(None))
            else:
                numbers += self._exact.numbers(state, position, position + 1)
        return numbers

    # --- the attempts of the current group ---

    def _is_merged(self, state: FlowState) -> bool:
        """Whether some steps of the current group may stand for one another."""
        return bool(state.span) and self._merged[state.catalog.groups[state.current].key]

    def _kinds(self, state: FlowState, spent: Spent, *, recall: bool) -> list[int]:
        """What each attempt of the current group is, for the rules and the properties."""
        span = state.span
        known = self._current_known(state, spent, recall=recall)
        kinds = known.numbers(state, span.start, span.stop)
        if self._is_merged(state) and self._differ[state.catalog.groups[state.current].key]:
            for index, position in enumerate(span):
                part = self.parts.part(kinds[index])
                kinds[index] = self.parts.number((part, self._behind(state, position)))
        if state.retrying is not None:
            index = state.retrying - span.start
            waits = asks_to_wait(state.live[state.retrying])
            part = self.parts.part(kinds[index])
            kinds[index] = self.parts.number((part, "retrying", waits))
        return kinds

    def _current_known(self, state: FlowState, spent: Spent, *, recall: bool) -> Known:
        """The numbers of the current group's attempts, apart for what else they depend on."""
        spare = self.alphabet.reruns + self.alphabet.replans - spent.reruns - spent.replans
        apart = spare, recall, state.stop is not None
        known = self._current.get(apart)
        if known is None:
            give = partial(self._number_current, spare, recall, state.stop is not None)
            known = self._current[apart] = Known(give)
        return known

    def _number_current(
        self,
        spare: int,
        recall: bool,
        stopping: bool,
        step: StepSpec,
        attempt: Attempt,
        earlier: Earlier,
    ) -> int:
        """One attempt, as far as the rules and the properties can see it."""
        if not self._reduces:
            return self._number_exactly(step, attempt, earlier)
        retry = attempt.retry
        if self.reductions.counters:
            retry = saturated(retry, self._budgets[attempt.step], spare)
        kind = reduced(
            attempt, retry=retry, has_run=ran(attempt, earlier), recall=recall, stopping=stopping
        )
        if not attempt.unfinished:
            kind = kind, self.memory(step, attempt)
        if self._chance(step, attempt) is not None:
            kind = kind, attempt.n
        return self.parts.number((self._class.get(step.key), kind))

    def _behind(self, state: FlowState, position: int) -> Hashable:
        """What is remembered of the needs of a step: siblings may differ in them."""
        catalog = state.catalog
        places = map(catalog.position_of, self._guards[catalog.steps[position].key])
        return tuple(
            self.settled_memory(catalog.steps[place], state.live[place])
            for place in places
            if place is not None
        )

    def _number_exactly(self, step: StepSpec, attempt: Attempt, earlier: Earlier) -> int:
        """An attempt with all that it is and was, but for what is left out everywhere."""
        has_run: Hashable = tuple(map(self._timeless, earlier))
        if self.reductions.superseded:
            has_run = ran(attempt, earlier)
        whole = self._timeless(attempt), has_run, self._chance(step, attempt)
        return self.parts.number((self._class.get(step.key), whole))

    def _chance(self, step: StepSpec, attempt: Attempt) -> int | None:
        """The number of an attempt, where that decides whether its retry waits (S2.2)."""
        return attempt.n if depends_on_names(step.retry) else None

    def _timeless(self, attempt: Attempt) -> Hashable:
        return timeless(without_names(attempt) if self.reductions.names else attempt)


def _culprit(outcome: Outcome) -> str | None:
    """The step that an outcome names; which of its attempts it was is only a name."""
    return None if outcome.step is None else outcome.step.rpartition("#")[0]


def _nobody(_: Outcome) -> None:
    return None


def needs_of(groups: tuple[GroupSpec, ...]) -> dict[str, tuple[str, ...]]:
    """The steps that need a step, by its key."""
    needed_by: dict[str, tuple[str, ...]] = {}
    for step in (step for group in groups for step in group.steps):
        for need in step.needs:
            needed_by[need] = (*needed_by.get(need, ()), step.key)
    return needed_by
