"""Watching flows: observers, and the log records that every entry leaves.

Rule: who watches sees each entry once, after it is in the journal and before its commands
leave, and never breaks a flow. The records carry fields (`flow_id`, `event`, `attempt`,
`verdict`, `status`, `commands`) beside their text, for handlers that keep structure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from conductor_core.codec import TAGS
from conductor_core.events import Event, StepFinished
from conductor_core.reducer import Transition
from conductor_core.verdicts import Ignored

__all__ = ["LOGGER", "Observer", "log_entry"]

Observer: TypeAlias = Callable[[Event, Transition], None]
"""Gets an event, and what became of it; `transition.state` says of which flow."""

LOGGER: Final = logging.getLogger("conductor_adapters.flow")
"""Ignored events are told at DEBUG, work that failed at WARNING, all else at INFO."""


def log_entry(event: Event, transition: Transition) -> None:
    """Leave a log record of an entry."""
    level = _level(event, transition)
    if LOGGER.isEnabledFor(level):
        fields = _fields(event, transition)
        LOGGER.log(level, "%s", _text(fields), extra=fields)


def watched(observer: Observer, event: Event, transition: Transition) -> None:
    """Let an observer see an entry; what it raises is its own affair."""
    try:
        observer(event, transition)
    except Exception:
        # Filters and factories of log records may raise as well.
        with suppress(Exception):
            LOGGER.exception("an observer of flow %s raised", transition.state.flow_id)


def _level(event: Event, transition: Transition) -> int:
    if isinstance(transition.verdict, Ignored):
        return logging.DEBUG
    failed = isinstance(event, StepFinished) and event.outcome == "failed"
    return logging.WARNING if failed else logging.INFO


def _fields(event: Event, transition: Transition) -> dict[str, Any]:
    """What a record says; payloads are left out, since they may be large or secret."""
    return {
        "flow_id": transition.state.flow_id,
        "event": TAGS[type(event)],
        "attempt": getattr(event, "attempt", None),
        "verdict": str(transition.verdict),
        "status": transition.state.status,
        "commands": [TAGS[type(command)] for command in transition.commands],
    }


def _text(fields: dict[str, Any]) -> str:
    about = "" if fields["attempt"] is None else f" {fields['attempt']}"
    told = f"{fields['flow_id']}: {fields['event']}{about} {fields['verdict']}"
    return f"{told}, flow is {fields['status']}"
