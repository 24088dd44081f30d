"""What runs on Celery to be measured, and the worker of it: `celery_apps.py BROKER [STORE]`.

Rule: a worker and its client are made by the same functions. Without a store there is nothing
but a task that does nothing, and its results are in Redis too, as those have it who wait for them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from benchmarks.overhead import nothing

if TYPE_CHECKING:
    from conductor_adapters.celery import ConductorApp

TASK: Final = "nothing"
PREFORK: Final = ("--pool", "prefork", "--concurrency", "2")


def plain(broker: str) -> Any:
    """An app with a task."""
    app = _app(broker, backend=broker)
    app.task(_bare, name=TASK, shared=False)
    return app


def _bare() -> None:
    """Do nothing."""


def conducted(app: Any, store: str, *, poll_s: float = 0.1) -> ConductorApp:
    """A host of flows on an app, whose steps do nothing."""
    from conductor_adapters.celery import ConductorApp  # noqa: PLC0415 - perhaps without Celery

    return ConductorApp(app, store, handlers={TASK: nothing}, poll_s=poll_s)


def flows(broker: str) -> Any:
    """An app for a host of flows; it needs no results."""
    return _app(broker)


def _app(broker: str, **settings: str) -> Any:
    # Perhaps missing, and without types.
    return import_module("celery").Celery("bench", broker=broker, **settings)


def main(broker: str, store: str = "") -> None:
    """Be a worker, until a signal."""
    app = flows(broker) if store else plain(broker)
    if store:
        conducted(app, store)
    app.worker_main(["worker", *PREFORK, "--loglevel", "WARNING"])


if __name__ == "__main__":
    main(*sys.argv[1:])
