"""Connections that are lost, and servers that crash: what is told, and what goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from conductor_adapters.store import StoreError
from conductor_adapters.store.kept import log_lines
from conductor_core import events
from conductor_core.log import replay
from conductor_core.verdicts import Accepted
from tests.adapters.databases import add_flow, added, end_sessions, opened, sql, until
from tests.adapters.ledgers import Hand
from tests.services.fixtures import require
from tests.services.postgres import Postgres

if TYPE_CHECKING:
    from conductor_adapters.store.postgres import PostgresStore


def failed(store: PostgresStore, act: Callable[[], None]) -> str:
    """What is told of a transaction that fails."""
    with pytest.raises(StoreError) as caught, store.transaction():
        act()
    return str(caught.value)


def test_what_is_lost_between_transactions_is_opened_again(url: str) -> None:
    """By whatever comes next, and nobody is told but who asks how often."""
    with opened(url) as store:
        add_flow(store)
        for number, transaction in enumerate((store.transaction, store.reading), 1):
            assert store.connections == number
            end_sessions(url)
            with transaction():
                assert store.connections == number + 1
                assert store.flow("f") is not None


def test_what_is_lost_within_a_transaction_is_told(url: str) -> None:
    """It has not happened, and the next one goes on."""
    with opened(url) as store:

        def act() -> None:
            added(store, "f")
            end_sessions(url)
            store.place("f")

        assert "terminating connection" in failed(store, act)
        with store.transaction():
            assert store.place("f") is None
            assert store.connections == 2
            added(store, "f")


def test_a_look_at_a_lost_connection_is_told_and_the_next_one_goes_on(url: str) -> None:
    """What was lost with it counts as changed."""
    with opened(url) as store:
        add_flow(store)
        assert store.changed()
        assert not store.changed()
        end_sessions(url)
        with pytest.raises(StoreError, match="terminating connection"):
            store.changed()
        assert store.changed()
        assert store.connections == 2


def test_what_came_last_is_told_once_more_after_a_loss(url: str) -> None:
    """A server that crashed gives numbers again that it had given to what it lost."""
    with opened(url) as store:
        add_flow(store)
        with store.reading():
            _, place = store.grown(after=0)
        end_sessions(url)
        with store.reading():
            assert store.grown(after=place) == (["f"], place)
        with store.reading():
            assert store.grown(after=place) == ([], place)


def test_a_version_that_came_with_a_new_server_is_seen(url: str) -> None:
    """Also by who finds the connection lost."""
    with opened(url) as store:
        add_flow(store)
        sql(url, "UPDATE conductor.version SET number = 2")
        end_sessions(url)
        with pytest.raises(StoreError, match="has version 2 by now"), store.reading():
            raise AssertionError("it began")


def test_what_was_remembered_before_a_loss_is_read_anew(url: str) -> None:
    """A crash may have given the place of an entry that was lost to another one."""
    hand = Hand(url)
    hand.start()
    hand.feed(partial(events.PauseRequested, by="ann"))
    ((lost,),) = sql(url, "DELETE FROM conductor.entries WHERE seq = 2 RETURNING number")
    sql(url, f"SELECT setval('conductor.entries_number_seq', {lost}, false)")
    Hand(url).feed(partial(events.PauseRequested, by="bo"))
    assert sql(url, "SELECT number FROM conductor.entries WHERE seq = 2") == [(lost,)]
    end_sessions(url)
    assert hand.feed(partial(events.ResumeRequested, by="ann")) == Accepted()
    replayed = replay(log_lines(hand.entries()))
    assert (replayed.entries, replayed.state) == (3, hand.state())


# --- a server that crashes ---


@pytest.fixture
def server() -> Generator[Postgres]:
    """A server of its own, which keeps what was committed."""
    require(Postgres)
    with Postgres() as server:
        yield server


def test_what_was_committed_outlives_a_crash(server: Postgres) -> None:
    """While the server is down that is told, and when it is back all goes on by itself."""
    with opened(server.url) as store:
        add_flow(store)

        def act() -> None:
            added(store, "g")
            server.kill()
            store.place("g")

        assert failed(store, act).startswith(f"{server.url}: ")
        for _ in range(2):
            with pytest.raises(StoreError, match="Connection refused"), store.transaction():
                raise AssertionError("it began")
            with pytest.raises(StoreError, match="Connection refused"):
                store.changed()
        server.start()
        with store.transaction():
            assert [row.flow_id for row in store.flows(limit=9)] == ["f"]
            added(store, "g")
        server.restart()
        with store.reading():
            assert [row.flow_id for row in store.flows(limit=9)] == ["f", "g"]
        assert store.connections == 3


# --- a connection that is lost while a transaction ends ---

COMMIT: Final = b"COMMIT\0"
OTHERS: Final = """
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


class Wire:
    """Stands between a store and its server; cuts the connection when it sees a commit, if told.

    `passes`: whether the server still hears of that commit.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = False
        self.passes = False
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [client, server]
                for source, target in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._pump, args=[source, target])
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.cuts and COMMIT in data:
                    # The client hears nothing more; the server, perhaps, of the commit.
                    _shut(source)
                    if self.passes:
                        target.sendall(data)
                    break
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Cut everything."""
        _shut(self._listener)
        self._threads[0].join()
        for end in self._ends:
            _shut(end)
        for thread in self._threads[1:]:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wired(url: str) -> Generator[tuple[Wire, str]]:
    """A wire to a server, and the URL at its near end."""
    place, _, port = url.rpartition("/")[0].rpartition(":")
    with closing(Wire(int(port))) as wire:
        yield wire, f"{place}:{wire.port}/{url.rpartition('/')[2]}"


@pytest.mark.parametrize("passes", [True, False], ids=["it came through", "it did not"])
def test_whether_a_commit_came_through_may_be_unknown(url: str, passes: bool) -> None:
    """That is told, and who looks again sees which it was."""
    with wired(url) as (wire, near), opened(near) as store:
        wire.passes = passes

        def act() -> None:
            added(store, "f")
            wire.cuts = True

        told = failed(store, act)
        assert told.startswith(f"{near}: the connection was lost while a transaction was about to")
        assert "nobody knows whether it is for good" in told
        wire.cuts = False
        until(lambda: sql(url, OTHERS) == [])
        with store.reading():
            assert (store.flow("f") is not None) is passes
            assert store.connections == 2


def test_who_only_read_knows_enough(url: str) -> None:
    """What is lost at the end of a look is an error like any other."""
    with wired(url) as (wire, near), opened(near) as store:
        with pytest.raises(StoreError) as caught, store.reading():
            wire.cuts = True
        assert "nobody knows" not in str(caught.value)
