"""Expectations as they are written: the `expect` of a scenario, the `check` of an action.

Rule: what may be claimed is one table, topic by topic. Whatever is given becomes a claim;
what cannot be true of any flow, such as a status that does not exist, is refused. Which
steps and groups a scenario has is not known here: what is claimed about them is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, TypeAlias, assert_never

from attrs import frozen

from conductor_core import closed, codec
from conductor_core.attempt import AttemptStatus
from conductor_core.directives import Directive
from conductor_core.payload import NULL
from conductor_core.state import FLOW_STATUSES
from conductor_core.testing.scenarios import Claim, Topic

ATTEMPT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}#[1-9][0-9]*")

GROUP_STATUSES: Final = (
    *("pending", "in-progress", "failed-pending-retry", "approval-awaiting"),
    *("success", "error", "cancelled", "discarded"),
)


@frozen
class One:
    """A topic with one claim, about the flow as a whole."""

    value: closed.Reader[object]


@frozen
class Each:
    """A topic with a claim for every key of a mapping."""

    key: closed.Reader[str]
    value: closed.Reader[object]


@frozen
class Absent:
    """A topic with a claim for every item of a list: that there is no such thing."""

    item: closed.Reader[str]


Form: TypeAlias = One | Each | Absent

attempt: Final = closed.matching(ATTEMPT_ID, "an attempt id such as 'plan#1'")
attempts: Final = closed.list_of(attempt)


def _in_any_order(item: closed.Reader[str]) -> closed.Reader[list[str]]:
    """A reader of a list whose order says nothing."""
    return lambda data, path: sorted(closed.list_of(item)(data, path))


FORMS: Final[Mapping[Topic, Form]] = {
    "flow": One(closed.choice(*FLOW_STATUSES)),
    "reason": One(closed.optional(closed.text)),
    "step": One(closed.optional(attempt)),
    "message": One(closed.optional(closed.text)),
    "retries_exhausted": One(closed.flag),
    "steps": Each(attempt, closed.choice(*AttemptStatus)),
    "directives": Each(attempt, closed.optional(closed.choice(*Directive))),
    "groups": Each(closed.text, closed.choice(*GROUP_STATUSES)),
    "dispatched": One(attempts),
    "attempts": Each(closed.text, closed.count),
    "timers": One(_in_any_order(closed.text)),
    "approvals": One(_in_any_order(attempt)),
    "commands": Each(closed.choice(*codec.COMMANDS), closed.count),
    "absent": Absent(attempt),
    "inputs": Each(attempt, closed.mapping),
}


def _claims(topic: Topic, form: Form, data: object, path: str) -> list[Claim]:
    """Read the claims of one topic."""
    match form:
        case One():
            expected = closed.payload(form.value(data, path), path)
            return [Claim(topic=topic, expected=expected)]
        case Each():
            return closed.values_of(lambda key: partial(_claim, topic, form, key))(data, path)
        case Absent():
            items = closed.list_of(form.item)(data, path)
            return [Claim(topic=topic, of=item, expected=NULL) for item in items]
        case _:
            assert_never(form)


def _claim(topic: Topic, form: Each, of: str, data: object, path: str) -> Claim:
    """Read the claim that stands under a key."""
    form.key(of, path)
    expected = closed.payload(form.value(data, path), path)
    return Claim(topic=topic, of=of, expected=expected)


READERS: Final[Mapping[str, closed.Reader[list[Claim]]]] = {
    topic: partial(_claims, topic, form) for topic, form in FORMS.items()
}


def decode_expectation(data: object, path: str) -> tuple[Claim, ...]:
    """Read the mapping of an expectation into its claims."""
    topics: dict[str, list[Claim]] = closed.fields(data, path, READERS)
    return tuple(claim for claims in topics.values() for claim in claims)


OF_ATTEMPTS: Final = frozenset(
    {"step", "steps", "directives", "dispatched", "approvals", "absent", "inputs"}
)
"""The topics that name attempts."""


@frozen
class Mention:
    """A step or a group that is named somewhere, by its key."""

    path: str
    what: Literal["step", "group"]
    key: str


def mentions(expectation: Mapping[str, Any], path: str) -> Iterator[Mention]:
    """Every step and group that an expectation names, where it names it."""
    for topic, value in expectation.items():
        for place, name in _names(value, closed.child(path, topic)):
            if topic in OF_ATTEMPTS:
                yield Mention(place, "step", step_of(name))
            elif topic == "attempts":
                yield Mention(place, "step", name)
            elif topic == "groups":
                yield Mention(place, "group", name)
    inputs = closed.child(path, "inputs")
    for attempt_id, needs in expectation.get("inputs", {}).items():
        for place, name in _names(needs, closed.child(inputs, attempt_id)):
            yield Mention(place, "step", name)


def step_of(name: str) -> str:
    """The step that a step key or an attempt id names."""
    return name.partition("#")[0]


def _names(value: object, path: str) -> Iterator[tuple[str, str]]:
    """The names in a value, which are its keys, its items or the value itself."""
    match value:
        case str():
            yield path, value
        case dict():
            yield from ((closed.child(path, key), key) for key in value)
        case list():
            for place, item in closed.items(value, path):
                yield from _names(item, place)
        case _:
            pass
