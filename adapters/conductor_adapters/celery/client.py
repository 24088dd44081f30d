"""Asking and watching the flows of a store whose orders go by a broker.

Rule: a client is the same on every store; what is added here is that what its requests command
is sent at once, in a thread of its own, and left to the relay where the broker is down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from conductor_adapters.celery.books import Sends
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.sender import Sender
from conductor_adapters.durable_client import DurableClient
from conductor_adapters.routes import route_problems
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News, Taken
from conductor_core.errors import SpecError
from conductor_core.state import FlowState

_logger = logging.getLogger("conductor_adapters.celery")


class CeleryClient(DurableClient):
    """Starts, asks and watches flows that Celery workers carry out; of one loop."""

    def __init__(self, config: Config, sender: Sender) -> None:
        self._config = config
        self._sender = sender
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conductor-send")
        super().__init__(
            open_store=config.open_store,
            clock=config.clock,
            observe=config.observe,
            poll_s=config.poll_s,
            snapshot_every=config.snapshot_every,
        )

    def _open_ledger(self) -> Ledger:
        """Open the store; what is put from here is sent from here."""
        return Ledger(
            self._open_store(),
            now_ms=self.clock.now_ms,
            holder=Sends(self._config),
            snapshot_every=self._snapshot_every,
            alarms=False,
        )

    def _start(self, state: FlowState, ledger: Ledger) -> None:
        """Start a flow; raises SpecError where something is missing, or a route is none."""
        problems = [*self._config.workers.missing(state), *route_problems(state.spec)]
        if problems:
            raise SpecError(tuple(problems))
        ledger.start(state)

    def _act(self, news: News) -> None:
        """Tell who watches, and send what is to be sent."""
        super()._act(news)
        if news.to_send:
            loop = asyncio.get_running_loop()
            sending = loop.run_in_executor(self._thread, self._sender.send, news.to_send)
            sending.add_done_callback(partial(self._leave_unsent, news.to_send))

    def _leave_unsent(self, orders: Sequence[Taken], sending: asyncio.Future[int]) -> None:
        """Leave to the relay what the broker did not take."""
        try:
            unsent = orders[sending.result() :]
        except Exception:
            _logger.exception("what was asked of a flow is in the store, and could not be sent")
            unsent = orders
        if unsent and self._jobs.closed is None:
            self._jobs.submit(partial(_count_as_unsent, unsent))

    async def close(self) -> None:
        """Let go of the store and the broker, once what was asked of them is done."""
        await super().close()
        await asyncio.to_thread(self._thread.shutdown)


def _count_as_unsent(orders: Sequence[Taken], ledger: Ledger) -> None:
    for taken in orders:
        ledger.store.sent(taken.order.key, at_ms=0, until_ms=0)
