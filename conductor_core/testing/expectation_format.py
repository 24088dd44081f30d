"""Expectations as they are written: the `expect` of a scenario, the `check` of an action.

Rule: what may be claimed is one table, topic by topic. Whatever is given becomes a claim;
what cannot be true of any flow, such as a status that does not exist, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, assert_never

from attrs import frozen

from conductor_core import codec
from conductor_core.attempt import AttemptStatus
from conductor_core.directives import Directive
from conductor_core.payload import NULL
from conductor_core.testing import closed
from conductor_core.testing.scenarios import Claim, Topic

ATTEMPT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}#[1-9][0-9]*")

FLOW_STATUSES: Final = (
    *("pending", "cancelling", "in-progress", "paused", "failed-pending-retry"),
    *("approval-awaiting", "success", "error", "cancelled"),
)
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


def decode_expectation(data: object, path: str) -> tuple[Claim, ...]:
    """Read the mapping of an expectation into its claims."""
    given = closed.record(data, path, FORMS).given
    return tuple(
        claim
        for topic, form in FORMS.items()
        if topic in given
        for claim in _claims(topic, form, given[topic], closed.child(path, topic))
    )


def _claims(topic: Topic, form: Form, data: object, path: str) -> Iterator[Claim]:
    """Read the claims of one topic."""
    match form:
        case One():
            yield Claim(topic=topic, expected=closed.payload(form.value(data, path), path))
        case Each():
            for key, value in closed.mapping(data, path).items():
                place = closed.child(path, key)
                form.key(key, place)
                expected = closed.payload(form.value(value, place), place)
                yield Claim(topic=topic, of=key, expected=expected)
        case Absent():
            for place, item in closed.items(data, path):
                yield Claim(topic=topic, of=form.item(item, place), expected=NULL)
        case _:
            assert_never(form)
