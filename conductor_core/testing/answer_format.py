"""Answers as they are written: what work returns, what generation delivers.

Rule: every answer is read into the event that it is, as a template without time; the
attempt of a work entry is filled in when its turn comes.
"""

from __future__ import annotations

from typing import Final

from conductor_core import closed, codec
from conductor_core.events import GenerationFailed, GroupsGenerated, StepError, StepFinished

RESULT: Final = (
    *("outcome", "directive", "output", "error"),
    *("noop", "policy", "subject", "metadata"),
)
OK: Final = StepFinished(at_ms=0, attempt="", outcome="succeeded")
CANCELLED: Final = StepFinished(at_ms=0, attempt="", outcome="cancelled")

_outcome: Final = closed.choice("succeeded", "failed", "cancelled")


def entry_of(step: str) -> closed.Reader[StepFinished | None]:
    """A reader of what one attempt of a step returns; None holds it."""

    def read(data: object, path: str) -> StepFinished | None:
        match data:
            case "ok":
                return OK
            case "fail":
                error = StepError(message=f"{step} failed", type="Error")
                return StepFinished(at_ms=0, attempt="", outcome="failed", error=error)
            case "cancelled":
                return CANCELLED
            case "hold":
                return None
            case dict():
                return _result(closed.keyed(data, path, RESULT), path)
            case _:
                raise closed.wrong(path, "ok, fail, cancelled, hold or a mapping", data)

    return read


def decode_finish(data: object, path: str) -> StepFinished:
    """Read the result that a `finish` action sends for an attempt."""
    return _result(closed.keyed(data, path, ("attempt", *RESULT), required=("attempt",)), path)


def _result(given: dict[str, object], path: str) -> StepFinished:
    """Read the fields of step-finished; the outcome is succeeded unless it is given."""
    wire = {"type": "step-finished", "at_ms": 0, "attempt": "", "outcome": "succeeded", **given}
    _outcome(wire["outcome"], closed.child(path, "outcome"))
    event = codec.decode_event(wire, path)
    assert isinstance(event, StepFinished), "the type was given"
    return event


def decode_generate(data: object, path: str) -> GroupsGenerated | GenerationFailed:
    """Read the answer to generate-steps: groups, or a mapping of `partial` or `fail`."""
    if isinstance(data, list):
        return decode_generated(data, path)
    readers = {"partial": _decode_partial, "fail": decode_failed_generation}
    answers = list(closed.fields(data, path, readers).values())
    if len(answers) != 1:
        raise closed.wrong(path, "partial or fail", data)
    answer: GroupsGenerated | GenerationFailed = answers[0]
    return answer


def _decode_partial(data: object, path: str) -> GroupsGenerated:
    groups = codec.decode_flow_groups(data, path)
    return GroupsGenerated(at_ms=0, groups=groups, complete=False)


def decode_generated(data: object, path: str) -> GroupsGenerated:
    """Read a delivery: groups, or a mapping of `groups` and whether they are `complete`."""
    if isinstance(data, list):
        return GroupsGenerated(at_ms=0, groups=codec.decode_flow_groups(data, path))
    readers: dict[str, closed.Reader[object]] = {
        "groups": codec.decode_flow_groups,
        "complete": closed.flag,
    }
    delivery = closed.fields(data, path, readers, required=("groups",))
    return GroupsGenerated(at_ms=0, **delivery)


def decode_failed_generation(data: object, path: str) -> GenerationFailed:
    """Read the message of a generation that failed."""
    return GenerationFailed(at_ms=0, error=StepError(message=closed.text(data, path)))
