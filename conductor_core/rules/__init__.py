"""What follows from a state: the only layer that creates commands.

Rule: first the news that a fact left behind is settled, once; then the first rule of `RULES`
that applies fires, again and again, until none does. A rule states when it applies and
what it does in its first line, returns whether it fired, and moves the draft so that it
cannot fire twice for one reason.

The order is the precedence. A cancel outranks everything (S9). A flow that starts asks for
its groups before it looks for one. A failed generation sweeps before it ends the flow, and
a stop ends it before a group retry or the next group could begin (S7.2). A group is
passed before the flow can end (S7.5), and continues as new before it dispatches (S13.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from conductor_core.draft import (
    Answered,
    Continued,
    Draft,
    Expired,
    GraceOver,
    OptionChanged,
    Rerun,
    Returned,
    TimedOut,
    WaitOver,
)
from conductor_core.rules.approvals import approve_what_is_open, expire, settle_answer
from conductor_core.rules.endings import (
    carry_out_cancel,
    finish_cancelled,
    finish_stopped,
    give_up_waiting,
    sweep_for_failed_generation,
)
from conductor_core.rules.group import end_group_backoff
from conductor_core.rules.progress import (
    begin,
    begin_group_retry,
    continue_as_new,
    dispatch_pending_steps,
    finish_last,
    pass_group,
)
from conductor_core.rules.reruns import carry_out_rerun
from conductor_core.rules.work import end_work, time_out

RULES: Final[tuple[Callable[[Draft], bool], ...]] = (
    carry_out_cancel,
    finish_cancelled,
    begin,
    sweep_for_failed_generation,
    finish_stopped,
    begin_group_retry,
    pass_group,
    finish_last,
    continue_as_new,
    dispatch_pending_steps,
)


def settle(draft: Draft) -> None:
    """Settle the news, then let rules fire until none applies.

    Between two dispatches every rule fires a bounded number of times and a group is passed
    once, so that the fixed point is reached within the bound that is asserted.
    """
    settle_news(draft)
    if not draft.started and draft.cancellation is None:
        return  # before it starts a flow can only grow or be cancelled (S4.4)
    bound = len(RULES) + 2 * len(draft.catalog.groups)
    while draft.outcome is None:
        for rule in RULES:
            if rule(draft):
                break
        else:
            return
        bound -= 1
        assert bound >= 0, "the rules do not come to rest"


def settle_news(draft: Draft) -> None:
    """Do what follows directly from the one thing that the event brought."""
    match draft.news:
        case None:
            pass
        case Returned():
            end_work(draft, draft.news)
        case TimedOut():
            time_out(draft, draft.news)
        case Answered():
            settle_answer(draft, draft.news)
        case Expired():
            expire(draft, draft.news)
        case OptionChanged():
            approve_what_is_open(draft)
        case WaitOver():
            end_wait(draft, draft.news)
        case Continued():
            schedule_timers_again(draft)
        case GraceOver():
            give_up_waiting(draft)
        case Rerun():
            carry_out_rerun(draft, draft.news)
        case _:
            assert_never(draft.news)


def end_wait(draft: Draft, over: WaitOver) -> None:
    """Let what waited out a backoff be dispatched in its turn, in time or before (S7.1)."""
    if over.position is None:
        end_group_backoff(draft)
        return
    attempt = draft.live[over.position]
    draft.cancel_timer_of(attempt)
    draft.put(over.position, attempt.back_to_pending())


def schedule_timers_again(draft: Draft) -> None:
    """Schedule every open timer anew with what is left of it (S13.3)."""
    for timer, due_at_ms in draft.freeze().timers():
        draft.schedule_timer(timer, due_at_ms)
