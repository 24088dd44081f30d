"""Spans of recorded flows: a tree for each run, the same however often it is told."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from conductor_adapters.debugger.moments import Kind, moments_of
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.spans import Span, spans_of
from tests.debugger.golden import NAMES, SMALL, beginnings, golden, recorded
from tests.recorded.telling import GATE, Telling, append, error, flow, group, step


def named(recording: Recording, name: str) -> list[Span]:
    """The spans of this name."""
    return [span for span in spans_of(recording) if span.name == name]


def one(recording: Recording, name: str) -> Span:
    """The one span of this name."""
    (span,) = named(recording, name)
    return span


def marks(span: Span) -> list[str]:
    """What happened in a span."""
    return [mark.name for mark in span.marks]


@pytest.mark.parametrize("name", NAMES)
def test_the_spans_of_a_run_are_a_tree(name: str) -> None:
    """One has no parent; every other has one, of the same trace, and begins and ends in it."""
    spans = {span.span_id: span for span in spans_of(golden(name))}
    roots = Counter(span.trace_id for span in spans.values() if span.parent_id is None)
    assert set(roots.values()) == {1}
    assert {span.trace_id for span in spans.values()} == roots.keys()
    put_back = name == "facts-in-vain"
    for span in spans.values():
        if span.parent_id is not None:
            parent = spans[span.parent_id]
            assert parent.trace_id == span.trace_id
            assert put_back or parent.start_ms <= span.start_ms
            assert put_back or span.end_ms <= parent.end_ms


@pytest.mark.parametrize("name", NAMES)
def test_every_span_has_an_id_of_its_own(name: str) -> None:
    """Of the width that tracing has for it; a span takes no less than no time."""
    spans = list(spans_of(golden(name)))
    assert len({span.span_id for span in spans}) == len(spans)
    for span in spans:
        assert (len(span.trace_id), len(span.span_id)) == (32, 16)
        assert span.start_ms <= span.end_ms


@pytest.mark.parametrize("name", NAMES)
def test_every_attempt_that_was_dispatched_is_a_span(name: str) -> None:
    """Those that never ran are none."""
    started = [m.named.id for m in moments_of(golden(name)) if m.kind is Kind.ATTEMPT_STARTED]
    told = [s.attributes["conductor.attempt"] for s in spans_of(golden(name)) if "step" in s.name]
    assert Counter(told) == Counter(started)


@pytest.mark.parametrize("name", SMALL)
def test_a_log_that_grows_only_adds_spans(name: str) -> None:
    """A span that was exported is exported again as it was, and what goes on is left out."""
    told = list(spans_of(golden(name)))
    for beginning in beginnings(name):
        known = list(spans_of(beginning))
        assert known == told[: len(known)]


def test_ids_are_those_that_they_were() -> None:
    """They follow from the flow id, the header and the attempt; who exported them relies on it."""
    span = one(golden("approval-denied"), "approval plan")
    assert (span.trace_id, span.span_id) == ("2cd1402d3ea0bcc9895197acac10cddf", "5635daf83537a52e")


def test_ids_of_another_log_are_others() -> None:
    """Those of a flow of the same id that is declared otherwise, or that began at another time."""
    spec = flow(group("g", "a"))
    logs = [Telling(spec), Telling(flow(group("g", "a", "b"))), Telling(spec, began_ms=1)]
    for told in logs:
        told.started()
        told.done("a#1")
    ids = [{span.span_id for span in named(recorded(told), "step a")} for told in logs]
    assert len(set().union(*ids)) == 3


def test_retries_are_siblings_with_their_numbers() -> None:
    """Of one group, one after another."""
    tries = named(golden("retry-with-backoff"), "step a")
    assert len({span.parent_id for span in tries}) == 1
    assert [span.attributes["conductor.attempt.number"] for span in tries] == [1, 2, 3, 4]
    assert [span.attributes["conductor.attempt.retry"] for span in tries] == [0, 1, 2, 3]
    assert [span.error for span in tries] == ["Step failed"] * 3 + [None]


def test_attempts_of_a_group_that_was_retried_are_in_the_same_group() -> None:
    """With the generation that they are of."""
    tries = named(golden("group-retry-with-backoff"), "step d")
    assert len({span.parent_id for span in tries}) == 1
    assert [span.attributes["conductor.attempt.generation"] for span in tries] == [0, 1]


def test_a_run_that_was_revived_is_a_trace_of_its_own() -> None:
    """Linked to the one before, with groups of its own, and with who revived it."""
    runs = named(golden("rerun-retry-step"), "flow story")
    assert [span.attributes["conductor.run"] for span in runs] == [1, 2, 3]
    assert [span.attributes["conductor.outcome.status"] for span in runs] == [
        *("error", "error", "success")
    ]
    assert runs[0].linked is None
    for before, after in pairwise(runs):
        assert after.linked == (before.trace_id, before.span_id)
        assert after.marks[0].attributes["conductor.by"] == "ana"
    assert len({span.span_id for span in named(golden("rerun-retry-step"), "group g")}) == 2


def test_an_attempt_stays_what_it_was_when_a_rerun_discards_it() -> None:
    """Its span had ended before."""
    first, _ = named(golden("rerun-retry-step"), "step b")
    assert first.attributes["conductor.attempt.status"] == "error"


def test_an_approval_says_who_and_when() -> None:
    """Each answer is a moment of it, and how it ended an attribute."""
    span = one(golden("approval-with-quorum"), "approval plan")
    assert span.attributes["conductor.approval.decision"] == "approved"
    assert span.attributes["conductor.approval.required"] == 2
    assert span.attributes["conductor.approval.approvers"] == ("ana", "bo", "cy")
    assert span.attributes["conductor.approval.approved_by"] == ("ana", "cy")
    assert [mark.attributes["conductor.by"] for mark in span.marks] == ["ana", "cy"]
    assert span.marks[0].attributes["conductor.approval.note"] == "looks fine"
    first, last = span.marks
    assert span.start_ms < first.at_ms < last.at_ms == span.end_ms


def test_an_approval_without_people_is_a_mark_of_its_attempt() -> None:
    """With the rule that decided it."""
    span = one(golden("sequential-groups"), "step plan")
    *_, decided = span.marks
    assert decided.name == "conductor.approval.decided"
    assert decided.attributes["conductor.approval.automatic"] == "policy"


def test_an_error_is_a_status_for_people_and_an_exception_for_operators() -> None:
    """What people may not be told is in the exception alone."""
    told = Telling(flow(group("g", "a")))
    told.started()
    told.broken("a#1", error=error("password is 123", type="Secret", details={"key": "no"}))
    span = one(recorded(told), "step a")
    assert span.error == "Step failed"
    (exception,) = [mark for mark in span.marks if mark.name == "exception"]
    assert exception.attributes == {
        "exception.type": "Secret",
        "exception.message": "password is 123",
    }
    assert one(recorded(told), "group g").error is not None
    assert one(recorded(told), "flow story").error == "Step failed"


def test_a_cancelled_flow_is_no_error() -> None:
    """It did what people asked for."""
    for span in spans_of(golden("cancel-of-a-group")):
        assert span.error is None
    root = one(golden("cancel-of-a-group"), "flow story")
    assert root.attributes["conductor.outcome.status"] == "cancelled"


def test_what_was_asked_before_the_start_belongs_to_the_first_run() -> None:
    """As does all that is asked while it lasts."""
    told = Telling(flow(group("g", "a")))
    told.tell(append(group("h", "b")))
    told.started()
    told.done("a#1", "b#1")
    assert marks(one(recorded(told), "flow story")) == ["conductor.request"]


def test_steps_that_were_skipped_are_marks_of_the_run() -> None:
    """They never ran, or had ended; by whom is told where somebody asked for it."""
    root = one(golden("sequential-groups"), "flow story")
    (skipped,) = root.marks
    assert skipped.attributes == {
        "conductor.attempt": "left-out#1",
        "conductor.attempt.status": "auto-skipped",
        "conductor.attempt.reason": "skipped",
    }
    _, root = named(golden("rerun-skip-step"), "flow story")[:2]
    assert {m.attributes.get("conductor.by") for m in root.marks} == {"ana"}


def test_what_goes_on_is_left_out() -> None:
    """Of a flow that waits for people nothing has ended but what is before."""
    told = Telling(flow(group("f", "a"), group("g", step("p", approval=GATE))))
    told.started()
    told.done("a#1", "p#1")
    assert [span.name for span in spans_of(recorded(told))] == ["step a", "group f"]


def test_no_payload_is_told() -> None:
    """Neither what goes into work, nor what comes of it."""
    told = Telling(
        flow(group("g", step("a", input={"token": "hidden-1"}, metadata={"m": "hidden-2"})))
    )
    told.started()
    told.done("a#1", output="hidden-3", metadata={"n": "hidden-4"})
    assert "hidden" not in repr(list(spans_of(recorded(told))))
