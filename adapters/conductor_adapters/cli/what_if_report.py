"""What became of a branch, for people and for programs.

Rule: whatever was assumed, and whatever people did that does not count any more, is told; of what
went as it was recorded only how much there is of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from conductor_adapters.cli.console import counted, cut
from conductor_adapters.cli.ends_report import BRANCH, ends_as_data, few, told_ends
from conductor_adapters.debugger.happening import Happened, Origin, Question
from conductor_adapters.debugger.known import Known
from conductor_adapters.debugger.what_if import Branch, difference_of
from conductor_core.codec import encode_event, encode_verdict
from conductor_core.lines import described, line_of

SHOWN: Final = 8
"""So many lines of one kind are told, the others counted."""
ORIGINS: Final[dict[Origin, str]] = {
    "recorded": "as recorded",
    "clock": "by a timer",
    "host": "by the host",
    "assumed": "assumed",
}
UNKNOWN: Final = {
    "work": "how the work of {} ends (--assume-work)",
    "approval": "what people say of {} (--assume-approval)",
    "groups": "which groups are generated in run {}",
}


def told_branch(branch: Branch) -> Iterator[str]:
    """What was given, how it went on, and what differs in the end."""
    yield f"flow {branch.state.flow_id}, from entry {branch.at:,} on"
    if branch.replaced is not None:
        yield f"  not: {_line(branch.replaced.event, branch.replaced.transition)}"
    for happened in branch.happened:
        if happened.origin == "given":
            yield f"  but: {_line(happened.event, happened.transition)}"
    yield f"  then {_counts(branch)}"
    yield from few(_remarkable(branch), SHOWN)
    yield from told_ends(difference_of(branch), BRANCH, SHOWN)
    if branch.unknown:
        yield "it is not known"
        yield from few((f"  {told_question(question)}" for question in branch.unknown), SHOWN)


def told_question(question: Question) -> str:
    """What would have to be known to go on."""
    return UNKNOWN[question.kind].format(question.of)


def _counts(branch: Branch) -> str:
    """How many events followed, by where they come from."""
    counts: Counter[Origin] = Counter(it.origin for it in branch.happened)
    del counts["given"]
    told = [f"{counts[key]:,} {word}" for key, word in ORIGINS.items() if counts[key]]
    events = counted(sum(counts.values()), "event")
    return f"{events}: {', '.join(told)}" if told else "nothing more"


def _remarkable(branch: Branch) -> Iterator[str]:
    """What is not as it was recorded."""
    for happened in branch.happened:
        told = _line(happened.event, happened.transition)
        if happened.origin == "assumed":
            yield f"  assumed: {told}"
        elif happened.refused:
            yield f"  refused now: {told}"
        elif happened.of is not None:
            yield f"  as {happened.of} was: {told}"
    yield from (f"  no occasion for: {cut(described(it.event))}" for it in branch.unsent)


def _line(event: Any, transition: Any) -> str:
    return cut(line_of(event, transition))


# --- as data ---


def branch_as_data(branch: Branch) -> dict[str, Any]:
    """All that is told, and every event of the branch."""
    difference = difference_of(branch)
    replaced = branch.replaced
    return {
        "flow_id": branch.state.flow_id,
        "at": branch.at,
        "replaced": None if replaced is None else encode_event(replaced.event),
        "events": [_happened_as_data(it) for it in branch.happened],
        "refused": [_recorded_as_data(it.known) for it in branch.refused if it.known is not None],
        "unsent": [_recorded_as_data(known) for known in branch.unsent],
        "unknown": [
            {"kind": it.kind, "of": it.of, "told": told_question(it)} for it in branch.unknown
        ],
        **ends_as_data(difference, a="recorded", b="branch"),
    }


def _happened_as_data(happened: Happened) -> dict[str, Any]:
    return {
        "event": encode_event(happened.event),
        "verdict": encode_verdict(happened.transition.verdict),
        "origin": happened.origin,
        "recorded_seq": None if happened.known is None else happened.known.seq,
        "as": happened.of,
    }


def _recorded_as_data(known: Known) -> dict[str, Any]:
    return {"seq": known.seq, "event": encode_event(known.event)}
