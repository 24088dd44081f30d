"""The questions that a flow asks people: about an approval, about a failure, or about a pause.

Rule: a question is read from the state and disappears with it; an answer is a request like
any other, and the reducer says what it is worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, TypeAlias

from attrs import frozen

from conductor_adapters.cli.console import cut
from conductor_adapters.cli.waits import told_approval, told_policy
from conductor_adapters.clock import WallClock
from conductor_adapters.handle import FlowHandle
from conductor_core.attempt import Attempt
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

LINES_SHOWN: Final = 40
"""So many lines of what work left behind are shown."""


@frozen
class OpenApproval:
    """What people are asked about the work of a step that succeeded."""

    RESPONSES: ClassVar[Mapping[str, str]] = {
        "approve": "approve",
        "deny": "deny",
        "skip": "skip-current",
        "retry": "retry",
    }
    WORDS: ClassVar[tuple[str, ...]] = tuple(RESPONSES)
    NOTED: ClassVar[tuple[str, ...]] = WORDS
    MORE: ClassVar[str] = "a note may follow"

    attempt: Attempt

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.attempt.id

    def is_asked(self, state: FlowState) -> bool:
        """Whether the flow still asks it."""
        return state.attempt(self.attempt.id) == self.attempt

    def told(self, state: FlowState) -> Iterator[str]:
        """What people should see before they answer."""
        yield from _shown(self.attempt)
        yield from self.standing(state)

    def standing(self, state: FlowState) -> Iterator[str]:
        """How far the approval is, and who may go on with it."""
        yield f"  {told_approval(state, self.attempt, WallClock().now_ms())}"

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> Verdict:
        """Answer about what was shown, and about nothing else."""
        subject = None if self.attempt.result is None else self.attempt.result.subject
        response = self.RESPONSES[word]
        return await flow.respond(self.attempt.step, response, by=by, note=note, subject=subject)


@frozen
class Failure:
    """What people are asked about a step that failed and waits for them."""

    WORDS: ClassVar[tuple[str, ...]] = ("retry", "skip", "cancel")
    NOTED: ClassVar[tuple[str, ...]] = ("cancel",)
    MORE: ClassVar[str] = "a reason may follow cancel"

    attempt: Attempt

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.attempt.id

    def is_asked(self, state: FlowState) -> bool:
        """Whether the flow still asks it."""
        return state.attempt(self.attempt.id) == self.attempt

    def told(self, _state: FlowState) -> Iterator[str]:
        """What people should see before they answer."""
        return _shown(self.attempt)

    def standing(self, _state: FlowState) -> Iterator[str]:
        """Nothing that would explain why an answer was rejected."""
        return iter(())

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> Verdict:
        """Retry or skip this very attempt, or cancel the flow."""
        if word == "cancel":
            return await flow.cancel(by=by, reason=note)
        return await flow.rerun(self.attempt.id, by=by, operation=f"{word}-step")


@frozen
class Pause:
    """What people are asked about a flow that is paused, when nothing runs any more."""

    WORDS: ClassVar[tuple[str, ...]] = ("resume", "cancel")
    NOTED: ClassVar[tuple[str, ...]] = ("cancel",)
    MORE: ClassVar[str] = "a reason may follow cancel"

    subject: str

    def is_asked(self, state: FlowState) -> bool:
        """Whether the flow still asks it."""
        return state.status == "paused"

    def told(self, _state: FlowState) -> Iterator[str]:
        """What people should see before they answer."""
        yield "  paused: nothing new starts"

    def standing(self, _state: FlowState) -> Iterator[str]:
        """Nothing that would explain why an answer was rejected."""
        return iter(())

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> Verdict:
        """Let the flow go on, or cancel it."""
        if word == "cancel":
            return await flow.cancel(by=by, reason=note)
        return await flow.resume(by=by)


Question: TypeAlias = OpenApproval | Failure | Pause


def questions(state: FlowState) -> Iterator[Question]:
    """What a flow asks now: about its steps in flow order, then about itself."""
    for attempt in state.current_attempts() if state.awaiting or state.parked else ():
        if attempt.awaiting:
            yield OpenApproval(attempt)
        elif attempt.parked:
            yield Failure(attempt)
    if state.status == "paused":
        yield Pause(state.flow_id)


def several_questions(state: FlowState) -> bool:
    """Whether a flow asks more than one now."""
    return state.awaiting + state.parked + (state.status == "paused") > 1


def _shown(attempt: Attempt) -> Iterator[str]:
    """What work left behind: so many lines of it, of so many characters each."""
    result = attempt.result
    if result is None:
        return
    if result.error is not None:
        yield f"  failed: {cut(result.error.message)}"
    if result.subject is not None:
        yield f"  subject: {cut(result.subject)}"
    lines = [*told_policy(result.policy), *_shown_value(result.output.value)]
    yield from (f"  {cut(line)}" for line in lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        yield f"  ({len(lines) - LINES_SHOWN:,} lines more)"


def _shown_value(value: object) -> Iterator[str]:
    """An output, with texts of several lines as they are."""
    entries = value if isinstance(value, dict) else {"output": value}
    for name, entry in entries.items():
        if isinstance(entry, str):
            first, *more = entry.rstrip("\n").split("\n")
            if first or more:
                yield f"{name}: {first}" if not more else f"{name}:"
            yield from (f"  {line}" for line in (first, *more) if more)
        elif entry is not None:
            yield f"{name}: {json.dumps(entry, ensure_ascii=False)}"
