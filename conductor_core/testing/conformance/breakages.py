"""The ways in which a host can break its contract, each under a name.

Rule: a host is told the name of what it breaks, the case, the weather, and what was expected
and seen; the name alone is stable, the words are for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class Breakage(StrEnum):
    """What a host does that no host may do."""

    OTHER_STATE = "other-state"
    """The flow came to another state than the pure reducer's."""
    OTHER_VERDICT = "other-verdict"
    """Somebody was told something else of an event than what the reducer says of it."""
    LOG_DIVERGES = "log-diverges"
    """The log cannot be read, does not verify, or leads elsewhere than to the host's state."""
    LOG_OMITS = "log-omits"
    """What became of an event that was delivered does not stand in the log."""
    LOG_FORGETS = "log-forgets"
    """What stood in the log before a crash does not stand there after it."""
    COMMAND_FIRST = "command-first"
    """A command left before its event stood in the log."""
    WRONG_COMMAND = "wrong-command"
    """A worker was handed something else than what was commanded."""
    LOST_COMMAND = "lost-command"
    """What the flow asks of its host, groups or a fresh history, was never done, or people were
    not asked, or the end of a run was not carried out."""
    LOST_DELIVERY = "lost-delivery"
    """An attempt was dispatched and no worker got it, or not again after a crash."""
    LOST_ANSWER = "lost-answer"
    """A worker answered and the flow waits on."""
    LOST_TIMER = "lost-timer"
    """A timer is due and does not fire."""
    EARLY_TIMER = "early-timer"
    """A timer fired before its time."""
    RAN_AGAIN = "ran-again"
    """Work began again that had finished according to the log, or was to give up."""
    RAN_TWICE_UNSEEN = "ran-twice-unseen"
    """Work with `on_recovery: fail` began twice."""
    DUPLICATE_COUNTED = "duplicate-counted"
    """A fact or a request that came twice counted twice."""
    LATE_FACT_COUNTED = "late-fact-counted"
    """A fact counted that came after the flow had gone on without it."""
    CANCEL_NOT_TOLD = "cancel-not-told"
    """Work was to be cancelled and was never told, or nobody answered for it when it was lost."""


class Breach(Exception):
    """A breakage that was seen somewhere within a trial, with lines that tell of it."""

    def __init__(self, breakage: Breakage, what: str, details: Iterable[str] = ()) -> None:
        self.breakage = breakage
        self.what = what
        self.details = tuple(details)
        super().__init__(f"{breakage}: {what}")


class Nonconformity(AssertionError):
    """A host breaks its contract: for whoever writes the host.

    `case` and `weather` say what to run again, `after` what had happened last.
    """

    def __init__(self, breach: Breach, *, case: str, weather: str, after: str) -> None:
        self.breakage = breach.breakage
        self.case = case
        self.weather = weather
        self.after = after
        place = f"case {case!r} in {weather} weather, after {after}"
        lines = [f"{breach.breakage}: {breach.what} ({place})"]
        super().__init__("\n  ".join([*lines, *breach.details]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.args, self.__dict__)


def _rebuilt(args: tuple[Any, ...], attributes: dict[str, Any]) -> Nonconformity:
    """Rebuild a pickled error, which has lost the breach that it was made of."""
    error = Nonconformity.__new__(Nonconformity, *args)
    error.__dict__.update(attributes)
    return error
