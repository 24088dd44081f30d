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
)
from conductor_core.facts.incarnations import continue_in_new_incarnation
from conductor_core.state import Cancellation


def on_approval_responded(draft: Draft, event: ApprovalResponded, position: int) -> Answered:
    """A person answered an open approval."""
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


def on_rerun_requested(draft: Draft, layout: Rerun | Continued) -> Rerun | Continued:
    """A failed step is to be retried or skipped, or a continued run takes over (S10.6)."""
    return continue_in_new_incarnation(draft) if isinstance(layout, Continued) else layout


def on_group_retry_requested(layout: Rerun) -> Rerun:
    """The current group is to be retried as a whole (S10.8)."""
    return layout


def on_retry_now_requested(wait: WaitOver) -> WaitOver:
    """The wait of a step or of its group is to be cut short (S11.3)."""
    return wait


def on_pause_requested(draft: Draft) -> None:
    """Nothing new starts until somebody resumes (S11.1)."""
    draft.paused = True


def on_resume_requested(draft: Draft) -> None:
    """The flow goes on where it was (S11.2)."""
    draft.paused = False


def on_append_requested(draft: Draft, event: AppendRequested) -> None:
    """Groups are added at the end of the flow (S11.4)."""
    draft.extend(event.groups)
