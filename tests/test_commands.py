"""How a flow ended, for hosts that prefer exceptions."""

from __future__ import annotations

import pytest

from conductor_core.commands import Outcome
from conductor_core.errors import FlowCancelled, FlowFailure, FlowStopped, NotApproved


def test_success_raises_nothing() -> None:
    """A flow that went well has nothing to raise."""
    Outcome(status="success").raise_for_status()


def test_a_stop_is_raised_with_its_reason() -> None:
    """The exception names attempt, reason and message, and whether a retry was left."""
    outcome = Outcome(
        status="error",
        reason="retries-exhausted",
        step="a#3",
        message="disk full",
        retries_exhausted=True,
    )
    with pytest.raises(FlowStopped) as stopped:
        outcome.raise_for_status()
    assert (stopped.value.step, stopped.value.reason) == ("a#3", "retries-exhausted")
    assert (stopped.value.message, stopped.value.retries_exhausted) == ("disk full", True)


def test_a_stop_that_no_attempt_decided_has_no_step() -> None:
    """A flow that never got its groups was stopped by none of them."""
    with pytest.raises(FlowStopped) as stopped:
        Outcome(status="error", reason="no-steps").raise_for_status()
    assert stopped.value.step is None


@pytest.mark.parametrize("reason", ["denied", "approval-expired"])
def test_an_approval_that_was_not_given_is_raised_as_such(reason: str) -> None:
    """A denial and an expiry name the attempt that asked."""
    with pytest.raises(NotApproved) as refused:
        Outcome(status="error", reason=reason, step="plan#1").raise_for_status()
    assert (refused.value.step, refused.value.reason) == ("plan#1", reason)


def test_a_cancel_is_raised_with_what_was_said() -> None:
    """The message is the reason that somebody gave."""
    with pytest.raises(FlowCancelled) as cancelled:
        Outcome(status="cancelled", reason="cancelled", message="too late").raise_for_status()
    assert cancelled.value.message == "too late"
    assert isinstance(cancelled.value, FlowFailure)
