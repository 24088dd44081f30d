"""What a process on Celery hears of its orders while it takes others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from conductor_adapters.celery import ConductorApp
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.sender import Sender
from conductor_adapters.celery.work_here import WorkHere
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.protocol import STEP
from conductor_core import FlowSpec, GroupSpec, StepSpec
from conductor_core.commands import DispatchStep

SPEC = FlowSpec(
    type="t",
    groups=[
        GroupSpec(key="g", parallel=True, steps=[StepSpec(key=key, work="w") for key in ("a", "b")])
    ],
)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """A process whose flow has two attempts to take, and in which nobody else hears."""
    app = Celery("hearing", broker="memory://")
    conductor = ConductorApp(app, tmp_path / "flows.db", {"w": lambda _context: None})

    async def start() -> None:
        async with conductor:
            await conductor.start(SPEC, flow_id="f")

    asyncio.run(start())
    post = Post(conductor.config, Sender(app, conductor.config), may_die=False)
    setattr(post, "_wake", lambda: None)  # noqa: B010 - what is private is named as text
    return post


def taken(post: Post, attempt: str) -> WorkHere:
    """The work of an attempt, in the hands of a process."""
    found = post.take(("f", STEP, attempt))
    assert found is not None
    assert isinstance(found.command, DispatchStep)
    work = WorkHere(found, found.command)
    post.holds(work)
    return work


def hear(post: Post, meanwhile: Callable[[], object]) -> None:
    """Have a process hear, and do something once the orders were read."""
    standing: Callable[..., Any] = vars(Post)["_standing"]

    @contextmanager
    def slowly(**how: bool) -> Generator[Any]:
        delattr(post, "_standing")
        with standing(post, **how) as ledger:
            yield ledger
        meanwhile()

    setattr(post, "_standing", slowly)  # noqa: B010 - what is private is named as text
    vars(Post)["_hear"](post)


def test_what_is_taken_meanwhile_is_not_lost(post: Post) -> None:
    """Work that began after the orders were read is not asked to give up."""
    works = [taken(post, "a#1")]
    hear(post, lambda: works.append(taken(post, "b#1")))
    assert [work.context.cancelled for work in works] == [False, False]
    hear(post, lambda: None)
    assert [work.context.cancelled for work in works] == [False, False]


def test_what_is_another_s_gives_up(post: Post) -> None:
    """Work whose order was given to others is asked to give up."""
    work = taken(post, "a#1")
    with vars(Post)["_books"](post).transaction() as ledger:
        ledger.store.give_back(work.key)
    hear(post, lambda: None)
    assert work.context.cancelled


def test_a_doubt_that_comes_meanwhile_is_kept(post: Post) -> None:
    """What was read before cannot settle it; nor can a store that fails."""

    def doubt() -> None:
        setattr(post, "_doubts", True)  # noqa: B010 - what is private is named as text

    def fail() -> None:
        raise StoreError("it is down")

    taken(post, "a#1")
    hear(post, doubt)
    assert vars(post)["_doubts"]
    with pytest.raises(StoreError):
        hear(post, fail)
    assert vars(post)["_doubts"]
    hear(post, lambda: None)
    assert not vars(post)["_doubts"]
