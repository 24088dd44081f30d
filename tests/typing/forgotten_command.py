"""A host that forgot a command: the type checkers must say which."""

from __future__ import annotations

from typing import assert_never

from conductor_core import commands


def answer(command: commands.Command) -> str | None:
    """Say what answers a command; the end of a flow was forgotten."""
    match command:
        case commands.DispatchStep() | commands.CancelFutures():
            return "step-finished"
        case commands.RequestApproval():
            return "approval-responded"
        case commands.ScheduleTimer():
            return "timer-fired"
        case commands.GenerateSteps():
            return "groups-generated"
        case commands.ContinueAsNew():
            return "continued-as-new"
        case commands.CancelTimer():
            return None
        case _:
            assert_never(command)
