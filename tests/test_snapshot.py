"""Snapshots: the very state that was put aside comes back, or there is an error."""

from __future__ import annotations

import pytest

from conductor_core import events
from conductor_core.codec import encode_state
from conductor_core.errors import FormatError, LogError, PayloadError
from conductor_core.log import restore, snapshot
from conductor_core.payload import DEEPEST, Payload, canonical_text
from conductor_core.state import FlowState
from conductor_core.testing import given
from conductor_core.testing.brief import START, failed, flow, group, succeeded

STATE = given(flow(group("g", "a", "b")), START, succeeded("a#1", output={"ä": [1.0]})).state
TEXT = snapshot(STATE)


def test_a_snapshot_is_one_line_with_a_digest() -> None:
    """Text of one line; what it is stands first."""
    assert TEXT.startswith('{"snapshot":"conductor-snapshot/1","semantics":1,"digest":"sha256:')
    assert "\n" not in TEXT


def test_what_was_put_aside_comes_back() -> None:
    """From text or from bytes, and however it was laid out in between."""
    assert restore(TEXT) == STATE
    assert restore(TEXT.encode()) == STATE
    assert restore(TEXT.replace(",", " ,\n ")) == STATE


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the snapshot cannot be read: not JSON: expecting value"),
        (TEXT[:-1], "the snapshot cannot be read: not JSON: "),
        (b"\xff", "the snapshot cannot be read: invalid UTF-8"),
        ("[]", r"expected a snapshot of format 'conductor-snapshot/1', got \[\]"),
        ("{}", "expected a snapshot of format 'conductor-snapshot/1', got None"),
        (TEXT.replace("snapshot/1", "snapshot/2"), "got 'conductor-snapshot/2'"),
        (TEXT.replace('"semantics":1', '"semantics":2'), "unknown semantics 2, expected 1"),
        (TEXT.replace('"semantics":1', '"semantics":true'), "semantics: expected an integer"),
        (TEXT.replace('"queued"', '"success"'), "the snapshot is damaged"),
        (TEXT.replace('"queued"', '"quued"'), r"state\.attempts\[1\]\.status: expected one of"),
        (TEXT.replace('"state":', '"stat":'), "missing key 'state'; stat: unknown key 'stat'"),
    ],
)
def test_anything_else_is_an_error(text: str | bytes, problem: str) -> None:
    """Damage, other formats and other rules are told apart."""
    with pytest.raises(LogError, match=problem):
        restore(text)


def test_what_could_not_be_restored_is_not_put_aside() -> None:
    """A payload that is nested beyond what is read is refused when it is written."""
    deep = Payload("[" * 130 + "]" * 130)
    state = given(STATE, succeeded("b#1", output=deep)).state
    with pytest.raises(FormatError, match="nested more than 128 levels deep"):
        snapshot(state)


def deep(depth: int) -> FlowState:
    """A state whose deepest payload stands at the end of the longest chain of causes."""
    error = events.StepError(details=Payload("[" * depth + "]" * depth))
    for _ in range(events.CAUSES - 1):
        error = events.StepError(cause=error)
    return given(STATE, failed("b#1", error=error)).state


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1])
def test_a_snapshot_is_the_same_however_deep_it_is(depth: int) -> None:
    """The deepest payload that a host can make is written in a hurry, a deeper one is not."""
    state = deep(depth)
    assert snapshot(state).endswith(f',"state":{canonical_text(encode_state(state))}}}')


def test_the_deepest_payload_comes_back() -> None:
    """What a host can make is never too deep to be restored."""
    assert restore(snapshot(deep(DEEPEST))) == deep(DEEPEST)


def test_a_state_that_is_no_text_is_not_put_aside() -> None:
    """A lone surrogate has no bytes."""
    state = given(STATE, succeeded("b#1", output=Payload('"\ud800"'))).state
    with pytest.raises(PayloadError, match="not a JSON value"):
        snapshot(state)
