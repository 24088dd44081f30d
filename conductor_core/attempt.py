"""One execution of a step: its statuses, what its work left behind, its approval.

Rule: an attempt never changes; the methods that end in a participle (`queued`, `ended`, ...)
give the attempt that follows. An open timer is a due time on the attempt that waits, and
its kind follows from the status, so that there is no map of timers to keep in order (S14.1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from conductor_core.building import builder, copier
from conductor_core.events import PolicyReport, StepError
from conductor_core.frozen import frozen
from conductor_core.payload import EMPTY, NULL, Payload, freeze

__all__ = [
    "DENY_VIOLATIONS_KEY",
    "DIRECTIVE_KEY",
    "PASSED_POLICY_IDS_KEY",
    "WARN_VIOLATIONS_KEY",
    "Answer",
    "Approval",
    "Attempt",
    "AttemptStatus",
    "Result",
]

DIRECTIVE_KEY: Final = "directive"
DENY_VIOLATIONS_KEY: Final = "deny_violations"
WARN_VIOLATIONS_KEY: Final = "warn_violations"
PASSED_POLICY_IDS_KEY: Final = "passed_policy_ids"

SWEPT: Final = "swept"
"""The reason of an attempt that a stop put an end to (S7.2, S10.5)."""
OVERTAKEN: Final = "overtaken"
"""The reason of a plan that came back while its group waits to be retried (S7.2)."""
FAIL_FAST: Final = "fail-fast"
"""The reason of an active attempt that a stop had cancelled (S7.2)."""
SKIPPED_BY_USER: Final = "skipped-by-user"
"""The reason of an attempt that a person skipped (S8.9, S10.4)."""


class AttemptStatus(StrEnum):
    """What is true of an attempt (section 3)."""

    PENDING = "pending"
    WAITING_TO_RETRY = "waiting-to-retry"
    QUEUED = "queued"
    IN_PROGRESS = "in-progress"
    APPROVAL_AWAITING = "approval-awaiting"
    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"
    APPROVAL_DENIED = "approval-denied"
    APPROVAL_EXPIRED = "approval-expired"
    AUTO_SKIPPED = "auto-skipped"
    USER_SKIPPED = "user-skipped"
    DISCARDED = "discarded"
    NOT_ATTEMPTED = "not-attempted"


# Looking a member up costs as much as five comparisons, so that what is asked at every event
# asks these.
PENDING: Final = AttemptStatus.PENDING
WAITING_TO_RETRY: Final = AttemptStatus.WAITING_TO_RETRY
QUEUED: Final = AttemptStatus.QUEUED
IN_PROGRESS: Final = AttemptStatus.IN_PROGRESS
APPROVAL_AWAITING: Final = AttemptStatus.APPROVAL_AWAITING
SUCCESS: Final = AttemptStatus.SUCCESS
ERROR: Final = AttemptStatus.ERROR
CANCELLED: Final = AttemptStatus.CANCELLED
APPROVAL_DENIED: Final = AttemptStatus.APPROVAL_DENIED
APPROVAL_EXPIRED: Final = AttemptStatus.APPROVAL_EXPIRED
USER_SKIPPED: Final = AttemptStatus.USER_SKIPPED


@frozen(kw_only=True)
class Result:
    """What the work of an attempt left behind."""

    output: Payload = NULL
    error: StepError | None = None
    noop: bool | Literal["unknown"] = "unknown"
    policy: PolicyReport | None = None
    subject: str | None = None
    metadata: Payload = EMPTY


@frozen(kw_only=True)
class Answer:
    """What a person answered to an approval."""

    by: str
    response: str
    note: str | None = None


@frozen(kw_only=True)
class Approval:
    """An approval that was asked for at `requested_at_ms`, with the answers so far.

    `automatic` says what decided it without a person: `policy` or `approve-all`.
    """

    requested_at_ms: int
    answers: tuple[Answer, ...] = ()
    automatic: str | None = None

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved so far."""
        return tuple(answer.by for answer in self.answers if answer.response == "approve")


@frozen
class Attempt:
    """One execution of a step (S1.2), or the place of one that is yet to come.

    `dispatched`: its work was sent out. `due_at_ms`: its open timer.
    """

    step: str
    n: int = 1
    generation: int = 0
    retry: int = 0
    status: AttemptStatus = PENDING
    directive: str | None = None
    reason: str | None = None
    dispatched: bool = False
    cancel_requested: bool = False
    due_at_ms: int | None = None
    result: Result | None = None
    approval: Approval | None = None

    # --- questions ---

    @property
    def id(self) -> str:
        """The fencing token: `<step key>#<n>`."""
        return f"{self.step}#{self.n}"

    @property
    def active(self) -> bool:
        """Whether a worker has it: queued or in progress."""
        return self.status is QUEUED or self.status is IN_PROGRESS

    @property
    def awaiting(self) -> bool:
        """Whether its approval is open."""
        return self.status is APPROVAL_AWAITING

    @property
    def parked(self) -> bool:
        """Whether it failed and waits for a person to retry or skip it."""
        return self.status is ERROR and self.directive == "await-retry"

    @property
    def unfinished(self) -> bool:
        """Whether its group still waits for it: not finished, or parked."""
        return self.status in OPEN or self.parked

    @property
    def failed(self) -> bool:
        """Whether it is a failure that holds the flow up (S10.1)."""
        status = self.status
        if status is ERROR:
            return self.directive in ("await-retry", "stop")
        if status is CANCELLED:
            return self.reason == "cancelled-externally"
        return status is APPROVAL_DENIED or status is APPROVAL_EXPIRED

    @property
    def swept(self) -> bool:
        """Whether a stop put an end to it, so that a rerun takes it back (S10.5)."""
        return self.reason in (SWEPT, FAIL_FAST)

    @property
    def decided_stop(self) -> bool:
        """Whether it is one of those that stopped its group and was not skipped (S10.5)."""
        stopped = self.directive == "stop" and self.status is not USER_SKIPPED
        return stopped and not self.swept

    @property
    def held(self) -> bool:
        """Whether no automatic approval may answer it: its policy was not evaluated (S8.1)."""
        return (
            self.result is not None
            and self.result.policy is not None
            and not self.result.policy.evaluated
        )

    @property
    def plan_refused(self) -> bool:
        """Whether people or a policy refused what it planned (S10.4)."""
        match self.status:
            case AttemptStatus.APPROVAL_DENIED | AttemptStatus.APPROVAL_EXPIRED:
                return True
            case AttemptStatus.ERROR:
                report = self.result.policy if self.result is not None else None
                denied = report is not None and bool(report.deny_violations)
                return denied or self.reason == "stale-plan"
            case _:
                return False

    @property
    def error(self) -> StepError | None:
        """Why its work failed, where it did and said so."""
        return None if self.result is None else self.result.error

    @property
    def terminal(self) -> bool:
        """Whether its error itself rules out every retry (S6.19a)."""
        return self.error is not None and self.error.terminal

    @property
    def timer(self) -> str | None:
        """The id of its open timer."""
        if self.due_at_ms is None:
            return None
        if self.status is WAITING_TO_RETRY:
            return f"backoff:{self.id}"
        return f"approval:{self.id}" if self.awaiting else f"timeout:{self.id}"

    @property
    def metadata(self) -> Payload:
        """What the work said of itself, with the policy's findings and the directive (S4)."""
        result = self.result or Result()
        entries = dict(result.metadata.value)
        if result.policy is not None:
            entries[DENY_VIOLATIONS_KEY] = list(result.policy.deny_violations)
            entries[WARN_VIOLATIONS_KEY] = list(result.policy.warn_violations)
            entries[PASSED_POLICY_IDS_KEY] = list(result.policy.passed_policy_ids)
        if self.directive is not None:
            entries[DIRECTIVE_KEY] = self.directive
        return freeze(entries)

    # --- what follows ---

    def queued(self, due_at_ms: int | None) -> Attempt:
        """It is dispatched; its time-out is due at `due_at_ms` (S5.4)."""
        return _dispatched(self, QUEUED, True, due_at_ms)

    def started(self) -> Attempt:
        """A worker took it up (S5.6)."""
        return _dispatched(self, IN_PROGRESS, True, self.due_at_ms)

    def ended(
        self,
        status: AttemptStatus,
        directive: str | None = None,
        reason: str | None = None,
        result: Result | None = None,
        approval: Approval | None = None,
    ) -> Attempt:
        """Its work or its wait ended; what is not given stays as it was."""
        return _ended(
            self,
            status,
            self.directive if directive is None else directive,
            self.reason if reason is None else reason,
            None,
            self.result if result is None else result,
            self.approval if approval is None else approval,
        )

    def waiting_until(self, due_at_ms: int | None) -> Attempt:
        """Its timer is due then; with None it fired or was cancelled."""
        return _timed(self, due_at_ms)

    def answered(self, answer: Answer) -> Attempt:
        """A person answered its approval."""
        assert self.approval is not None, f"{self.id} has no approval to answer"
        answers = (*self.approval.answers, answer)
        return _asked(self, _answered(self.approval, answers))

    def asked_to_cancel(self) -> Attempt:
        """Its worker is told to give up."""
        return _told_to_cancel(self, True)

    def back_to_pending(self) -> Attempt:
        """Its wait is over, or what swept it was undone: it is dispatched in its turn."""
        return _attempt(self.step, self.n, self.generation, self.retry)

    def renewed(
        self, *, generation: int, retry: int, backoff_due_at_ms: int | None = None
    ) -> Attempt:
        """The attempt that supersedes it (S1.2), which may wait out a backoff (S7.1)."""
        if backoff_due_at_ms is None:
            return _attempt(self.step, self.n + 1, generation, retry)
        return _attempt(
            self.step,
            self.n + 1,
            generation,
            retry,
            status=WAITING_TO_RETRY,
            due_at_ms=backoff_due_at_ms,
        )


OPEN: Final = frozenset({PENDING, WAITING_TO_RETRY, QUEUED, IN_PROGRESS, APPROVAL_AWAITING})

_attempt: Final = builder(Attempt)
_dispatched: Final = copier(Attempt, "status", "dispatched", "due_at_ms")
_ended: Final = copier(Attempt, "status", "directive", "reason", "due_at_ms", "result", "approval")
_timed: Final = copier(Attempt, "due_at_ms")
_asked: Final = copier(Attempt, "approval")
_answered: Final = copier(Approval, "answers")
_told_to_cancel: Final = copier(Attempt, "cancel_requested")
