"""What people asked for, as it was accepted: section 8 to 11."""

from __future__ import annotations

from typing import Final

from conductor_core.attempt import Answer
from conductor_core.building import builder
from conductor_core.draft import Answered, Continued, Draft, OptionChanged, Rerun, WaitOver
from conductor_core.events import (
    AppendRequested,
    ApprovalOptionChanged,
    ApprovalResponded,
    CancelRequested,
    RerunRequested,
    RetryNowRequested,
)
from conductor_core.facts.incarnations import continue_in_new_incarnation
from conductor_core.rerun import lay_out_rerun
from conductor_core.state import Cancellation


def on_approval_responded(draft: Draft, event: ApprovalResponded) -> Answered:
    """A person answered an open approval."""
    position = position_of_step(draft, event.step)
    answer = _answer(by=event.by, response=event.response, note=event.note)
    draft.put(position, draft.live[position].answered(answer))
    return _answered(position, event.response)


_answer: Final = builder(Answer)
_answered: Final = builder(Answered)


def on_approval_option_changed(draft: Draft, event: ApprovalOptionChanged) -> OptionChanged:
    """Another option holds from now on."""
    draft.approval = event.option
    return OptionChanged()


def on_cancel_requested(draft: Draft, event: CancelRequested) -> None:
    """The flow is to be cancelled, whatever part of it was named (S9.1)."""
    draft.cancellation = Cancellation(by=event.by, reason=event.reason)


def on_rerun_requested(draft: Draft, event: RerunRequested) -> Rerun | Continued:
    """A failed step is to be retried or skipped, or a continued run takes over (S10.6)."""
    if event.continue_from_idx > 0:
        return continue_in_new_incarnation(draft)
    layout = lay_out_rerun(draft.freeze(), event)
    assert isinstance(layout, Rerun), f"{layout} passed the judge"
    return layout


def on_group_retry_requested() -> Rerun:
    """The current group is to be retried as a whole (S10.8)."""
    return Rerun(whole_group=True)


def on_retry_now_requested(draft: Draft, event: RetryNowRequested) -> WaitOver:
    """A wait is to be cut short (S11.3)."""
    waits = draft.wait_due_at_ms is None
    return WaitOver(position_of_step(draft, event.step) if waits else None)


def on_pause_requested(draft: Draft) -> None:
    """Nothing new starts until somebody resumes (S11.1)."""
    draft.paused = True


def on_resume_requested(draft: Draft) -> None:
    """The flow goes on where it was (S11.2)."""
    draft.paused = False


def on_append_requested(draft: Draft, event: AppendRequested) -> None:
    """Groups are added at the end of the flow (S11.4)."""
    draft.extend(event.groups)


def position_of_step(draft: Draft, key: str) -> int:
    """The position of a step that the judge knows to exist."""
    position = draft.catalog.position_of(key)
    assert position is not None, f"{key!r} passed the judge"
    return position
