"""What follows from a state: the only layer that creates commands.

Rule: first the news that a fact left behind is settled, once; then the first rule that applies
fires, again and again, until none does. `next_rule` says which that is. A rule states when
it applies and what it does in its first line, and moves the draft so that it cannot fire
twice for one reason.

The order is the precedence. A cancel outranks everything (S9). A flow that starts asks for
its groups before it looks for one. A failed generation sweeps before it ends the flow, and
a stop ends it before a group retry or the next group could begin (S7.2). A group is
passed before the flow can end (S7.5), and continues as new before it dispatches (S13.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from conductor_core.directives import Work
from conductor_core.draft import (
    Answered,
    Continued,
    Draft,
    Expired,
    GraceOver,
    News,
    OptionChanged,
    Rerun,
    TimedOut,
    Unnoticed,
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
    continuation_is_due,
    continue_as_new,
    dispatch_next,
    finish_last,
    next_dispatch,
    pass_group,
    skip_declared,
)
from conductor_core.rules.reruns import carry_out_rerun
from conductor_core.rules.work import end_work, time_out

Rule: TypeAlias = Callable[[Draft], None]

RULES: Final[tuple[Rule, ...]] = (
    carry_out_cancel,
    finish_cancelled,
    begin,
    sweep_for_failed_generation,
    finish_stopped,
    begin_group_retry,
    pass_group,
    finish_last,
    continue_as_new,
    skip_declared,
    dispatch_next,
)
"""All rules, in the order of their precedence."""


def settle(draft: Draft, news: News | None) -> None:
    """Settle the news, then let rules fire until none applies."""
    settle_news(draft, news)
    if not draft.started and draft.cancellation is None:
        return  # before it starts a flow can only grow or be cancelled (S4.4)
    fired, limit = 0, len(RULES)
    while draft.outcome is None and (rule := next_rule(draft)) is not None:
        rule(draft)
        fired += 1
        if fired > limit:
            limit = _bound(draft, fired)


def _bound(draft: Draft, fired: int) -> int:
    """How often rules may fire: each a few times, and so often as groups and steps are passed."""
    bound = len(RULES) + 2 * len(draft.catalog.groups) + len(draft.catalog.steps)
    assert fired <= bound, "the rules do not come to rest"
    return bound


def next_rule(draft: Draft) -> Rule | None:
    """The first rule that applies: the order of these questions is the precedence of the rules."""
    if draft.cancellation is not None:
        if not draft.cancellation.carried_out:
            return carry_out_cancel
        return None if draft.active else finish_cancelled
    if draft.generating == "no":
        return begin
    if draft.generating == "failing":
        return sweep_for_failed_generation
    if draft.stopping:
        return None if draft.active else finish_stopped
    return next_dispatch(draft) if draft.active else _next_at_rest(draft)


def _next_at_rest(draft: Draft) -> Rule | None:
    """The first rule that applies while nothing is active."""
    if draft.retrying is not None:
        return begin_group_retry
    if draft.span:
        if draft.nothing_unfinished:
            return pass_group
    elif draft.generating == "complete":
        return finish_last
    if (draft.suggested or continuation_is_due(draft)) and not draft.continuing:
        return continue_as_new
    return next_dispatch(draft)


def settle_news(draft: Draft, news: News | None) -> None:
    """Do what follows directly from the one thing that the event brought."""
    match news:
        case Work():
            end_work(draft, news)
        case None | Unnoticed():
            pass
        case TimedOut():
            time_out(draft, news)
        case Answered():
            settle_answer(draft, news)
        case Expired():
            expire(draft, news)
        case OptionChanged():
            approve_what_is_open(draft)
        case WaitOver():
            end_wait(draft, news)
        case Continued():
            schedule_timers_again(draft)
        case GraceOver():
            give_up_waiting(draft)
        case Rerun():
            carry_out_rerun(draft, news)
        case _:
            assert_never(news)


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
