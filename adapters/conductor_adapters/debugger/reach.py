"""What may come to pass in one flow and not in another: the facts of both, searched and compared.

Rule: both flows are searched under one alphabet, so that a difference is one of the flows. That
something cannot come to pass is said only of a search that left no state out; where one did, it
was *not found*.

One search of a flow is asked about all its steps at once. It must tell siblings apart, count
every retry and keep which attempts still run when a flow ends, and so goes without the
reductions that forget these; what it may forget besides (what has finished and how, names,
times) no fact looks at. Steps that may stand for one another in a search (*twins*) would make
it grow without end: of those that are twins in both flows one is asked about for all, each
in a search of its own that tells it apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

from attrs import evolve, frozen

from conductor_adapters.debugger.declared import Change, changes_of
from conductor_adapters.debugger.facts import Fact, facts_of_flow, facts_of_step, survey_of
from conductor_core.checking import Alphabet, Checked, Story, check
from conductor_core.checking.canonical import needs_of
from conductor_core.checking.check import Surveyed
from conductor_core.checking.defaults import GENERATED
from conductor_core.checking.properties import Survey
from conductor_core.checking.reductions import ALL, Reductions, alike
from conductor_core.spec import FlowSpec

TOLD_APART: Final = evolve(ALL, endings=False, counters=False)
"""The reductions of a search that is asked about many steps."""
Twins: TypeAlias = tuple[str, ...]
"""Steps that stand for one another in both flows; the first is asked about."""


class Searcher(Protocol):
    """Surveys what may come to pass in a flow, under an alphabet and within bounds."""

    def __call__(
        self, spec: FlowSpec, survey: Survey, *, alphabet: Alphabet, reductions: Reductions
    ) -> Checked:
        """Search."""
        ...


def searched(
    spec: FlowSpec, survey: Survey, *, alphabet: Alphabet, reductions: Reductions
) -> Checked:
    """Search in this process, as far as `check` does by itself."""
    return check(spec, alphabet=alphabet, theorems=(), survey=survey, reductions=reductions)


@frozen(kw_only=True)
class Reached:
    """A fact of one flow that the other has not; `of_all`: the steps that it holds of."""

    fact: Fact
    story: Story
    of_all: Twins
    excluded: bool

    @property
    def others(self) -> int:
        """How many steps there are besides the one that is named."""
        return max(0, len(self.of_all) - 1)


@frozen(kw_only=True)
class Looked:
    """How much of a flow was looked at, in all its searches together."""

    searches: int
    states: int
    transitions: int
    complete: bool


@frozen(kw_only=True)
class FlowDiff:
    """Two flows: what they declare differently, and what may come to pass in one of them only.

    `gone` is what may come to pass in a and not in b, `new` the other way round; `undecided`
    counts what was found in neither, where a search left states out.
    """

    a: FlowSpec
    b: FlowSpec
    alphabet: Alphabet
    declared: tuple[Change, ...]
    gone: tuple[Reached, ...]
    new: tuple[Reached, ...]
    same: int
    undecided: int
    looked_at: tuple[Looked, Looked]

    @property
    def are_alike(self) -> bool:
        """Whether nothing differs, for sure: neither what is declared nor what may come of it.

        Facts are about the course of a flow; a step that is gone, or does other work on another
        input, is another declaration.
        """
        return self.come_to_the_same and not self.declared

    @property
    def come_to_the_same(self) -> bool:
        """Whether all that may come to pass in one may in the other, for sure."""
        return not (self.gone or self.new) and self.complete

    @property
    def complete(self) -> bool:
        """Whether no state within the bounds was left out in either."""
        return all(looked.complete for looked in self.looked_at)


def flow_diff_of(
    a: FlowSpec, b: FlowSpec, alphabet: Alphabet, search: Searcher = searched
) -> FlowDiff:
    """Search both flows, and compare what was found."""
    twins = twins_of(a, b, alphabet)
    asked = [*facts_of_flow(), *_facts_of_steps(a, b, alphabet, twins)]
    ours, theirs = (_Found.of(spec, alphabet, asked, twins, search) for spec in (a, b))
    neither = [fact for fact in asked if not (ours.has(fact) or theirs.has(fact))]
    complete = ours.looked.complete and theirs.looked.complete
    return FlowDiff(
        a=a,
        b=b,
        alphabet=alphabet,
        declared=changes_of(a, b),
        gone=tuple(ours.beyond(theirs, asked, twins)),
        new=tuple(theirs.beyond(ours, asked, twins)),
        same=sum(ours.has(fact) and theirs.has(fact) for fact in asked),
        undecided=0 if complete else len(neither),
        looked_at=(ours.looked, theirs.looked),
    )


def common_alphabet(of: Callable[[FlowSpec], Alphabet], a: FlowSpec, b: FlowSpec) -> Alphabet:
    """What may happen in both: whatever is worth trying on one of them."""
    ours, theirs = of(a), of(b)
    return evolve(
        ours,
        endings=tuple(dict.fromkeys((*ours.endings, *theirs.endings))),
        suggestions=min(ours.suggestions, theirs.suggestions),
        generated=() if a.groups and b.groups else GENERATED,
    )


# --- steps, and which of them are alike ---


def twins_of(a: FlowSpec, b: FlowSpec, alphabet: Alphabet) -> tuple[Twins, ...]:
    """The steps of both flows; those that are twins in both together, in the order of a."""
    ours, theirs = _classes(a, alphabet), _classes(b, alphabet)
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in ours:
        if key in theirs:
            members[ours[key], theirs[key]].append(key)
    return tuple(map(tuple, members.values()))


def _classes(spec: FlowSpec, alphabet: Alphabet) -> dict[str, str]:
    """For each step that of its twins which comes first."""
    groups = alphabet.groups_of(spec)
    needed_by = needs_of(groups)
    return {
        step.key: group.steps[first].key
        for group in groups
        for step, first in zip(
            group.steps,
            alike(group, spec.options, alphabet, needed_by, frozenset()),
            strict=True,
        )
    }


def _facts_of_steps(
    a: FlowSpec, b: FlowSpec, alphabet: Alphabet, twins: tuple[Twins, ...]
) -> Iterator[Fact]:
    """The facts about the steps of both flows, one step for all its twins."""
    steps = [*alphabet.steps_of(a), *alphabet.steps_of(b)]
    automatic = max((step.retry.max_auto_retries for step in steps), default=0)
    retries = automatic + alphabet.reruns + alphabet.replans
    for first, *_ in twins:
        yield from facts_of_step(first, retries)


# --- one flow ---


@frozen
class _Found:
    """What was found of a flow: by whom each fact that may come to pass in it was found."""

    shown: dict[str, Surveyed]
    looked: Looked

    @classmethod
    def of(
        cls,
        spec: FlowSpec,
        alphabet: Alphabet,
        asked: Sequence[Fact],
        twins: tuple[Twins, ...],
        search: Searcher,
    ) -> _Found:
        own = _classes(spec, alphabet)
        counts = Counter(own.values())
        apart = [first for first, *_ in twins if counts[own[first]] > 1]
        together = (fact for fact in asked if fact.step not in apart)
        surveys = [(survey_of(together, about=()), TOLD_APART)]
        for step in apart:
            its_own = (fact for fact in asked if fact.step == step)
            surveys.append((survey_of(its_own, about=(step,)), ALL))
        results = [
            search(spec, survey, alphabet=alphabet, reductions=reductions)
            for survey, reductions in surveys
        ]
        surveyed = [result.surveyed for result in results if result.surveyed is not None]
        return cls({name: each for each in surveyed for name in each.shown}, _looked(results))

    def has(self, fact: Fact) -> bool:
        """Whether a fact was found."""
        return fact.says in self.shown

    def beyond(
        self, other: _Found, asked: Sequence[Fact], twins: tuple[Twins, ...]
    ) -> Iterator[Reached]:
        """What was found here and not in the other flow."""
        of_all = {first: (first, *others) for first, *others in twins}
        for fact in asked:
            if self.has(fact) and not other.has(fact):
                yield Reached(
                    fact=fact,
                    story=self.shown[fact.says].story(fact.says),
                    of_all=() if fact.step is None else of_all[fact.step],
                    excluded=other.looked.complete,
                )


def _looked(results: Sequence[Checked]) -> Looked:
    return Looked(
        searches=len(results),
        states=sum(result.states for result in results),
        transitions=sum(result.transitions for result in results),
        complete=all(result.complete for result in results),
    )
