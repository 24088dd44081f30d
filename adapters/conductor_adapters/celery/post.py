"""One process among those that carry out orders: its lease, and what it holds.

Rule: an order is begun after the transaction that took it, and answered only while it is ours.
A process has a row among the workers while it holds anything, and renews it in a thread of its
own, which also hears what shall give up; so no handler that takes long costs it its lease.

Taking need not reach the disk at once: what is lost with the machine's power is lost together
with the work, or else, where the store is on another machine, done twice and counted once. Only
work that must not run twice unseen (S14.3) waits for the disk.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Final

from conductor_adapters.celery.books import Books
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.sender import Sender
from conductor_adapters.celery.standing import new_name, say_alive
from conductor_adapters.celery.work_here import WorkHere
from conductor_adapters.host import Unstamped
from conductor_adapters.store.asked_for import command_of
from conductor_adapters.store.errors import StoreError, UnknownFlow
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import STEP, Key
from conductor_adapters.store.upkeep import Upkeep
from conductor_adapters.work import cancelled
from conductor_core import events
from conductor_core.errors import ConductorError, LogError
from conductor_core.events import Event

HEAR_S: Final = 0.25
"""So often a process that works hears what shall give up."""
AGAIN_S: Final = 1.0
"""So long an answer waits for a store that could not take it."""

_logger = logging.getLogger("conductor_adapters.celery")


class Post:
    """One process that carries out orders; its threads share a lease.

    `may_die` says whether the process may end itself to terminate work: another takes its place.
    """

    def __init__(self, config: Config, sender: Sender, *, may_die: bool) -> None:
        self.worker_id = new_name()
        self._config = config
        self._sender = sender
        self._may_die = may_die
        self._own = threading.local()
        self._held: dict[Key, WorkHere | None] = {}
        self._renewed_s = float("-inf")
        self._waking = threading.Condition()
        self._asleep = True
        self._doubts = False
        self._keeper: threading.Thread | None = None

    def _books(self) -> Books:
        """The ledger of this thread; raises StoreError."""
        books: Books | None = getattr(self._own, "books", None)
        if books is None:
            books = self._own.books = Books(self._config, self._sender)
        return books

    # --- taking ---

    def take(self, key: Key) -> Taken | None:
        """Take an order; None where others have it, nobody waits for it, or it is unknown work.

        Raises StoreError, UnknownFlow and LogError.
        """
        with self._waking:
            if key in self._held:
                return None
            self._held[key] = None
        taken = None
        try:
            with self._standing(durable=False) as ledger:
                taken = self._take(ledger, key)
            if taken is not None and _is_fragile(taken):
                with self._standing(durable=True, at_once=True):
                    pass
        except BaseException:
            # It may be ours all the same, which is found out by who keeps the lease.
            taken, self._doubts = None, True
            raise
        finally:
            if taken is None:
                self._held.pop(key, None)
            if taken is not None or self._doubts:
                self._wake()
        return taken

    @contextmanager
    def _standing(self, *, durable: bool, at_once: bool = False) -> Generator[Ledger]:
        """A transaction in which the lease is renewed too where it is due."""
        now_s = time.monotonic()
        due = at_once or now_s - self._renewed_s >= self._config.lease_ms / 3000
        with self._books().transaction(durable=durable) as ledger:
            yield ledger
            if due:
                say_alive(ledger.store, self.worker_id, self._config.lease_ms)
        if due:
            self._renewed_s = now_s

    def _take(self, ledger: Ledger, key: Key) -> Taken | None:
        state = ledger.look(key[0])
        found = ledger.store.order(key)
        if found is None or found[1] is not None:
            return None
        order, command = found[0], command_of(state, found[0])
        if command is None:
            ledger.store.remove_order(key)
            return None
        if order.deliveries > 0 and (answer := self._upkeep(ledger).answer_for(order, state)):
            ledger.feed(key[0], answer)
            return None
        if not self._config.does(order.kind, order.work):
            told = "no worker here does %s %r, for which work waits"
            _logger.warning(told, order.kind, order.work)
            return None
        ledger.store.take(key, self.worker_id)
        if order.kind == STEP:
            ledger.feed(key[0], partial(events.StepStarted, attempt=order.name))
        return Taken(order, command, state)

    def _upkeep(self, ledger: Ledger) -> Upkeep:
        return Upkeep(ledger, max_deliveries=self._config.max_deliveries)

    def holds(self, work: WorkHere) -> None:
        """Take note of the work that was taken, so that it can be asked to give up."""
        self._held[work.key] = work

    # --- answering ---

    def answer(self, key: Key, what: Unstamped[Event]) -> None:
        """Record how an order ended, unless it is another's by now; raises FormatError, LogError.

        Where the store is out of reach this waits for it.
        """
        self._settle(key, lambda ledger: ledger.answer(key, self.worker_id, what))

    def drop(self, key: Key) -> None:
        """Be done with an order that no entry answers."""
        self._settle(key, lambda ledger: ledger.drop(key, self.worker_id))

    def hand_back(self, key: Key, *, put_off: bool) -> None:
        """Leave an order whose work began to others, perhaps only when a lease has passed."""
        self._give_back(key, begun=True, put_off=put_off)

    def _give_back(self, key: Key, *, begun: bool, put_off: bool) -> None:
        def act(ledger: Ledger) -> None:
            state, found = ledger.look(key[0]), ledger.store.order(key)
            if found is not None and found[1] == self.worker_id:
                until_ms = ledger.now_ms() + self._config.lease_ms if put_off else 0
                upkeep = self._upkeep(ledger)
                upkeep.hand_back(found[0], state, begun=begun, not_before_ms=until_ms)

        self._settle(key, act)

    def _settle(self, key: Key, act: Callable[[Ledger], object]) -> None:
        """Say something of an order for good, and hold it no more."""
        work = self._held.get(key)
        if work is not None:
            work.ended = True
        try:
            while not self._is_settled(key, act):
                time.sleep(AGAIN_S)
        finally:
            self._held.pop(key, None)

    def _is_settled(self, key: Key, act: Callable[[Ledger], object]) -> bool:
        """Say something of an order; False where the store is out of reach."""
        try:
            with self._books().transaction() as ledger:
                act(ledger)
        except UnknownFlow:
            return True
        except StoreError as error:
            _logger.warning("what became of %s is kept until it can be written: %s", key[2], error)
            return False
        else:
            return True

    # --- the thread that keeps the lease ---

    def _wake(self) -> None:
        """Have the lease kept while something is held."""
        if self._keeper is None:
            with self._waking:
                if self._keeper is None:
                    name = "conductor-lease"
                    self._keeper = threading.Thread(target=self._keep, name=name, daemon=True)
                    self._keeper.start()
        if self._asleep:
            with self._waking:
                self._waking.notify()

    def _keep(self) -> None:
        while True:
            with self._waking:
                self._asleep = not (self._held or self._doubts)
                if self._asleep:
                    self._waking.wait()
                    self._asleep = False
            time.sleep(HEAR_S)
            try:
                self._hear()
            except ConductorError as error:
                _logger.warning("cannot hear what shall give up: %s", error)
                time.sleep(AGAIN_S)

    def _hear(self) -> None:
        """Renew the lease, and learn what shall give up here and what is ours no more."""
        if not (self._held or self._doubts):
            return
        # Before the orders are read: what is taken meanwhile is not among them, and not lost, and
        # what comes into doubt meanwhile may not be among them either.
        held = self._held.copy()
        doubts, self._doubts = self._doubts, False
        try:
            with self._standing(durable=False) as ledger:
                orders = {order.key: order for order in ledger.store.orders_of(self.worker_id)}
            if doubts:
                self._give_up_unknown(orders)
        except BaseException:
            self._doubts = self._doubts or doubts
            raise
        for key, work in held.items():
            if work is None or work.ended:
                continue
            if key not in orders:
                if work.asked_s is None:
                    self._config.measures.lost(key[1])
                    _logger.warning("lease lost: %s of flow %s is another's", key[2], key[0])
                work.ask_to_give_up()
            elif orders[key].give_up:
                work.ask_to_give_up()
                self._terminate_if_late(work)

    def _give_up_unknown(self, orders: Iterable[Key]) -> None:
        """Give back what is ours, since a transaction ended that nobody heard of, and never began.

        Whatever this process takes is among what it holds before it is taken.
        """
        for key in orders:
            if key not in self._held:
                try:
                    self._give_back(key, begun=False, put_off=False)
                except LogError as error:
                    told = "%s of flow %s cannot be given back before this process ends: %s"
                    _logger.warning(told, key[2], key[0], error)

    def _terminate_if_late(self, work: WorkHere) -> None:
        """End this process with work that was asked to give up and does not, if that is wished."""
        patience_s = self._config.terminate_after_s
        if patience_s is None or work.asked_s is None:
            return
        if not self._may_die or time.monotonic() - work.asked_s < patience_s:
            return
        with self._books().transaction() as ledger:
            answered = ledger.answer(work.key, self.worker_id, cancelled(work.key[2]))
        # Nothing is taken meanwhile, and so no other work ends with the process.
        with self._waking:
            if answered and self._held.get(work.key) is work and not work.ended:
                told = "%s of flow %s is terminated with its process"
                _logger.warning(told, work.key[2], work.key[0])
                os.kill(os.getpid(), signal.SIGKILL)


def _is_fragile(taken: Taken) -> bool:
    """Whether work must not run twice unseen (S14.3)."""
    position = taken.state.position_of(taken.order.name) if taken.order.kind == STEP else None
    return position is not None and taken.state.catalog.steps[position].on_recovery == "fail"
