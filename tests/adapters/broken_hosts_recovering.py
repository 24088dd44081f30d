"""Memory hosts that recover what the last one left, but for some of it.

Rule: each forgets one kind of command when it takes a flow up, or begins one thing too many;
until it goes down it does all that a host must. Timers are those of a virtual clock, so that
none fires before its host goes down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import ClassVar, Final, cast

from attrs import evolve

from conductor_adapters.host import FlowLoop, Performer, perform
from conductor_adapters.local import LocalPerformer
from conductor_adapters.memory import MemoryHost
from conductor_core import pending_commands
from conductor_core.commands import (
    CancelFutures,
    Command,
    ContinueAsNew,
    FinishFlow,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.testing.conformance import Breakage, Weather
from tests.adapters.broken_hosts import BrokenRig, Misdeed, RepeatsInterrupted
from tests.adapters.rigs import VirtualRig


class Sieve:
    """Carries out what a performer would, but for some commands."""

    def __init__(self, performer: Performer, forgets: Callable[[Command], bool]) -> None:
        self._performer = performer
        self._forgets = forgets

    def __getattr__(self, name: str) -> Callable[[Command], None]:
        """The method of the performer, which a forgotten command does not reach."""
        method = cast("Callable[[Command], None]", getattr(self._performer, name))
        return lambda command: None if self._forgets(command) else method(command)


def forgetting(forgets: Callable[[Command], bool]) -> type[FlowLoop]:
    """A loop that does not recover some commands."""

    class Forgetful(FlowLoop):
        def recover(self) -> None:
            whole = self._performer
            self._performer = cast("Performer", Sieve(whole, forgets))
            super().recover()
            self._performer = whole

    return Forgetful


def timers(kind: str) -> Callable[[Command], bool]:
    """Whether a command sets a timer whose id begins so."""
    return lambda command: isinstance(command, ScheduleTimer) and command.timer.startswith(kind)


class VirtualBrokenRig(BrokenRig, VirtualRig):
    """Drives a broken host in virtual time."""


class ForgetsBackoffs(VirtualBrokenRig):
    """What waits to be tried again waits for ever."""

    loop = forgetting(timers("backoff:"))


class ForgetsApprovalTimers(VirtualBrokenRig):
    """An approval that nobody gives stays open."""

    loop = forgetting(timers("approval:"))


class ForgetsTimeouts(VirtualBrokenRig):
    """Work may take for ever."""

    loop = forgetting(timers("timeout:"))


class WaitsOutTheGrace(VirtualBrokenRig):
    """It answers for no work that went down while it was to give up: no breakage in itself."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Tells only the work that it has."""

        def cancel_futures(self, command: CancelFutures) -> None:
            """Tell work to give up."""
            known = tuple(attempt for attempt in command.attempts if attempt in self._running)
            super().cancel_futures(evolve(command, attempts=known))


class ForgetsTheGrace(WaitsOutTheGrace):
    """It waits for such work, and not until the grace is over."""

    loop = forgetting(timers("cancel"))


class ForgetsCancels(BrokenRig):
    """It does not know what was to give up."""

    loop = forgetting(lambda command: isinstance(command, CancelFutures))


class RepeatsCancelled(BrokenRig):
    """It begins work again that was to give up."""

    class loop(RepeatsInterrupted.loop):  # noqa: N801 - stands for the attribute
        """Takes all active attempts for the same."""

        def recover(self) -> None:
            """Dispatch whatever is active, and nothing else."""
            self.dispatch_all(lambda attempt: attempt.active)


class ContinuesSlowly(BrokenRig):
    """It takes its time to begin a fresh history: no breakage in itself."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Continues as new in a while."""

        def continue_as_new(self, command: ContinueAsNew) -> None:
            """Begin to go on in a fresh history."""
            asyncio.get_running_loop().call_later(0.1, super().continue_as_new, command)


class ForgetsToContinue(ContinuesSlowly):
    """It does not know that a fresh history was to begin."""

    loop = forgetting(lambda command: isinstance(command, ContinueAsNew))


class TellsTheEnd(BrokenRig):
    """It tells of the runs that have ended: no breakage in itself."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Takes note of the end."""

        runs: ClassVar[set[int]] = set()

        def finish_flow(self, command: FinishFlow) -> None:
            """Tell whoever waits."""
            super().finish_flow(command)
            self.runs.add(command.run)

    def new_host(self) -> MemoryHost:
        """A host that has told nothing."""
        self.performer.runs.clear()
        return super().new_host()

    async def finished(self) -> Collection[int]:
        """The runs that this host has told of."""
        return self.performer.runs


class ForgetsTheEnd(TellsTheEnd):
    """Whoever waits for the flow is not told by the next host."""

    loop = forgetting(lambda command: isinstance(command, FinishFlow))


class ForgetsToAsk(BrokenRig):
    """People are not asked again."""

    loop = forgetting(lambda command: isinstance(command, RequestApproval))


class SleepsLong(VirtualBrokenRig):
    """It is down for so long that timers fall due meanwhile: no breakage in itself."""

    async def recover(self) -> None:
        """Have a new host begin after a while."""
        self.virtual.advance(500)
        await super().recover()


class BeginsFirst(SleepsLong):
    """It begins what is pending before the timers fire that are due: no breakage in itself."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Leaves timers to the clock."""

        def recover(self) -> None:
            """Carry out what is pending."""
            for command in pending_commands(self.state, at_ms=self.now_ms()):
                perform(command, self._performer)


CRASHING: Final = Weather.CRASHING

MISDEEDS: Final = (
    Misdeed(ForgetsBackoffs, Breakage.LOST_TIMER, "step-retry", CRASHING),
    Misdeed(ForgetsBackoffs, Breakage.LOST_TIMER, "group-retry", CRASHING),
    Misdeed(ForgetsApprovalTimers, Breakage.LOST_TIMER, "approval-expires", CRASHING),
    Misdeed(ForgetsTimeouts, Breakage.LOST_TIMER, "timeout", CRASHING),
    Misdeed(ForgetsTheGrace, Breakage.LOST_TIMER, "cancel-ignored", CRASHING),
    Misdeed(ForgetsCancels, Breakage.CANCEL_NOT_TOLD, "cancel", CRASHING),
    Misdeed(ForgetsCancels, Breakage.CANCEL_NOT_TOLD, "fail-fast", CRASHING),
    Misdeed(WaitsOutTheGrace, Breakage.CANCEL_NOT_TOLD, "cancel", CRASHING),
    Misdeed(RepeatsCancelled, Breakage.RAN_AGAIN, "cancel", CRASHING),
    Misdeed(RepeatsCancelled, Breakage.RAN_AGAIN, "fail-fast", CRASHING),
    Misdeed(ForgetsToContinue, Breakage.LOST_COMMAND, "continue-as-new", CRASHING),
    Misdeed(ForgetsToContinue, Breakage.LOST_COMMAND, "long-history", CRASHING),
    Misdeed(ForgetsTheEnd, Breakage.LOST_COMMAND, "together", CRASHING),
    Misdeed(ForgetsTheEnd, Breakage.LOST_COMMAND, "rerun", CRASHING),
    Misdeed(ForgetsToAsk, Breakage.LOST_COMMAND, "denied", CRASHING),
)

HARMLESS: Final = (
    (WaitsOutTheGrace, "cancel-ignored"),
    (ContinuesSlowly, "continue-as-new"),
    (ContinuesSlowly, "long-history"),
    (TellsTheEnd, "rerun"),
    *(
        (rig, case)
        for rig in (SleepsLong, BeginsFirst)
        for case in ("step-retry", "group-retry", "timeout", "approval-expires", "cancel-ignored")
    ),
)
"""Hosts that do some things in another way, and cases that show it."""
