"""A flow checked: every state within the bounds, every theorem, and what was found.

Rule: a result says what it speaks of. It names the flow by its digest and carries the alphabet,
the bounds and the size of what was looked at; that a claim *holds* is said only of a search
that left no state out, and always of these bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from attrs import asdict, evolve, frozen

from conductor_core.attempt import Attempt
from conductor_core.checking.alphabet import Alphabet
from conductor_core.checking.canonical import Canonical, Memory
from conductor_core.checking.defaults import default_alphabet
from conductor_core.checking.explored import Explored
from conductor_core.checking.fairness import broken
from conductor_core.checking.properties import (
    Invariant,
    LeadsTo,
    Property,
    Sometimes,
    Survey,
    refuse_mistakes,
)
from conductor_core.checking.question import ClaimFailed, Progress, Question, StoppedBy
from conductor_core.checking.reductions import ALL, NONE, Reductions
from conductor_core.checking.search import Driver, explore
from conductor_core.checking.story import Story
from conductor_core.checking.telling import told_events
from conductor_core.checking.theorems import THEOREMS
from conductor_core.codec import encode_spec
from conductor_core.digest import digest_of
from conductor_core.errors import ConductorError, shown
from conductor_core.events import Event
from conductor_core.payload import canonical_text
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import initial_state

FORMAT: Final = "conductor-certificate/1"
MAX_STATES: Final = 1_000_000
FLOW_ID: Final = "flow"

Found: TypeAlias = Literal["holds", "violated", "met", "never met", "undecided"]
"""What is found of a claim; `sometimes` is met or never met, all others hold or are violated."""


class PredicateError(ConductorError):
    """A predicate raised instead of answering, or what a history observes did.

    `claim` is the name of the claim that it belongs to, `story` ends with the event about which,
    or after which, it was asked, and `__cause__` is what was raised. Its notes tell the story.
    """

    def __init__(self, claim: str, story: Story, error: Exception) -> None:
        self.claim = claim
        self.story = story
        # An error that was raised on purpose tells by itself what is wrong.
        raised = f"{shown(claim)} raised {type(error).__name__}: {error}"
        super().__init__(str(error) if isinstance(error, ConductorError) else raised)
        happened = enumerate(told_events(story.transitions()), 1)
        self.add_note("\n".join(["what led there:", *(f"  {n}. {line}" for n, line in happened)]))


@frozen(kw_only=True)
class Finding:
    """What became of a claim, with a story of it where one state or run tells: the shortest.

    `undecided`: states were left out, and those that were not say neither. `circle`: the
    events that come again and again once the story is over, where that breaks the claim.
    `fatal`: the event that the reducer did not survive at its end, and `error` what it raised.
    """

    name: str
    says: str
    found: Found
    story: Story | None = None
    circle: tuple[Event, ...] = ()
    fatal: Event | None = None
    error: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the claim is true within the bounds."""
        return self.found in ("holds", "met")

    def __str__(self) -> str:
        return f"{self.name}: {self.found}"


@frozen(eq=False)
class Surveyed:
    """What a survey found out: the names that were shown, each with the shortest story of it."""

    survey: Survey
    spec: FlowSpec
    explored: Explored

    @property
    def shown(self) -> frozenset[str]:
        """The names that some event showed."""
        return self.survey.names.intersection(self.explored.met)

    def story(self, name: str) -> Story:
        """The shortest story that ends with an event which shows a name."""
        way, event = self.explored.way_to_met(name)
        assert event is not None, "an event shows it"
        return Story(self.spec, FLOW_ID, (*way, event))


@frozen(kw_only=True)
class Checked:
    """What a search found out about a flow.

    `states` are those told apart, `transitions` the accepted events between them;
    `stopped_by`: why states within the bounds were left out, if any were: there were more than
    `max_states`, or the caller had `enough`. `theorems` names those of the claims that hold of
    any flow. `outcomes` are the statuses and reasons with which
    the flow may end, `surveyed` what a survey found out.
    """

    spec: FlowSpec
    alphabet: Alphabet
    reductions: Reductions
    max_states: int
    states: int
    transitions: int
    stopped_by: StoppedBy | None
    theorems: tuple[str, ...]
    findings: tuple[Finding, ...]
    outcomes: frozenset[tuple[str, str | None]]
    surveyed: Surveyed | None = None

    @property
    def complete(self) -> bool:
        """Whether no state within the bounds was left out."""
        return self.stopped_by is None

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
            "within": {"alphabet": self.alphabet.as_data(), "max_states": self.max_states},
            "reductions": asdict(self.reductions),
            "states": self.states,
            "transitions": self.transitions,
            "complete": self.complete,
            "stopped_by": self.stopped_by,
            "outcomes": sorted(f"{s}: {r}" if r else s for s, r in self.outcomes),
            "theorems": [_as_data(f) for f in self.findings if f.name in self.theorems],
            "claims": [_as_data(f) for f in self.findings if f.name not in self.theorems],
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


def _as_data(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "says": finding.says, "within_bounds": finding.found}


def check(
    spec: FlowSpec,
    *properties: Property,
    alphabet: Alphabet | None = None,
    theorems: tuple[Property, ...] = THEOREMS,
    survey: Survey | None = None,
    reductions: Reductions = ALL,
    max_states: int = MAX_STATES,
    driver: Driver | None = None,
    enough: Callable[[], bool] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Checked:
    """Look at every state that a flow can reach, and find out what is true of them.

    Unless an `alphabet` says what may happen, it is what suits the flow (`default_alphabet`).
    `driver` carries the search out: this process, or `processes.Processes`; the result is the
    same. A `survey` finds out about many names at once. `enough` is asked now and then
    whether to give up. Raises ValueError for claims that could hold by mistake only, and
    PredicateError for those that do not answer.
    """
    alphabet = default_alphabet(spec) if alphabet is None else alphabet
    claims = (*theorems, *properties)
    refuse_mistakes(claims, (*spec.groups, *alphabet.generated, *alphabet.appended))
    if not isinstance(max_states, int) or isinstance(max_states, bool) or max_states < 1:
        raise ValueError(f"max_states: expected an integer of at least 1, got {shown(max_states)}")
    asking = claims if survey is None else (*claims, survey)
    reductions = _allowed(asking, reductions)
    question = Question(
        alphabet=alphabet,
        canonical=Canonical(
            spec,
            alphabet,
            reductions,
            memory=_together([c.memory for c in _remembering(claims)]),
            settled_memory=_together([c.settled_memory or c.memory for c in _remembering(claims)]),
            named=_named_by(asking),
        ),
        invariants=tuple(claim for claim in claims if isinstance(claim, Invariant)),
        sometimes=tuple(claim for claim in claims if isinstance(claim, Sometimes)),
        leads_to=tuple(claim for claim in claims if isinstance(claim, LeadsTo)),
        survey=survey,
        max_states=max_states,
        enough=enough,
        progress=progress,
    )
    search = explore if driver is None else driver
    try:
        explored = search(initial_state(spec, FLOW_ID), question)
        findings = tuple(_finding(claim, spec, explored) for claim in claims)
    except ClaimFailed as failure:
        story = Story(spec, FLOW_ID, failure.way)
        raise PredicateError(failure.claim, story, failure.error) from failure.error
    return Checked(
        spec=spec,
        alphabet=alphabet,
        reductions=reductions,
        max_states=max_states,
        states=explored.states,
        transitions=explored.transitions,
        stopped_by=explored.stopped_by,
        theorems=tuple(theorem.name for theorem in theorems),
        findings=findings,
        outcomes=explored.outcomes,
        surveyed=None if survey is None else Surveyed(survey, spec, explored),
    )


def _allowed(claims: tuple[Property | Survey, ...], wanted: Reductions) -> Reductions:
    """The reductions that no claim forbids: one that looks anywhere forbids nearly all."""
    if all(claim.about is not None for claim in claims):
        return wanted
    return evolve(NONE, times=wanted.times, names=wanted.times and wanted.names)


def _named_by(claims: tuple[Property | Survey, ...]) -> tuple[str, ...]:
    """The steps that claims look at."""
    return tuple(dict.fromkeys(key for claim in claims for key in claim.about or ()))


def _remembering(claims: tuple[Property, ...]) -> list[Invariant]:
    """The claims that remember something of steps that others rely on."""
    return [c for c in claims if isinstance(c, Invariant) and c.memory is not None]


def _together(each: list[Memory | None]) -> Memory:
    """What claims together remember of a step that others rely on."""
    memories = [memory for memory in each if memory is not None]
    if len(memories) == 1:
        return memories[0]

    def remember(step: StepSpec, attempt: Attempt) -> Hashable:
        return tuple(memory(step, attempt) for memory in memories)

    return remember


def _finding(claim: Property, spec: FlowSpec, explored: Explored) -> Finding:
    """What became of a claim."""
    told = partial(Finding, name=claim.name, says=claim.statement)
    met, escape = explored.met.get(claim.name), None
    if isinstance(claim, LeadsTo):
        escape = broken(explored, claim.name)
    if met is None and escape is None:
        return told(found=_unmet(claim) if explored.complete else "undecided")
    if escape is not None:
        story = Story(spec, FLOW_ID, escape.way)
        return told(found="violated", story=story, circle=escape.circle)
    assert met is not None, "what is not met has been told"
    way, event = explored.way_to_met(claim.name)
    fatal = event if met.error is not None else None
    if event is not None and fatal is None:
        way = (*way, event)
    return told(
        found="met" if isinstance(claim, Sometimes) else "violated",
        story=Story(spec, FLOW_ID, way),
        fatal=fatal,
        error=met.error,
    )


def _unmet(claim: Property) -> Found:
    """What is found of a claim of which nothing was met in any state."""
    return "never met" if isinstance(claim, Sometimes) else "holds"
