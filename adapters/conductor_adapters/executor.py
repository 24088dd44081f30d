"""The part of a durable host that works: it begins what was taken, and takes answers back.

Rule: what work comes to is kept until the store has it, and is heard only while the order is
ours. Nothing here knows what a step is for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from conductor_adapters.calls import Calls
from conductor_adapters.clock import Clock
from conductor_adapters.host import Unstamped
from conductor_adapters.jobs import Jobs
from conductor_adapters.local import Asker
from conductor_adapters.order_performer import OrderPerformer
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News, Taken
from conductor_adapters.store.protocol import STEP, Key
from conductor_adapters.work import Finished, step_error, unusable
from conductor_adapters.workers import Workers
from conductor_core import events
from conductor_core.commands import (
    DispatchStep,
    GenerateSteps,
    RequestApproval,
)
from conductor_core.errors import FormatError
from conductor_core.events import Event
from conductor_core.state import FlowState

AGAIN_S: Final = 1.0
"""So long what the store could not take waits before it is handed over again."""
MUCH_LATER_S: Final = 60.0
"""So long it waits where something else is wrong, with the log of the flow say."""
ROUND: Final[Key] = ("", "", "")
"""What is written where nothing is to be written but whatever came before it."""
IDLE_AT: Final = 64
"""At so many flows it is time to see which of them have nothing to do."""

_logger = logging.getLogger("conductor_adapters.store")


class Executor:
    """Carries the orders of a host out, by a performer for each flow that it works on.

    `failed_at` is told of a flow whose work this host itself failed.
    """

    def __init__(
        self,
        leases: Leases,
        jobs: Jobs,
        *,
        workers: Workers,
        calls: Calls,
        clock: Clock,
        ask: Asker,
        failed_at: Callable[[str, Exception], None],
    ) -> None:
        self._leases = leases
        self._jobs = jobs
        self._workers = workers
        self._calls = calls
        self._clock = clock
        self._ask = ask
        self._failed_at = failed_at
        self._performers: dict[str, OrderPerformer] = {}
        self._generating: dict[str, Key] = {}
        self._idle_at = IDLE_AT
        self._unwritten: set[Key] = set()
        self._later: dict[Key, tuple[asyncio.TimerHandle, Callable[[], None]]] = {}
        self._all_written = asyncio.Event()
        self._all_written.set()

    def act(self, news: News) -> None:
        """Begin what was taken, and end what is to end."""
        for taken in news.taken:
            self.begin(taken)
        for key in news.given_up:
            self.end(key)
        for key in news.lost:
            self.let_go(key)

    def hold(self) -> None:
        """Take nothing more, and begin nothing: what has not begun goes back to others."""
        self._leases.stop()
        for performer in self._performers.values():
            performer.hold()

    def stop(self) -> None:
        """Take nothing more, and end what runs."""
        self._leases.stop()
        for performer in self._performers.values():
            performer.stop()

    def leave(self) -> None:
        """Take note of threads that do not listen: they run on when their tasks have ended."""
        for performer in self._performers.values():
            performer.leave()

    def retire(self) -> None:
        """Leave what is still held to others; where something still runs, when the lease ends."""
        runs = any(performer.still_runs() for performer in self._performers.values())
        at_once = not runs and self._unwritten <= {ROUND}
        self._jobs.submit(lambda _ledger: self._leases.retire(at_once=at_once))

    def tasks(self) -> set[asyncio.Task[None]]:
        """What has not ended yet."""
        return {task for performer in self._performers.values() for task in performer.under_way()}

    async def written(self, within_s: float) -> None:
        """Wait until the store has all that work came to, but not for ever."""
        if self._jobs.closed is None:
            for handle, again in tuple(self._later.values()):
                handle.cancel()
                again()
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._all_written.wait()

    def ask_for_a_round(self) -> None:
        """Have the store turned to once more: what it took before comes with that."""
        if self._jobs.closed is None:
            self._write(ROUND, lambda _ledger: None)

    def begin(self, taken: Taken) -> None:
        """Carry out what was taken."""
        command, flow_id = taken.command, taken.order.flow_id
        if self._jobs.closed is not None:
            return
        if self._leases.stopped:
            self._hand_back(taken.order.key, begun=False)
            return
        match command:
            case DispatchStep():
                self._performer_of(taken.state).dispatch_step(command)
            case GenerateSteps():
                self._generating[flow_id] = taken.order.key
                self._performer_of(taken.state).generate_steps(command)
            case RequestApproval():
                self._performer_of(taken.state).request_approval(command)
                self._drop(taken.order.key)
            case _:
                raise AssertionError(f"nobody takes {command!r}")

    def _performer_of(self, state: FlowState) -> OrderPerformer:
        performer = self._performers.get(state.flow_id)
        if performer is None:
            self._let_idle_performers_go()
            performer = self._performers[state.flow_id] = OrderPerformer(
                state,
                workers=self._workers,
                calls=self._calls,
                clock=self._clock,
                ask=self._ask,
                report=partial(self._report, state.flow_id),
                give_up=partial(self._failed, state.flow_id),
                undone=partial(self._undone, state.flow_id),
                unmade=partial(self._unmade, state.flow_id),
            )
        performer.turn_to(state)
        return performer

    def _let_idle_performers_go(self) -> None:
        """Forget, now and then, the performers that have nothing to do."""
        if len(self._performers) >= self._idle_at:
            busy = {
                key: performer
                for key, performer in self._performers.items()
                if performer.under_way()
            }
            self._performers = busy
            self._idle_at = max(IDLE_AT, 2 * len(busy))

    def let_go(self, key: Key) -> None:
        """End what another worker is to do."""
        flow_id, kind, name = key
        if (performer := self._performers.get(flow_id)) is not None:
            if kind == STEP:
                performer.let_go(name)
            elif self._generating.pop(flow_id, None) == key:
                performer.end_generation()
        self._tell_when_ended(key)

    def end(self, key: Key) -> None:
        """Ask work to give up."""
        flow_id, kind, name = key
        if (performer := self._performers.get(flow_id)) is not None and kind == STEP:
            performer.give_up(name)
        elif kind != STEP:
            if performer is not None and self._generating.pop(flow_id, None) == key:
                performer.end_generation()
            self._drop(key)
        self._tell_when_ended(key)

    def _tell_when_ended(self, key: Key) -> None:
        """Let others of its name be taken here once nothing runs of an order."""
        flow_id, kind, name = key
        # In the thread of the store, behind what the work itself has still to say there.
        ended = partial(self._jobs.submit, lambda _ledger: self._leases.has_ended(key))
        performer = self._performers.get(flow_id)
        if performer is None:
            ended()
        else:
            performer.when_ended(kind, name, ended)

    def _report(self, flow_id: str, what: Unstamped[Event]) -> None:
        """Take what work says to the store."""
        if isinstance(what, Finished):
            self._answer((flow_id, STEP, what.attempt), what)
            return
        event = what(at_ms=0)
        if isinstance(event, events.StepStarted):
            self._say_began((flow_id, STEP, event.attempt), what)
        elif (key := self._generating.pop(flow_id, None)) is not None:
            self._answer(key, what)

    def _say_began(self, key: Key, what: Unstamped[Event]) -> None:
        """Record that work began; nobody waits for it, and it is as well left out."""
        owner = self._leases.worker_id

        def act(ledger: Ledger) -> None:
            found = ledger.store.order(key)
            if found is not None and found[1] == owner:
                ledger.feed(key[0], what)

        self._jobs.submit(act)

    def _answer(self, key: Key, what: Unstamped[Event]) -> None:
        """Record how an order ended; as a failure, where no log can say it."""
        if (performer := self._performers.get(key[0])) is not None:
            performer.answered(key[2])

        def instead(error: FormatError) -> Callable[[Ledger], object]:
            if isinstance(what, Finished):
                return self._said(key, unusable(what.attempt, error))
            return self._said(key, partial(events.GenerationFailed, error=step_error(error)))

        self._write(key, self._said(key, what), instead)

    def _said(self, key: Key, what: Unstamped[Event]) -> Callable[[Ledger], object]:
        """What is done in the store to record how an order ended."""
        owner = self._leases.worker_id
        return lambda ledger: ledger.answer(key, owner, what)

    def _drop(self, key: Key) -> None:
        """Be done with an order that no entry answers."""
        owner = self._leases.worker_id
        self._write(key, lambda ledger: ledger.drop(key, owner))

    def _undone(self, flow_id: str, attempt: str, begun: bool) -> None:
        """Give work back that comes to nothing here."""
        self._hand_back((flow_id, STEP, attempt), begun=begun)

    def _unmade(self, flow_id: str) -> None:
        """Give groups back that were not made here."""
        if (key := self._generating.pop(flow_id, None)) is not None:
            self._hand_back(key, begun=True)

    def _hand_back(self, key: Key, *, begun: bool) -> None:
        """Leave an order to others; at once, unless this host goes on and would take it again."""
        leases = self._leases
        delay_ms = 0 if leases.stopped else leases.lease.lease_ms
        self._write(key, lambda _: leases.hand_back(key, begun=begun, delay_ms=delay_ms))

    def _failed(self, flow_id: str, error: Exception) -> None:
        """Work failed because of this host: others, or this one later, do it again."""
        self._failed_at(flow_id, error)
        _logger.warning("work of flow %s was given back: %s", flow_id, error)

    def _write(
        self,
        key: Key,
        act: Callable[[Ledger], object],
        otherwise: Callable[[FormatError], Callable[[Ledger], object]] | None = None,
    ) -> None:
        """Say something of an order, and do not rest before the store has it.

        `otherwise` tells what is said in place of what cannot be written down at all.
        """

        def done(_result: object, error: BaseException | None) -> None:
            if error is None:
                self._unwritten.discard(key)
                if not self._unwritten:
                    self._all_written.set()
            elif isinstance(error, FormatError) and otherwise is not None:
                self._write(key, otherwise(error))
            elif self._jobs.closed is None:
                told = "what became of %s is kept until it can be written: %s"
                _logger.warning(told, key[2], error)
                wait_s = AGAIN_S if isinstance(error, StoreError) else MUCH_LATER_S
                again = partial(self._write, key, act, otherwise)
                self._later[key] = self._jobs.later(wait_s, again), again
            else:
                _logger.error("what became of %s could not be written: %s", key[2], error)

        self._later.pop(key, None)
        self._unwritten.add(key)
        self._all_written.clear()
        self._jobs.submit(act, done)
