"""The behaviour that a shrunk log is to keep, in words.

Rule: the vocabulary is closed, and nothing in it is evaluated as code. A predicate is a row of
claims, all of which are to hold: about where the events lead, or about what they met on the way.
What was met is noted as the events are reduced (`seen`), so that no claim reads the events again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from attrs import frozen

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.codec import COMMANDS, EVENTS, TAGS
from conductor_core.errors import ConductorError, shown
from conductor_core.events import Event
from conductor_core.explain import UP_TO_PEOPLE
from conductor_core.reducer import Transition
from conductor_core.spec import KEY
from conductor_core.state import FLOW_STATUSES, FlowState
from conductor_core.verdicts import Accepted, Ignored, Rejected

Seen: TypeAlias = frozenset[str]
"""What events met on their way: their own tags, verdicts and the types of their commands."""
Holds: TypeAlias = Callable[[FlowState, Seen], bool]
NOTHING: Final[Seen] = frozenset()

STATUSES: Final = tuple(status.value for status in AttemptStatus)
GROUP_STATUSES: Final = (
    *("in-progress", "failed-pending-retry", "approval-awaiting", "pending"),
    *("success", "discarded", "cancelled", "error"),
)
WORD: Final = re.compile(r"[a-z][a-z0-9-]*")
AND: Final = re.compile(r"\s+and\s+")

VOCABULARY: Final = (
    ("status:STATUS", "the flow ends, or stands, in this status"),
    ("reason:REASON", "its outcome has this reason"),
    ("culprit:STEP", "its outcome names an attempt of this step"),
    ("retries-exhausted", "its outcome says that the retries are exhausted"),
    ("waits", "it waits for a person"),
    ("paused", "it is paused"),
    ("step:KEY=STATUS", "the live attempt of the step has this status"),
    ("attempt:ID=STATUS", "the attempt has this status"),
    ("attempts:KEY=N", "the step was tried at least so often"),
    ("group:KEY=STATUS", "the group has this status"),
    ("verdict:rejected:CODE", "a request is rejected with this code"),
    ("verdict:ignored:REASON", "an event is ignored for this reason"),
    ("command:TYPE", "a command of this type is given"),
    ("event:TYPE", "an event of this type counts"),
)
"""Every form of a claim, with what it says."""


@frozen
class Claim:
    """Something that is to hold, as it was written."""

    text: str
    holds: Holds

    def __str__(self) -> str:
        return self.text


@frozen
class Predicate:
    """Claims that are to hold together."""

    claims: tuple[Claim, ...]

    def untrue(self, state: FlowState, seen: Seen) -> Iterator[Claim]:
        """The claims that do not hold."""
        return (claim for claim in self.claims if not claim.holds(state, seen))

    def holds(self, state: FlowState, seen: Seen) -> bool:
        """Whether all claims hold."""
        return all(claim.holds(state, seen) for claim in self.claims)

    def __str__(self) -> str:
        return " and ".join(map(str, self.claims))


def noted(seen: Seen, event: Event, transition: Transition) -> Seen:
    """What was seen, with one event more; the same object where that is nothing new."""
    new = {f"command:{TAGS[command.__class__]}" for command in transition.commands}
    match transition.verdict:
        case Accepted():
            new.add(f"event:{TAGS[event.__class__]}")
        case Ignored(reason=reason):
            new.add(f"verdict:ignored:{reason}")
        case Rejected(code=code):
            new.add(f"verdict:rejected:{code}")
    return seen if new <= seen else seen | new


def predicate_of(texts: Iterable[str]) -> Predicate:
    """Read a predicate; raises ConductorError for a claim that is none."""
    claims = [claim_of(text) for joined in texts for text in AND.split(joined.strip())]
    return Predicate(tuple(claims))


def claim_of(text: str) -> Claim:
    """Read one claim."""
    topic, colon, rest = text.partition(":")
    if text in _WORDS:
        return Claim(text, _WORDS[text])
    if not colon or topic not in _TOPICS:
        raise _refused(text, f"expected one of {', '.join(form for form, _ in VOCABULARY)}")
    return Claim(text, _TOPICS[topic](text, rest))


def _refused(text: str, why: str) -> ConductorError:
    return ConductorError(f"{shown(text)} is no predicate: {why}")


# --- where the events lead ---


def _status(text: str, status: str) -> Holds:
    _one_of(text, status, FLOW_STATUSES)
    return lambda state, _: state.status == status


def _reason(text: str, reason: str) -> Holds:
    _word(text, reason)
    return lambda state, _: state.outcome is not None and state.outcome.reason == reason


def _culprit(text: str, key: str) -> Holds:
    _key(text, key)
    return lambda state, _: (
        state.outcome is not None
        and state.outcome.step is not None
        and state.outcome.step.rpartition("#")[0] == key
    )


def _step(text: str, rest: str) -> Holds:
    key, status = _equation(text, rest)
    _key(text, key)
    _one_of(text, status, STATUSES)

    def holds(state: FlowState, _: Seen) -> bool:
        live = _live(state, key)
        return live is not None and live.status == status

    return holds


def _attempt(text: str, rest: str) -> Holds:
    attempt_id, status = _equation(text, rest)
    _key(text, attempt_id.partition("#")[0])
    _one_of(text, status, STATUSES)

    def holds(state: FlowState, _: Seen) -> bool:
        attempt = state.attempt(attempt_id)
        return attempt is not None and attempt.status == status

    return holds


def _attempts(text: str, rest: str) -> Holds:
    key, number = _equation(text, rest)
    _key(text, key)
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) > 0):
        raise _refused(text, f"expected a number of attempts, at least 1, got {shown(number)}")

    def holds(state: FlowState, _: Seen) -> bool:
        live = _live(state, key)
        return live is not None and live.n >= int(number)

    return holds


def _group(text: str, rest: str) -> Holds:
    key, status = _equation(text, rest)
    _key(text, key)
    _one_of(text, status, GROUP_STATUSES)

    def holds(state: FlowState, _: Seen) -> bool:
        index = state.catalog.group_of(key)
        return index is not None and state.group_status(index) == status

    return holds


def _live(state: FlowState, key: str) -> Attempt | None:
    position = state.catalog.position_of(key)
    return None if position is None else state.live[position]


# --- what they met on the way ---


def _verdict(text: str, rest: str) -> Holds:
    kind, _, word = rest.partition(":")
    _one_of(text, kind, ("rejected", "ignored"))
    _word(text, word)
    return lambda _, seen: text in seen


def _command(text: str, kind: str) -> Holds:
    _one_of(text, kind, tuple(COMMANDS))
    return lambda _, seen: text in seen


def _event(text: str, kind: str) -> Holds:
    _one_of(text, kind, tuple(EVENTS))
    return lambda _, seen: text in seen


# --- words ---


def _equation(text: str, rest: str) -> tuple[str, str]:
    left, equals, right = rest.partition("=")
    if not equals:
        raise _refused(text, f"expected KEY=..., got {shown(rest)}")
    return left, right


def _one_of(text: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise _refused(text, f"expected one of {', '.join(words)}, got {shown(word)}")


def _word(text: str, word: str) -> None:
    if not WORD.fullmatch(word):
        raise _refused(text, f"expected a word such as not-failed, got {shown(word)}")


def _key(text: str, key: str) -> None:
    if not KEY.fullmatch(key):
        raise _refused(text, f"expected a key that matches {KEY.pattern}, got {shown(key)}")


_WORDS: Final[dict[str, Holds]] = {
    "retries-exhausted": lambda state, _: (
        state.outcome is not None and state.outcome.retries_exhausted
    ),
    "waits": lambda state, _: state.status in UP_TO_PEOPLE,
    "paused": lambda state, _: state.paused,
}
_TOPICS: Final[dict[str, Callable[[str, str], Holds]]] = {
    "status": _status,
    "reason": _reason,
    "culprit": _culprit,
    "step": _step,
    "attempt": _attempt,
    "attempts": _attempts,
    "group": _group,
    "verdict": _verdict,
    "command": _command,
    "event": _event,
}
