"""Sends orders to a broker, which may lose them all: the store has them.

Rule: a message names an order and says nothing else, so that nothing in a broker can be stale,
secret or forged to any effect. What cannot be sent is told once, and left to the relay; what
is refused holds up nothing else.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any, Final

from celery import Celery
from celery.exceptions import QueueNotFound
from kombu.exceptions import OperationalError

from conductor_adapters.celery.config import Config
from conductor_adapters.routes import Route
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import Key, Order

AGAIN: Final[dict[str, Any]] = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
"""A connection that a broker closed is opened anew once; the relay has more patience."""
LONGEST_ID: Final = 200
"""Protocols keep ids of messages in fields of 255 bytes."""

_logger = logging.getLogger("conductor_adapters.celery")


class Sender:
    """Sends the orders of a host to the broker of its Celery app."""

    def __init__(self, app: Celery, config: Config) -> None:
        self._app = app
        self._config = config
        self._reachable = True

    def send(self, orders: Sequence[Taken], *, again: str = "") -> int:
        """Send orders, and tell how many were sent; `again` tells their messages from earlier.

        An order that is refused for its own sake counts as sent: it is in nobody's way, and
        as what was lost it is tried again.
        """
        sent, refused = 0, list[tuple[Order, Exception]]()
        while sent < len(orders):
            try:
                # Who was refused has lost its channel, and gets another one here.
                with self._app.producer_pool.acquire(block=True) as producer:
                    for order in orders[sent:]:
                        self._send(order, producer, again)
                        sent += 1
            except Exception as error:  # noqa: BLE001 - routers and libraries raise what they like
                if self._is_out_of_reach(error):
                    self._tell(error)
                    break
                refused.append((orders[sent].order, error))
                sent += 1
            else:
                self._reachable = True
        _tell_refused(refused)
        return sent

    def _send(self, taken: Taken, producer: Any, again: str) -> None:
        order = taken.order
        route = self._config.routes.of(order, taken.state)
        task = self._app.tasks[self._config.task_name(order.kind)]
        task.apply_async(
            (order.flow_id, order.name),
            task_id=message_id(order.key) + again,
            producer=producer,
            shadow=order.work or None,
            headers=_headers(route),
            add_to_parent=False,
            retry_policy=AGAIN,
            **_said(route),
        )
        self._config.measures.sent(order.kind, again=bool(again))

    def queue_of(self, taken: Taken) -> str:
        """The queue of an order, as far as the host says it and not Celery's own routes."""
        route = self._config.routes.of(taken.order, taken.state)
        return route.queue or self._app.conf.task_default_queue

    def is_empty(self, queue: str) -> bool:
        """Whether nothing waits in a queue, as far as the broker can be asked."""
        try:
            with self._app.connection_for_write() as connection:
                channel: Any = connection.default_channel
                try:
                    return bool(channel.queue_declare(queue, passive=True).message_count == 0)
                except connection.channel_errors:
                    return True  # Where there is no queue nothing waits in it.
        except self._errors() as error:
            self._tell(error)
            return False

    def _is_out_of_reach(self, error: Exception) -> bool:
        """Whether an error is about the broker, and not about one message."""
        return isinstance(error, self._outages()) and not isinstance(error, QueueNotFound)

    def _outages(self) -> tuple[type[BaseException], ...]:
        """What is raised where a broker is out of reach, by the library for it."""
        try:
            errors = self._app.connection_for_write().connection_errors
        except Exception:  # noqa: BLE001 - a URL that names no broker; kombu raises many things
            return (Exception,)
        return OSError, OperationalError, *errors

    def _errors(self) -> tuple[type[BaseException], ...]:
        """What goes wrong with a broker, by the library for it."""
        outages = self._outages()
        if outages == (Exception,):
            return outages
        return *outages, *self._app.connection_for_write().channel_errors

    def _tell(self, error: BaseException) -> None:
        """Warn of a broker that is down, once."""
        if self._reachable:
            _logger.warning(
                "%s; what the broker should have had is in the store, and is sent when it can be",
                self._trouble(error),
            )
        self._reachable = False

    def _trouble(self, error: BaseException) -> str:
        """What is wrong with the broker; its password is not told."""
        try:
            name = self._app.connection_for_write().as_uri()
        except Exception:  # noqa: BLE001 - as above; what it says may hold a part of the URL
            return "the URL of the broker is none that is known here"
        return f"the broker {name} cannot be reached ({error})"


def _tell_refused(refused: Sequence[tuple[Order, Exception]]) -> None:
    """Warn of what a broker does not take, in one line."""
    if refused:
        order, error = refused[0]
        told = "%s of flow %s, and %d more, cannot be sent; it is tried again: %s"
        _logger.warning(told, order.name, order.flow_id, len(refused) - 1, error)


def _said(route: Route) -> dict[str, Any]:
    """What a route says that Celery knows; where it says nothing Celery's own routes count."""
    said = {"queue": route.queue, "priority": route.priority}
    return {name: value for name, value in said.items() if value is not None}


def _headers(route: Route) -> dict[str, str]:
    owner = route.owner
    return {} if owner is None else {"owner_id": owner.id, "owner_type": owner.type}


def message_id(key: Key) -> str:
    """The id of the first message of an order; no harm is done where another one has it too."""
    flow_id, _, name = key
    told = f"{flow_id}/{name}"
    if len(told.encode()) <= LONGEST_ID:
        return told
    return hashlib.sha256(told.encode()).hexdigest()
