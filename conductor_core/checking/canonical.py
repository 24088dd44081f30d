"""The key of a state: equal keys, equal futures.

Rule: a key is put together from the parts of a state, each as exact as it has to be; what
may be left out of a part is argued in `reductions`, and nothing is left out otherwise.
Steps that a property names stand in the key as they are, and what properties remember of
those that others rely on, as they say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import TypeAlias

from conductor_core.attempt import Attempt
from conductor_core.checking.alphabet import Alphabet, Spent
from conductor_core.checking.reductions import (
    Reductions,
    alike,
    beyond_recall,
    budget_of_group,
    budget_of_step,
    may_recall,
    ran,
    reduced,
    saturated,
    saturated_groups,
    timeless,
    without_names,
)
from conductor_core.spec import FlowSpec, GroupSpec, StepSpec
from conductor_core.state import FlowState

Memory: TypeAlias = Callable[[StepSpec, Attempt], Hashable]
"""What a property can still see of a live attempt that has finished.

It is asked while the attempt's group is current, and later if the step may ask people and
another step needs it.
"""


class Canonical:
    """The keys of the states of one flow, under one alphabet, for some properties.

    `memory` is what these remember of the steps that a dispatch relies on, `named` are the
    steps that they look at.
    """

    def __init__(
        self,
        spec: FlowSpec,
        alphabet: Alphabet,
        reductions: Reductions,
        *,
        memory: Memory,
        named: tuple[str, ...] = (),
    ) -> None:
        self.alphabet = alphabet
        self.reductions = reductions
        self.memory = memory
        self.named = named
        # What an attempt no longer shows would show again once it is superseded or settled.
        self._reduces = reductions.finished and reductions.superseded and reductions.settled
        self._merges = reductions.siblings and reductions.settled and reductions.names
        self._declared = len(spec.groups)
        # A group has one declaration under an alphabet, wherever it comes from.
        groups = (*spec.groups, *alphabet.generated, *alphabet.appended)
        needed_by = needs_of(groups)
        self._classes = {
            group.key: alike(group, spec.options, alphabet, needed_by, frozenset(named))
            for group in groups
        }
        self._merged = {key: len(set(c)) < len(c) for key, c in self._classes.items()}
        self._group_budgets = {group.key: budget_of_group(group, alphabet) for group in groups}
        steps = [step for group in groups for step in group.steps]
        self._budgets = {step.key: budget_of_step(step, alphabet) for step in steps}
        asking = {step.key for step in steps if alphabet.may_ask_people(step)}
        self._relied_on = asking & needed_by.keys()
        self._guards = {step.key: tuple(n for n in step.needs if n in asking) for step in steps}
        self._differ = {
            group.key: len({self._guards[step.key] for step in group.steps}) > 1 for group in groups
        }

    def key(self, state: FlowState, spent: Spent) -> Hashable:
        """The key of a state of which so much was spent to get there."""
        if not self.reductions.times:
            return state, spent
        recall = may_recall(state, self.alphabet, spent)
        named = tuple(self._named(state))
        if self.reductions.endings and not recall:
            rest = beyond_recall(state)
            if rest is not None:
                return rest, named, spent
        return (
            self._flow(state, spent),
            self._settled(state),
            self._current(state, spent, recall=recall),
            self._later(state),
            named,
            spent,
        )

    def one_of_each(self, state: FlowState, spent: Spent) -> Sequence[int]:
        """A position of the current group for each kind of attempt that differs from others."""
        if not self._is_merged(state):
            return state.span
        first: dict[Hashable, int] = {}
        recall = may_recall(state, self.alphabet, spent)
        for position, kind in zip(
            state.span, self._kinds(state, spent, recall=recall), strict=True
        ):
            first.setdefault(kind, position)
        return tuple(first.values())

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
        groups = state.catalog.groups
        return (
            *(state.started, state.generating, state.approval, state.paused, state.continuing),
            *(state.suggested, state.current, state.wait_due_at_ms is not None, state.skipping),
            *(generation, finished),
            None if outcome is None else (outcome.status, outcome.reason),
            None if stop is None else stop.reason,
            None if cancellation is None else cancellation.due_at_ms is not None,
            tuple(group.key for group in groups.slice(self._declared, len(groups))),
            None if self.reductions.names else (state.incarnation, state.run),
        )

    def _settled(self, state: FlowState) -> Hashable:
        """The groups before the current one: nothing goes back to them (S5.1).

        Dispatches and reruns concern the current group and later ones, sweeps what has not
        finished (S7.6); outputs are handed on without being looked at.
        """
        start = state.span.start
        if not self.reductions.settled:
            return tuple(self._exact(state, position) for position in range(start))
        steps = state.catalog.steps.slice(0, start)
        return tuple(
            self.memory(step, attempt)
            for step, attempt in zip(steps, state.live.slice(0, start), strict=True)
            if step.key in self._relied_on
        )

    def _current(self, state: FlowState, spent: Spent, *, recall: bool) -> Hashable:
        """The current group; where members are alike, how many there are of each kind."""
        kinds = self._kinds(state, spent, recall=recall)
        return frozenset(Counter(kinds).items()) if self._is_merged(state) else tuple(kinds)

    def _later(self, state: FlowState) -> Hashable:
        """The groups after the current one: pending, swept, or skipped by a person before."""
        later = state.live.slice(state.span.stop, len(state.live))
        return tuple((attempt.status, attempt.reason) for attempt in later)

    def _named(self, state: FlowState) -> Iterator[Hashable]:
        """The steps that properties look at, wherever they are."""
        for key in self.named:
            position = state.catalog.position_of(key)
            yield None if position is None else self._exact(state, position)

    # --- the attempts of the current group ---

    def _is_merged(self, state: FlowState) -> bool:
        """Whether some steps of the current group may stand for one another."""
        if not (state.span and self.reductions.times and self._merges):
            return False
        return self._merged[state.catalog.groups[state.current].key]

    def _kinds(self, state: FlowState, spent: Spent, *, recall: bool) -> Iterator[Hashable]:
        """What each attempt of the current group is, for the rules and the properties."""
        kinds: Iterable[Hashable] = map(self._exact, repeat(state), state.span)
        if self._reduces:
            spare = self.alphabet.reruns + self.alphabet.replans - spent.reruns - spent.replans
            of_one = partial(self._reduced, state, spare=spare, recall=recall)
            kinds = map(of_one, state.span, state.current_attempts())
        if self._is_merged(state):
            group = state.catalog.groups[state.current].key
            kinds = zip(self._classes[group], kinds, strict=False)
            if self._differ[group]:
                kinds = zip(kinds, map(self._behind, repeat(state), state.span), strict=False)
        for position, kind in zip(state.span, kinds, strict=False):
            yield (kind, "retrying") if position == state.retrying else kind

    def _reduced(
        self, state: FlowState, position: int, attempt: Attempt, *, spare: int, recall: bool
    ) -> Hashable:
        """One attempt, as far as the rules and the properties can see it."""
        retry = attempt.retry
        if self.reductions.counters:
            retry = saturated(retry, self._budgets[attempt.step], spare)
        kind = reduced(
            attempt,
            retry=retry,
            has_run=self._has_run(state, position, attempt),
            recall=recall,
            stopping=state.stop is not None,
        )
        if attempt.unfinished:
            return kind
        return kind, self.memory(state.catalog.steps[position], attempt)

    def _has_run(self, state: FlowState, position: int, attempt: Attempt) -> Hashable:
        earlier = state.superseded[position]
        if self.reductions.superseded:
            return ran(attempt, earlier)
        return tuple(self._timeless(one) for one in earlier)

    def _behind(self, state: FlowState, position: int) -> Hashable:
        """What is remembered of the needs of a step: siblings may differ in them."""
        catalog = state.catalog
        places = map(catalog.position_of, self._guards[catalog.steps[position].key])
        return tuple(
            self.memory(catalog.steps[place], state.live[place])
            for place in places
            if place is not None
        )

    def _exact(self, state: FlowState, position: int) -> Hashable:
        """An attempt with all that it is and was, but for what is left out everywhere."""
        attempt = state.live[position]
        return self._timeless(attempt), self._has_run(state, position, attempt)

    def _timeless(self, attempt: Attempt) -> Hashable:
        return timeless(without_names(attempt) if self.reductions.names else attempt)


def needs_of(groups: tuple[GroupSpec, ...]) -> dict[str, tuple[str, ...]]:
    """The steps that need a step, by its key."""
    needed_by: dict[str, tuple[str, ...]] = {}
    for step in (step for group in groups for step in group.steps):
        for need in step.needs:
            needed_by[need] = (*needed_by.get(need, ()), step.key)
    return needed_by
