"""What a workflow that runs a flow, or a group of one, has in common with the other.

Rule: whatever reaches the flow comes through its `FlowLoop`, synchronously and in the order in
which it came (`runner`). A task of the workflow of which nobody says when it happened leaves a
trace in the history, so that it is there in every replay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from attrs import evolve
from temporalio import workflow

from conductor_adapters.host import FlowLoop, Journal, Unstamped
from conductor_adapters.temporal.carried import Carried, is_too_long
from conductor_adapters.temporal.packing import TooLarge
from conductor_adapters.temporal.performer import TemporalPerformer
from conductor_adapters.temporal.runner import TURN, Turn
from conductor_core import events
from conductor_core.commands import ContinueAsNew
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict


class Hosting:
    """A flow in the hands of a workflow.

    `next_input` is what the next run is to be given; it raises TooLarge where that cannot be.
    """

    def __init__(
        self,
        carried: Carried,
        *,
        journal: Journal,
        latest_ms: Callable[[], int],
        observe: Callable[[Event, Transition], None],
        next_input: Callable[[], dict[str, Any]],
        performer: Callable[..., TemporalPerformer] = TemporalPerformer,
    ) -> None:
        self.turn: Turn = workflow.extern_functions()[TURN]()
        self.booted = False
        self.leaving = False
        self._latest_ms = latest_ms
        self._next_input = next_input
        self._arrives = carried.state.continuing
        self._stays = is_too_long(carried.state)
        self._trace = -1
        self._heard = 0
        self.performer = performer(
            settings=carried.settings,
            turn=self.turn,
            state=lambda: self.state,
            report=self.report,
            happened=lambda what: self.report(what(at_ms=self._latest_ms())),
            now=self.now,
            traced=self.traced,
            leaves=self._leaves,
        )
        self.loop = FlowLoop(
            carried.state,
            journal=journal,
            performer=self.performer,
            now_ms=self.now_ms,
            observe=observe,
        )

    @property
    def state(self) -> FlowState:
        """Where the flow is."""
        return self.loop.state

    # --- events ---

    def now_ms(self) -> int:
        """The time; until the flow is taken up, that of what happened last."""
        if not self.booted:
            return self._latest_ms()
        return max(self._latest_ms(), in_ms(workflow.now()))

    def feed(self, event: Event, *, at_ms: int) -> Verdict:
        """Feed an event of a time."""
        return self.loop.feed(at(event, at_ms))

    def report(self, event: Event) -> None:
        """Feed a fact that says when it happened."""
        self.feed(event, at_ms=max(event.at_ms, self._latest_ms()))

    def now(self, what: Unstamped[Event]) -> Event:
        """An event that happens now; since nobody else says when, a trace is left."""
        self.leave_trace()
        return what(at_ms=self.now_ms())

    # --- traces ---

    def traced(self) -> None:
        """Take note that this task of the workflow commands something."""
        self._trace = self.turn.number

    @property
    def is_traced(self) -> bool:
        """Whether this task commands something."""
        return self._trace == self.turn.number

    def leave_trace(self) -> None:
        """Command something that does nothing."""
        self._heard += 1
        workflow.upsert_memo({"conductor-heard": self._heard})
        self.traced()

    # --- fresh histories ---

    def suggests(self) -> bool:
        """Whether Temporal wants a fresh history, in a task that is there in every replay."""
        state = self.state
        if not state.is_live or state.suggested or state.continuing or self._stays:
            return False
        return self.is_traced and workflow.info().is_continue_as_new_suggested()

    def suggest(self) -> None:
        """Ask the flow to go on in a fresh history when it can."""
        incarnation = self.state.incarnation
        self.loop.report(partial(events.ContinueAsNewSuggested, incarnation=incarnation))

    def _leaves(self, _command: ContinueAsNew) -> bool:
        """Whether a continue-as-new is to be carried out; that which led here is."""
        self.leaving, self._arrives = not self._arrives, False
        return self.leaving

    @property
    def is_leaving(self) -> bool:
        """Whether it is time to leave: what people ask meanwhile may have made it needless."""
        return self.leaving and self.state.continuing

    def leave(self) -> None:
        """Go on in a fresh history, or here where none could hold what is to be carried there."""
        try:
            told = None if is_too_long(self.state) else self._next_input()
        except TooLarge as error:
            workflow.logger.warning("the flow stays in its history: %s", error)
            told = None
        if told is not None:
            workflow.continue_as_new(told)
        self.leaving, self._stays = False, True
        incarnation = self.state.incarnation
        self.report(self.now(partial(events.ContinuedAsNew, incarnation=incarnation)))


def at(event: Event, at_ms: int) -> Event:
    """An event at another time."""
    return event if event.at_ms == at_ms else evolve(event, at_ms=at_ms)


def in_ms(time: datetime) -> int:
    """A time of Temporal's in ours, as its own forms count it."""
    return (time - EPOCH) // timedelta(milliseconds=1)


EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


def started_ms() -> int:
    """When this run of the workflow was started."""
    return in_ms(workflow.info().start_time)
