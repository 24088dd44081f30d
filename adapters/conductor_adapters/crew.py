"""The part of a durable host that works: it begins what was taken, and takes answers back.

Rule: what work comes to is kept until the store has it, and is heard only while the order is
ours. Nothing here knows what a step is for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from conductor_adapters.calls import Calls
from conductor_adapters.clock import Clock
from conductor_adapters.hands import Hands
from conductor_adapters.host import Unstamped
from conductor_adapters.jobs import Jobs, told
from conductor_adapters.local import Asked
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News, Taken
from conductor_adapters.store.protocol import STEP, Key
from conductor_adapters.work import Finished, unusable
from conductor_adapters.workers import Workers
from conductor_core import events
from conductor_core.commands import (
    CancelFutures,
    DispatchStep,
    GenerateSteps,
    RequestApproval,
)
from conductor_core.errors import FormatError
from conductor_core.events import Event
from conductor_core.state import FlowState

AGAIN_S: Final = 1.0
"""So long an answer waits that the store did not take."""
IDLE_AT: Final = 64
"""At so many flows it is time to see which of them have nothing to do."""

_logger = logging.getLogger("conductor_adapters.store")


class Crew:
    """The hands of a host, for each flow that it works on.

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
        ask: Asked,
        failed_at: Callable[[str, Exception], None],
    ) -> None:
        self._leases = leases
        self._jobs = jobs
        self._workers = workers
        self._calls = calls
        self._clock = clock
        self._ask = ask
        self._failed_at = failed_at
        self._hands: dict[str, Hands] = {}
        self._generating: dict[str, Key] = {}
        self._idle_at = IDLE_AT

    def act(self, news: News) -> None:
        """Begin what was taken, and end what is to end."""
        for taken in news.taken:
            self.begin(taken)
        for key in news.given_up:
            self.end(key)
        for key in news.lost:
            self.let_go(key)

    def hold(self) -> None:
        """Take nothing more, and begin nothing."""
        self._leases.stop()
        for hands in self._hands.values():
            hands.hold()

    def stop(self) -> None:
        """Take nothing more, and end what runs."""
        self._leases.stop()
        for hands in self._hands.values():
            hands.stop()

    def retire(self) -> None:
        """Leave what is still held to others; called in the thread of the store."""
        self._leases.retire()

    def tasks(self) -> set[asyncio.Task[None]]:
        """What has not ended yet."""
        return {task for hands in self._hands.values() for task in hands.under_way()}

    def begin(self, taken: Taken) -> None:
        """Carry out what was taken."""
        command, flow_id = taken.command, taken.order.flow_id
        if self._jobs.closed is not None:
            return
        match command:
            case DispatchStep():
                self._hands_of(taken.state).dispatch_step(command)
            case GenerateSteps():
                self._generating[flow_id] = taken.order.key
                self._hands_of(taken.state).generate_steps(command)
            case RequestApproval():
                self._hands_of(taken.state).request_approval(command)
                self._drop(taken.order.key)
            case _:
                raise AssertionError(f"nobody takes {command!r}")

    def _hands_of(self, state: FlowState) -> Hands:
        hands = self._hands.get(state.flow_id)
        if hands is None:
            self._let_idle_hands_go()
            hands = self._hands[state.flow_id] = Hands(
                state,
                workers=self._workers,
                calls=self._calls,
                clock=self._clock,
                ask=self._ask,
                report=partial(self._report, state.flow_id),
                give_up=partial(self._failed, state.flow_id),
            )
        return hands

    def _let_idle_hands_go(self) -> None:
        """Forget, now and then, the hands that have nothing to do."""
        if len(self._hands) >= self._idle_at:
            busy = {key: hands for key, hands in self._hands.items() if hands.under_way()}
            self._hands = busy
            self._idle_at = max(64, 2 * len(busy))

    def let_go(self, key: Key) -> None:
        """End what another worker is to do, and may be taken here again once it has ended."""
        flow_id, kind, name = key
        ended = partial(self._leases.ending.discard, key)
        hands = self._hands.get(flow_id)
        if hands is None or kind != STEP:
            ended()
        else:
            hands.let_go(name, ended)

    def end(self, key: Key) -> None:
        """Ask work to give up."""
        flow_id, kind, name = key
        hands = self._hands.get(flow_id)
        if kind != STEP:
            if hands is not None and self._generating.pop(flow_id, None) == key:
                hands.end_generation()
            self._drop(key)
        elif hands is not None and hands.running(name) is not None:
            hands.cancel_futures(CancelFutures(attempts=(name,)))

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
        leases = self._leases

        def act(ledger: Ledger) -> None:
            # Should the order have been lost meanwhile, its work began all the same.
            if key in leases.held:
                ledger.feed(key[0], what)

        self._jobs.submit(act)

    def _answer(self, key: Key, what: Unstamped[Event]) -> None:
        """Record how an order ended, and do not rest before the store has it."""
        leases = self._leases
        hands = self._hands.get(key[0])

        def done(_result: object, error: BaseException | None) -> None:
            if isinstance(error, FormatError) and isinstance(what, Finished):
                self._answer(key, unusable(what.attempt, error))
            elif isinstance(error, StoreError) and self._jobs.closed is None:
                _logger.warning(
                    "what %s came to is kept until it can be written: %s", key[2], error
                )
                self._jobs.later(AGAIN_S, self._answer, key, what)
            else:
                told(None, error)

        if hands is not None:
            hands.orders.discard(key[2])
        self._jobs.submit(lambda ledger: ledger.answer(key, leases.worker_id, what), done)

    def _drop(self, key: Key) -> None:
        """Be done with an order that no entry answers."""
        owner = self._leases.worker_id
        self._jobs.submit(lambda ledger: ledger.drop(key, owner))

    def _failed(self, flow_id: str, error: Exception) -> None:
        """Work failed because of this host: others, or this one later, do it again."""
        self._failed_at(flow_id, error)
        _logger.warning("work of flow %s was given back: %s", flow_id, error)
        for name in self._hands[flow_id].left_undone():
            self._jobs.submit(partial(self._give_back, (flow_id, STEP, name)))

    def _give_back(self, key: Key, ledger: Ledger) -> None:
        leases = self._leases
        not_before_ms = ledger.now_ms() + leases.lease_ms
        ledger.store.give_back(key, owner=leases.worker_id, not_before_ms=not_before_ms)
        ledger.news.ended.append(key)
        ledger.news.timers = True
