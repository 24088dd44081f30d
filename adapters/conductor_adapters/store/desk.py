"""The thread in which a store is worked with: many jobs, one transaction.

Rule: whoever waits for a job is told after its transaction is for good. All that has come in
meanwhile goes into the next one together; where one of them fails, each gets a transaction of
its own, so that none pays for another. While nothing comes in the thread looks, every
`poll_s`, whether others wrote to the file, which costs it a few microseconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from attrs import frozen

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News
from conductor_core.errors import LogError

TOGETHER: Final = 256
"""So many jobs share a transaction at most."""
TROUBLE_S: Final = 1.0
"""So long the thread leaves a store alone that cannot be looked into."""

_logger = logging.getLogger("conductor_adapters.store")


@frozen
class Job:
    """What is to be done in a transaction, and who is told what became of it.

    What only reads holds nobody else up.
    """

    act: Callable[[Ledger], Any]
    done: Callable[[Any, BaseException | None], None]
    reads: bool = False


Result: TypeAlias = tuple[Job, Any, BaseException | None]
Deliver: TypeAlias = Callable[[Sequence[Result], News], None]


class Desk:
    """A ledger with its thread.

    There, `deliver` is called after each transaction, `broken` where the thread cannot go on,
    `watched` tells of which flows somebody wants to know what others do to them, and
    `is_wanted` whether there is still anybody to deliver to.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        *,
        leases: Leases | None,
        deliver: Deliver,
        broken: Callable[[BaseException], None],
        watched: Callable[[str], bool],
        is_wanted: Callable[[], bool],
        poll_s: float,
    ) -> None:
        self._open_ledger = open_ledger
        self._leases = leases
        self._deliver = deliver
        self._broken = broken
        self._watched = watched
        self._is_wanted = is_wanted
        self._poll_s = poll_s
        self._jobs: SimpleQueue[Sequence[Job]] = SimpleQueue()
        self._stopped = threading.Event()
        self._dead = False
        self._looked_s = 0.0
        self._place = 0
        self._urgent = False
        self._thread = threading.Thread(target=self._run, name="conductor-store", daemon=True)

    def start(self, opened: Callable[[BaseException | None], None]) -> None:
        """Open the store; `opened` is called in the thread."""
        self._opened = opened
        self._thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have jobs done, in this order."""
        self._jobs.put(jobs)

    def left_undone(self) -> list[Job]:
        """What was submitted and is done no more, once the thread has ended."""
        jobs: list[Job] = []
        with suppress(Empty):
            while True:
                jobs += self._jobs.get_nowait()
        return jobs

    def nudge(self) -> None:
        """Have the thread look around now."""
        self._urgent = True
        self._jobs.put(())

    def stop(self) -> None:
        """End after all that was submitted."""
        self._stopped.set()
        self._jobs.put(())

    def kill(self) -> None:
        """End as a process does that is killed: nothing more is done."""
        self._dead = True
        self.stop()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    # --- in the thread ---

    def _run(self) -> None:
        try:
            self._ledger = self._open_ledger()
        except BaseException as error:  # noqa: BLE001 - raised again where it was opened
            self._opened(error)
            return
        try:
            self._work_in_store()
        finally:
            self._ledger.store.close()

    def _work_in_store(self) -> None:
        try:
            if self._leases is not None:
                self._leases.bind(self._ledger)
            self._begin()
        except BaseException as error:  # noqa: BLE001 - raised again where it was opened
            self._opened(error)
            return
        self._opened(None)
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - told to everybody who waits
            self._broken(error)

    def _work(self) -> None:
        """Do jobs, and look around between them, until told to end."""
        while not self._dead and self._is_wanted():
            # Asked before what there is: whatever was submitted before the stop is done.
            stopping = self._stopped.is_set()
            jobs = self._next()
            if jobs and not self._dead:
                self.transact(jobs)
            elif not jobs and stopping:
                return
            if not self._dead:
                self._look()

    def _begin(self) -> None:
        """Appear among the workers, and see where the store is."""
        with self._looking():
            _, self._place = self._ledger.store.grown(after=2**62)
            if self._leases is not None:
                self._leases.renew()
        self._urgent = True

    def _looking(self) -> AbstractContextManager[News]:
        """What a look takes: a worker writes what it sees, and others only read."""
        ledger = self._ledger
        return ledger.reading() if self._leases is None else ledger.transaction()

    def _next(self) -> list[Job]:
        """Wait for jobs, but no longer than until it is time to look."""
        jobs: list[Job] = []
        trouble = self._looked_s > time.monotonic()
        at_once = (self._urgent and not trouble) or self._stopped.is_set()
        wait_s = 0.0 if at_once else self._poll_s
        with suppress(Empty):
            jobs += self._jobs.get(timeout=wait_s) if wait_s else self._jobs.get_nowait()
        # This thread alone takes from the queue.
        while len(jobs) < TOGETHER and not self._jobs.empty():
            jobs += self._jobs.get_nowait()
        return jobs

    def transact(self, jobs: Sequence[Job]) -> None:
        """Do jobs in one transaction, or where that fails each in its own."""
        reads, ledger, begun = all(job.reads for job in jobs), self._ledger, False
        try:
            with ledger.reading() if reads else ledger.transaction() as news:
                begun = True
                results = [(job, job.act(ledger), None) for job in jobs]
                if self._leases is not None and not reads:
                    self._leases.take_more()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            if self._leases is not None:
                self._leases.left_open()
            if len(jobs) == 1 or not begun:
                # A store that lets nobody begin is not waited for once more for each.
                self._deliver([(job, None, error) for job in jobs], News())
                return
            for job in jobs:
                self.transact([job])
        else:
            self._tell(results, news)

    def _tell(self, results: Sequence[Result], news: News) -> None:
        if self._leases is not None:
            self._leases.settle(news)
        self._deliver(results, news)

    def _look(self) -> None:
        """See whether others wrote, or time has come for something."""
        now_s = time.monotonic()
        if now_s - self._looked_s < (0 if self._urgent else self._poll_s):
            return
        self._looked_s = now_s
        try:
            changed = self._ledger.store.changed()
            due = self._leases is not None and self._leases.lease.is_due()
            if changed or due or self._urgent:
                self._urgent = False
                self._look_around()
        except StoreError as error:
            _logger.warning("cannot look into the store: %s", error)
            self._urgent = True
            self._looked_s = now_s + TROUBLE_S

    def _look_around(self) -> None:
        with self._looking() as news:
            grown, place = self._ledger.store.grown(after=self._place)
            for flow_id in grown:
                self._see(flow_id)
            if self._leases is not None:
                self._leases.look_around()
        # Only now: what was seen in a transaction that fails is looked at again.
        self._place = place
        self._tell([], news)

    def _see(self, flow_id: str) -> None:
        """Go on to what others did to a flow that somebody here watches."""
        try:
            if self._watched(flow_id):
                self._ledger.look(flow_id)
        except LogError as error:
            _logger.warning("%s", error)
