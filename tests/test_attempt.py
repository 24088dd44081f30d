"""What can be asked of an attempt, and what may follow it."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core.attempt import (
    DENY_VIOLATIONS_KEY,
    DIRECTIVE_KEY,
    FAIL_FAST,
    PASSED_POLICY_IDS_KEY,
    SKIPPED_BY_USER,
    SWEPT,
    WARN_VIOLATIONS_KEY,
    Answer,
    Approval,
    Attempt,
    AttemptStatus,
    Result,
)
from conductor_core.events import PolicyReport, StepError
from conductor_core.payload import EMPTY, freeze

STATUSES = list(AttemptStatus)
REPORT = PolicyReport(
    deny_violations=["no-public-bucket"],
    warn_violations=["no-owner"],
    passed_policy_ids=["cost", "region"],
)


def having(status: AttemptStatus, **fields: Any) -> Attempt:
    """An attempt with a status."""
    return Attempt("a", status=status, **fields)


def those(question: str, **fields: Any) -> set[str]:
    """The statuses in which a question is answered with yes."""
    return {status.value for status in STATUSES if getattr(having(status, **fields), question)}


def test_the_id_names_step_and_number() -> None:
    """The fencing token of the third attempt of a step is `<step>#3` (S1.2)."""
    assert Attempt("plan.v2", n=3).id == "plan.v2#3"


# --- questions, over all statuses (section 3) ---


def test_active_is_what_a_worker_has() -> None:
    """An attempt is active when it is queued or in progress, whatever else is true of it."""
    assert those("active") == {"queued", "in-progress"}
    assert those("active", directive="await-retry") == {"queued", "in-progress"}


def test_awaiting_is_an_open_approval() -> None:
    """An attempt awaits its approval in one status only."""
    assert those("awaiting") == {"approval-awaiting"}


def test_parked_for_a_retry_is_an_error_that_waits() -> None:
    """Only an error with the directive await-retry is parked for a retry."""
    assert those("parked", directive="await-retry") == {"error"}
    assert those("parked", directive="stop") == set()


def test_unfinished_is_what_its_group_waits_for() -> None:
    """An attempt is unfinished until its status is a final one, and while it is parked."""
    waits = {"pending", "waiting-to-retry", "queued", "in-progress", "approval-awaiting"}
    assert those("unfinished") == waits
    assert those("unfinished", directive="await-retry") == {*waits, "error"}


def test_a_failure_that_holds_up_is_an_error_or_an_approval_that_was_not_given() -> None:
    """What may be rerun failed and holds its flow up; an error that was forgiven does not."""
    unapproved = {"approval-denied", "approval-expired"}
    assert those("failed", directive="stop") == {"error", *unapproved}
    assert those("failed", directive="await-retry") == {"error", *unapproved}
    assert those("failed", directive="continue") == unapproved
    assert those("failed", reason="cancelled-externally") == {"cancelled", *unapproved}
    assert those("failed", reason="cancelled") == unapproved


def test_swept_is_told_by_the_reason() -> None:
    """What a stop put an end to says so, in whatever status it ended."""
    everything = {status.value for status in STATUSES}
    assert those("swept", reason=SWEPT) == those("swept", reason=FAIL_FAST) == everything
    assert those("swept", reason="stopped-by-step") == those("swept") == set()


def test_deciding_stop_is_neither_being_swept_nor_being_skipped() -> None:
    """Those that stopped their group have the directive stop by themselves."""
    everything = {status.value for status in STATUSES}
    assert those("decided_stop", directive="stop") == everything - {"user-skipped"}
    assert those("decided_stop", directive="stop", reason=FAIL_FAST) == set()
    assert those("decided_stop", directive="continue") == set()


def test_a_refused_plan_is_one_that_people_or_policies_said_no_to() -> None:
    """Denied, expired, stale, or denied by a policy: nobody approved it (S10.4)."""
    unapproved = {"approval-denied", "approval-expired"}
    denied = Result(policy=REPORT)
    passed = Result(policy=PolicyReport(warn_violations=["no-owner"]))
    assert those("plan_refused") == unapproved
    assert those("plan_refused", reason="stale-plan") == {"error", *unapproved}
    assert those("plan_refused", result=denied) == {"error", *unapproved}
    assert those("plan_refused", result=passed) == unapproved


@pytest.mark.parametrize(
    ("result", "held"),
    [
        (None, False),
        (Result(), False),
        (Result(policy=PolicyReport()), False),
        (Result(policy=PolicyReport(evaluated=False)), True),
    ],
)
def test_a_plan_whose_policies_could_not_be_evaluated_is_held(
    result: Result | None, held: bool
) -> None:
    """Nothing but a person may approve what no policy could look at (S8.1)."""
    assert having(AttemptStatus.APPROVAL_AWAITING, result=result).held is held


def test_only_its_own_error_is_terminal() -> None:
    """A terminal cause below another error rules nothing out (S6.19a)."""
    terminal = StepError(terminal=True)
    assert not Attempt("a").terminal
    assert not Attempt("a", result=Result()).terminal
    assert not Attempt("a", result=Result(error=StepError(cause=terminal))).terminal
    assert Attempt("a", result=Result(error=terminal)).terminal


def test_the_kind_of_a_timer_follows_from_the_status() -> None:
    """A wait is a backoff, an open approval expires, work times out (S14.1)."""
    assert having(AttemptStatus.WAITING_TO_RETRY, n=2, due_at_ms=5).timer == "backoff:a#2"
    assert having(AttemptStatus.APPROVAL_AWAITING, due_at_ms=5).timer == "approval:a#1"
    assert having(AttemptStatus.QUEUED, due_at_ms=5).timer == "timeout:a#1"
    assert having(AttemptStatus.IN_PROGRESS, due_at_ms=0).timer == "timeout:a#1"
    assert having(AttemptStatus.IN_PROGRESS).timer is None


def test_only_approvals_count_as_approvers() -> None:
    """Whoever answered something else has not approved."""
    answers = (Answer(by="ann", response="approve"), Answer(by="bob", response="deny"))
    assert Approval(requested_at_ms=0, answers=answers).approvers == ("ann",)


# --- metadata (section 4) ---


def test_the_metadata_shows_the_policies_findings_and_the_directive() -> None:
    """They stand beside what the work said of itself, under four fixed keys."""
    result = Result(metadata=freeze({"rows": 3}), policy=REPORT)
    assert Attempt("a", directive="stop", result=result).metadata.value == {
        "rows": 3,
        DENY_VIOLATIONS_KEY: ["no-public-bucket"],
        WARN_VIOLATIONS_KEY: ["no-owner"],
        PASSED_POLICY_IDS_KEY: ["cost", "region"],
        DIRECTIVE_KEY: "stop",
    }
    assert (DENY_VIOLATIONS_KEY, WARN_VIOLATIONS_KEY, PASSED_POLICY_IDS_KEY, DIRECTIVE_KEY) == (
        "deny_violations",
        "warn_violations",
        "passed_policy_ids",
        "directive",
    )


def test_an_attempt_that_has_nothing_to_say_has_no_metadata() -> None:
    """Before its work ended there is neither a finding nor a directive."""
    assert Attempt("a").metadata == EMPTY
    assert Attempt("a", result=Result(metadata=freeze({"rows": 3}))).metadata.value == {"rows": 3}


# --- what follows ---


def test_a_dispatch_begins_with_a_clean_slate() -> None:
    """A queued attempt keeps its place and its budget, and waits for its time-out."""
    assert Attempt("a", 2, 3, 4).queued(70) == Attempt(
        "a", 2, 3, 4, status=AttemptStatus.QUEUED, dispatched=True, due_at_ms=70
    )


def test_an_end_keeps_what_it_is_not_told() -> None:
    """Directive, reason, result and approval stay where nothing new is said; the timer goes."""
    asked = having(
        AttemptStatus.APPROVAL_AWAITING,
        directive="await-approval",
        reason="why",
        result=Result(subject="plan-7"),
        approval=Approval(requested_at_ms=1),
        dispatched=True,
        cancel_requested=True,
        due_at_ms=5,
    )
    ended = asked.ended(AttemptStatus.SUCCESS)
    assert ended.due_at_ms is None
    assert (ended.status, ended.directive, ended.reason) == ("success", "await-approval", "why")
    assert (ended.result, ended.approval) == (asked.result, asked.approval)
    assert (ended.dispatched, ended.cancel_requested) == (True, True)
    changed = asked.ended(
        AttemptStatus.ERROR, "stop", "failed", Result(), Approval(requested_at_ms=2)
    )
    assert (changed.directive, changed.reason) == ("stop", "failed")
    assert (changed.result, changed.approval) == (Result(), Approval(requested_at_ms=2))


def test_small_steps_change_one_thing_each() -> None:
    """Starting, waiting, answering and asking to cancel leave everything else alone."""
    queued = Attempt("a").queued(9)
    assert queued.started() == having(AttemptStatus.IN_PROGRESS, dispatched=True, due_at_ms=9)
    assert queued.waiting_until(None) == having(AttemptStatus.QUEUED, dispatched=True)
    assert queued.asked_to_cancel().cancel_requested
    awaiting = having(AttemptStatus.APPROVAL_AWAITING, approval=Approval(requested_at_ms=1))
    answer = Answer(by="ann", response="approve", note="fine")
    answers = awaiting.answered(answer).approval
    assert answers == Approval(requested_at_ms=1, answers=(answer,))


def test_who_was_not_asked_cannot_be_answered() -> None:
    """Answering an attempt without an approval is a bug of the reducer."""
    with pytest.raises(AssertionError, match="a#1 has no approval to answer"):
        Attempt("a").answered(Answer(by="ann", response="approve"))


def test_going_back_to_pending_forgets_all_but_the_budget() -> None:
    """What swept an attempt, or made it wait, leaves no trace."""
    swept = Attempt("a", 2, 3, 4, status=AttemptStatus.NOT_ATTEMPTED, reason=SWEPT)
    assert swept.back_to_pending() == Attempt("a", 2, 3, 4)


def test_the_next_attempt_is_a_new_one() -> None:
    """It has the next number and the budget that it is given, and waits only when it is told."""
    failed = Attempt("a", 2, 3, 4, status=AttemptStatus.ERROR, directive="retry")
    assert failed.renewed(generation=4, retry=0) == Attempt("a", 3, 4, 0)
    assert failed.renewed(generation=3, retry=5, backoff_due_at_ms=0) == Attempt(
        "a", 3, 3, 5, status=AttemptStatus.WAITING_TO_RETRY, due_at_ms=0
    )


def test_an_attempt_is_a_value() -> None:
    """Equal attempts hash alike, and none can be changed."""
    assert len({Attempt("a"), Attempt("a"), Attempt("a", reason=SKIPPED_BY_USER)}) == 2
    with pytest.raises(AttributeError):
        Attempt("a").n = 2  # type: ignore[misc] # frozen, as this test shows
