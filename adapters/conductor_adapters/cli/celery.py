"""`conductor celery relay`: look after the flows of Celery workers from a process apart.

Rule: what could keep the relay from working is told before it begins. Exit code 0 after an
orderly end, 2 when it never began.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from conductor_adapters.cli.console import say
from conductor_core.errors import ConductorError, shown

if TYPE_CHECKING:
    from conductor_adapters.celery import ConductorApp


@click.group()
def celery() -> None:
    """Look after flows that run on Celery workers."""


@celery.command()
@click.argument("app", metavar="MODULE:NAME")
def relay(app: str) -> None:
    """Fire timers, rescue what dead workers held, and send again what the broker lost.

    MODULE:NAME is a ConductorApp, as in `flows.app:conductor`. Each Celery worker has a relay
    unless it is made with relay=False; several do not get in each other's way.
    """
    conductor = imported(app)
    conductor.check_store()
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    say(f"the relay of {app} looks after {conductor.store_name}; stop it with Ctrl-C")
    conductor.relay().run(stopped)


def imported(app: str) -> ConductorApp:
    """The ConductorApp that is meant; raises ConductorError where there is none."""
    module_name, colon, name = app.partition(":")
    if not (module_name and colon and name):
        raise ConductorError(f"expected MODULE:NAME, got {shown(app)}")
    # What stands in the current folder counts, as with `celery -A`.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a string is wanted
    try:
        from conductor_adapters.celery import ConductorApp  # noqa: PLC0415 - of an extra

        module: Any = import_module(module_name)
    except Exception as error:
        raise ConductorError(f"{app}: {type(error).__name__}: {error}") from error
    found: Any = getattr(module, name, None)
    if not isinstance(found, ConductorApp):
        raise ConductorError(f"{app}: expected a ConductorApp, got {shown(found)}")
    return found
