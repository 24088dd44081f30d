"""What an accepted event writes down: one small function for each.

Rule: a fact records what happened and decides nothing. It sets no status that implies a
command; what it leaves to be settled stands in `draft.news`.
"""

from __future__ import annotations

from typing import Final, assert_never

from conductor_core import events
from conductor_core.draft import Draft
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


def remember(draft: Draft, event: events.Event) -> None:
    """Keep the ids of the last accepted requests, so that none counts twice (S4.5)."""
    request_id = events.request_id_of(event)
    if request_id is not None:
        draft.request_ids = (*draft.request_ids, request_id)[-REMEMBERED:]


def record(draft: Draft, event: events.Event) -> None:
    """Write an accepted event down."""
    match event:
        case events.StepFinished():
            on_step_finished(draft, event)
        case events.StepStarted():
            on_step_started(draft, event)
        case events.TimerFired():
            on_timer_fired(draft, event)
        case events.ApprovalResponded():
            on_approval_responded(draft, event)
        case events.FlowStarted():
            on_flow_started(draft)
        case events.GroupsGenerated():
            on_groups_generated(draft, event)
        case events.GenerationFailed():
            on_generation_failed(draft)
        case events.ContinueAsNewSuggested():
            on_continue_as_new_suggested(draft)
        case events.ContinuedAsNew():
            on_continued_as_new(draft)
        case events.ApprovalOptionChanged():
            on_approval_option_changed(draft, event)
        case events.CancelRequested():
            on_cancel_requested(draft, event)
        case events.RerunRequested():
            on_rerun_requested(draft, event)
        case events.GroupRetryRequested():
            on_group_retry_requested(draft)
        case events.RetryNowRequested():
            on_retry_now_requested(draft, event)
        case events.PauseRequested():
            on_pause_requested(draft)
        case events.ResumeRequested():
            on_resume_requested(draft)
        case events.AppendRequested():
            on_append_requested(draft, event)
        case _:
            assert_never(event)
