"""What can happen to a flow, as it is told."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from conductor_core import events
from conductor_core.codec import EVENTS
from conductor_core.errors import FormatError
from conductor_core.events import is_request
from conductor_core.testing.brief import START, answered, failed

FACTS = [
    "flow-started",
    "groups-generated",
    "generation-failed",
    "step-started",
    "step-finished",
    "timer-fired",
    "continue-as-new-suggested",
    "continued-as-new",
]


def test_what_is_no_fact_is_a_request() -> None:
    """Facts come from the host; all else comes from people and may be rejected (section 4)."""
    requests = [tag for tag, event in EVENTS.items() if event in events.REQUESTS]
    assert [tag for tag in EVENTS if tag not in requests] == FACTS
    assert is_request(answered("plan"))
    assert not is_request(START)


def test_only_requests_have_an_id() -> None:
    """A fact is known by what it says; a request may be known by an id (S4.5)."""
    for event in EVENTS.values():
        has_id = "request_id" in attrs.fields_dict(event)
        assert has_id is (event in events.REQUESTS)


@pytest.mark.parametrize("outcome", ["success", "Succeeded", "", None])
def test_work_has_one_of_three_outcomes(outcome: Any) -> None:
    """A misspelt success must not pass for a failure, so that any other is no event (S4.3)."""
    with pytest.raises(FormatError) as refused:
        events.StepFinished(at_ms=0, attempt="a#1", outcome=outcome)
    text = f"outcome: expected one of succeeded, failed, cancelled, got {outcome!r}"
    assert str(refused.value) == text


def test_an_event_is_a_value() -> None:
    """Equal events hash alike; lists and payloads are frozen, and nothing can be changed."""
    one = events.AppendRequested(at_ms=0, by="ann", groups=[])
    assert one == events.AppendRequested(at_ms=0, by="ann")
    assert len({failed("a#1"), failed("a#1"), failed("b#1")}) == 2
    with pytest.raises(AttributeError):
        one.by = "bob"  # type: ignore[misc] # frozen, as this test shows
