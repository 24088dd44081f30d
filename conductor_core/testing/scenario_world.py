"""The world that plays a scenario: a scripted host on virtual time.

Rule: the world knows what it was commanded and nothing else, as a host does; it answers
facts and never decides. It does no I/O, never sleeps, and plays the same scenario the same
way every time.

Quiet means that nothing is left to answer: every active attempt is held. What a command
asks for at once (generation, continue-as-new, the cancellation of a held attempt) is
answered before the next attempt finishes; attempts finish in the order of their dispatch;
timers fire only while time advances.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, assert_never

from attrs import evolve

from conductor_core import codec
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
from conductor_core.events import (
    ContinueAsNewSuggested,
    ContinuedAsNew,
    Event,
    StepFinished,
    TimerFired,
)
from conductor_core.payload import canonical_text
from conductor_core.reducer import reduce
from conductor_core.state import initial_state
from conductor_core.testing.answer_format import OK
from conductor_core.testing.scenarios import Scenario, TellContinueAsNew
from conductor_core.verdicts import Verdict

MOST_EVENTS: Final = 100_000


class NeverQuiet(Exception):
    """A scenario whose world has had more to do than any scenario should."""


class World:
    """A flow, its scripted host and the time; `emitted` holds every command so far."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.state = initial_state(scenario.flow, flow_id=scenario.flow_id)
        self.now_ms = 0
        self.events = 0
        self.emitted: list[Command] = []
        self.timers: dict[str, int] = {}
        self.ready: deque[StepFinished] = deque()
        self.held: set[str] = set()
        self.answers: deque[Event] = deque()
        self.scripts = {script.step: script.entries for script in scenario.work}
        self.dispatches: Counter[str] = Counter()

    def send(self, event: Event) -> Verdict:
        """Send an event now, and take note of what is commanded."""
        self.events += 1
        if self.events > MOST_EVENTS:
            raise NeverQuiet
        if isinstance(event, StepFinished):
            self.held.discard(event.attempt)
        if isinstance(event, TimerFired):
            self.timers.pop(event.timer, None)
        transition = reduce(self.state, evolve(event, at_ms=self.now_ms))
        self.state = transition.state
        for command in transition.commands:
            self.emitted.append(command)
            self._carry_out(command)
        return transition.verdict

    def play(self) -> None:
        """Answer and finish what there is to answer and finish, until it is quiet."""
        while self.answers or self.ready:
            self.send(self.answers.popleft() if self.answers else self.ready.popleft())

    def advance(self, ms: int) -> None:
        """Let time pass; every timer that falls due fires, earliest first, ties by id."""
        until_ms = self.now_ms + ms
        while due := [(at_ms, timer) for timer, at_ms in self.timers.items() if at_ms <= until_ms]:
            at_ms, timer = min(due)
            self.now_ms = max(self.now_ms, at_ms)
            self.send(TimerFired(at_ms=0, timer=timer))
            self.play()
        self.now_ms = until_ms

    def copy_state(self) -> bool:
        """Go on with a copy of the state that went through its wire form; say if it is equal."""
        before = self.state
        self.state = codec.decode_state(codec.loads(canonical_text(codec.encode_state(before))))
        return self.state == before

    def incarnate(self, told: TellContinueAsNew) -> Event:
        """The fact about continue-as-new, for this incarnation unless another is named."""
        incarnation = self.state.incarnation if told.incarnation is None else told.incarnation
        if told.fact == "suggest":
            return ContinueAsNewSuggested(at_ms=0, incarnation=incarnation)
        return ContinuedAsNew(at_ms=0, incarnation=incarnation)

    def _carry_out(self, command: Command) -> None:
        """Do as commanded."""
        match command:
            case DispatchStep():
                self._begin(command.attempt)
            case CancelFutures():
                self._give_up(command.attempts)
            case ScheduleTimer():
                self.timers[command.timer] = command.due_at_ms
            case CancelTimer():
                self.timers.pop(command.timer, None)
            case GenerateSteps():
                if self.scenario.generate is not None:
                    self.answers.append(self.scenario.generate)
            case ContinueAsNew():
                if not self.scenario.hold_continue_as_new:
                    continued = ContinuedAsNew(at_ms=0, incarnation=command.incarnation)
                    self.answers.append(continued)
            case RequestApproval() | FinishFlow():
                pass  # People answer the one, if at all, and nobody the other.
            case _:
                assert_never(command)

    def _begin(self, attempt: str) -> None:
        """Take the next entry of the step's script for an attempt; the last one repeats."""
        step, _, _ = attempt.rpartition("#")
        entries = self.scripts.get(step) or (OK,)
        entry = entries[min(self.dispatches[step], len(entries) - 1)]
        self.dispatches[step] += 1
        if entry is None:
            self.held.add(attempt)
        else:
            self.ready.append(evolve(entry, attempt=attempt))

    def _give_up(self, attempts: tuple[str, ...]) -> None:
        """Acknowledge the held ones of these attempts as cancelled, unless they ignore it.

        What is not held answers for itself, when its turn comes.
        """
        for attempt in attempts:
            step, _, _ = attempt.rpartition("#")
            if attempt in self.held and step not in self.scenario.ignores_cancel:
                self.answers.append(StepFinished(at_ms=0, attempt=attempt, outcome="cancelled"))
