"""What a flow does whatever happens, as assertions of a test.

    assert_flow(DEPLOY).never(step("apply").runs & ~step("plan").approved)
    assert_flow(DEPLOY, alphabet=Alphabet(reruns=2)).holds()

Rule: each assertion is a search of every state within the bounds, and gives itself back, so
that others may follow; what `holds` is given is searched for at once. A search that left
states out has shown nothing: it fails too. A failure tells the claim, the bounds and the
shortest way to break it, as a story, a log and a scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from attrs import frozen

from conductor_core import checking
from conductor_core.checking import conditions
from conductor_core.checking.telling import told_events
from conductor_core.errors import shown
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState
from conductor_core.testing.conditions import Condition
from conductor_core.testing.scenario_text import yaml_of
from conductor_core.testing.story_scenario import scenario_of

MAX_STATES: Final = 200_000
"""So many states take about a minute; a test that needs more says so."""

Predicate: TypeAlias = Condition | Callable[[FlowState], bool]
"""A condition; or any function, which may look anywhere and so lets the search forget little."""

# pytest shows the assertion that fails in the test, and leaves out how it was found.
__tracebackhide__ = True


class BrokenClaim(AssertionError):
    """A claim is not true of a flow within the bounds, or the search did not get to the end.

    `log` and `scenario` tell how it is broken, the one for `conductor replay`, the other for a
    `.scenario.yaml` file, where a story tells that. `checked` is all that was found.
    """

    def __init__(self, message: str, checked: checking.Checked, finding: checking.Finding) -> None:
        super().__init__(message, checked, finding)
        self.checked = checked
        self.finding = finding
        self.story = finding.story
        self.log = None if finding.story is None else finding.story.log()
        self.scenario = _as_scenario(finding)

    def __str__(self) -> str:
        return str(self.args[0])


@frozen
class FlowClaims:
    """A flow, and the bounds within which something is claimed of it."""

    spec: FlowSpec
    alphabet: checking.Alphabet
    max_states: int

    def never(self, *predicates: Predicate) -> FlowClaims:
        """In no state does any of these hold."""
        return self._each(checking.never, predicates)

    def always(self, *predicates: Predicate) -> FlowClaims:
        """In every state each of these holds."""
        return self._each(checking.always, predicates)

    def sometimes(self, *predicates: Predicate) -> FlowClaims:
        """Each of these holds somewhere."""
        return self._each(checking.sometimes, predicates)

    def eventually(self, *goals: Predicate) -> FlowClaims:
        """Every fair run from the beginning comes to each of these."""
        return self._each(checking.eventually, goals)

    def leads_to(self, start: Predicate, goal: Predicate) -> FlowClaims:
        """From wherever the first holds every fair run comes to where the second does."""
        name = f"{_name(start)} -> {_name(goal)}"
        looks = self._looks(start, goal)
        return self._claim(checking.leads_to(name, _asked(start), _asked(goal), **looks))

    def holds(self, *claims: checking.Property) -> FlowClaims:
        """Every built-in theorem holds, and with them, in one search, these claims."""
        return self._claim(*checking.THEOREMS, *claims)

    def _each(
        self, make: Callable[..., checking.Property], predicates: tuple[Predicate, ...]
    ) -> FlowClaims:
        if not predicates:
            raise ValueError(f"{make.__name__}: expected at least one condition, got none")
        named = zip(_names(predicates), predicates, strict=True)
        return self._claim(*(make(name, _asked(p), **self._looks(p)) for name, p in named))

    def _looks(self, *predicates: Predicate) -> dict[str, Any]:
        """The steps that they look at, any if one is a function, and what they look back on."""
        said = [p for p in predicates if isinstance(p, Condition)]
        for condition in said:
            self._refuse_never_asked(condition)
        meant = tuple(condition.meant for condition in said)
        anywhere = len(meant) < len(predicates)
        about = None if anywhere else conditions.mentioned(meant)
        return {"about": about, "history": conditions.history_of(meant, self.spec)}

    def _claim(self, *claims: checking.Property) -> FlowClaims:
        checked = checking.check(
            self.spec,
            *claims,
            alphabet=self.alphabet,
            theorems=(),
            max_states=self.max_states,
        )
        broken = [finding for finding in checked.findings if not finding.is_good]
        if broken:
            finding = min(broken, key=_length)
            raise BrokenClaim("\n".join(_complaint(checked, finding, broken)), checked, finding)
        return self

    def _steps(self) -> Iterator[StepSpec]:
        """The steps that there may be."""
        groups = (*self.spec.groups, *self.alphabet.generated, *self.alphabet.appended)
        return (step for group in groups for step in group.steps)

    def _refuse_never_asked(self, condition: Condition) -> None:
        """Of a step that asks nobody it would never be true that it is approved."""
        for step in self._steps():
            if step.key in condition.approvals and not self.alphabet.may_ask_people(step):
                raise ValueError(f"{condition}: step {shown(step.key)} has no approval")


def assert_flow(
    spec: FlowSpec,
    *,
    alphabet: checking.Alphabet | None = None,
    max_states: int = MAX_STATES,
) -> FlowClaims:
    """Begin to claim something of a flow, within these bounds or those that suit it."""
    return FlowClaims(spec, alphabet or checking.default_alphabet(spec), max_states)


# --- predicates ---


def _asked(predicate: Predicate) -> Callable[..., bool]:
    """What a property asks, with what it remembers where a condition looks back."""
    if isinstance(predicate, Condition):
        return conditions.predicate(predicate.meant)
    return lambda state, *_: predicate(state)


def _names(predicates: tuple[Predicate, ...]) -> Iterator[str]:
    """The name of each; those that have the same, as functions without one do, are numbered."""
    names = [_name(predicate) for predicate in predicates]
    for index, name in enumerate(names):
        again = names.count(name) > 1
        yield f"{name} ({names[:index].count(name) + 1})" if again else name


def _name(predicate: Predicate) -> str:
    """What a condition says, or what its writer called a function."""
    if isinstance(predicate, Condition):
        return str(predicate)
    return getattr(predicate, "__name__", repr(predicate)).replace("_", " ")


# --- what is told of a claim that is not true ---


def _length(finding: checking.Finding) -> int:
    """How long it takes to tell; what has no story comes last."""
    return len(finding.story.events) if finding.story is not None else 1 << 30


def _as_scenario(finding: checking.Finding) -> str | None:
    """The story of a finding as the text of a scenario file, if there is one."""
    data = None if finding.story is None else scenario_of(finding.story, finding.says)
    return None if data is None else yaml_of(data)


def _complaint(
    checked: checking.Checked, finding: checking.Finding, broken: list[checking.Finding]
) -> Iterator[str]:
    yield f"{finding.says}: {finding.found}"
    for other in broken:
        if other is not finding:
            yield f"{other.says}: {other.found}"
    yield from _size(checked)
    if finding.story is not None:
        yield from ("", "this breaks it, and nothing shorter does:", *told_story(finding.story))
        yield from _pasted(finding)
    yield from ("", "that was searched within these bounds:")
    yield from (f"  {name}: {told}" for name, told in checked.alphabet.told())


def _size(checked: checking.Checked) -> Iterator[str]:
    looked_at = f"{checked.states} states and {checked.transitions} transitions"
    if checked.complete:
        yield f"every state was looked at: {looked_at}"
    else:
        yield f"states were left out: only {looked_at} were looked at"
        yield f"allow more than max_states={checked.max_states}, or less in the alphabet"


def _pasted(finding: checking.Finding) -> Iterator[str]:
    text = _as_scenario(finding)
    yield ""
    if text is None:
        yield "virtual time cannot tell it as a scenario; the error's `log` holds it as a log"
    else:
        yield "as a scenario (the error's `log` holds it as a log):"
        yield ""
        yield text.rstrip("\n")


def told_story(story: checking.Story) -> Iterator[str]:
    """What happened and what came of it, line by line."""
    for number, line in enumerate(told_events(story.transitions()), 1):
        yield f"  {number}. {line}"
