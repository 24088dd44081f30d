"""What `conductor check` tells: the bounds first, then what was found within them.

Rule: nothing is said of a flow without the bounds of what was looked at; that a claim holds is
told of a search that left no state out. By default a thing that cannot happen is named, and
what can is told; `detailed` tells all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from conductor_adapters.cli.check_claims import Claim
from conductor_adapters.cli.check_files import Written
from conductor_adapters.cli.check_progress import MIB, Cause
from conductor_adapters.cli.console import counted, cut
from conductor_core.checking import THEOREMS, Checked, Finding, Reductions, Story, gate
from conductor_core.checking.check import PredicateError
from conductor_core.checking.defaults import GENERATED
from conductor_core.checking.gate import kept_back
from conductor_core.checking.properties import LeadsTo
from conductor_core.checking.story import TIMINGS
from conductor_core.checking.telling import told_end, told_events
from conductor_core.checking.theorems import DENY_IS_FINAL
from conductor_core.codec import encode_event
from conductor_core.durations import told_elapsed
from conductor_core.lines import described
from conductor_core.loglines import SEMANTICS
from conductor_core.version import VERSION

WIDTH: Final = 100
NEVER: Final = frozenset({"no", "none", "never", "at most 0"})
"""How the alphabet tells that a thing does not happen."""
STRONG: Final = {"violated": "VIOLATED", "never met": "NEVER MET", "undecided": "UNDECIDED"}
MADE_UP: Final = "the groups of this flow are generated: these are made up (--generated FILE)"
GATE: Final = gate().name
FEW: Final = 5
"""So many steps are named in a line, more are counted."""
ENDS: Final = ("success", "error", "cancelled")


@frozen(kw_only=True)
class Result:
    """A search that is over, and what it was about."""

    file: str
    checked: Checked
    claims: tuple[Claim, ...]
    reductions: Reductions
    cause: Cause | None
    max_memory_mib: int | None
    processes: int
    seconds: float
    memory: int
    written: Mapping[str, Written] = field(factory=dict)

    @property
    def bad(self) -> tuple[Finding, ...]:
        """What is violated, was never met, or is undecided."""
        return tuple(finding for finding in self.checked.findings if not finding.is_good)

    @property
    def stopped_by(self) -> str | None:
        """Why states within the bounds were left out, if any were."""
        return self.cause if self.checked.stopped_by == "enough" else self.checked.stopped_by

    def claim(self, name: str) -> Claim | None:
        """The user's claim of a name; None for a built-in theorem."""
        return next((claim for claim in self.claims if claim.property.name == name), None)


def told(result: Result, *, detailed: bool) -> Iterator[str]:
    """Tell everything, the bounds first, and what is wrong last."""
    spec = result.checked.spec
    steps = sum(len(group.steps) for group in spec.groups)
    yield f"flow {spec.type}: {counted(len(spec.groups), 'group')}, {counted(steps, 'step')}"
    if detailed:
        yield f"  {result.checked.flow_digest}"
    yield "what may happen: the bounds of all that follows"
    yield from (f"  {line}" for line in _bounds(result, detailed=detailed))
    yield from _size(result, detailed=detailed)
    yield f"what was checked{'' if detailed else ' (-v tells what each of them says)'}"
    for finding in result.checked.findings:
        yield from _finding(result, finding, detailed=detailed)
    yield from (line for told in _kept(result.checked) for line in _wrapped(told))
    yield from _ends(result.checked)
    yield from told_bad(result)


def told_bad(result: Result, *, within: str = "these bounds") -> Iterator[str]:
    """Tell what is wrong, or that nothing is, in the end."""
    for finding in result.bad:
        if finding.found == "violated":
            yield from _violated(result, finding)
    yield from _conclusion(result, within)


def told_error(error: PredicateError) -> Iterator[str]:
    """Tell what a claim raised, and what led there."""
    yield str(error)
    asked = "after these events:" if error.story.events else "before anything had happened"
    yield f"  it was asked {asked}"
    yield from _told_events(error.story)


# --- bounds and size ---


def _bounds(result: Result, *, detailed: bool) -> Iterator[str]:
    """The alphabet and the bounds."""
    lines = [*result.checked.alphabet.told(result.checked.spec)]
    never = [] if detailed else [name for name, told in lines if told in NEVER]
    yield from (f"{name}: {told}" for name, told in lines if name not in never)
    if never:
        yield from _wrapped(f"left out: {'; '.join(never)}")
    yield f"at most {counted(result.checked.max_states, 'state')} looked at"
    if result.max_memory_mib is not None:
        yield _memory_bound(result, result.max_memory_mib)
    if are_made_up(result.checked):
        yield MADE_UP


def _memory_bound(result: Result, most: int) -> str:
    """The bound on memory, and whether the last states were beyond it."""
    if result.stopped_by is None and result.memory > most * MIB:
        return f"at most {most:,} MiB of memory taken, but for the last states"
    return f"at most {most:,} MiB of memory taken"


def are_made_up(checked: Checked) -> bool:
    """Whether the groups of a flow are none of its own."""
    return not checked.spec.groups and checked.alphabet.generated == GENERATED


def _size(result: Result, *, detailed: bool) -> Iterator[str]:
    """How much was looked at, and what that took."""
    checked = result.checked
    looked_at = "every one" if checked.complete else "not every one"
    yield (
        f"{counted(checked.states, 'state')} and {counted(checked.transitions, 'transition')}, "
        f"{looked_at} within these bounds; "
        f"{told_elapsed(round(result.seconds * 1000))}, {result.memory // MIB:,} MiB"
    )
    if checked.reductions != result.reductions:
        anywhere = [c.property.name for c in result.claims if c.property.about is None]
        yield from _wrapped(
            f"  few states were taken as one: {', '.join(anywhere)} may look anywhere, "
            "where about=(...) would name the steps"
        )
    if detailed:
        used = [name for name, on in asdict(checked.reductions).items() if on]
        yield f"  reductions: {', '.join(used) or 'none'}"
        yield f"  {counted(result.processes, 'process', 'processes')}"


def _ends(checked: Checked) -> Iterator[str]:
    """The outcomes in which the flow may end."""
    yield f"how the flow may end{'' if checked.complete else ', as far as was looked'}"
    reasons: dict[str, list[str]] = {status: [] for status in ENDS}
    for status, reason in sorted(checked.outcomes, key=str):
        reasons[status].append("" if reason in (None, status) else str(reason))
    for status, known in reasons.items():
        if known:
            told = ", ".join(filter(None, known))
            yield from _wrapped(f"  {status}: {told}" if told else f"  {status}")
    if checked.complete and not reasons["success"]:
        yield "  never in success"


# --- claims ---


def _finding(result: Result, finding: Finding, *, detailed: bool) -> Iterator[str]:
    """A claim and what was found of it; in detail also what it says."""
    found = STRONG.get(finding.found, finding.found)
    claim = result.claim(finding.name)
    where = _vacuous(result.checked, finding) if claim is None else f" ({claim.where})"
    yield cut(f"  {found:<9} {finding.name}{where}")
    if detailed:
        yield from _wrapped(f"            {finding.says}")


def _vacuous(checked: Checked, finding: Finding) -> str:
    """Why a theorem holds that says nothing of this flow."""
    if finding.found != "holds" or finding.name not in (GATE, DENY_IS_FINAL.name):
        return ""
    if not checked.alphabet.steps_that_ask(checked.spec):
        return " (nothing waits for an approval)"
    denies = finding.name == GATE or "deny" in checked.alphabet.answers
    return "" if denies else " (nobody denies)"


def _kept(checked: Checked) -> Iterator[str]:
    """Which steps the gate keeps back, if it does not keep all that others do not ask about."""
    asking = checked.alphabet.steps_that_ask(checked.spec)
    steps = [step.key for step in checked.alphabet.steps_of(checked.spec)]
    kept = kept_back(checked.spec, checked.alphabet)
    if asking and set(steps) - kept - asking:
        free = [key for key in steps if key not in kept]
        yield f"  the gate keeps: {_few([*filter(kept.__contains__, steps)])}; not: {_few(free)}"


def _few(steps: list[str]) -> str:
    return counted(len(steps), "step") if len(steps) > FEW else ", ".join(steps) or "none"


def _violated(result: Result, finding: Finding) -> Iterator[str]:
    """A claim that is violated, with the shortest story that shows it."""
    story = finding.story
    assert story is not None, "what is violated has a story"
    claim = result.claim(finding.name)
    where = "a built-in theorem" if claim is None else claim.where
    yield f"VIOLATED {cut(finding.name)} ({where})"
    yield from _wrapped(f"  {finding.says}")
    yield f"  it takes {counted(len(story.events), 'event')}, and no fewer will do:"
    yield from _events(finding)
    yield f"  then the flow is {cut(told_end(story.state))}"
    if TIMINGS[story.timing]:
        yield f"  {TIMINGS[story.timing]}"
    yield from (f"  {line}" for line in _what_breaks_it(result, finding))
    yield from (f"  {line}" for line in _files(result.written.get(finding.name)))


def _told_events(story: Story) -> Iterator[str]:
    """The events of a story by number."""
    lines = [cut(line) for line in told_events(story.transitions())]
    digits = len(str(len(lines)))
    yield from (f"  {number:>{digits}}. {line}" for number, line in enumerate(lines, 1))


def _events(finding: Finding) -> Iterator[str]:
    """The events of a story by number, and those that come again and again after it."""
    lines = [*_told_events(_whole(finding))]
    again = len(lines) - len(finding.circle)
    yield from lines[:again]
    if finding.circle:
        yield "  and then again and again:"
        yield from lines[again:]


def _whole(finding: Finding) -> Story:
    """A story with the first round of what comes again and again after it."""
    assert finding.story is not None, "what is violated has a story"
    return evolve(finding.story, events=(*finding.story.events, *finding.circle))


def _what_breaks_it(result: Result, finding: Finding) -> Iterator[str]:
    """What is wrong where a story ends, if that is not plain."""
    assert finding.story is not None, "what is violated has a story"
    if finding.fatal is not None:
        yield f"{described(finding.fatal)}: the reducer raises {cut(str(finding.error))}"
    elif not _is_about_the_end(result, finding.name) or finding.circle:
        return
    elif finding.story.state.outcome is not None:
        yield "there it ends, without having come to what was claimed"
    else:
        yield "there it stays until somebody acts, and nobody has to"


def _is_about_the_end(result: Result, name: str) -> bool:
    """Whether it is claimed that every run comes to something."""
    claims = (*THEOREMS, *(claim.property for claim in result.claims))
    return any(isinstance(claim, LeadsTo) and claim.name == name for claim in claims)


def _files(written: Written | None) -> Iterator[str]:
    if written is None:
        yield "--counterexamples DIR writes this as a log and as a scenario"
        return
    yield f"log: {written.log}"
    if written.scenario is None:
        yield "no scenario: in virtual time this would be another story"
    else:
        yield f"scenario: {written.scenario}"


def _conclusion(result: Result, within: str) -> Iterator[str]:
    """The last line: what came of it all."""
    found = [finding.found for finding in result.bad]
    asked = len(result.checked.findings)
    if "undecided" in found:
        yield _stopped(result)
    if not found:
        yield f"{result.file}: all {asked} hold within {within}"
        return
    counts = ((word, found.count(word)) for word in ("violated", "never met", "undecided"))
    bad = ", ".join(f"{count} {word}" for word, count in counts if count)
    yield f"{result.file}: {bad}, of {asked} asked within {within}"


def _stopped(result: Result) -> str:
    """Why the search ended before it had seen all."""
    match result.stopped_by:
        case "interrupt":
            return "undecided, because the search was interrupted"
        case "memory":
            return f"undecided, because the search took more than {result.max_memory_mib:,} MiB"
        case _:
            most = result.checked.max_states
            return f"undecided, because there are more than {most:,} states (--max-states)"


def _wrapped(text: str) -> Iterable[str]:
    """A text on lines of moderate length; those after the first stand further in."""
    indent = " " * (len(text) - len(text.lstrip()))
    return wrap(
        text.lstrip(), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


# --- data ---


def error_as_data(file: str, error: PredicateError) -> dict[str, Any]:
    """What a claim raised, for programs."""
    story = _events_as_data(error.story)
    return {"file": file, "error": str(error), "claim": error.claim, "story": story}


def certificate_of(result: Result) -> dict[str, Any]:
    """What was looked at and found, by which release, under which rules and bounds."""
    data = result.checked.certificate()
    return {
        **data,
        "within": {**data["within"], "max_memory_mib": result.max_memory_mib},
        "stopped_by": result.stopped_by,
        "core": VERSION,
        "semantics": SEMANTICS,
    }


def as_data(result: Result) -> dict[str, Any]:
    """Everything, for programs."""
    checked = result.checked
    return {
        "file": result.file,
        "good": checked.is_good,
        "stopped_by": result.stopped_by,
        "seconds": round(result.seconds, 3),
        "memory_bytes": result.memory,
        "processes": result.processes,
        "certificate": certificate_of(result),
        "claims": [_finding_as_data(result, finding) for finding in checked.findings],
    }


def _finding_as_data(result: Result, finding: Finding) -> dict[str, Any]:
    claim = result.claim(finding.name)
    written = result.written.get(finding.name)
    return {
        "name": finding.name,
        "says": finding.says,
        "where": None if claim is None else claim.where,
        "found": finding.found,
        "story": None if finding.story is None else _events_as_data(finding.story),
        "circle": [encode_event(event) for event in finding.circle],
        "error": finding.error,
        "log": None if written is None else str(written.log),
        "scenario": str(written.scenario) if written and written.scenario else None,
    }


def _events_as_data(story: Story) -> list[dict[str, Any]]:
    """The events of a story, each as data and in words."""
    return [
        {"event": encode_event(event), "told": line}
        for event, line in zip(story.events, told_events(story.transitions()), strict=True)
    ]
