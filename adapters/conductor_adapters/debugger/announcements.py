"""What a recorded flow has to announce to other systems: that it ran, and what people decided.

Rule: an announcement is named by the digest of its entry, so that the same one told twice is the
same, and one from another log is not. It holds no payload and no error in full: what people are
told of a failure is what they may be told (S6.21).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from conductor_adapters.debugger.moments import Kind, Moment, moments_of
from conductor_adapters.debugger.recording import Recording

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""The last moment that can be written; times of a log may lie beyond it."""


@frozen(kw_only=True)
class Announcement:
    """One thing to announce: `word` says what, `about` the attempt or the run that it is about."""

    moment: Moment
    word: str
    about: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """Its name: what happened to what, in the entry with this digest."""
        return f"{self.moment.digest}/{self.word}/{self.about}"

    @property
    def time(self) -> str:
        """When it happened, as RFC 3339 has it."""
        return rfc3339(self.moment.at_ms)


def rfc3339(at_ms: int) -> str:
    """A time in UTC with its milliseconds; what lies outside of all calendars is the nearest."""
    try:
        at = min(max(EPOCH, EPOCH + timedelta(milliseconds=at_ms)), LAST)
    except OverflowError:
        at = LAST if at_ms > 0 else EPOCH
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def announcements_of(recording: Recording) -> Iterator[Announcement]:
    """Everything to announce of a recorded flow, in order."""
    for moment in moments_of(recording):
        match moment.kind:
            case Kind.FLOW_STARTED | Kind.FLOW_FINISHED:
                yield _of_run(moment)
            case Kind.ATTEMPT_STARTED | Kind.ATTEMPT_FINISHED:
                yield _of_attempt(moment)
            case Kind.APPROVAL_REQUESTED | Kind.APPROVAL_DECIDED:
                yield _of_approval(moment)
            case Kind.APPROVAL_RESPONDED if moment.named.awaiting:
                yield _of_approval(moment)
            case _:
                pass


def run_name(moment: Moment) -> str:
    """The run that a moment is of."""
    return f"{moment.state.flow_id}@{moment.run}"


def _of_run(moment: Moment) -> Announcement:
    data, outcome = _place(moment), moment.state.outcome
    if moment.kind is Kind.FLOW_FINISHED:
        assert outcome is not None, "a run that is over has an outcome"
        data |= {
            "status": outcome.status,
            "reason": outcome.reason,
            "attempt": outcome.step,
            "message": outcome.message,
            "retries_exhausted": outcome.retries_exhausted,
        }
    data["by"] = moment.by
    return _announcement(moment, moment.kind.value, run_name(moment), data)


def _of_attempt(moment: Moment) -> Announcement:
    attempt = moment.named
    data = _place(moment) | _work(moment)
    if moment.kind is Kind.ATTEMPT_FINISHED:
        data |= {"status": attempt.status.value, "reason": attempt.reason}
        data["message"] = moment.failure
    return _announcement(moment, moment.kind.value, attempt.id, data)


def _of_approval(moment: Moment) -> Announcement:
    """What is asked, what was answered so far, and what was decided, by whom."""
    attempt, answer = moment.named, moment.answer
    approval, spec = attempt.approval, moment.step.approval_spec
    assert approval is not None, f"nobody was asked about {attempt.id}"
    data = _place(moment) | _work(moment)
    data |= {
        "subject": attempt.result and attempt.result.subject,
        "required": spec.required,
        "approvers": None if spec.approvers is None else list(spec.approvers),
        "approved_by": list(approval.approvers),
    }
    if moment.kind is Kind.APPROVAL_REQUESTED:
        due = attempt.due_at_ms
        data["expires_at"] = None if due is None else rfc3339(due)
        return _announcement(moment, "approval.requested", attempt.id, data)
    data |= {
        "by": moment.by,
        "response": answer and answer.response,
        "note": answer and answer.note,
        "automatic": approval.automatic,
    }
    word = "responded" if moment.decision is None else moment.decision.value
    return _announcement(moment, f"approval.{word}", attempt.id, data)


def _announcement(moment: Moment, word: str, about: str, data: dict[str, Any]) -> Announcement:
    told = {key: value for key, value in data.items() if value is not None}
    return Announcement(moment=moment, word=word, about=about, data=told)


def _place(moment: Moment) -> dict[str, Any]:
    state = moment.state
    return {
        "flow_id": state.flow_id,
        "flow_type": state.spec.type,
        "run": moment.run,
        "entry": moment.seq,
    }


def _work(moment: Moment) -> dict[str, Any]:
    attempt = moment.named
    return {"group": moment.group_key, "step": attempt.step, "attempt": attempt.id}
