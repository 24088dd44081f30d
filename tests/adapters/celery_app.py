"""The Celery app of workers for tests, whose handlers write down what befalls them.

Rule: tests and workers know each other by a folder alone: handlers append a line to its file
`notes` for whatever happens to them, and those that wait do so until there is a file `go`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from celery import Celery, Task
from celery.signals import task_prerun

from conductor_adapters.celery import ConductorApp, Owner, Route
from conductor_adapters.work import HostFailure, StepCancelled, StepContext, StepResult
from conductor_adapters.workers import Handler
from conductor_core.commands import GenerateSteps, RequestApproval
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import GroupSpec
from conductor_core.testing.brief import group

LOOK_S: Final = 0.01


class Notes:
    """What happened, as processes write it down that may die right after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, what: str, *about: object) -> None:
        """Write a line: what happened, to what, and in which process."""
        line = " ".join(map(str, (what, *about, os.getpid())))
        with (self.folder / "notes").open("a") as notes:
            notes.write(f"{line}\n")

    def of(self, *begin: str) -> list[list[str]]:
        """The lines that begin like this, as words."""
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [words for line in lines if (words := line.split(" "))[: len(begin)] == [*begin]]


class Works:
    """The handlers, each under its own name."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._go = notes.folder / "go"

    def handlers(self) -> Mapping[str, Handler]:
        """All of them by name."""
        named = (self.quick, self.sleeps, self.waits, self.waits_async, self.stubborn)
        more = (self.deadly, self.given_back, self.plan, self.apply)
        return {handler.__name__: handler for handler in (*named, *more)}

    def _note(self, what: str, context: StepContext) -> None:
        self._notes.add(what, context.flow_id, context.attempt)

    def quick(self, context: StepContext) -> str:
        """End at once."""
        self._note("ran", context)
        return context.attempt

    def sleeps(self, context: StepContext) -> str:
        """Take so many seconds, whatever happens."""
        self._note("began", context)
        time.sleep(context.input["s"])
        self._note("ran", context)
        return context.attempt

    def waits(self, context: StepContext) -> str:
        """Wait, and give up when asked to."""
        self._note("began", context)
        while not self._go.exists():
            if context.cancelled:
                self._note("told", context)
                raise StepCancelled(context.attempt)
            time.sleep(LOOK_S)
        self._note("ran", context)
        return context.attempt

    async def waits_async(self, context: StepContext) -> str:
        """Wait as a coroutine, which is interrupted when it is asked to give up."""
        self._note("began", context)
        try:
            while not self._go.exists():
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            self._note("told", context)
            raise
        self._note("ran", context)
        return context.attempt

    def stubborn(self, context: StepContext) -> str:
        """Wait, whatever is asked."""
        self._note("began", context)
        while not self._go.exists():
            time.sleep(LOOK_S)
        self._note("ran", context)
        return context.attempt

    def deadly(self, context: StepContext) -> None:
        """Take the process down."""
        self._note("began", context)
        os.kill(os.getpid(), signal.SIGKILL)

    def given_back(self, context: StepContext) -> str:
        """Find that the host is no good the first time."""
        self._note("began", context)
        if len(self._notes.of("began", context.flow_id, context.attempt)) == 1:
            raise HostFailure("the disk is full")
        return context.attempt

    def plan(self, context: StepContext) -> StepResult:
        """Plan what people are asked about."""
        self._note("ran", context)
        return StepResult(output={"add": 3}, subject="3 servers")

    async def apply(self, context: StepContext) -> str:
        """Do what was planned."""
        self._note("ran", context)
        return f"added {context.needs['plan']['add']}"


def generate(_command: GenerateSteps) -> Sequence[GroupSpec]:
    """Make a group of one quick step."""
    return [group("made", "quick")]


def host(settings: Mapping[str, Any]) -> tuple[Celery, ConductorApp, Notes]:
    """An app, the host on it, and what happens to its handlers."""
    app = Celery("tests", broker=settings["broker"])
    app.conf.update(
        task_default_queue=settings["queue"],
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        **settings.get("conf", {}),
    )
    notes = Notes(Path(settings["folder"]))
    return app, conductor(app, settings, notes), notes


def conductor(app: Celery, settings: Mapping[str, Any], notes: Notes) -> ConductorApp:
    """A host on an app."""
    handlers = Works(notes).handlers()

    def observe(event: Event, transition: Transition) -> None:
        notes.add("saw", type(event).__name__, transition.state.flow_id)

    def ask(flow_id: str, command: RequestApproval) -> None:
        notes.add("asked", flow_id, command.attempt, command.subject)

    options: dict[str, Any] = {"lease_s": 2.0, **settings.get("options", {})}
    return ConductorApp(
        app,
        settings["store"],
        {name: handlers[name] for name in settings.get("handlers", handlers)},
        generators={"generated": generate},
        ask=ask if settings.get("asks") else None,
        observe=observe if settings.get("observes") else None,
        routes={name: route(said) for name, said in settings.get("routes", {}).items()},
        default_route=route(settings.get("default_route", {})),
        synchronous="NORMAL",
        poll_s=0.02,
        **options,
    )


def route(said: Mapping[str, Any]) -> Route:
    """A route as settings say it."""
    owner = said.get("owner")
    return Route(
        queue=said.get("queue"),
        priority=said.get("priority"),
        owner=None if owner is None else Owner(**owner),
    )


def make(settings: dict[str, Any]) -> Celery:
    """The app of a worker."""
    app, _, notes = host(settings)
    for more in settings.get("more", ()):
        conductor(app, {**settings, **more}, notes)
    if settings.get("tells_tasks"):

        def tell(task: Task[Any, Any], task_id: str, **_more: object) -> None:
            request = task.request
            owner = getattr(request, "owner_id", None), getattr(request, "owner_type", None)
            said: dict[str, Any] = {**(request.delivery_info or {})}
            notes.add("task", task_id, task.name, *owner, said["routing_key"], said["priority"])

        task_prerun.connect(tell, weak=False)
    return app
