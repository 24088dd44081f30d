"""What a process holds while others of its threads take more."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery

from conductor_adapters.celery import ConductorApp
from conductor_adapters.celery.books import Books
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.sender import Sender
from conductor_adapters.celery.work_here import WorkHere
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import STEP, Key
from conductor_adapters.work import StepContext
from conductor_core import initial_state
from conductor_core.commands import DispatchStep
from conductor_core.testing.brief import flow, group

BOTH = flow(group("g", "a", "b", parallel=True))


def nothing(_context: StepContext) -> None:
    """Do nothing."""


class Busy(Post):
    """A process in which something happens right after it was read what it holds."""

    meanwhile: Callable[[], object] | None = None

    @contextmanager
    def _standing(self, *, durable: bool, at_once: bool = False) -> Generator[Ledger]:
        with super()._standing(durable=durable, at_once=at_once) as ledger:
            yield ledger
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def hear(self) -> None:
        """Do what the thread does that keeps the lease."""
        self._hear()


def begun(post: Post, key: Key) -> WorkHere:
    """The work of an order that a process takes."""
    taken = post.take(key)
    assert taken is not None
    assert isinstance(taken.command, DispatchStep)
    work = WorkHere(taken, taken.command)
    post.holds(work)
    return work


def parts(path: Path) -> tuple[Config, Sender]:
    """A host whose broker keeps everything to itself."""
    app = Celery("post", broker="memory://")
    host = ConductorApp(app, path, {"a": nothing, "b": nothing})
    return host.config, Sender(app, host.config)


def test_work_that_begins_while_the_lease_is_kept_is_not_taken_for_lost(path: Path) -> None:
    """Only what was held before the orders were read can be missing among them."""
    config, sender = parts(path)
    with Books(config, sender).transaction() as ledger:
        ledger.start(initial_state(BOTH, "f"))
    post = Busy(config, sender, may_die=False)
    works = [begun(post, ("f", STEP, "a#1"))]
    post.meanwhile = lambda: works.append(begun(post, ("f", STEP, "b#1")))
    post.hear()
    post.hear()
    assert [work.context.attempt for work in works] == ["a#1", "b#1"]
    assert [work.asked_s for work in works] == [None, None]
