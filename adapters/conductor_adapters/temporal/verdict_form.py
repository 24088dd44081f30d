"""Verdicts as updates answer them.

Rule: what is accepted is the update's result. Anything else is an error of its validator, so that
nothing is written: its type is the code of a rejection, or `ignored`, and its detail the verdict.
"""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError

from conductor_adapters.temporal.errors import TemporalError
from conductor_adapters.temporal.names import IGNORED
from conductor_core.codec import decode_verdict, encode_verdict
from conductor_core.errors import ConductorError
from conductor_core.verdicts import Ignored, Rejected, Verdict


def answer(verdict: Verdict) -> dict[str, Any]:
    """What an update returns."""
    told: dict[str, Any] = {"verdict": encode_verdict(verdict)}
    return told


def refusal(verdict: Verdict) -> ApplicationError:
    """The error by which a validator answers."""
    assert isinstance(verdict, (Ignored, Rejected)), "what is accepted is no error"
    if isinstance(verdict, Ignored):
        kind, message = IGNORED, f"ignored: {verdict.reason}"
    else:
        kind, message = verdict.code, verdict.message or verdict.code
    return ApplicationError(message, answer(verdict), type=kind, non_retryable=True)


def verdict_of(told: Any) -> Verdict:
    """The verdict that an update returned."""
    if isinstance(told, dict) and "verdict" in told:
        return decode_verdict(told["verdict"])
    raise ConductorError(f"the flow answered {told!r}, which is no verdict")


def refused(error: BaseException) -> Verdict:
    """The verdict by which an update was refused; raises ConductorError where there is none."""
    if isinstance(error, ApplicationError) and error.details:
        return verdict_of(error.details[0])
    # The run was ended by force when the update had been taken in and was not answered yet.
    raise TemporalError(f"whether the event counts cannot be told: {error}") from error
