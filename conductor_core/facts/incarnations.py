"""What the host says of its own history: section 13."""

from __future__ import annotations

from conductor_core.draft import Continued, Draft


def on_continue_as_new_suggested(draft: Draft) -> None:
    """The history grows long (S13.2)."""
    draft.suggested = True


def on_continued_as_new(draft: Draft) -> Continued:
    """A fresh history has begun (S13.3)."""
    return continue_in_new_incarnation(draft)


def continue_in_new_incarnation(draft: Draft) -> Continued:
    """The flow runs on under the next number."""
    draft.continuing = False
    draft.incarnation += 1
    return Continued()
