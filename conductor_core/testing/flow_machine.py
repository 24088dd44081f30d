"""A state machine over a flow of one's own: Hypothesis plays host and people, and holds laws.

    TestDeploy = flow_machine(DEPLOY).TestCase

    class Deploy(FlowMachine):
        spec = DEPLOY

        def invariant(self) -> None:
            assert not self.commands or self.state.started

    TestDeploy = Deploy.TestCase

Rule: what may happen is what an alphabet allows, as in a search, and facts come again as hosts
may deliver them; so what it finds a search of the same alphabet finds too, where it gets to
the end. What fails is noted as a story, a scenario and a log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from attrs import evolve, frozen

try:
    from hypothesis import note, stateful
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule
    from hypothesis.vendor.pretty import RepresentationPrinter
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "flow machines need the test extra: pip install 'conductor-core[test]'", name="hypothesis"
    ) from None

from conductor_core import events
from conductor_core.checking.alphabet import NOTHING_SPENT, Alphabet
from conductor_core.checking.defaults import full_alphabet
from conductor_core.checking.moves import Move, moves
from conductor_core.checking.properties import Property, Sometimes, refuse_mistakes
from conductor_core.checking.story import Story
from conductor_core.checking.theorems import THEOREMS
from conductor_core.commands import Command
from conductor_core.errors import shown
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.lines import described
from conductor_core.reducer import reduce
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.flow_assertions import told_story
from conductor_core.testing.flow_laws import FlowLaws
from conductor_core.testing.scenario_text import yaml_of
from conductor_core.testing.story_scenario import scenario_of

__all__ = ["FlowMachine", "flow_machine"]

FLOW_ID: Final = "flow"
KINDS: Final[tuple[tuple[int, tuple[type[Event], ...]], ...]] = (
    (8, (events.FlowStarted,)),
    (8, (events.StepFinished,)),
    (6, (events.ApprovalResponded,)),
    (4, (events.RerunRequested, events.GroupRetryRequested)),
    (3, (events.TimerFired,)),
    (3, (events.GroupsGenerated, events.GenerationFailed)),
    (2, (events.ContinueAsNewSuggested, events.ContinuedAsNew)),
    (2, (events.StepStarted,)),
    (3, (events.RetryNowRequested,)),
    (1, (events.PauseRequested, events.ResumeRequested)),
    (1, (events.ApprovalOptionChanged, events.AppendRequested)),
    (1, (events.CancelRequested,)),
)
"""How often each kind of event is drawn where it may come: what ends a flow seldom."""
AGAIN: Final = 2
"""How often a fact that counted comes again (S4.3)."""


@frozen
class Choice:
    """A move, which Hypothesis shows as what it says."""

    move: Move

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:
        printer.text(described(self.move.event))


@frozen
class Noted:
    """A story that is written down only if somebody is to read it."""

    story: Story

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:
        printer.text(str(self))

    def __str__(self) -> str:
        data = scenario_of(self.story, "found by Hypothesis")
        scenario = () if data is None else ("", "as a scenario:", "", yaml_of(data).rstrip())
        told = ("what happened:", *told_story(self.story), *scenario)
        return "\n".join([*told, "", "as a log:", "", self.story.log()])


def lively_alphabet(spec: FlowSpec) -> Alphabet:
    """All that may happen to a flow, and more often than a search can bear.

    What must not count but comes again is the machine's own affair, and that people append
    something needs somebody to say what.
    """
    full = full_alphabet(spec)
    return evolve(full, reruns=5, replans=5, suggestions=3, appended=(), strays=False)


class FlowMachine(RuleBasedStateMachine):
    """A flow that anything may happen to; a subclass names the flow as its `spec`.

    `state` is where the flow is, `commands` are those that the last event led to, `story` is
    what counted and, whether it counted or not, the last event.
    """

    spec: ClassVar[FlowSpec]
    alphabet: ClassVar[Alphabet | None] = None
    claims: ClassVar[tuple[Property, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "spec"):
            _refuse_mistakes(cls)

    def __init__(self) -> None:
        if not hasattr(self, "spec"):
            raise ValueError(f"{type(self).__name__}: expected a flow as its `spec`, got none")
        super().__init__()
        self.state: FlowState = initial_state(self.spec, FLOW_ID)
        self.commands: tuple[Command, ...] = ()
        self._counted: tuple[Event, ...] = ()
        self._happened: tuple[Event, ...] = ()
        self._spent = NOTHING_SPENT
        claims = (*THEOREMS, *self.claims)
        self._alphabet = self.alphabet or lively_alphabet(self.spec)
        self._laws = FlowLaws(claims, alphabet=self._alphabet)
        self._possible = self._moves()
        self._hold(lambda: self._laws.begin(self.state))

    @property
    def story(self) -> Story:
        """What counted and, whether it counted or not, the last event."""
        return Story(self.spec, FLOW_ID, self._happened)

    def invariant(self) -> None:
        """Assert what must hold whatever happened last; a subclass says what."""

    @stateful.invariant()
    def _invariant_holds(self) -> None:
        self._hold(self.invariant)

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """The host reports something, or somebody asks for something, if anything may come."""
        kinds = self._kinds()
        if kinds:
            self._take(data.draw(st.sampled_from(kinds).flatmap(st.sampled_from)))

    # --- how it happens ---

    def _kinds(self) -> list[list[Choice]]:
        """What may come next: of each kind all there is, and each kind as often as it is drawn."""
        again = [Choice(Move(fact, self._spent)) for fact in self._laws.facts]
        kinds = [again] * AGAIN if again else []
        for often, of_kind in KINDS:
            choices = [Choice(move) for move in self._possible if isinstance(move.event, of_kind)]
            kinds += [choices] * often if choices else []
        return kinds

    def _take(self, choice: Choice) -> None:
        """Let an event happen and hold the laws against what it leads to."""
        self._hold(lambda: self._go_on(choice.move))

    def _go_on(self, move: Move) -> None:
        before, event = self.state, move.event
        after = reduce(before, event)
        self.state, self.commands = after.state, after.commands
        self._happened = (*self._counted, event)
        if after.verdict is ACCEPTED:
            self._counted = self._happened
            self._spent = move.spent
            self._possible = self._moves()
        self._laws.after(before, event, after)

    def _moves(self) -> list[Move]:
        """What the alphabet allows to happen next."""
        return list(moves(self._alphabet, self.state, self._spent, self.state.span))

    def _hold(self, claim: Callable[[], None]) -> None:
        """Ask a claim, and note what happened if it turns out to be untrue."""
        try:
            claim()
        except Exception:
            note(Noted(self.story))
            raise


def flow_machine(
    spec: FlowSpec, *claims: Property, alphabet: Alphabet | None = None
) -> type[FlowMachine]:
    """The state machine of a flow, of which these claims must hold too."""
    declared, held, allowed = spec, claims, alphabet

    class Machine(FlowMachine):
        """A flow that anything may happen to."""

        spec = declared
        claims = held
        alphabet = allowed

    return Machine


def _refuse_mistakes(machine: type[FlowMachine]) -> None:
    """Raise ValueError for claims that could hold by mistake only."""
    alphabet = machine.alphabet or lively_alphabet(machine.spec)
    groups = (*machine.spec.groups, *alphabet.generated, *alphabet.appended)
    refuse_mistakes((*THEOREMS, *machine.claims), groups)
    never_found = [claim.name for claim in machine.claims if isinstance(claim, Sometimes)]
    if never_found:
        raise ValueError(f"{shown(never_found[0])}: no machine can tell that something never is")
