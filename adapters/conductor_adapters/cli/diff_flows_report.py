"""How two flow files differ, for people and for programs.

Rule: the bounds of the search are told with what was found within them; that something cannot
come to pass is said of a search that left no state out, and else that it was not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any, Final

from conductor_adapters.cli.check_progress import MIB
from conductor_adapters.cli.console import counted, cut
from conductor_adapters.cli.diff_flows import Compared
from conductor_adapters.cli.diff_logs_report import SHOWN, told_changes
from conductor_adapters.debugger.reach import FlowDiff, Looked, Reached
from conductor_core.checking.story import TIMINGS
from conductor_core.checking.telling import told_events
from conductor_core.codec import encode_event
from conductor_core.lines import described

WIDTH: Final = 100
NEVER: Final = frozenset({"no", "none", "never", "at most 0"})
"""How the alphabet tells that a thing does not happen."""


def told_flow_diff(compared: Compared) -> Iterator[str]:
    """What is declared differently, how far was looked, and what differs."""
    diff = compared.diff
    for side, file, spec in zip("AB", compared.files, (diff.a, diff.b), strict=True):
        steps = sum(len(group.steps) for group in spec.groups)
        groups = counted(len(spec.groups), "group")
        yield f"{side}: {file}, flow {spec.type}, {groups}, {counted(steps, 'step')}"
    yield from told_changes(diff.declared) if diff.declared else ("declared alike",)
    yield from _bounds(compared)
    yield from _reached(compared, "gone", diff.gone)
    yield from _reached(compared, "new", diff.new)
    yield from _conclusion(compared)


def _bounds(compared: Compared) -> Iterator[str]:
    """What may happen, and how much was looked at."""
    diff = compared.diff
    yield "searched for what may come to pass, within these bounds"
    lines = [*dict.fromkeys((*diff.alphabet.told(diff.a), *diff.alphabet.told(diff.b)))]
    never = [name for name, told in lines if told in NEVER]
    happens = (f"{name}: {told}" for name, told in lines if told not in NEVER)
    yield from _wrapped("  may happen: ", "; ".join(happens))
    yield from _wrapped("  left out: ", "; ".join(never))
    for side, looked in zip("AB", diff.looked_at, strict=True):
        yield f"  {side}: {_told_looked(looked)}"
    if not diff.complete:
        yield f"  stopped by {_told_cause(compared)}"


def _told_looked(looked: Looked) -> str:
    """How much of a flow was looked at."""
    searches = f" in {looked.searches:,} searches" if looked.searches > 1 else ""
    part = "all of" if looked.complete else "not all states, but"
    states, moves = counted(looked.states, "state"), counted(looked.transitions, "transition")
    return f"{part} {states}, {moves}{searches}"


def _told_cause(compared: Compared) -> str:
    match compared.cause:
        case "interrupt":
            return "Ctrl-C"
        case "memory":
            return f"--max-memory {compared.max_memory_mib:,}"
        case _:
            return f"--max-states {compared.max_states:,} of each search"


# --- what was found ---


def _reached(compared: Compared, side: str, found: tuple[Reached, ...]) -> Iterator[str]:
    """The facts of one flow only, each with its witness."""
    if not found:
        return
    excluded = found[0].excluded
    here, there = ("A", "B") if side == "gone" else ("B", "A")
    heading = "no longer reachable" if side == "gone" else "newly reachable"
    if not excluded:
        heading = f"reachable in {here}, and not found in {there} within the bounds"
    yield f"{heading}: {len(found):,}"
    for it in found[:SHOWN]:
        yield f"  {it.fact}{_told_others(it)}"
        yield from _witness(it)
        path = compared.written.get((side, it.fact))
        if path is not None:
            yield f"    log: {path}"
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN:,} more"


def _told_others(reached: Reached) -> str:
    """The steps of which the same is true."""
    if not reached.others:
        return ""
    return f" (and so for {reached.of_all[1]}{_and_more(reached.others - 1)})"


def _and_more(count: int) -> str:
    return f" and {count:,} more like it" if count else ""


def _witness(reached: Reached) -> Iterator[str]:
    story = reached.story
    yield from _wrapped("    ", "; ".join(cut(described(event)) for event in story.events))
    if TIMINGS[story.timing]:
        yield f"    {TIMINGS[story.timing]}"


def _conclusion(compared: Compared) -> Iterator[str]:
    diff = compared.diff
    if diff.undecided:
        facts = counted(diff.undecided, "fact")
        yield f"undecided: {facts} found in neither, since not all states were looked at"
    same = f"{counted(diff.same, 'fact')} of both"
    if diff.are_alike:
        yield f"nothing differs within these bounds: {same}"
    elif diff.come_to_the_same:
        yield f"differ: {_declared(diff)}no fact does within these bounds: {same}"
    elif diff.gone or diff.new:
        gone, new = len(diff.gone), len(diff.new)
        yield f"differ: {_declared(diff)}{gone:,} only in A, {new:,} only in B, {same}"
    elif diff.declared:
        yield f"differ: {_declared(diff)}no fact was found to, {same}"
    else:
        yield f"no difference was found: {same}"


def _declared(diff: FlowDiff) -> str:
    return f"{counted(len(diff.declared), 'thing')} declared, " if diff.declared else ""


def _wrapped(indent: str, text: str) -> Iterable[str]:
    """A text on lines of moderate length; those after the first stand further in."""
    further = " " * (len(indent) - len(indent.lstrip()) + 2)
    return wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=further,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


# --- as data ---


def flow_diff_as_data(compared: Compared) -> dict[str, Any]:
    """All of it."""
    diff = compared.diff
    return {
        "same": diff.are_alike,
        "a": _flow_as_data(compared, 0),
        "b": _flow_as_data(compared, 1),
        "declared": [change.as_data() for change in diff.declared],
        "within": {"alphabet": diff.alphabet.as_data(), "max_states": compared.max_states},
        "complete": diff.complete,
        "stopped_by": None if diff.complete else compared.cause or "max-states",
        "gone": [_reached_as_data(compared, "gone", it) for it in diff.gone],
        "new": [_reached_as_data(compared, "new", it) for it in diff.new],
        "same_facts": diff.same,
        "undecided": diff.undecided,
        "seconds": round(compared.seconds, 3),
        "memory_mib": compared.memory // MIB,
    }


def _flow_as_data(compared: Compared, index: int) -> dict[str, Any]:
    diff = compared.diff
    looked, spec = diff.looked_at[index], (diff.a, diff.b)[index]
    return {
        "file": compared.files[index],
        "type": spec.type,
        "states": looked.states,
        "transitions": looked.transitions,
        "searches": looked.searches,
        "complete": looked.complete,
    }


def _reached_as_data(compared: Compared, side: str, reached: Reached) -> dict[str, Any]:
    story, path = reached.story, compared.written.get((side, reached.fact))
    told = told_events(story.transitions())
    return {
        "fact": reached.fact.says,
        "step": reached.fact.step,
        "steps": list(reached.of_all),
        "excluded": reached.excluded,
        "story": [
            {"event": encode_event(event), "told": line}
            for event, line in zip(story.events, told, strict=True)
        ],
        "timing": story.timing,
        "log": None if path is None else str(path),
    }
