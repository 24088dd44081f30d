"""A match over the statuses of an attempt that forgot one: the type checkers must say which."""

from __future__ import annotations

from typing import assert_never

from conductor_core import AttemptStatus


def sign(status: AttemptStatus) -> str:
    """Turn a status into a sign; the approval that expired was forgotten."""
    match status:
        case AttemptStatus.PENDING | AttemptStatus.NOT_ATTEMPTED | AttemptStatus.DISCARDED:
            return " "
        case AttemptStatus.WAITING_TO_RETRY | AttemptStatus.QUEUED | AttemptStatus.IN_PROGRESS:
            return "…"
        case AttemptStatus.APPROVAL_AWAITING:
            return "?"
        case AttemptStatus.SUCCESS | AttemptStatus.AUTO_SKIPPED | AttemptStatus.USER_SKIPPED:
            return "✓"
        case AttemptStatus.ERROR | AttemptStatus.CANCELLED | AttemptStatus.APPROVAL_DENIED:
            return "✗"
        case _:
            assert_never(status)
