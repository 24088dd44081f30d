"""The vocabulary in which people say what a log is to show."""

from __future__ import annotations

import pytest

from conductor_adapters.debugger.predicates import NOTHING, VOCABULARY, noted, predicate_of
from conductor_core import events
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.spec import FlowOptions, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import START, failed, flow, group, succeeded
from tests.debugger.recordings import recorded

PARKED = flow(group("g", "a", "b"), options=FlowOptions(on_failure="await-retry"))
ONCE = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_retries=0))))
AGAIN = events.RerunRequested(at_ms=0, by="ann", flow_id="flow-1", step_id="a")
PAUSE = events.PauseRequested(at_ms=0, by="ann")


def holds(text: str, spec: FlowSpec, *story: Event) -> bool:
    """Whether a predicate holds of a log."""
    seen, recording = NOTHING, recorded(spec, *story)
    for entry in recording.entries:
        seen = noted(seen, entry.event, entry.transition)
    return predicate_of([text]).holds(recording.replay.state, seen)


@pytest.mark.parametrize(
    ("text", "spec", "story"),
    [
        ("status:error", ONCE, (START, failed("a#1"))),
        ("reason:retries-exhausted", ONCE, (START, failed("a#1"))),
        ("culprit:a", ONCE, (START, failed("a#1"))),
        ("retries-exhausted", ONCE, (START, failed("a#1"))),
        ("waits", PARKED, (START, failed("a#1"))),
        ("paused", PARKED, (START, PAUSE)),
        ("step:a=error", PARKED, (START, failed("a#1"))),
        ("attempt:a#1=discarded", PARKED, (START, failed("a#1"), AGAIN)),
        ("attempts:a=2", PARKED, (START, failed("a#1"), AGAIN)),
        ("group:g=failed-pending-retry", PARKED, (START, failed("a#1"))),
        ("verdict:rejected:not-failed", PARKED, (START, AGAIN)),
        ("verdict:ignored:already-started", PARKED, (START, START)),
        ("command:finish-flow", ONCE, (START, succeeded("a#1"))),
        ("event:rerun-requested", PARKED, (START, failed("a#1"), AGAIN)),
    ],
)
def test_a_claim_holds_where_it_is_true(
    text: str, spec: FlowSpec, story: tuple[Event, ...]
) -> None:
    """Each form of a claim holds at the end of its story, and not before its last event."""
    assert holds(text, spec, *story)
    assert not holds(text, spec, *story[:-1])


def test_every_form_is_tried() -> None:
    """The test above has each word of the vocabulary."""
    assert len(VOCABULARY) == 14


def test_several_claims_hold_together() -> None:
    """They are joined by `and`, or given one by one."""
    story = (START, failed("a#1"))
    assert holds("status:error and culprit:a", ONCE, *story)
    assert not holds("status:error  and  culprit:b", ONCE, *story)
    both = predicate_of(["status:error", "culprit:b and waits"])
    assert str(both) == "status:error and culprit:b and waits"
    state = recorded(ONCE, *story).replay.state
    assert list(map(str, both.untrue(state, NOTHING))) == ["culprit:b", "waits"]


@pytest.mark.parametrize(
    "text", ["step:zz=error", "attempt:zz#1=error", "group:zz=error", "attempts:zz=1"]
)
def test_what_is_not_there_is_in_no_status(text: str) -> None:
    """A claim about an unknown key is untrue, and no error."""
    assert not holds(text, ONCE, START)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected one of status:STATUS, "),
        ("colour:red", "'colour:red' is no predicate: expected one of status:STATUS, "),
        ("status:broken", "expected one of pending, cancelling, .* got 'broken'"),
        ("reason:No Reason", "expected a word such as not-failed, got 'No Reason'"),
        ("culprit:a b", "expected a key that matches"),
        ("step:a", "expected KEY=..., got 'a'"),
        ("step:a b=error", "expected a key that matches"),
        ("step:a=broken", "expected one of pending, .* got 'broken'"),
        ("attempt:#1=error", "expected a key that matches"),
        ("attempts:a=many", "expected a number of attempts, at least 1, got 'many'"),
        ("attempts:a=0", "expected a number of attempts, at least 1, got '0'"),
        ("group:g=broken", "expected one of .* got 'broken'"),
        ("verdict:accepted:x", "expected one of rejected, ignored, got 'accepted'"),
        ("verdict:rejected:", "expected a word such as not-failed, got ''"),
        ("command:dance", "expected one of dispatch-step, .* got 'dance'"),
        ("event:dance", "expected one of flow-started, .* got 'dance'"),
        ("waits and", "'waits and' is no predicate"),
    ],
)
def test_what_is_no_claim_is_refused(text: str, problem: str) -> None:
    """The error shows what was given, and what was expected."""
    with pytest.raises(ConductorError, match=problem):
        predicate_of([text])
