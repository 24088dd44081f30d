"""What became of an event (S4.1): accepted, ignored with a reason, rejected with a code."""

from __future__ import annotations

from typing import TypeAlias, Union

from conductor_core.frozen import frozen

__all__ = ["Accepted", "Ignored", "Rejected", "Verdict"]


@frozen
class Accepted:
    """The event counts; only such an event changes the state."""

    def __str__(self) -> str:
        return "accepted"


@frozen
class Ignored:
    """A late or repeated event that changes nothing and is nobody's fault."""

    reason: str

    def __str__(self) -> str:
        return f"ignored({self.reason})"


@frozen
class Rejected:
    """A request that may not be carried out; `message` says why to the person."""

    code: str
    message: str = ""

    def __str__(self) -> str:
        return f"rejected({self.code})"


Verdict: TypeAlias = Union[Accepted, Ignored, Rejected]
