"""The Celery app of workers that ask the conformance kit what to do.

Rule: what is the same for all trials is made once: a worker serves one trial after another.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery

from conductor_adapters.celery import ConductorApp, post
from conductor_core.testing.conformance import cases
from tests.adapters.kit_calls import Unanswered

WORKS: Final = sorted({step.handler for case in cases() for step in case.steps()})
TYPES: Final = sorted({case.flow.type for case in cases() if case.generates})
LEASE_S: Final = 20
"""So long a worker that went down holds what it took, unless the rig says otherwise."""


def conductor(settings: dict[str, Any]) -> tuple[Celery, ConductorApp]:
    """An app, and the host on it."""
    app = Celery("kit", broker=settings["broker"])
    app.conf.update(
        task_default_queue=settings["queue"],
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
    )
    asking = Unanswered(settings["socket"])
    host = ConductorApp(
        app,
        settings["store"],
        dict.fromkeys(WORKS, asking.work),
        generators=dict.fromkeys(TYPES, asking.generate),
        ask=asking.ask,
        lease_s=LEASE_S,
        poll_s=settings["poll_s"],
        synchronous="NORMAL",
    )
    return app, host


def make(settings: dict[str, Any]) -> Celery:
    """The app of a worker, which hears soon of what shall give up."""
    # A quarter of a second is soon for people, and long for hundreds of trials.
    post.HEAR_S = 0.02  # type: ignore[misc] # a constant to everybody but this worker
    return conductor(settings)[0]
