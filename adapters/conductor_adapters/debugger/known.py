"""What a recording knows of the world around its flow: who answered what, and after how long.

Rule: a recorded event answers a *call*, if it answers anything: the dispatch of an attempt, the
request for an approval, a timer, a cancel. What is known of a call is the events that answered it,
each with the time that passed since. Times are those of a clock that never goes back; how far
a recorded time lags behind that clock is kept, so that it can be given back as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, TypeAlias

from attrs import frozen

from conductor_adapters.debugger.recording import Recording
from conductor_core import commands, events
from conductor_core.commands import Command
from conductor_core.events import Event
from conductor_core.log import Played
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

Kind: TypeAlias = Literal["work", "approval", "cancel", "timer", "groups", "continue"]


@frozen
class Call:
    """Something that a flow asks of the world: of an attempt, a timer, a run, an incarnation."""

    kind: Kind
    of: str


@frozen(kw_only=True)
class Known:
    """A recorded event, and what it answered; nothing called for one that came by itself.

    `order_ms` is its time on the clock that never goes back, `after_ms` how long after the call
    that was, `lag_ms` how far its own time is off.
    """

    seq: int
    event: Event
    accepted: bool
    call: Call | None
    order_ms: int
    after_ms: int
    lag_ms: int

    @property
    def ends(self) -> bool:
        """Whether it ended some work, or answered for a person, and counted."""
        return self.accepted and isinstance(
            self.event, events.StepFinished | events.ApprovalResponded
        )

    @property
    def sends_back(self) -> bool:
        """Whether a person sent a plan back, which says nothing of the next plan."""
        event = self.event
        return isinstance(event, events.ApprovalResponded) and event.response == "retry"


class Knowledge:
    """All that a recording knows.

    `at` is when each call was made, or a timer was due; `clock` the time after each entry.
    """

    def __init__(self, recording: Recording) -> None:
        self.at: dict[Call, int] = {}
        self.clock: list[int] = [recording.at_ms(min(1, len(recording.entries)))]
        self.all: list[Known] = []
        self._answers: dict[Call | None, list[Known]] = defaultdict(list)
        before = recording.state_at(0)
        for entry in recording.entries:
            self._learn(before, entry)
            before = entry.transition.state

    def answers(self, call: Call | None) -> tuple[Known, ...]:
        """The events that answered a call, in their order; None: those that nothing called for."""
        return tuple(self._answers.get(call, ()))

    def expired(self, call: Call) -> bool:
        """Whether the timer of some work, or of an approval, is known to have fired."""
        timer = f"{'timeout' if call.kind == 'work' else call.kind}:{call.of}"
        return any(known.accepted for known in self.answers(Call("timer", timer)))

    def ran_ms(self, call: Call) -> int:
        """How long some work is known to have run: to its end, its cancel, or that of the log."""
        if call not in self.at:
            return 0
        for known in self.answers(call):
            if known.ends:
                return known.after_ms
        return self.at.get(Call("cancel", call.of), self.clock[-1]) - self.at[call]

    def _learn(self, before: FlowState, entry: Played) -> None:
        event, transition = entry.event, entry.transition
        now_ms = max(self.clock[-1], event.at_ms)
        self.clock.append(now_ms)
        call = _call_of(before, event)
        made_ms = None if call is None else self.at.get(call)
        known = Known(
            seq=entry.seq,
            event=event,
            accepted=isinstance(transition.verdict, Accepted),
            call=None if made_ms is None else call,
            order_ms=now_ms,
            after_ms=0 if made_ms is None else now_ms - made_ms,
            lag_ms=event.at_ms - now_ms,
        )
        self.all.append(known)
        self._answers[known.call].append(known)
        for command in transition.commands:
            at_ms = command.due_at_ms if isinstance(command, commands.ScheduleTimer) else now_ms
            for called in calls_of(command):
                self.at.setdefault(called, at_ms)


def calls_of(command: Command) -> Iterator[Call]:
    """What a command asks of the world."""
    match command:
        case commands.DispatchStep(attempt=attempt):
            yield Call("work", attempt)
        case commands.RequestApproval(attempt=attempt):
            yield Call("approval", attempt)
        case commands.CancelFutures(attempts=attempts):
            yield from (Call("cancel", attempt) for attempt in attempts)
        case commands.ScheduleTimer(timer=timer):
            yield Call("timer", timer)
        case commands.GenerateSteps(run=run):
            yield Call("groups", str(run))
        case commands.ContinueAsNew(incarnation=incarnation):
            yield Call("continue", str(incarnation))
        case commands.CancelTimer() | commands.FinishFlow():
            pass  # nothing answers them


def _call_of(before: FlowState, event: Event) -> Call | None:
    """What an event answers in a state, if it answers anything."""
    match event:
        case events.StepFinished(attempt=attempt, outcome="cancelled"):
            found = before.attempt(attempt)
            told = found is not None and found.cancel_requested
            return Call("cancel" if told else "work", attempt)
        case events.StepStarted(attempt=attempt) | events.StepFinished(attempt=attempt):
            return Call("work", attempt)
        case events.TimerFired(timer=timer):
            return Call("timer", timer) if timer in dict(before.timers()) else None
        case events.ApprovalResponded(step=step):
            position = before.catalog.position_of(step)
            live = None if position is None else before.live[position]
            return Call("approval", live.id) if live is not None and live.awaiting else None
        case events.GroupsGenerated() | events.GenerationFailed():
            return Call("groups", str(before.run))
        case events.ContinuedAsNew(incarnation=incarnation):
            return Call("continue", str(incarnation))
        case _:
            return None
