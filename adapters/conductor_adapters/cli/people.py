"""The questions that a flow asks people, and those who answer: a list, or a terminal.

Rule: a question is read from the state and disappears with it; an answer is a request like
any other, and the reducer says what it is worth.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Final, Self, TypeAlias

from attrs import frozen

from conductor_adapters.cli.screen import PeopleScreen
from conductor_adapters.cli.waits import told_approval
from conductor_adapters.clock import WallClock
from conductor_adapters.handle import FlowHandle
from conductor_adapters.memory import MemoryFlow
from conductor_core.attempt import Attempt
from conductor_core.state import FlowState
from conductor_core.verdicts import Rejected, Verdict

LINES_SHOWN: Final = 40


@frozen
class OpenApproval:
    """What people are asked about the work of a step that succeeded."""

    RESPONSES: ClassVar[Mapping[str, str]] = {
        "approve": "approve",
        "deny": "deny",
        "skip": "skip-current",
        "retry": "retry",
    }

    MORE: ClassVar[str] = "a note may follow"

    attempt: Attempt

    @property
    def words(self) -> tuple[str, ...]:
        """What may be answered."""
        return tuple(self.RESPONSES)

    def told(self, state: FlowState) -> Iterator[str]:
        """What people should see before they answer."""
        yield from _shown(self.attempt)
        yield self.standing(state)

    def standing(self, state: FlowState) -> str:
        """How far the approval is, and who may go on with it."""
        return f"  {told_approval(state, self.attempt, WallClock().now_ms())}"

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> Verdict:
        """Answer about what was shown, and about nothing else."""
        subject = None if self.attempt.result is None else self.attempt.result.subject
        response = self.RESPONSES[word]
        return await flow.respond(self.attempt.step, response, by=by, note=note, subject=subject)


@frozen
class Failure:
    """What people are asked about a step that failed and waits for them."""

    MORE: ClassVar[str] = "a reason may follow cancel"

    attempt: Attempt

    @property
    def words(self) -> tuple[str, ...]:
        """What may be answered."""
        return ("retry", "skip", "cancel")

    def told(self, _state: FlowState) -> Iterator[str]:
        """What people should see before they answer."""
        return _shown(self.attempt)

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> Verdict:
        """Retry or skip this very attempt, or cancel the flow."""
        if word == "cancel":
            return await flow.cancel(by=by, reason=note)
        return await flow.rerun(self.attempt.id, by=by, operation=f"{word}-step")


Question: TypeAlias = OpenApproval | Failure


def questions(state: FlowState) -> Iterator[Question]:
    """What a flow asks now, in flow order."""
    for attempt in state.current_attempts():
        if attempt.awaiting:
            yield OpenApproval(attempt)
        elif attempt.parked:
            yield Failure(attempt)


class Approvals:
    """Approves, once for each name, the steps that were named in advance."""

    def __init__(self, steps: frozenset[str], names: tuple[str, ...]) -> None:
        self._steps = steps
        self._names = names
        self._answered: set[tuple[str, str]] = set()

    async def answer(self, flow: MemoryFlow) -> bool:
        """Approve one step that asks for it; False if there is none."""
        for attempt in flow.state.open_approvals():
            for name in self._names if attempt.step in self._steps else ():
                if (attempt.id, name) not in self._answered:
                    self._answered.add((attempt.id, name))
                    await OpenApproval(attempt).answer(flow, "approve", name, None)
                    return True
        return False


class Terminal:
    """Asks whoever sits at the terminal, and who may answer for others."""

    def __init__(self, screen: PeopleScreen, by: str) -> None:
        self._screen = screen
        self._by = by
        self._gone = False
        self._helped = False

    async def answer(self, flow: MemoryFlow) -> bool:
        """Have one question answered; False if there is none, or nobody to ask."""
        question = next(questions(flow.state), None)
        if question is None or self._gone:
            return False
        self._tell(question, flow.state)
        with _Lines(sys.stdin.fileno()) as lines:
            while next(questions(flow.state), None) == question and not self._gone:
                await self._ask(flow, question, lines)
        return True

    def _tell(self, question: Question, state: FlowState) -> None:
        """Show what a question is about and, the first time, how to answer."""
        for line in question.told(state):
            self._screen.note(line)
        if not self._helped:
            self._helped = True
            more = f'{question.MORE}; "as NAME" on a line of its own: answer for NAME'
            self._screen.note(f"  (the first letters will do; {more})")

    async def _ask(self, flow: MemoryFlow, question: Question, lines: _Lines) -> None:
        """Ask until a line comes, or until the question is answered otherwise."""
        words = "/".join(question.words)
        self._screen.ask(f"{question.attempt.id} (as {self._by}): {words}? ")
        line = asyncio.ensure_future(lines.next())
        moot = asyncio.ensure_future(
            flow.until(lambda state: next(questions(state), None) != question)
        )
        try:
            await asyncio.wait((line, moot), return_when=asyncio.FIRST_COMPLETED)
        finally:
            line.cancel()
            moot.cancel()
            typed = line.result() if line.done() and not line.cancelled() else None
            if typed is None:
                self._screen.withdraw()
            else:
                self._screen.answered()
        if moot.done():
            moot.result()
        elif typed is None:
            self._gone = True
        else:
            await self._take(flow, question, typed.strip())

    async def _take(self, flow: MemoryFlow, question: Question, typed: str) -> None:
        """Do what was typed, or say why not."""
        first, _, rest = typed.partition(" ")
        rest = rest.strip()
        meant = [word for word in question.words if first and word.startswith(first.lower())]
        if first.lower() == "as" and rest:
            self._by = rest
        elif meant:
            verdict = await question.answer(flow, meant[0], self._by, rest or None)
            if isinstance(verdict, Rejected) and isinstance(question, OpenApproval):
                self._screen.note(question.standing(flow.state))
        elif first:
            words = ", ".join(question.words)
            self._screen.note(f"{first!r} is none of {words} ({question.MORE})")


class _Lines:
    """The lines that are typed from now on: what was typed before the question is no answer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    def __enter__(self) -> Self:
        # A terminal that is gone has nothing to forget; reading from it tells so.
        with suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)

    async def next(self) -> str | None:
        """The next line; None when no more will come."""
        return await self._lines.get()

    def _readable(self) -> None:
        """Take what a terminal hands over, which is one line, or nothing at its end."""
        try:
            typed = os.read(self._descriptor, 4096)
        except OSError:
            typed = b""
        self._lines.put_nowait(typed.decode("utf-8", "replace") if typed else None)
        if not typed:
            asyncio.get_running_loop().remove_reader(self._descriptor)


def _shown(attempt: Attempt) -> Iterator[str]:
    """What people should see before they answer."""
    result = attempt.result
    if result is None:
        return
    if result.error is not None:
        yield f"  failed: {result.error.message}"
    if result.subject is not None:
        yield f"  subject: {result.subject}"
    lines = list(_shown_value(result.output.value))
    yield from (f"  {line}" for line in lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        yield f"  ({len(lines) - LINES_SHOWN} lines more)"


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
