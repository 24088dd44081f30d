"""Every exception of the product, sorted by who must act.

Rule: what a host or a person sends never raises; these are for the author of a
flow, the owner of a history, and hosts that prefer exceptions to outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable
from reprlib import Repr
from typing import Any, Final, TypeAlias

__all__ = [
    "ConductorError",
    "FlowCancelled",
    "FlowFailure",
    "FlowStopped",
    "FormatError",
    "LogError",
    "LogTruncated",
    "NotApproved",
    "PayloadError",
    "Problem",
    "ReplayDivergence",
    "SpecError",
]

Problem: TypeAlias = tuple[str, str]
"""A place, as a path such as `groups[1].steps[0].key`, and what is wrong there."""

WIDTH: Final = 80
TOLD: Final = 10
"""So many problems stand in a message; the exception holds them all."""

_repr: Final = Repr()
_repr.maxstring = _repr.maxlong = _repr.maxother = WIDTH


def shown(value: object) -> str:
    """Show a value in a message, cut when it is long, whatever it is."""
    try:
        text = _repr.repr(value)
    except ValueError:
        # Python refuses to write integers of thousands of digits.
        text = f"an enormous {type(value).__name__}"
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


class ConductorError(Exception):
    """The base of everything that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.__dict__, self.args))


def _rebuild(
    cls: type[ConductorError], attributes: dict[str, Any], args: tuple[Any, ...]
) -> ConductorError:
    """Rebuild a pickled error without calling its constructor again."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class PayloadError(ConductorError, ValueError):
    """A value that is no JSON value: NaN, an infinity, a lone surrogate (S1.5)."""


class FormatError(ConductorError):
    """Decoded data that does not have the declared shape.

    `path` names the place (`groups[1].steps[0].key`), `problem` what is wrong; they are
    the first of `problems`.
    """

    def __init__(self, path: str, problem: str, *more: Problem) -> None:
        self.path = path
        self.problem = problem
        self.problems: tuple[Problem, ...] = ((path, problem), *more)
        told = [f"{place}: {text}" if place else text for place, text in self.problems[:TOLD]]
        if len(self.problems) > TOLD:
            told.append(f"and {len(self.problems) - TOLD} problems more")
        super().__init__("; ".join(told))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> FormatError:
        """The error that tells these problems, of which there is at least one."""
        first, *more = problems
        return cls(*first, *more)


class SpecError(ConductorError):
    """A flow that can never run: for its author.

    `problems` lists everything that is wrong at once, as pairs of path and text.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        lines = [f"{path}: {text}" if path else text for path, text in problems]
        super().__init__("invalid flow spec: " + "; ".join(lines))


class LogError(ConductorError):
    """A history that cannot be read: for whoever owns it.

    `line` counts from 1 and is None when the place is no line of a file.
    """

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        super().__init__(reason if line is None else f"line {line}: {reason}")


class LogTruncated(LogError):
    """The last line was cut off while it was written: what stands before it is usable."""


class ReplayDivergence(LogError):
    """The same events led elsewhere than the log says: the first entry that differs."""

    def __init__(
        self, difference: str, *, entry: int, expected: object, actual: object, line: int
    ) -> None:
        self.entry = entry
        self.expected = expected
        self.actual = actual
        super().__init__(f"entry {entry} diverges:\n{difference}", line=line)


class FlowFailure(ConductorError):
    """A flow that ended otherwise than in success: for hosts that want exceptions."""


class FlowStopped(FlowFailure):
    """The flow ended in error; `step` is the culprit's attempt, when there is one."""

    def __init__(
        self, *, step: str | None, reason: str, message: str, retries_exhausted: bool
    ) -> None:
        self.step = step
        self.reason = reason
        self.message = message
        self.retries_exhausted = retries_exhausted
        super().__init__(f"flow stopped at {step!r}: {reason}: {message}")


class NotApproved(FlowFailure):
    """An approval was denied or expired; `step` is the attempt that asked for it."""

    def __init__(self, *, step: str | None, reason: str) -> None:
        self.step = step
        self.reason = reason
        super().__init__(f"flow not approved at {step!r}: {reason}")


class FlowCancelled(FlowFailure):
    """Somebody cancelled the flow; `message` is the reason that was given."""

    def __init__(self, *, message: str | None) -> None:
        self.message = message
        super().__init__("flow cancelled" if message is None else f"flow cancelled: {message}")
