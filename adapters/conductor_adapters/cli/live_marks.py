"""What a status looks like in the live view: a mark before it and a colour.

Rule: a colour says nothing that the mark and the words do not say, and a terminal that
cannot show a mark gets one in ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from conductor_core.attempt import AttemptStatus


@frozen
class Look:
    """How something is marked."""

    mark: str
    plain: str
    style: str


PENDING: Final = Look("·", ".", "dim")
RUNNING: Final = Look("●", "*", "cyan")
WAITING: Final = Look("↻", "~", "yellow")
ASKING: Final = Look("?", "?", "bold yellow")
SUCCESS: Final = Look("✓", "+", "green")
FAILURE: Final = Look("✗", "x", "red")
PASSED_OVER: Final = Look("-", "-", "dim")
MORE: Final = Look("…", "...", "dim")

OF_ATTEMPT: Final[Mapping[AttemptStatus, Look]] = {
    AttemptStatus.PENDING: PENDING,
    AttemptStatus.WAITING_TO_RETRY: WAITING,
    AttemptStatus.QUEUED: RUNNING,
    AttemptStatus.IN_PROGRESS: RUNNING,
    AttemptStatus.APPROVAL_AWAITING: ASKING,
    AttemptStatus.SUCCESS: SUCCESS,
    AttemptStatus.ERROR: FAILURE,
    AttemptStatus.CANCELLED: FAILURE,
    AttemptStatus.APPROVAL_DENIED: FAILURE,
    AttemptStatus.APPROVAL_EXPIRED: FAILURE,
    AttemptStatus.AUTO_SKIPPED: PASSED_OVER,
    AttemptStatus.USER_SKIPPED: PASSED_OVER,
    AttemptStatus.DISCARDED: PASSED_OVER,
    AttemptStatus.NOT_ATTEMPTED: PASSED_OVER,
}

OF_GROUP: Final[Mapping[str, Look]] = {
    "pending": PENDING,
    "in-progress": RUNNING,
    "failed-pending-retry": ASKING,
    "approval-awaiting": ASKING,
    "success": SUCCESS,
    "discarded": PASSED_OVER,
    "cancelled": FAILURE,
    "error": FAILURE,
}

OF_FLOW: Final[Mapping[str, Look]] = {
    "pending": PENDING,
    "in-progress": RUNNING,
    "cancelling": WAITING,
    "paused": ASKING,
    "failed-pending-retry": ASKING,
    "approval-awaiting": ASKING,
    "success": SUCCESS,
    "cancelled": FAILURE,
    "error": FAILURE,
}


class Charset:
    """The characters that a terminal can show, by its encoding."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._plain = self.shown("✓●…") != "✓●…"

    def mark(self, look: Look) -> str:
        """The mark of a look."""
        return look.plain if self._plain else look.mark

    def shown(self, text: str) -> str:
        """A text with escapes for what cannot be shown."""
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)
