"""A flow checked: every state within the bounds, every theorem, and what was found.

Rule: a result says what it speaks of. It names the flow by its digest and carries the alphabet,
the bounds and the size of what was looked at; that a claim *holds* is said only of a search
that left no state out, and always of these bounds.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Literal, TypeAlias, assert_never

from attrs import asdict, frozen

from conductor_core.attempt import Attempt
from conductor_core.checking.alphabet import Alphabet
from conductor_core.checking.canonical import Canonical, Memory
from conductor_core.checking.fairness import broken
from conductor_core.checking.properties import Invariant, LeadsTo, Property, Sometimes
from conductor_core.checking.reductions import ALL, NONE, ONLY_NAMES, Reductions
from conductor_core.checking.search import Explored, Progress, Question, explore
from conductor_core.checking.story import Story
from conductor_core.checking.theorems import THEOREMS
from conductor_core.codec import encode_spec
from conductor_core.digest import digest_of
from conductor_core.events import Event
from conductor_core.payload import canonical_text
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import initial_state

FORMAT: Final = "conductor-certificate/1"
MAX_STATES: Final = 1_000_000
FLOW_ID: Final = "flow"

Verdict: TypeAlias = Literal["holds", "violated", "met", "never met", "undecided"]


@frozen(kw_only=True)
class Finding:
    """What became of a claim, with a story of it where one state or run tells: the shortest.

    `undecided`: states were left out, and those that were not say neither.
    """

    name: str
    says: str
    verdict: Verdict
    story: Story | None = None

    @property
    def is_good(self) -> bool:
        """Whether the claim is true within the bounds."""
        return self.verdict in ("holds", "met")

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}"


@frozen(kw_only=True)
class Checked:
    """What a search found out about a flow.

    `states` are those told apart, `transitions` the accepted events between them;
    `complete`: no state within the bounds was left out. `outcomes` are the statuses and reasons
    with which the flow may end.
    """

    spec: FlowSpec
    alphabet: Alphabet
    reductions: Reductions
    max_states: int
    states: int
    transitions: int
    complete: bool
    findings: tuple[Finding, ...]
    outcomes: frozenset[tuple[str, str | None]]

    @property
    def is_good(self) -> bool:
        """Whether every claim is true within the bounds."""
        return all(finding.is_good for finding in self.findings)

    @property
    def flow_digest(self) -> str:
        """The digest of the flow's declaration."""
        return digest_of(canonical_text(encode_spec(self.spec)))

    def finding(self, name: str) -> Finding:
        """What became of the claim of this name."""
        return next(finding for finding in self.findings if finding.name == name)

    def certificate(self) -> dict[str, Any]:
        """All that was looked at and found, as data for JSON."""
        return {
            "certificate": FORMAT,
            "flow": self.flow_digest,
            "within": {"alphabet": dict(self.alphabet.told()), "max_states": self.max_states},
            "reductions": asdict(self.reductions),
            "states": self.states,
            "transitions": self.transitions,
            "complete": self.complete,
            "outcomes": sorted(f"{s}: {r}" if r else s for s, r in self.outcomes),
            "theorems": [
                {"name": finding.name, "says": finding.says, "within bounds": finding.verdict}
                for finding in self.findings
            ],
        }

    def __str__(self) -> str:
        looked_at = "every state" if self.complete else "some states"
        return "\n".join(
            [
                f"{looked_at} within these bounds:",
                *(f"  {name}: {told}" for name, told in self.alphabet.told()),
                f"{self.states} states, {self.transitions} transitions",
                *(f"  {finding}" for finding in self.findings),
            ]
        )


def check(
    spec: FlowSpec,
    *properties: Property,
    alphabet: Alphabet = Alphabet(),  # noqa: B008 - frozen, with no state of its own
    theorems: tuple[Property, ...] = THEOREMS,
    reductions: Reductions = ALL,
    max_states: int = MAX_STATES,
    progress: Progress | None = None,
) -> Checked:
    """Look at every state that a flow can reach, and find out what is true of them."""
    claims = (*theorems, *properties)
    assert len({claim.name for claim in claims}) == len(claims), "a claim has a name of its own"
    reductions = _allowed(claims, reductions)
    question = Question(
        alphabet=alphabet,
        canonical=Canonical(
            spec, alphabet, reductions, memory=_memory_of(claims), named=_named_by(claims)
        ),
        invariants=tuple(claim for claim in claims if isinstance(claim, Invariant)),
        sometimes=tuple(claim for claim in claims if isinstance(claim, Sometimes)),
        leads_to=tuple(claim for claim in claims if isinstance(claim, LeadsTo)),
        max_states=max_states,
        progress=progress,
    )
    explored = explore(initial_state(spec, FLOW_ID), question)
    return Checked(
        spec=spec,
        alphabet=alphabet,
        reductions=reductions,
        max_states=max_states,
        states=explored.states,
        transitions=explored.transitions,
        complete=explored.complete,
        findings=tuple(_finding(claim, spec, explored) for claim in claims),
        outcomes=explored.outcomes,
    )


def _allowed(claims: tuple[Property, ...], wanted: Reductions) -> Reductions:
    """The reductions that no claim forbids: one that looks anywhere forbids nearly all."""
    anywhere = any(claim.about is None for claim in claims)
    return ONLY_NAMES if anywhere and wanted != NONE else wanted


def _named_by(claims: tuple[Property, ...]) -> tuple[str, ...]:
    """The steps that claims look at."""
    return tuple(dict.fromkeys(key for claim in claims for key in claim.about or ()))


def _memory_of(claims: tuple[Property, ...]) -> Memory:
    """What the claims together remember of a step that others rely on."""
    memories = [c.memory for c in claims if isinstance(c, Invariant) and c.memory is not None]
    if len(memories) == 1:
        return memories[0]

    def remember(step: StepSpec, attempt: Attempt) -> Hashable:
        return tuple(memory(step, attempt) for memory in memories)

    return remember


def _finding(claim: Property, spec: FlowSpec, explored: Explored) -> Finding:
    """What became of a claim."""
    verdict, way = _verdict(claim, explored)
    story = None if way is None else Story(spec, FLOW_ID, way)
    return Finding(name=claim.name, says=claim.statement, verdict=verdict, story=story)


def _verdict(claim: Property, explored: Explored) -> tuple[Verdict, tuple[Event, ...] | None]:
    """The verdict on a claim, and the events that tell of it where there are any."""
    match claim:
        case Invariant():
            way = explored.way_to_met(claim.name)
            settled: Verdict = "holds" if way is None else "violated"
        case Sometimes():
            way = explored.way_to_met(claim.name)
            settled = "never met" if way is None else "met"
        case LeadsTo():
            way = broken(explored, claim.name)
            settled = "holds" if way is None else "violated"
        case _:
            assert_never(claim)
    if way is None and not explored.complete:
        return "undecided", None
    return settled, way
