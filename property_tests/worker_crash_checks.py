"""What must hold of the flows in one store after whoever worked on them was killed.

Rule: three witnesses are heard and must agree: the logs, replayed by the pure reducer; the rows
and snapshots of the store; and the files in which the processes wrote down what they did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import LATEST, Store
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import FlowState, events
from conductor_core.commands import FinishFlow
from conductor_core.errors import ConductorError
from conductor_core.events import is_request
from conductor_core.log import Entry, read_log, replay
from conductor_core.recovery import pending_commands
from conductor_core.verdicts import Accepted
from property_tests.worker_crash_flows import ended_well, ran, tries_of

Words: TypeAlias = list[list[str]]


class CrashError(AssertionError):
    """What a crash broke."""


@frozen
class Left:
    """What became of the flows: how many, with how many lines, and what the crashes did to them."""

    flows: int
    lines: int
    cancelled: int
    begun_again: int
    interrupted: int
    too_late: int


def checked_file(folder: Path) -> Left:
    """See that everything in a file came out as it should; raises CrashError."""
    with SqliteStore(folder / "flows.db") as store:
        if store.connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise CrashError("the file is damaged")
        return checked(folder, store)


def checked(folder: Path, store: Store) -> Left:
    """See that everything came out as it should; raises CrashError."""
    states: list[FlowState] = []
    logs: dict[str, list[Entry]] = {}
    ledger = Ledger(store, now_ms=lambda: 0)
    with ledger.reading():
        for row in store.flows(limit=1_000_000):
            lines = log_lines(store.entries(row.flow_id))
            state = replayed(row.flow_id, lines)
            if ledger.look(row.flow_id) != state or row.status != state.status:
                raise CrashError(f"{row.flow_id} is not where its log leads: {row}")
            states.append(state)
            logs[row.flow_id] = [line for line in read_log(lines) if isinstance(line, Entry)]
    done = {name: words_of(folder / ran(name)) for name in logs}
    for state in states:
        check_done(state, logs[state.flow_id], done[state.flow_id])
    check_said(logs, words_of(folder / "said"))
    return told(states, logs, done)


def words_of(file: Path) -> Words:
    """The words of each line that processes wrote down."""
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def left_in_file(folder: Path) -> list[Any]:
    """The orders and timers of all flows in a file."""
    with SqliteStore(folder / "flows.db", create=False) as store:
        return left_to_do(store)


def left_to_do(store: Store) -> list[Any]:
    """The orders and timers of all flows."""
    with store.reading():
        flows = store.flows(limit=1_000_000)
        orders = [order for row in flows for order in store.orders_in(row.flow_id)]
        return [*orders, *store.due_timers(at_ms=LATEST, limit=1_000_000)]


def replayed(name: str, lines: list[str]) -> FlowState:
    """What the pure reducer makes of a log, which must be the end of a flow that was left alone."""
    try:
        found = replay(lines, flow_id=name)
    except ConductorError as error:
        raise CrashError(f"the log of {name} does not replay: {error}") from error
    state = found.state
    if not found.closed or found.truncated is not None or not ended_well(state):
        raise CrashError(f"{name} ended otherwise: {state.status}, {tries_of(state)}")
    match pending_commands(state, at_ms=0):
        case (FinishFlow(),):  # It may be told again that it has ended, and that is all.
            return state
        case commands:
            raise CrashError(f"{name} has ended and asks for {commands}")


def check_done(state: FlowState, log: list[Entry], done: Words) -> None:
    """See that the log and the processes tell the same of the work of a flow."""
    name = state.flow_id
    ended = Counter(attempt for attempt, _ in results(log))
    if twice := [attempt for attempt, count in ended.items() if count > 1]:
        raise CrashError(f"{name}: counted more than once: {twice}")
    for attempt, event in results(log):
        if event.outcome == "succeeded":
            said: Any = event.output.value
            if not any(words[:3] == ["end", attempt, str(said["process"])] for words in done):
                raise CrashError(f"{name}: the log says of {attempt} what nobody did: {said}")
    begun = begun_in(done)
    if begun["once#1"] > 1:
        raise CrashError(f"{name}: once#1 ran twice unseen")
    if unasked := [attempt for attempt in begun if state.attempt(attempt) is None]:
        raise CrashError(f"{name}: done without being asked for: {unasked}")


def results(log: list[Entry]) -> Iterator[tuple[str, events.StepFinished]]:
    """The ends of work that counted."""
    for entry in log:
        match entry.event:
            case events.StepFinished(attempt=attempt) as event if entry.verdict == Accepted():
                yield attempt, event
            case _:
                pass


def begun_in(done: Words) -> Counter[str]:
    """How often each attempt was begun."""
    return Counter(words[1] for words in done if words[0] == "begin")


def check_said(logs: Mapping[str, list[Entry]], said: Words) -> None:
    """See that what was acknowledged stands in the log, and that it counted once."""
    counted: Counter[str] = Counter()
    for log in logs.values():
        for entry in log:
            if is_request(entry.event) and entry.verdict == Accepted():
                counted[getattr(entry.event, "request_id", None) or ""] += 1
    doubled = [request for request, count in counted.items() if count > 1]
    lost = [words for words in said if words[2] == "accepted" and words[1] not in counted]
    if doubled or lost:
        raise CrashError(f"counted twice: {doubled}; lost: {lost}")


def told(
    states: list[FlowState], logs: Mapping[str, list[Entry]], done: Mapping[str, Words]
) -> Left:
    """Count what became of the flows."""
    errors = [
        attempt.error.type
        for state in states
        for attempt in state.attempts()
        if attempt.error is not None
    ]
    return Left(
        flows=len(states),
        lines=sum(map(len, logs.values())),
        cancelled=sum(state.status == "cancelled" for state in states),
        begun_again=sum(n > 1 for words in done.values() for n in begun_in(words).values()),
        interrupted=errors.count("interrupted"),
        too_late=errors.count("timeout"),
    )
