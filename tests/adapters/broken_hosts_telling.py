"""Memory hosts that lose some of what they are told, or tell others something else.

Rule: each loses one thing between a handler, the log, and whoever makes a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

from attrs import evolve

from conductor_adapters.host import FlowLoop
from conductor_adapters.local import LocalPerformer
from conductor_adapters.work import StepContext, StepResult
from conductor_adapters.workers import Handler
from conductor_core import FlowState, Transition, reduce
from conductor_core.events import Event, StepError, StepFinished
from conductor_core.payload import EMPTY, NULL, freeze
from conductor_core.testing.conformance import Breakage, Weather
from conductor_core.verdicts import Accepted, Rejected, Verdict
from tests.adapters.broken_hosts import BrokenRig, Misdeed
from tests.adapters.calling import answer_of
from tests.adapters.rigs import Lines

# --- the log ---


class AcceptedLines(Lines):
    """Leaves out what changed nothing."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry if it counted."""
        if transition.verdict == Accepted():
            super().append(event, transition)


class PoliteLines(Lines):
    """Leaves out what was rejected."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry unless it was rejected."""
        if not isinstance(transition.verdict, Rejected):
            super().append(event, transition)


class LogsWhatCounts(BrokenRig):
    """Its log does not say what was ignored or rejected."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return AcceptedLines.begun(state)


class HidesRejections(BrokenRig):
    """Its log does not say what was rejected."""

    def journal_of(self, state: FlowState) -> Lines:
        """A broken journal."""
        return PoliteLines.begun(state)


# --- requests ---


class AnswersFirst(BrokenRig):
    """It tells the verdict, and takes the event up in a while."""

    async def tell(self, event: Event) -> Verdict:
        """Say what will become of an event."""
        verdict = reduce(self.flow.state, evolve(event, at_ms=0)).verdict
        asyncio.get_running_loop().call_later(0.02, self.take_up, event)
        return verdict

    def take_up(self, event: Event) -> None:
        """Do what was told."""
        self.flow.tell(lambda *, at_ms: evolve(event, at_ms=at_ms))


class JudgesFirst(BrokenRig):
    """It judges a request by a state that another request may have changed since."""

    async def tell(self, event: Event) -> Verdict:
        """Judge an event, then take it up."""
        verdict = reduce(self.flow.state, evolve(event, at_ms=0)).verdict
        await asyncio.sleep(0)
        await super().tell(event)
        return verdict


class WritesWhatItRead(BrokenRig):
    """It reads the state, applies a request to it, and stores it, whoever else did meanwhile."""

    class loop(FlowLoop):  # noqa: N801 - stands for the attribute
        """Applies what comes next to a state that was read before."""

        read: ClassVar[FlowState | None] = None

        def feed(self, event: Event) -> Verdict:
            """Feed an event."""
            self.state, type(self).read = self.read or self.state, None
            return super().feed(event)

    async def tell(self, event: Event) -> Verdict:
        """Apply an event to the state as it was read."""
        read = self.flow.state
        await asyncio.sleep(0)
        WritesWhatItRead.loop.read = read
        return await super().tell(event)


# --- handlers ---


class HandsOverOtherMetadata(BrokenRig):
    """Its handlers get metadata that is not the flow's."""

    class performer(LocalPerformer):  # noqa: N801 - stands for the attribute
        """Knows other metadata."""

        def __init__(self, state: FlowState, **parts: Any) -> None:
            super().__init__(state, **parts)
            self._metadata = freeze({"inputs": {"env": "test"}})


def translating(name: str, translated: Callable[[StepFinished], StepFinished]) -> type[BrokenRig]:
    """A rig whose host records something else than what work said."""

    def handler(self: BrokenRig) -> Handler:
        async def work(context: StepContext) -> StepResult:
            return answer_of(translated(await self.worker.work(context.command)))

        return work

    return type(name, (BrokenRig,), {"handler": handler, "__doc__": "Loses something."})


def without_error(**fields: Any) -> Callable[[StepFinished], StepFinished]:
    """Replace some fields of an error."""

    def translated(fact: StepFinished) -> StepFinished:
        return evolve(fact, error=evolve(fact.error or StepError(), **fields))

    return lambda fact: translated(fact) if fact.outcome == "failed" else fact


LosesDirectives = translating("LosesDirectives", lambda fact: evolve(fact, directive=None))
LosesMetadata = translating("LosesMetadata", lambda fact: evolve(fact, metadata=EMPTY))
RetriesAnyway = translating("RetriesAnyway", without_error(non_retryable=False))
KnowsNoEnd = translating("KnowsNoEnd", without_error(terminal=False))
CannotWait = translating("CannotWait", without_error(retry_after_ms=None))
LosesDetails = translating("LosesDetails", without_error(details=NULL))
LosesCauses = translating("LosesCauses", without_error(cause=None))

MISDEEDS: Final = (
    Misdeed(LogsWhatCounts, Breakage.LOG_OMITS, "quorum"),
    Misdeed(LogsWhatCounts, Breakage.LOG_OMITS, "together", Weather.DUPLICATED),
    Misdeed(LogsWhatCounts, Breakage.LOG_OMITS, "timeout", Weather.DELAYED),
    Misdeed(HidesRejections, Breakage.LOG_OMITS, "quorum"),
    Misdeed(HidesRejections, Breakage.LOG_OMITS, "quorum-at-once"),
    Misdeed(AnswersFirst, Breakage.LOG_OMITS, "pause"),
    Misdeed(JudgesFirst, Breakage.OTHER_VERDICT, "quorum-at-once"),
    Misdeed(JudgesFirst, Breakage.DUPLICATE_COUNTED, "quorum", Weather.DUPLICATED),
    Misdeed(WritesWhatItRead, Breakage.OTHER_VERDICT, "quorum-at-once"),
    Misdeed(WritesWhatItRead, Breakage.OTHER_STATE, "requests-at-once"),
    Misdeed(WritesWhatItRead, Breakage.DUPLICATE_COUNTED, "pause", Weather.DUPLICATED),
    Misdeed(HandsOverOtherMetadata, Breakage.WRONG_COMMAND, "metadata"),
    Misdeed(LosesDirectives, Breakage.OTHER_STATE, "directive"),
    Misdeed(LosesMetadata, Breakage.OTHER_STATE, "metadata"),
    Misdeed(RetriesAnyway, Breakage.OTHER_STATE, "non-retryable"),
    Misdeed(KnowsNoEnd, Breakage.OTHER_STATE, "terminal"),
    Misdeed(CannotWait, Breakage.OTHER_STATE, "retry-after"),
    Misdeed(LosesDetails, Breakage.OTHER_STATE, "details-and-cause"),
    Misdeed(LosesCauses, Breakage.OTHER_STATE, "details-and-cause"),
)
