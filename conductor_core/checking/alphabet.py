"""What may happen in a search: how work ends, what people do, and how often.

Rule: an alphabet is plain data that can be printed, so that whoever reads a result knows
what it speaks of. It is bounded by itself: only what people may repeat for ever is counted
(`Spent`), and everything else is bounded by the rules of the flow.

What no alphabet has, because no decision depends on it: outputs, metadata, notes and messages;
who asks, but for who approves; reasons of a cancel; ids of requests, a repeated one of which is
refused before anything else is looked at (S4.5); `noop: false`, which is as good as
`unknown`. Of several steps that may be skipped along with another, one at a time is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from attrs import field, fields, frozen

from conductor_core import codec
from conductor_core.errors import shown
from conductor_core.events import PolicyReport, StepError, WorkOutcome
from conductor_core.places import unknown
from conductor_core.spec import FlowSpec, GroupSpec, StepSpec, groups_of, texts

OPERATOR: Final = "operator"
"""Whoever asks for something, unless it matters who: as in scenarios."""
RESPONSES: Final = ("approve", "deny", "skip-current", "skip-current-and-dependents", "retry")
OPERATIONS: Final = ("retry-step", "skip-step", "retry-group")
"""What people do about a failure: the two reruns of a step, and the retry of its group."""
RARE_OPERATIONS: Final = ("retry-from-plan", "skip-along", "take-over")
"""What they may do besides: have the plan made again from a step on (S10.3), skip another
step along (S10.4), and let a continued run take over by a rerun (S10.6)."""
ALL_OPERATIONS: Final = (*OPERATIONS, *RARE_OPERATIONS)
OPTIONS: Final = ("prompt", "approve-all")
"""What the option about approvals of a flow may become (S6.6)."""

NO: Final = "no"
NONE: Final = "none"
"""How it is told that a thing never happens."""


@frozen(kw_only=True)
class Ending:
    """One way in which work ends; `name` is how it is printed.

    What makes no difference to a step is not tried on it: a no-op where `skip_if_noop` is
    not set is a plain success (S6.4), and policies are taken to judge what people approve,
    unless the alphabet says that they judge everything.
    """

    name: str
    outcome: WorkOutcome = "succeeded"
    directive: str | None = None
    error: StepError | None = None
    noop: bool | Literal["unknown"] = "unknown"
    policy: PolicyReport | None = None

    def concerns(self, step: StepSpec, *, judges_all: bool = False) -> bool:
        """Whether it differs, for this step, from the endings without its particulars."""
        if self.noop is True and not step.skip_if_noop:
            return False
        if self.policy is None:
            return True
        if step.approval is None:
            return judges_all and bool(self.policy.deny_violations)
        waved = self.policy.evaluated and not self.policy.deny_violations
        return not waved or step.approval.auto_approve_on_policy_pass


OK: Final = Ending(name="ok")
FAIL: Final = Ending(name="fail", outcome="failed", error=StepError(message="failed"))
CANCELLED: Final = Ending(name="cancelled", outcome="cancelled")
NOOP: Final = Ending(name="no-op", noop=True)
DENIED: Final = Ending(name="policy deny", policy=PolicyReport(deny_violations=("denied",)))
TERMINAL: Final = Ending(
    name="fail for good",
    outcome="failed",
    error=StepError(message="failed for good", terminal=True),
)
POINTLESS: Final = Ending(
    name="fail pointlessly",
    outcome="failed",
    error=StepError(message="failed whatever is tried", non_retryable=True),
)
UNEVALUATED: Final = Ending(name="policy unevaluated", policy=PolicyReport(evaluated=False))
PASSED: Final = Ending(name="policy pass", policy=PolicyReport(passed_policy_ids=("all",)))
ENDINGS: Final = (OK, FAIL, CANCELLED, NOOP, DENIED, PASSED)

UNKNOWN_DIRECTIVE: Final = "wander-off"
"""A directive that is none (S6.2)."""
DIRECTIVES: Final = (
    *("continue", "stop", "await-approval", "skip-group", "retry", "retry-group", "await-retry"),
    UNKNOWN_DIRECTIVE,
)


def directed(directive: str, *, failed: bool = False) -> Ending:
    """Work that ends with a directive of its own choice (section 6)."""
    name = f"{'fail' if failed else 'ok'}, {directive}"
    if failed:
        return Ending(name=name, outcome="failed", error=FAIL.error, directive=directive)
    return Ending(name=name, directive=directive)


DIRECTED: Final = tuple(
    directed(directive, failed=failed) for directive in DIRECTIVES for failed in (False, True)
)
ALL_ENDINGS: Final = (*ENDINGS, UNEVALUATED, TERMINAL, POINTLESS, *DIRECTED)
BY_NAME: Final[Mapping[str, Ending]] = {ending.name: ending for ending in ALL_ENDINGS}
"""The endings that have a name of their own."""


def _endings(items: Iterable[Ending]) -> tuple[Ending, ...]:
    return tuple(items)


@frozen(kw_only=True)
class Alphabet:
    """Everything that may happen; what is left out never does.

    Time is left out: a timer that is open may fire at any moment, and with `stale` an
    approval may come at any moment so late that its plan is stale. `impostors` are answers
    that must not count: for another subject, by who approved before, by who may not; `silent`
    are approvals that name no subject, which count. `strays` are events that are late,
    repeated or about nothing there is: none may change anything.

    `judges_all`: policies judge also what nobody approves. `cancels_parts`: people cancel the
    flow by naming a step or a group, too. `reruns` bounds how often in one run of the search
    people rerun what failed, `replans` how often they have a plan made again (by answering
    `retry`, or too late), `suggestions` how often the host finds its history too long.
    `generated` is what is delivered to a flow that asks for its groups, all at once or in two
    parts; `generation_fails`: also nothing, or an error. `appended` is what people add.
    """

    endings: tuple[Ending, ...] = field(default=ENDINGS, converter=_endings)
    judges_all: bool = False
    starts: bool = False
    timers: bool = True
    answers: tuple[str, ...] = field(default=RESPONSES, converter=texts)
    stale: bool = True
    impostors: bool = True
    silent: bool = False
    options: tuple[str, ...] = field(default=(), converter=texts)
    cancels: bool = True
    cancels_parts: bool = False
    pauses: bool = True
    retry_now: bool = False
    operations: tuple[str, ...] = field(default=OPERATIONS, converter=texts)
    reruns: int = 1
    replans: int = 1
    suggestions: int = 0
    generated: tuple[GroupSpec, ...] = field(default=(), converter=groups_of)
    generation_fails: bool = True
    appended: tuple[GroupSpec, ...] = field(default=(), converter=groups_of)
    strays: bool = False

    def __attrs_post_init__(self) -> None:
        for name, value in _values(self):
            _refuse_mistakes(name, value)

    def asks_for(self, directive: str) -> bool:
        """Whether work may end with this directive of its own choice."""
        return any(ending.directive == directive for ending in self.endings)

    def may_ask_people(self, step: StepSpec) -> bool:
        """Whether an approval of the step may ever be open (S6.5, S6.7)."""
        return step.approval is not None or self.asks_for("await-approval")

    def groups_of(self, spec: FlowSpec) -> tuple[GroupSpec, ...]:
        """The groups that a flow may come to have, in their order."""
        return (*(spec.groups or self.generated), *self.appended)

    def steps_of(self, spec: FlowSpec) -> Iterator[StepSpec]:
        """The steps that a flow may come to have, in their order."""
        return (step for group in self.groups_of(spec) for step in group.steps)

    def steps_that_ask(self, spec: FlowSpec) -> frozenset[str]:
        """The steps that may come to wait for an approval."""
        return frozenset(step.key for step in self.steps_of(spec) if self.may_ask_people(step))

    def endings_of(self, step: StepSpec) -> Iterator[Ending]:
        """The ways in which the work of a step ends that differ from one another."""
        judges_all = self.judges_all
        return (end for end in self.endings if end.concerns(step, judges_all=judges_all))

    def __str__(self) -> str:
        return "\n".join(f"{name}: {told}" for name, told in self.told())

    def told(self, spec: FlowSpec | None = None) -> Iterator[tuple[str, str]]:
        """The alphabet and its bounds, line by line; of a flow, as far as they concern it."""
        asks = spec is None or bool(self.steps_that_ask(spec))
        generates = spec is None or not spec.groups
        yield "work ends", _listed(ending.name for ending in self.endings)
        yield "policies judge", "all work" if self.judges_all else "what people approve"
        yield "work reports its start", _yes(self.starts)
        yield "open timers fire", "at any moment" if self.timers else "never"
        if asks:
            yield from self._told_of_approvals(spec)
        yield "approval option becomes", _listed(self.options)
        yield "people cancel", _cancels(self)
        yield "people pause and resume", "any number of times" if self.pauses else "no"
        yield "people cut backoffs short", _yes(self.retry_now)
        yield "people rerun what failed", _bounded(_listed(self.operations), self.reruns)
        if asks:
            yield "people have a plan made again", f"at most {self.replans}"
        yield "continue-as-new is suggested", f"at most {self.suggestions}"
        if generates:
            yield "groups that are generated", _listed(group.key for group in self.generated)
            yield "generation fails", _yes(self.generation_fails)
        yield "groups that are appended", _listed(group.key for group in self.appended)
        yield "late, repeated and misdirected events", _yes(self.strays)

    def _told_of_approvals(self, spec: FlowSpec | None) -> Iterator[tuple[str, str]]:
        yield "approvals are answered", _listed(self.answers)
        if spec is None or any(
            step.approval_spec.stale_after_ms is not None for step in self.steps_of(spec)
        ):
            yield "approvals come too late", _bounded(_yes(self.stale), self.replans)
        yield "answers that must not count", _yes(self.impostors)
        yield "approvals that name no subject", _yes(self.silent)

    def as_data(self) -> dict[str, Any]:
        """The alphabet as data for JSON, from which `decode_checks` makes it again."""
        return {name: _data(value) for name, value in _values(self)}


def _values(alphabet: Alphabet) -> Iterator[tuple[str, Any]]:
    return ((f.name, getattr(alphabet, f.name)) for f in fields(Alphabet))


# --- what is refused ---

WORDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "answers": ("answer", RESPONSES),
    "options": ("option", OPTIONS),
    "operations": ("operation", ALL_OPERATIONS),
}
RECORDS: Final[Mapping[str, type[Any]]] = {
    "endings": Ending,
    "generated": GroupSpec,
    "appended": GroupSpec,
}
COUNTS: Final = ("reruns", "replans", "suggestions")


def _refuse_mistakes(name: str, value: Any) -> None:
    """Raise ValueError for what a field of an alphabet cannot hold."""
    if name in COUNTS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name}: expected an integer of at least 0, got {shown(value)}")
    elif not isinstance(value, tuple):
        if not isinstance(value, bool):
            raise ValueError(f"{name}: expected True or False, got {shown(value)}")
    else:
        for index, item in enumerate(value):
            _refuse_item(name, f"{name}[{index}]", item)
            if item in value[:index]:
                raise ValueError(f"{name}[{index}]: {shown(item)} is given twice")


def _refuse_item(name: str, place: str, item: Any) -> None:
    """Raise ValueError for a word that does not exist, and for a record of another kind."""
    if name in WORDS:
        what, known = WORDS[name]
        if item not in known:
            raise ValueError(f"{place}: {unknown(what, item, known)}")
    elif not isinstance(item, RECORDS[name]):
        kind = RECORDS[name].__name__
        raise ValueError(f"{place}: expected one of type {kind}, got {shown(item)}")


# --- how it is told ---


def _data(value: Any) -> Any:
    """A field of an alphabet as data: groups and endings as one writes them in a file."""
    if not isinstance(value, tuple):
        return value
    if value and isinstance(value[0], GroupSpec):
        return codec.encode_groups(value)
    return [_ending_data(item) if isinstance(item, Ending) else item for item in value]


def _ending_data(ending: Ending) -> Any:
    """An ending by its name, or with its particulars if it is none of those with a name."""
    if BY_NAME.get(ending.name) == ending:
        return ending.name
    return codec.writer(Ending)(ending)


def _cancels(alphabet: Alphabet) -> str:
    if not alphabet.cancels:
        return "no"
    return "the flow, its groups and its steps" if alphabet.cancels_parts else "the flow"


def _bounded(told: str, most: int) -> str:
    """What happens, and how often at most, unless that is never."""
    if told in (NO, NONE):
        return told
    return f"{told}, at most {most}" if most else NO


def _listed(names: Iterator[str] | tuple[str, ...]) -> str:
    return "; ".join(names) or NONE


def _yes(yes: bool) -> str:
    return "yes" if yes else NO


@frozen
class Spent:
    """How much of what is counted has been used up."""

    reruns: int = 0
    replans: int = 0
    suggestions: int = 0


NOTHING_SPENT: Final = Spent()
