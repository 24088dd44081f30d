"""Every exception of the product, sorted by who must act.

Rule: what a host or a person sends never raises; these are for the author of a
flow, the owner of a history, and hosts that prefer exceptions to outcomes.
"""

from __future__ import annotations

from typing import Any


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

    `path` names the place (`groups[1].steps[0].key`), `problem` what is wrong.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}" if path else problem)


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

    def __init__(self, *, step: str | None, reason: str, message: str, exhausted: bool) -> None:
        self.step = step
        self.reason = reason
        self.message = message
        self.retries_exhausted = exhausted
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
