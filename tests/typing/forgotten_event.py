"""A match over events that forgot one: the type checkers must say which."""

from __future__ import annotations

from typing import assert_never

from conductor_core import events


def sender(event: events.Event) -> str:
    """Say who sends an event; what a person appends was forgotten."""
    match event:
        case (
            events.FlowStarted()
            | events.GroupsGenerated()
            | events.GenerationFailed()
            | events.StepStarted()
            | events.StepFinished()
            | events.TimerFired()
            | events.ContinueAsNewSuggested()
            | events.ContinuedAsNew()
        ):
            return "host"
        case (
            events.ApprovalResponded()
            | events.ApprovalOptionChanged()
            | events.CancelRequested()
            | events.RerunRequested()
            | events.GroupRetryRequested()
            | events.RetryNowRequested()
            | events.PauseRequested()
            | events.ResumeRequested()
        ):
            return "person"
        case _:
            assert_never(event)
