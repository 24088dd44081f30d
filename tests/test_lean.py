"""What is read in a hurry is read right, or not at all."""

from __future__ import annotations

import random
from typing import Any

import pytest

from conductor_core.codec import (
    LEAN,
    decode_event,
    decode_spec,
    encode_event,
    encode_spec,
    lean_event,
)
from conductor_core.errors import ConductorError
from conductor_core.json_text import dumps, loads
from conductor_core.lean import MISREAD
from conductor_core.leantext import TextReader
from conductor_core.scanners import STANDARD
from conductor_core.spec import FlowSpec, GroupSpec
from conductor_core.testing.arbitrary.plays import any_play

OPENED = (FlowSpec, GroupSpec)


def read(kind: Any, text: str) -> Any:
    """What a text says, piece by piece."""
    return TextReader(text, LEAN, OPENED, STANDARD.piece).value(kind)


@pytest.mark.parametrize("seed", range(20))
def test_events_and_specs_are_read_alike_both_ways(seed: int) -> None:
    """Whatever happens in a play, the records are those that the strict reader finds."""
    play = any_play(random.Random(seed).randrange, 40)
    form = encode_spec(play.start.spec)
    assert read(FlowSpec, dumps(form)) == LEAN[FlowSpec](form) == decode_spec(form)
    for _, event, _ in play.steps():
        form = encode_event(event)
        assert lean_event(loads(dumps(form))) == decode_event(form)


WRONG: list[Any] = [
    None,
    [],
    {},
    {"type": "flow-started"},
    {"type": "flow-ended", "at_ms": 0},
    {"type": ["flow-started"], "at_ms": 0},
    {"type": "flow-started", "at_ms": True},
    {"type": "flow-started", "at_ms": 1 << 63},
    {"type": "flow-started", "at_ms": 0, "by": "ann"},
    {"type": "step-started", "at_ms": 0, "attempt": "\ud800"},
    {"type": "step-started", "at_ms": 0, "attempt": 1},
    {"type": "step-finished", "at_ms": 0, "attempt": "a#1", "outcome": "won"},
    {"type": "step-finished", "at_ms": 0, "attempt": "a#1", "outcome": "failed", "noop": 1},
    {"type": "step-finished", "at_ms": 0, "attempt": "a#1", "outcome": "failed", "error": []},
    {"type": "step-finished", "at_ms": 0, "attempt": "a#1", "outcome": "failed", "metadata": 1},
    {"type": "append-requested", "at_ms": 0, "by": "ann", "groups": {}},
    {"type": "append-requested", "at_ms": 0, "by": "ann", "groups": [[]]},
]


@pytest.mark.parametrize("data", WRONG)
def test_what_is_refused_strictly_is_misread(data: Any) -> None:
    """Nothing passes that the strict reader refuses."""
    with pytest.raises(ConductorError):
        decode_event(data)
    with pytest.raises(MISREAD):
        lean_event(data)


def test_an_empty_mapping_is_always_the_same_record() -> None:
    """A thousand steps with an approval that says nothing else share it."""
    steps = [{"key": "a", "approval": {}}, {"key": "b", "approval": {}}]
    spec = LEAN[FlowSpec]({"groups": [{"key": "g", "steps": steps}]})
    first, second = spec.groups[0].steps
    assert first.approval is second.approval


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"type"}', '{"type":"flow"', '{"type":"flow";', '{"kind":"flow"}'),
        *('{"groups":{}}', '{"groups":[{"key":"g"}', '{"groups":[{"key":"g"};]}', '{"type":1}'),
        *('{"groups":[{"key":"g","steps":[{"key":"a"}', '{"groups":[{"key":"g","steps":[]}]}'),
    ],
)
def test_a_text_that_is_no_record_is_misread(text: str) -> None:
    """It may break off or go wrong anywhere."""
    with pytest.raises(MISREAD):
        read(FlowSpec, text)


def test_an_empty_text_of_a_record_has_all_defaults() -> None:
    """As it has from decoded JSON."""
    assert read(FlowSpec, "{}") == FlowSpec()
    assert read(FlowSpec, '{"groups":[]}') == FlowSpec()
