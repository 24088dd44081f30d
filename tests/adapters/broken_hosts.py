"""Memory hosts that break the contract of hosts, each in one way.

Rule: all are the real host but for the one part that is broken: its journal, its clock, its
loop, or what carries its commands out. `MISDEEDS` says which breakage each must be found to
have, in a case and a weather where it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeAlias

from attrs import evolve, frozen

from conductor_adapters.clock import Alarm, WallClock
from conductor_adapters.host import FlowLoop, Unstamped, perform
from conductor_adapters.local import LocalPerformer
from conductor_core import FlowState, Transition, pending_commands
from conductor_core.attempt import Attempt
from conductor_core.commands import (
    CancelFutures,
    ContinueAsNew,
    DispatchStep,
    GenerateSteps,
    RequestApproval,
)
from conductor_core.events import (
    ApprovalResponded,
    CancelRequested,
    Event,
    GroupsGenerated,
    PauseRequested,
    ResumeRequested,
    StepFinished,
    is_request,
)
from conductor_core.orders import dispatch_of
from conductor_core.payload import EMPTY, freeze
from conductor_core.testing.conformance import Breakage, Weather, Worker
from conductor_core.verdicts import Accepted, Verdict
from tests.adapters.rigs import Lines, MemoryRig

Report: TypeAlias = Callable[[Unstamped[Event]], None]


class BrokenRig(MemoryRig):
    """Drives a host with a broken loop or performer, which the test puts into its place."""

    loop: ClassVar[type[FlowLoop]] = FlowLoop
    performer: ClassVar[type[LocalPerformer]] = LocalPerformer


# --- journals ---


class DroppingLines(Lines):
    """Leaves out what led to no command."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry, or not."""
        if transition.commands:
            super().append(event, transition)


class SwappingLines(Lines):
    """Writes every second entry after the one that follows it."""

    waiting: tuple[Event, Transition] | None = None

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry, or the two that are there."""
        if self.waiting is None and self.lines[1:]:
            self.waiting = event, transition
            return
        super().append(event, transition)
        if self.waiting is not None:
            super().append(*self.waiting)
            self.waiting = None


class BufferedLines(Lines):
    """Has told that the last entries are kept, which die with the host."""

    def resumed(self) -> tuple[Lines, FlowState]:
        """Begin without what never reached the disk."""
        del self.lines[2:]
        return super().resumed()


class LateLines(Lines):
    """Takes its time."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry a little later."""
        asyncio.get_running_loop().call_later(0.05, super().append, event, transition)


class CommandsFirst(BrokenRig):
    """Its commands leave while their entry is still being written."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return LateLines.begun(state)


class DropsEntries(BrokenRig):
    """Its journal has gaps."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return DroppingLines.begun(state)


class SwapsEntries(BrokenRig):
    """Its journal holds entries in another order than they were reduced in."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return SwappingLines.begun(state)


class BuffersEntries(BrokenRig):
    """Its journal keeps the last entries in a buffer that dies with the host."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return BufferedLines.begun(state)


class ShowsGarbage(BrokenRig):
    """Its log is none."""

    async def log(self) -> Sequence[bytes | str]:
        """Something that cannot be read."""
        return ["once upon a time\n", "\n"]


class ShowsAnotherState(BrokenRig):
    """Its state is not the one that its log leads to."""

    async def state(self) -> FlowState:
        """A state with a number that nobody counted."""
        return evolve(self.flow.state, incarnation=41)


# --- clocks ---


class HastyClock(WallClock):
    """Rings before it is time."""

    def call_at(self, due_ms: int, ring: Callable[[], object]) -> Alarm:
        """Set an alarm that rings too early."""
        return super().call_at(due_ms - 20, ring)


class SleepyClock(WallClock):
    """Never rings."""

    def call_at(self, due_ms: int, ring: Callable[[], object]) -> Alarm:
        """Set an alarm and forget it."""
        alarm = super().call_at(due_ms, ring)
        alarm.cancel()
        return alarm


class FiresEarly(BrokenRig):
    """Its clock is hasty."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.clock = HastyClock()


class NeverFires(BrokenRig):
    """Its clock is sleepy."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.clock = SleepyClock()


# --- loops ---


class ForgetsCommands(BrokenRig):
    """It recovers the state and nothing that was under way."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Recovers nothing."""

        def recover(self) -> None:
            """Wait for something to happen."""


class RepeatsInterrupted(BrokenRig):
    """It recovers work that must not run twice like any other."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Recovers too much."""

        def recover(self) -> None:
            """Dispatch whatever is active."""
            self.dispatch_all(lambda attempt: attempt.active)
            for command in pending_commands(self.state, at_ms=self.now_ms()):
                perform(command, self._performer)

        def dispatch_all(self, which: Callable[[Attempt], bool]) -> None:
            """Dispatch some of the live attempts."""
            for attempt, step in zip(self.state.live, self.state.catalog.steps, strict=True):
                if which(attempt):
                    perform(dispatch_of(self.state, attempt, step), self._performer)


class RepeatsFinished(BrokenRig):
    """It recovers work that has ended."""

    class loop(RepeatsInterrupted.loop):  # noqa: N801 - stands for the attribute
        """Recovers too much."""

        def recover(self) -> None:
            """Dispatch whatever ever was, too."""
            self.dispatch_all(lambda attempt: attempt.dispatched)
            FlowLoop.recover(self)


class IgnoresAttempts(BrokenRig):
    """It takes what work says for the answer of the attempt that runs now."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Feeds facts without their fence."""

        def feed(self, event: Event) -> Verdict:
            """Feed an event."""
            if isinstance(event, StepFinished):
                active = [a.id for a in self.state.current_attempts() if a.active]
                event = evolve(event, attempt=[*active, event.attempt][0])
            return super().feed(event)


class ForgetsRequestIds(BrokenRig):
    """It strips requests of their ids."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Feeds requests without their ids."""

        def feed(self, event: Event) -> Verdict:
            """Feed an event."""
            return super().feed(evolve(event, request_id=None) if is_request(event) else event)


class AlwaysAgrees(BrokenRig):
    """It tells everybody that what they ask is done."""

    async def tell(self, event: Event) -> Verdict:
        """Accept whatever it is."""
        await super().tell(event)
        return Accepted()


class LosesEvents(BrokenRig):
    """It says that it resumes, cancels or takes groups, and does not."""

    async def tell(self, event: Event) -> Verdict:
        """Accept an event and forget it."""
        if isinstance(event, (ResumeRequested, CancelRequested, GroupsGenerated)):
            return Accepted()
        return await super().tell(event)


# --- performers ---


class SwallowsAnswers(BrokenRig):
    """What the work of a second attempt says reaches nobody."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Reports all but that."""

        def __init__(self, state: FlowState, *, report: Report, **parts: Any) -> None:
            super().__init__(state, report=without(second_answer, report), **parts)


class SwallowsGroups(BrokenRig):
    """The groups that were generated reach nobody."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Reports all but them."""

        def __init__(self, state: FlowState, *, report: Report, **parts: Any) -> None:
            super().__init__(state, report=without(generated, report), **parts)


def without(which: Callable[[Event], bool], report: Report) -> Report:
    """Report facts but for some."""
    return lambda what: None if which(what(at_ms=0)) else report(what)


def second_answer(event: Event) -> bool:
    """Whether an event is the answer of a second attempt."""
    return isinstance(event, StepFinished) and event.attempt.endswith("#2")


def generated(event: Event) -> bool:
    """Whether an event brings groups."""
    return isinstance(event, GroupsGenerated)


class GeneratesNothing(BrokenRig):
    """It leaves generators alone."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Generates nothing."""

        def generate_steps(self, command: GenerateSteps) -> None:
            """Do nothing."""


class GeneratesForNothing(BrokenRig):
    """It forgets what the groups are to be made from."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Hands no metadata over."""

        def generate_steps(self, command: GenerateSteps) -> None:
            """Begin to make the groups."""
            super().generate_steps(evolve(command, metadata=EMPTY))


class NeverContinues(BrokenRig):
    """It goes on for ever in one history."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Does not continue as new."""

        def continue_as_new(self, command: ContinueAsNew) -> None:
            """Do nothing."""


class CancelsNothing(BrokenRig):
    """It leaves work alone that was to be cancelled."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Cancels nothing."""

        def cancel_futures(self, command: CancelFutures) -> None:
            """Do nothing."""

        def finish_flow(self, command: object) -> None:
            """Leave the work alone then too."""


class MakesUpKeys(BrokenRig):
    """It gives every delivery a key of its own."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Dispatches under another key."""

        def dispatch_step(self, command: DispatchStep) -> None:
            """Begin the work."""
            super().dispatch_step(evolve(command, idempotency_key=f"{command.attempt}-{id(self)}"))


class HandsOverStaleOutputs(BrokenRig):
    """It hands over what the needed steps put out when it first looked."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Remembers outputs."""

        def dispatch_step(self, command: DispatchStep) -> None:
            """Begin the work."""
            outputs = freeze(dict.fromkeys(command.outputs.value, "old"))
            super().dispatch_step(evolve(command, outputs=outputs))


class ApprovesByItself(BrokenRig):
    """It knows better than people."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Answers approvals."""

        def request_approval(self, command: RequestApproval) -> None:
            """Approve."""
            step = command.attempt.partition("#")[0]
            self._report(
                lambda *, at_ms: ApprovalResponded(
                    at_ms=at_ms, step=step, response="approve", by="the host"
                )
            )


class PausesByItself(BrokenRig):
    """It pauses a flow that nobody asked it to."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Pauses whenever something begins."""

        def dispatch_step(self, command: DispatchStep) -> None:
            """Begin the work, and no more."""
            super().dispatch_step(command)
            self._report(partial(PauseRequested, by="the host"))

        def generate_steps(self, command: GenerateSteps) -> None:
            """Begin to make the groups, and no more."""
            super().generate_steps(command)
            self._report(partial(PauseRequested, by="the host"))


@frozen
class Misdeed:
    """A host, what it breaks, and where that shows."""

    rig: type[BrokenRig]
    breakage: Breakage
    case: str
    weather: Weather = Weather.CALM

    def __str__(self) -> str:
        return f"{self.rig.__name__}-{self.weather}"


MISDEEDS: Final = (
    Misdeed(CommandsFirst, Breakage.COMMAND_FIRST, "together"),
    Misdeed(DropsEntries, Breakage.LOG_DIVERGES, "retry-group"),
    Misdeed(SwapsEntries, Breakage.LOG_DIVERGES, "approve-all"),
    Misdeed(BuffersEntries, Breakage.LOG_FORGETS, "together", Weather.CRASHING),
    Misdeed(ShowsGarbage, Breakage.LOG_DIVERGES, "together"),
    Misdeed(ShowsAnotherState, Breakage.LOG_DIVERGES, "together"),
    Misdeed(FiresEarly, Breakage.EARLY_TIMER, "step-retry"),
    Misdeed(FiresEarly, Breakage.EARLY_TIMER, "approval-expires"),
    Misdeed(NeverFires, Breakage.LOST_TIMER, "step-retry"),
    Misdeed(NeverFires, Breakage.LOST_TIMER, "timeout"),
    Misdeed(NeverFires, Breakage.LOST_TIMER, "cancel-ignored"),
    Misdeed(ForgetsCommands, Breakage.LOST_DELIVERY, "together", Weather.LOST),
    Misdeed(ForgetsCommands, Breakage.LOST_DELIVERY, "pause", Weather.CRASHING),
    Misdeed(ForgetsCommands, Breakage.LOST_COMMAND, "generated", Weather.LOST),
    Misdeed(RepeatsInterrupted, Breakage.RAN_TWICE_UNSEEN, "on-recovery-fail", Weather.LOST),
    Misdeed(RepeatsInterrupted, Breakage.RAN_TWICE_UNSEEN, "on-recovery-fail", Weather.CRASHING),
    Misdeed(RepeatsFinished, Breakage.RAN_AGAIN, "pause", Weather.CRASHING),
    Misdeed(IgnoresAttempts, Breakage.DUPLICATE_COUNTED, "step-retry", Weather.DUPLICATED),
    Misdeed(IgnoresAttempts, Breakage.LATE_FACT_COUNTED, "timeout", Weather.DELAYED),
    Misdeed(ForgetsRequestIds, Breakage.DUPLICATE_COUNTED, "quorum", Weather.DUPLICATED),
    Misdeed(AlwaysAgrees, Breakage.OTHER_VERDICT, "quorum"),
    Misdeed(LosesEvents, Breakage.LOG_OMITS, "pause"),
    Misdeed(LosesEvents, Breakage.LOG_OMITS, "cancel"),
    Misdeed(LosesEvents, Breakage.LOG_OMITS, "generated-in-parts"),
    Misdeed(SwallowsAnswers, Breakage.LOST_ANSWER, "group-retry"),
    Misdeed(SwallowsGroups, Breakage.LOST_ANSWER, "generated"),
    Misdeed(GeneratesNothing, Breakage.LOST_COMMAND, "generated"),
    Misdeed(NeverContinues, Breakage.LOST_COMMAND, "continue-as-new"),
    Misdeed(CancelsNothing, Breakage.CANCEL_NOT_TOLD, "cancel"),
    Misdeed(CancelsNothing, Breakage.CANCEL_NOT_TOLD, "timeout"),
    Misdeed(CancelsNothing, Breakage.CANCEL_NOT_TOLD, "fail-fast"),
    Misdeed(MakesUpKeys, Breakage.WRONG_COMMAND, "together"),
    Misdeed(HandsOverStaleOutputs, Breakage.WRONG_COMMAND, "group-retry"),
    Misdeed(GeneratesForNothing, Breakage.WRONG_COMMAND, "generated"),
    Misdeed(PausesByItself, Breakage.OTHER_STATE, "long-history"),
    Misdeed(PausesByItself, Breakage.OTHER_STATE, "generated-in-parts"),
    Misdeed(ApprovesByItself, Breakage.OTHER_STATE, "approve-all"),
)
