"""What processes on Celery do in moments that are hard to meet."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from attrs import evolve
from celery import Celery
from celery.exceptions import WorkerShutdown
from kombu import Queue

from conductor_adapters.celery import ConductorApp, Route
from conductor_adapters.celery.books import Books
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.in_worker import step_for
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.relay import Relay
from conductor_adapters.celery.sender import Sender
from conductor_adapters.celery.standing import say_alive
from conductor_adapters.celery.work_here import WorkHere
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import GENERATE, STEP, Key, Order, Store
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import Finished, HostFailure, StepContext
from conductor_core import FlowSpec, FlowState, GroupSpec, StepSpec, initial_state
from conductor_core.commands import DispatchStep
from conductor_core.errors import ConductorError
from conductor_core.testing.brief import flow, group
from tests.adapters.databases import PATIENCE_S, add_flow, opened, put
from tests.services.postgres import Postgres

ONE = flow(group("g", "a"))
OPENED: list[Store] = []
WRONG: Any = 3
TENANT = ContextVar("TENANT", default="of nobody")


@pytest.fixture(autouse=True)
def closed() -> Generator[None]:
    """Close every store that a test opened."""
    yield
    while OPENED:
        with suppress(sqlite3.ProgrammingError):  # It is that of a thread which keeps a lease.
            OPENED.pop().close()


KEY: Key = ("f", STEP, "a#1")


def nothing(_context: StepContext) -> None:
    """Do nothing."""


def own(whose: object, name: str) -> Any:
    """What is private, by its name."""
    return getattr(whose, name)


class Setting:
    """A host whose broker is in this process, and the parts that its processes have."""

    def __init__(self, store: str | Path, *, broker: str = "memory://", **options: Any) -> None:
        self.app = Celery(broker=broker)
        self.host = ConductorApp(self.app, store, {"a": nothing, "b": nothing}, **options)
        self.config: Config = self.host.config
        self.sender = Sender(self.app, self.config)
        self.open_with(self.config.open_store)

    def open_with(self, open_store: Callable[[], Store]) -> None:
        """Have whatever is made from here on open its store so."""

        def opened() -> Store:
            OPENED.append(open_store())
            return OPENED[-1]

        self.config = self.host.config = evolve(self.host.config, open_store=opened)

    def begin(self, spec: FlowSpec = ONE) -> None:
        """Begin a flow."""
        with self.books() as ledger:
            ledger.start(initial_state(spec, "f"))

    def books(self) -> AbstractContextManager[Ledger]:
        """A transaction of somebody else."""
        return Books(self.config, self.sender).transaction()

    def state(self) -> FlowState:
        """Where the flow is."""
        with self.books() as ledger:
            return ledger.look("f")

    def owner(self, key: Key) -> str | None:
        """Who has taken an order."""
        with self.books() as ledger:
            found = ledger.store.order(key)
        assert found is not None
        return found[1]

    def post(self, **options: Any) -> Post:
        """A process that carries out orders."""
        return Post(self.config, self.sender, **{"may_die": False} | options)


class Moment(SqliteStore):
    """A store in which something happens as soon as a process has seen what is its own."""

    then: ClassVar[list[Callable[[], None]]] = []

    def orders_of(self, owner: str) -> list[Order]:
        """What is seen, before that happens."""
        seen = super().orders_of(owner)
        for happens in Moment.then:
            happens()
        return seen


def test_doubts_that_come_up_meanwhile_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process sees as its own lacks an order that another of its threads is in doubt of."""
    setting = Setting(tmp_path / "f.db")
    setting.begin()
    setting.open_with(partial(Moment, tmp_path / "f.db"))
    post = setting.post()
    vars(post)["_doubts"] = True
    monkeypatch.setattr(Moment, "then", [partial(setattr, post, "_doubts", True)])
    own(post, "_hear")()
    assert own(post, "_doubts")
    with setting.books() as ledger:
        ledger.store.take(KEY, post.worker_id)
    monkeypatch.setattr(Moment, "then", [])
    own(post, "_hear")()
    assert not own(post, "_doubts")
    assert setting.owner(KEY) is None


@pytest.mark.parametrize("ended", [True, False])
def test_a_process_ends_with_the_work_that_it_still_does_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Work that has ended by then takes nothing down that began after it."""
    signals: list[tuple[int, int]] = []
    # Otherwise this process would be the one that ends.
    monkeypatch.setattr(os, "kill", lambda *told: signals.append(told))
    setting = Setting(tmp_path / "f.db", terminate_after_s=0)
    setting.begin()
    post = setting.post(may_die=True)
    taken = post.take(KEY)
    assert taken is not None
    assert isinstance(taken.command, DispatchStep)
    work = WorkHere(taken, taken.command)
    post.holds(work)
    work.ask_to_give_up()
    if ended:
        post.answer(KEY, Finished(attempt="a#1", outcome="succeeded"))
    own(post, "_terminate_if_late")(work)
    assert signals == ([] if ended else [(os.getpid(), signal.SIGKILL)])
    assert setting.state().status == ("success" if ended else "error")


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit])
def test_a_generator_that_ends_everything_has_failed(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    """As a handler that does; its process goes on, and it is not begun again."""

    def broken(_command: object) -> Any:
        raise kind

    setting = Setting(tmp_path / "f.db", generators={"flow": broken})
    setting.begin(FlowSpec(type="flow"))
    own(setting.host, "_carrier")().receive(GENERATE, ("f", "1"))
    assert setting.state().outcome is not None


def test_a_generator_whose_worker_ends_is_given_back(tmp_path: Path) -> None:
    """What ends is the worker, and others make the groups."""

    def stopped(_command: object) -> Any:
        raise WorkerShutdown(0)

    setting = Setting(tmp_path / "f.db", generators={"flow": stopped})
    setting.begin(FlowSpec(type="flow"))
    with pytest.raises(WorkerShutdown):
        own(setting.host, "_carrier")().receive(GENERATE, ("f", "1"))
    assert setting.owner(("f", GENERATE, "1")) is None


def test_groups_that_a_host_failed_to_make_are_given_back(tmp_path: Path) -> None:
    """That the disk was full is no fact about the flow, whose groups others make."""

    def full(_command: object) -> Any:
        raise HostFailure("the disk is full")

    setting = Setting(tmp_path / "f.db", generators={"flow": full})
    setting.begin(FlowSpec(type="flow"))
    own(setting.host, "_carrier")().receive(GENERATE, ("f", "1"))
    assert setting.state().outcome is None
    assert setting.owner(("f", GENERATE, "1")) is None


def test_relays_bury_each_other(postgres: Postgres) -> None:
    """After an outage each says that it lives while the other takes it for dead."""
    from conductor_adapters.store.postgres import PostgresStore  # noqa: PLC0415 - perhaps missing

    both = threading.Barrier(2, timeout=PATIENCE_S)

    class Slow(PostgresStore):
        def bury(self, *, boot: str, now_ms: int) -> None:
            both.wait()
            super().bury(boot=boot, now_ms=now_ms)

    url = postgres.new_database()
    setting = Setting(url)
    relays = [Relay(setting.config, setting.sender) for _ in range(2)]
    with setting.books() as ledger:
        for relay in relays:
            say_alive(ledger.store, relay.worker_id, 0)
    setting.open_with(partial(Slow, url))
    errors: list[BaseException] = []

    def renew(relay: Relay) -> None:
        try:
            own(relay, "_renew")(Books(setting.config, setting.sender))
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            errors.append(error)
            both.abort()

    threads = [threading.Thread(target=renew, args=[relay]) for relay in relays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert errors == []


def test_what_a_broker_refuses_holds_up_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A queue that is not there is told, and what goes elsewhere is sent."""
    queue = "of-what-is-refused"
    setting = Setting(tmp_path / "f.db")
    setting.app.conf.update(task_create_missing_queues=False, task_queues=[Queue(queue)])
    setting.app.conf.task_default_queue = queue
    elsewhere = StepSpec(key="a", metadata={"host": {"queue": "elsewhere"}})
    steps = [elsewhere, StepSpec(key="b")]
    with SqliteStore(tmp_path / "f.db") as store:
        ledger = Ledger(store, now_ms=lambda: 0)
        spec = FlowSpec(groups=[GroupSpec(key="g", steps=steps, parallel=True)])
        with ledger.transaction():
            ledger.start(initial_state(spec, "f"))
    relay = Relay(setting.config, setting.sender)
    assert relay.look()
    with setting.app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        assert channel.queue_declare(queue, passive=True).message_count == 1
    (told,) = caplog.messages
    assert told.startswith("a#1 of flow f, and 0 more, cannot be sent")
    assert relay.look()
    assert len(caplog.records) == 1, "it is not tried all the time"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"celery_app": "redis://localhost"}, "celery_app: expected a Celery app"),
        ({"handlers": None}, "handlers: expected functions by their names, got None"),
        ({"handlers": {"a": 3}}, "handlers: expected functions by their names, got {'a': 3}"),
        ({"generators": {"t": 3}}, "generators: expected functions"),
        ({"ask": 3}, "ask: expected a function, got 3"),
        ({"lease_s": 0}, "lease_s: expected seconds, at least 0.5, got 0"),
        ({"lease_s": "10"}, "lease_s: expected seconds, at least 0.5, got '10'"),
        ({"poll_s": 0}, "poll_s: expected seconds"),
        ({"terminate_after_s": -1}, "terminate_after_s: expected seconds"),
        ({"max_deliveries": 0}, "max_deliveries: expected a whole number"),
        ({"snapshot_every": True}, "snapshot_every: expected a whole number"),
        ({"synchronous": "OFF"}, "synchronous: expected FULL or NORMAL, got 'OFF'"),
        ({"name": ""}, "name: expected a name, got ''"),
        ({"store": ""}, "store: expected a file or postgresql://..., got ''"),
        ({"store": None}, "store: expected a file or postgresql://..., got None"),
        ({"routes": 3}, "routes: expected routes by handler, got 3"),
        ({"routes": {"a": "gpu"}}, "routes['a']: expected a Route, got 'gpu'"),
        ({"default_route": Route(priority=999)}, "default_route.priority: expected a whole"),
        ({"default_route": Route(owner=WRONG)}, "default_route.owner: expected an Owner, got 3"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    """Where the host is made, with the name of what is wrong."""
    right: dict[str, Any] = {
        "celery_app": Celery(),
        "store": tmp_path / "f.db",
        "handlers": {"a": nothing},
    }
    with pytest.raises(ConductorError, match=f"^{re.escape(told)}"):
        ConductorApp(**right | options)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """One would drop the messages of the other."""
    setting = Setting(tmp_path / "f.db")
    with pytest.raises(ConductorError, match="this Celery app has a ConductorApp named"):
        ConductorApp(setting.app, tmp_path / "g.db", {})
    ConductorApp(setting.app, tmp_path / "g.db", {}, name="other")


@pytest.mark.parametrize("broker", ["nonsense://:sekret@host", "redis://:se#kret@host"])
def test_a_broker_that_is_none_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broker: str
) -> None:
    """The relay goes on, as with one that is down, and tells nothing of a password."""
    setting = Setting(tmp_path / "f.db", broker=broker)
    with SqliteStore(tmp_path / "f.db") as store:
        ledger = Ledger(store, now_ms=lambda: 0)
        with ledger.transaction():
            ledger.start(initial_state(ONE, "f"))
    relay = Relay(setting.config, setting.sender)
    assert [relay.look(), relay.look()] == [False, False]
    (told,) = caplog.messages
    assert told.startswith("the URL of the broker is none that is known here")
    assert "'se'" not in told


def test_who_notes_what_was_sent_waits_for_nobody(postgres: Postgres) -> None:
    """Others may hold some of the orders in another sequence, and wait for the rest of them."""
    url = postgres.new_database()
    with opened(url) as relay, opened(url) as other:
        add_flow(relay)
        put(relay, "a#1", "b#1")
        first, second = ("f", STEP, "a#1"), ("f", STEP, "b#1")
        with other.transaction():
            other.remove_order(first)
            with relay.transaction():
                relay.sent(second, at_ms=7, until_ms=8)
                relay.sent(first, at_ms=7, until_ms=8)
            other.remove_order(second)
        with relay.reading():
            assert relay.orders_in("f") == []


def test_an_app_that_became_unsafe_is_refused_by_its_workers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it accepts more only after the host was made."""
    setting = Setting(tmp_path / "f.db")
    setting.app.conf.accept_content = ["json", "pickle"]
    worker = SimpleNamespace(app=setting.app, steps=[])
    step = step_for(setting.config, setting.sender, relay=False)(worker)
    with pytest.raises(SystemExit, match=r"^1$"):
        step.start(worker)
    assert "accept_content: expected nothing but json" in caplog.text


def test_what_work_sets_in_its_context_is_gone_after_it(tmp_path: Path) -> None:
    """One work does not see what another left there, be they functions or coroutines."""
    seen: list[str] = []

    def function(_context: StepContext) -> None:
        seen.append(TENANT.get())
        TENANT.set("of a function")

    async def coroutine(_context: StepContext) -> None:
        await asyncio.sleep(0)
        seen.append(TENANT.get())
        TENANT.set("of a coroutine")

    setting = Setting(tmp_path / "f.db")
    setting.begin(flow(group("g", "a", "b")))
    for key in (KEY, ("f", STEP, "b#1")):
        taken = setting.post().take(key)
        assert taken is not None
        assert isinstance(taken.command, DispatchStep)
        for handler in (function, coroutine):
            WorkHere(taken, taken.command).carry_out(handler)
        if key == KEY:
            with setting.books() as ledger:
                ledger.feed("f", Finished(attempt="a#1", outcome="succeeded"))
    assert seen == ["of nobody"] * 4
