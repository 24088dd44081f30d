"""Exceptions: who must act, what they carry, how they read."""

from __future__ import annotations

import pickle

import pytest

from conductor_core.commands import Outcome
from conductor_core.errors import (
    ConductorError,
    FlowCancelled,
    FlowFailure,
    FlowStopped,
    FormatError,
    LogError,
    LogTruncated,
    NotApproved,
    PayloadError,
    ReplayDivergence,
    SpecError,
    shown,
)

EVERY_ERROR = [
    PayloadError("not a JSON value: nan"),
    FormatError("groups[1].key", "expected a string, got 1", ("flow", "missing key 'key'")),
    SpecError((("groups[0].key", "'a b' is bad"), ("", "nothing else"))),
    LogError("the log is empty"),
    LogTruncated("the last line is cut off", line=9),
    ReplayDivergence("  verdict: ...", entry=7, expected={"seq": 7}, actual={"seq": 8}, line=8),
    FlowStopped(step="a#1", reason="failed", message="Step failed", retries_exhausted=True),
    NotApproved(step="plan#1", reason="denied"),
    FlowCancelled(message="too late"),
]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_every_error_survives_a_process_boundary(error: ConductorError) -> None:
    """A pickled error comes back with its class, its message and its attributes."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_errors_are_sorted_by_who_must_act() -> None:
    """One base for all, one for what cannot be read of a history, one for how a flow ended."""
    assert all(isinstance(error, ConductorError) for error in EVERY_ERROR)
    assert issubclass(ReplayDivergence, LogError)
    assert issubclass(LogTruncated, LogError)
    assert issubclass(PayloadError, ValueError)
    assert all(issubclass(kind, FlowFailure) for kind in (FlowStopped, NotApproved, FlowCancelled))


def test_a_format_error_names_its_place_and_problem() -> None:
    """The first problem stands in attributes, all of them in `problems` and in the message."""
    error = FormatError("groups[1].key", "expected a string, got 1", ("", "missing key 'flow'"))
    assert (error.path, error.problem) == ("groups[1].key", "expected a string, got 1")
    assert error.problems == (
        ("groups[1].key", "expected a string, got 1"),
        ("", "missing key 'flow'"),
    )
    assert str(error) == "groups[1].key: expected a string, got 1; missing key 'flow'"
    assert FormatError.of(error.problems).problems == error.problems


def test_a_format_error_with_many_problems_stays_readable() -> None:
    """The message tells ten problems and counts the rest; the exception holds them all."""
    error = FormatError.of((f"[{index}]", "bad") for index in range(12))
    assert str(error).endswith("[9]: bad; and 2 problems more")
    assert len(error.problems) == 12


def test_a_spec_error_lists_every_problem() -> None:
    """Each problem stands with its path, where it has one."""
    error = SpecError((("groups[0].key", "'a b' is bad"), ("", "nothing else")))
    assert str(error) == "invalid flow spec: groups[0].key: 'a b' is bad; nothing else"


def test_a_log_error_names_its_line() -> None:
    """The line counts from 1; what is no line of a file has none."""
    assert str(LogError("the line is blank", line=3)) == "line 3: the line is blank"
    assert str(LogError("the log is empty")) == "the log is empty"
    assert LogError("the log is empty").line is None


def test_a_divergence_names_its_entry() -> None:
    """Entry, line and both sides stand on the exception; the difference in its message."""
    error = ReplayDivergence("  verdict: expected x, got y", entry=7, expected=1, actual=2, line=8)
    assert str(error) == "line 8: entry 7 diverges:\n  verdict: expected x, got y"
    assert (error.entry, error.expected, error.actual, error.line) == (7, 1, 2, 8)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(status="cancelled", message="too late"), FlowCancelled),
        (Outcome(status="cancelled"), FlowCancelled),
        (Outcome(status="error", reason="denied", step="plan#1"), NotApproved),
        (Outcome(status="error", reason="approval-expired", step="plan#1"), NotApproved),
        (Outcome(status="error", reason="failed", step="a#1", message="Step failed"), FlowStopped),
        (Outcome(status="error"), FlowStopped),
    ],
)
def test_an_outcome_can_be_raised(outcome: Outcome, error: type[FlowFailure]) -> None:
    """A host that wants exceptions gets the one that fits how the flow ended."""
    with pytest.raises(error):
        outcome.raise_for_status()


def test_a_successful_outcome_raises_nothing() -> None:
    """Success is no failure."""
    Outcome(status="success").raise_for_status()


def test_failures_read_as_sentences() -> None:
    """How a flow ended is told in one lower-case sentence with what is known."""
    stopped = FlowStopped(
        step="a#1", reason="failed", message="Step failed", retries_exhausted=True
    )
    assert str(stopped) == "flow stopped at 'a#1': failed: Step failed"
    assert stopped.retries_exhausted
    assert str(NotApproved(step="p#1", reason="denied")) == "flow not approved at 'p#1': denied"
    assert str(FlowCancelled(message="too late")) == "flow cancelled: too late"
    assert str(FlowCancelled(message=None)) == "flow cancelled"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("\ud800", r"'\ud800'"),
        ([1] * 1000, "[1, 1, 1, 1, 1, 1, ...]"),
        ([[[[[[[[1]]]]]]]], "[[[[[[[...]]]]]]]"),
        ([10**5000], "an enormous list"),
    ],
)
def test_a_value_is_shown_whatever_it_is(value: object, text: str) -> None:
    """Values are shown in `repr`, without control characters and cut where they are long."""
    assert shown(value) == text


def test_a_value_is_shown_within_a_line() -> None:
    """No value takes more than 80 characters, and its size does not make it dearer."""
    assert len(shown("x" * 10_000_000)) == 80
    assert len(shown({"a" * 40: "b" * 40})) == 80
