"""What an accepted event writes down: one small function for each.

Rule: a fact records what happened and decides nothing. It sets no status that implies a
command; it returns what it leaves to be settled, if anything.
"""

from __future__ import annotations

from typing import Any, Final, assert_never

from conductor_core import events
from conductor_core.draft import Draft, News
from conductor_core.facts.incarnations import on_continue_as_new_suggested, on_continued_as_new
from conductor_core.facts.people import (
    on_append_requested,
    on_approval_option_changed,
    on_approval_responded,
    on_cancel_requested,
    on_group_retry_requested,
    on_pause_requested,
    on_rerun_requested,
    on_resume_requested,
    on_retry_now_requested,
)
from conductor_core.facts.work import (
    on_flow_started,
    on_generation_failed,
    on_groups_generated,
    on_step_finished,
    on_step_started,
    on_timer_fired,
)

REMEMBERED: Final = 256


def record(draft: Draft, event: events.Event, found: Any) -> News | None:
    """Write an accepted event down, and tell what is to be settled of it.

    `found` is what `legality.examine` found out about it, of the type that its function takes.
    """
    match event:
        case events.StepFinished():
            return on_step_finished(draft, event, found)
        case events.StepStarted():
            return on_step_started(draft, found)
        case events.TimerFired():
            return on_timer_fired(draft, event, found)
        case events.FlowStarted():
            on_flow_started(draft)
        case events.GroupsGenerated():
            on_groups_generated(draft, event, found)
        case events.GenerationFailed():
            on_generation_failed(draft)
        case events.ContinueAsNewSuggested():
            on_continue_as_new_suggested(draft)
        case events.ContinuedAsNew():
            return on_continued_as_new(draft)
        case _:
            remember(draft, event)
            return record_request(draft, event, found)
    return None


def remember(draft: Draft, request: events.Request) -> None:
    """Keep the ids of the last accepted requests, so that none counts twice (S4.5)."""
    if request.request_id is not None:
        draft.request_ids = (*draft.request_ids, request.request_id)[-REMEMBERED:]


def record_request(draft: Draft, request: events.Request, found: Any) -> News | None:
    """Write an accepted request down, with what was found out about it."""
    match request:
        case events.ApprovalResponded():
            return on_approval_responded(draft, request, found)
        case events.ApprovalOptionChanged():
            return on_approval_option_changed(draft, request)
        case events.CancelRequested():
            on_cancel_requested(draft, request)
        case events.RerunRequested():
            return on_rerun_requested(draft, found)
        case events.GroupRetryRequested():
            return on_group_retry_requested(found)
        case events.RetryNowRequested():
            return on_retry_now_requested(found)
        case events.PauseRequested():
            on_pause_requested(draft)
        case events.ResumeRequested():
            on_resume_requested(draft)
        case events.AppendRequested():
            on_append_requested(draft, request)
        case _:
            assert_never(request)
    return None
