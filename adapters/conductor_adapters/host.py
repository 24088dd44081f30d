"""The one loop that all hosts share: reduce, append, carry out.

Rule: an event stands in the journal before its commands leave, and nothing here or in a
performer decides what a flow does next. Everything is synchronous: one event at a time
holds the flow, and an event that a performer feeds while it carries out a command, or an
observer when it sees an entry, is recorded at once, its commands leaving after those that
came before them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar, assert_never

from conductor_core import interrupted_attempts, overdue_timers, pending_commands, reduce
from conductor_core.commands import (
    CancelFutures,
    CancelTimer,
    Command,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.events import Event, StepError, StepFinished, TimerFired
from conductor_core.legality import is_open_timer
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

__all__ = ["INTERRUPTED", "FlowLoop", "Journal", "Performer", "Unstamped", "perform"]

E_co = TypeVar("E_co", covariant=True, bound=Event)

INTERRUPTED = StepError(
    type="interrupted", message="the host went down while the work ran", non_retryable=True
)
"""What a host answers for work that must not run twice unseen (S14.3)."""


class Unstamped(Protocol[E_co]):
    """An event that still lacks its time: `partial(events.PauseRequested, by="ana")`."""

    def __call__(self, *, at_ms: int) -> E_co:
        """Stamp it with the host's clock."""
        ...


class Journal(Protocol):
    """Where a host keeps what happened."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry for good, or raise.

        FormatError: no journal can express it, and no harm was done. After any other error
        the journal takes nothing more.
        """
        ...


class Performer(Protocol):
    """Carries commands out; each method starts something and returns at once.

    A command may come again after a crash: its ids say what is under way already.
    What comes of it is fed to the loop, also from within the method.
    """

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt."""
        ...

    def request_approval(self, command: RequestApproval) -> None:
        """Ask people."""
        ...

    def cancel_futures(self, command: CancelFutures) -> None:
        """Tell work to give up; what is not under way here is answered as cancelled."""
        ...

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Set a timer, in place of one with the same id."""
        ...

    def cancel_timer(self, command: CancelTimer) -> None:
        """Forget a timer."""
        ...

    def generate_steps(self, command: GenerateSteps) -> None:
        """Begin to make the groups of the flow."""
        ...

    def continue_as_new(self, command: ContinueAsNew) -> None:
        """Go on in a fresh history."""
        ...

    def finish_flow(self, command: FinishFlow) -> None:
        """Let go of what the run held."""
        ...


def perform(command: Command, performer: Performer) -> None:
    """Hand a command to the method that carries it out."""
    match command:
        case DispatchStep():
            performer.dispatch_step(command)
        case RequestApproval():
            performer.request_approval(command)
        case CancelFutures():
            performer.cancel_futures(command)
        case ScheduleTimer():
            performer.schedule_timer(command)
        case CancelTimer():
            performer.cancel_timer(command)
        case GenerateSteps():
            performer.generate_steps(command)
        case ContinueAsNew():
            performer.continue_as_new(command)
        case FinishFlow():
            performer.finish_flow(command)
        case _:
            assert_never(command)


def _nobody(_event: Event, _transition: Transition) -> None:
    """Watch nothing."""


class FlowLoop:
    """One flow in the hands of one host.

    `observe` sees every entry once it is in the journal and before its commands leave.
    """

    def __init__(
        self,
        state: FlowState,
        *,
        journal: Journal,
        performer: Performer,
        now_ms: Callable[[], int],
        observe: Callable[[Event, Transition], None] = _nobody,
    ) -> None:
        self.state = state
        self._journal = journal
        self._performer = performer
        self._now_ms = now_ms
        self._observe = observe
        self._latest_ms = 0
        self._outgoing: deque[Command] = deque()
        self._unseen: deque[tuple[Event, Transition]] = deque()
        self._telling = False
        self._busy = False
        self._stopped = False

    def now_ms(self) -> int:
        """The host's clock, which never goes back while it has the flow."""
        return max(self._latest_ms, self._now_ms())

    def report(self, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        return self.feed(what(at_ms=self.now_ms()))

    def feed(self, event: Event) -> Verdict:
        """Record an event, then carry out what it commands."""
        transition = self._record(event)
        self._outgoing.extend(transition.commands)
        self._tell()
        self._carry_out()
        return transition.verdict

    def recover(self) -> None:
        """Take up a flow whose last host is gone: call it once, before anything is fed.

        What must not run twice unseen is answered for first, then timers fire that fell due
        meanwhile, the earliest first; the commands that all this leads to are among those
        that are pending afterwards.
        """
        for attempt in interrupted_attempts(self.state):
            self._record(
                StepFinished(
                    at_ms=self.now_ms(), attempt=attempt, outcome="failed", error=INTERRUPTED
                )
            )
        for timer in overdue_timers(self.state, at_ms=self.now_ms()):
            if is_open_timer(self.state, timer):
                self._record(TimerFired(at_ms=self.now_ms(), timer=timer))
        self._outgoing.extend(pending_commands(self.state, at_ms=self.now_ms()))
        self._tell()
        self._carry_out()

    def stop(self) -> None:
        """Record on, but carry nothing out any more: the next host recovers it."""
        self._stopped = True

    def _record(self, event: Event) -> Transition:
        transition = reduce(self.state, event)
        self._journal.append(event, transition)
        self.state = transition.state
        self._latest_ms = max(self._latest_ms, event.at_ms)
        self._unseen.append((event, transition))
        return transition

    def _tell(self) -> None:
        """Show who observes what they have not seen, in order, also of what they feed."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._unseen:
                self._observe(*self._unseen.popleft())
        finally:
            self._telling = False

    def _carry_out(self) -> None:
        """Carry out what waits, in order; what is fed meanwhile comes by here in vain."""
        if self._busy or self._telling:
            return
        self._busy = True
        try:
            while self._outgoing and not self._stopped:
                perform(self._outgoing[0], self._performer)
                # Only now: what a performer failed to carry out stays first in the queue.
                self._outgoing.popleft()
        finally:
            self._busy = False
