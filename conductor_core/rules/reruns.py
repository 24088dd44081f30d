"""Section 10: a rerun that was laid out is carried out.

Rule: everything was checked before (S10.9); the parts of the layout are applied in the order
in which they stand here.
"""

from __future__ import annotations

from conductor_core.draft import Draft, Rerun
from conductor_core.rules.group import (
    leave_behind,
    mark_skipped,
    renew,
    retry_group,
    retry_step,
    skip_dependents,
)
from conductor_core.rules.progress import ask_for_groups


def carry_out_rerun(draft: Draft, rerun: Rerun) -> None:
    """Revive the flow if it ended, retry what is to be retried, then skip (S10.2 to S10.8)."""
    if draft.outcome is not None:
        _revive(draft, frozenset(draft.span if rerun.whole_group else rerun.span))
    if rerun.whole_group:
        retry_group(draft, directive="retry-group")
    for position in rerun.retried:
        leave_behind(draft, position, "retry")
        retry_step(draft, position)
    if rerun.span:
        _replan(draft, rerun.span)
    _skip(draft, rerun.skips)


def _revive(draft: Draft, renewed: frozenset[int]) -> None:
    """Let a flow that ended in error live again, with what its stop swept (S10.5).

    What never ran is pending again, what did gets a new attempt charged to no budget;
    the `renewed` get one anyway.
    """
    draft.outcome = draft.finished_at_ms = draft.stop = None
    draft.skipping = False
    draft.run += 1
    if draft.generating == "running":
        ask_for_groups(draft)
    for position, attempt in draft.attempts_in(range(draft.span.start, len(draft.live))):
        if not attempt.swept or position in renewed:
            continue
        if attempt.dispatched:
            renew(draft, position, generation=attempt.generation, retry=attempt.retry)
        else:
            draft.put(position, attempt.back_to_pending())


def _replan(draft: Draft, span: tuple[int, ...]) -> None:
    """Let the steps from a plan to its use begin a new generation (S10.3)."""
    draft.generation += 1
    draft.skipping = False
    for position in span:
        leave_behind(draft, position, "retry")
        renew(draft, position, generation=draft.generation, retry=0)


def _skip(draft: Draft, skips: tuple[tuple[int, str], ...]) -> None:
    """Skip all that was named, then what the refused plans among it would have led to (S10.4)."""
    for position, scope in skips:
        mark_skipped(draft, position, scope)
    for position, scope in skips:
        if scope == "group":
            skip_dependents(draft, position)
