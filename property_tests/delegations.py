"""The laws of delegation: a group that a child runs goes as it would go in its flow.

Rule: flow and child are only compared, never looked into: a law that holds of every state and
every event holds of every play of parent and child.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conductor_adapters.temporal.delegation import cut, is_over, relayed
from conductor_core import commands, events
from conductor_core.attempt import Attempt
from conductor_core.catalog import Catalog
from conductor_core.commands import Command
from conductor_core.events import Event
from conductor_core.recovery import interrupted_attempts, overdue_timers, pending_commands
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState
from conductor_core.statecodec import decode_state, encode_state
from conductor_core.verdicts import Accepted, Rejected, Verdict

OWN_FACTS: Final = (events.StepStarted, events.StepFinished, events.TimerFired)
"""What a child learns from its own workers and timers, and its parent only from the child."""


def is_delegable(state: FlowState) -> bool:
    """Whether a child may run the current group: the flow has started and a group is left."""
    return state.started and bool(state.span)


def key_of(state: FlowState) -> str:
    """The key of the current group."""
    return state.catalog.groups[state.current].key


def cut_of(state: FlowState) -> FlowState:
    """What the child of the current group has."""
    return cut(state, key_of(state))


# --- what concerns a group ---


def concerns(catalog: Catalog, group: str, command: Command) -> bool:
    """Whether a command is about a group, or about the flow whose end it decided."""
    match command:
        case commands.DispatchStep() | commands.RequestApproval():
            return _is_of(catalog, group, command.attempt)
        case commands.CancelFutures():
            return any(_is_of(catalog, group, attempt) for attempt in command.attempts)
        case commands.ScheduleTimer() | commands.CancelTimer():
            name = command.timer.partition(":")[2]
            of_group = command.timer == "cancel" or name.startswith(f"{group}@")
            return of_group or _is_of(catalog, group, name)
        case commands.FinishFlow():
            return command.outcome.status != "success"
        case commands.GenerateSteps() | commands.ContinueAsNew():
            return False


def concerning(state: FlowState, group: str, all_of: Iterable[Command]) -> list[Command]:
    """The commands that concern a group, in their order."""
    return [command for command in all_of if concerns(state.catalog, group, command)]


def _is_of(catalog: Catalog, group: str, attempt: str) -> bool:
    index = catalog.group_of(group)
    position = catalog.position_of_attempt(attempt)
    return index is not None and position is not None and position in catalog.span(index)


def attempts_of(state: FlowState, group: str) -> list[Attempt]:
    """Every attempt of a group, steps in order, oldest first."""
    return [a for a in state.attempts() if _is_of(state.catalog, group, a.id)]


def _code(verdict: Verdict) -> Verdict:
    """A verdict without its words, in which a place of the flow may be named."""
    return Rejected(verdict.code) if isinstance(verdict, Rejected) else verdict


# --- the laws ---


def check_law(state: FlowState, event: Event) -> None:
    """Cutting and reducing commute; what is not relayed concerns nobody but the parent."""
    check_form(state, event, relayed(state, event))


def check_form(state: FlowState, event: Event, form: Event | None) -> None:
    """A child that is told this form of an event does what the flow does."""
    group, after = key_of(state), reduce(state, event)
    if form is None:
        assert not is_over(after.state, group) or is_over(state, group), "it ends unheard"
        assert cut(after.state, group) == cut_of(state), "it changes the child unheard"
        assert not concerning(after.state, group, after.commands), "it commands unheard"
        return
    child = reduce(cut_of(state), form)
    assert _code(child.verdict) == _code(after.verdict), "they judge alike"
    _check_same(group, after, child)


def _check_same(group: str, after: Transition, child: Transition) -> None:
    """A flow and its child are where they should be after an event."""
    assert is_over(child.state, group) == is_over(after.state, group), "they end together"
    assert concerning(child.state, group, child.commands) == concerning(
        after.state, group, after.commands
    ), "they command alike"
    if key_of_or_none(after.state) == group:
        assert cut(after.state, group) == child.state, "they are in step"
        assert _continuations(child) == _continuations(after), "they rest together"
    assert attempts_of(child.state, group) == attempts_of(after.state, group)


def key_of_or_none(state: FlowState) -> str | None:
    """The key of the current group, if one is left."""
    return key_of(state) if state.span else None


def _continuations(transition: Transition) -> list[int]:
    """The incarnations that it ends."""
    found = [c for c in transition.commands if isinstance(c, commands.ContinueAsNew)]
    return [command.incarnation for command in found]


def check_beginning(state: FlowState, at_ms: int) -> None:
    """A child that begins is asked for what a parent that came back would be asked for."""
    group, child = key_of(state), cut_of(state)
    mine = concerning(child, group, pending_commands(child, at_ms=at_ms))
    assert mine == concerning(state, group, pending_commands(state, at_ms=at_ms))
    assert interrupted_attempts(child) == interrupted_attempts(state)
    assert overdue_timers(child, at_ms=at_ms) == overdue_timers(state, at_ms=at_ms)


def check_cut(state: FlowState) -> None:
    """A cut can be written and read, and there is nothing more to be cut off it."""
    child = cut_of(state)
    assert decode_state(encode_state(child)) == child
    assert cut(child, key_of(state)) == child
    assert attempts_of(child, key_of(state)) == attempts_of(state, key_of(state))
    assert child.status == state.status


def check_lag(late: FlowState, state: FlowState, event: Event) -> None:
    """What a parent relays that has not heard of its child's own facts yet is right all the same.

    `late` is what the parent has, `state` is what is so.
    """
    check_form(state, event, relayed(late, event))


def is_own_fact(event: Event, transition: Transition) -> bool:
    """Whether an event is a fact that the child brings in by itself, and that counts."""
    return isinstance(event, OWN_FACTS) and isinstance(transition.verdict, Accepted)


class LongPlay:
    """A flow whose every group is run by a child, from the moment at which it is current."""

    def __init__(self, start: FlowState) -> None:
        self._state = start
        self._child: FlowState | None = None

    def follow(self, happened: Iterable[Event]) -> None:
        """Let all of this happen, to the child as to the flow."""
        for event in happened:
            self._happen(event)

    def _happen(self, event: Event) -> None:
        before = self._state
        form = relayed(before, event) if self._child is not None else None
        self._state = reduce(before, event).state
        if self._child is not None and form is not None:
            self._child = reduce(self._child, form).state
        if self._state.current != before.current or self._child is None:
            self._child = cut_of(self._state) if is_delegable(self._state) else None
        elif is_delegable(self._state):
            assert self._child == cut_of(self._state), "they are in step"
