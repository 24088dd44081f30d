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
from types import TracebackType
from typing import ClassVar, Final, Self, TypeAlias

import click
from attrs import frozen

from conductor_adapters.cli.console import escaped
from conductor_adapters.cli.screen import Screen
from conductor_adapters.handle import FlowHandle
from conductor_adapters.memory import MemoryFlow
from conductor_core.attempt import Attempt
from conductor_core.state import FlowState

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

    attempt: Attempt

    @property
    def words(self) -> tuple[str, ...]:
        """What may be answered."""
        return tuple(self.RESPONSES)

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> None:
        """Answer about what was shown, and about nothing else."""
        subject = None if self.attempt.result is None else self.attempt.result.subject
        response = self.RESPONSES[word]
        await flow.respond(self.attempt.step, response, by=by, note=note, subject=subject)


@frozen
class Failure:
    """What people are asked about a step that failed and waits for them."""

    attempt: Attempt

    @property
    def words(self) -> tuple[str, ...]:
        """What may be answered."""
        return ("retry", "skip", "cancel")

    async def answer(self, flow: FlowHandle, word: str, by: str, note: str | None) -> None:
        """Retry or skip this very attempt, or cancel the flow."""
        if word == "cancel":
            await flow.cancel(by=by, reason=note)
        else:
            await flow.rerun(self.attempt.id, by=by, operation=f"{word}-step")


Question: TypeAlias = OpenApproval | Failure


def questions(state: FlowState) -> Iterator[Question]:
    """What a flow asks now, in flow order."""
    for attempt in state.current_attempts():
        if attempt.awaiting:
            yield OpenApproval(attempt)
        elif attempt.parked:
            yield Failure(attempt)


class Approvals:
    """Approves, once each, the steps that were named in advance."""

    def __init__(self, steps: frozenset[str], by: str) -> None:
        self._steps = steps
        self._by = by
        self._answered: set[str] = set()

    async def answer(self, flow: MemoryFlow) -> bool:
        """Approve one step that asks for it; False if there is none."""
        for attempt in flow.state.open_approvals():
            if attempt.step in self._steps and attempt.id not in self._answered:
                self._answered.add(attempt.id)
                await OpenApproval(attempt).answer(flow, "approve", self._by, None)
                return True
        return False


class Terminal:
    """Asks whoever sits at the terminal."""

    def __init__(self, screen: Screen, by: str) -> None:
        self._screen = screen
        self._by = by
        self._gone = False

    async def answer(self, flow: MemoryFlow) -> bool:
        """Have one question answered; False if there is none, or nobody to ask."""
        question = next(questions(flow.state), None)
        if question is None or self._gone:
            return False
        for line in _shown(question.attempt):
            self._screen.write(line)
        with _Lines(sys.stdin.fileno()) as lines:
            while next(questions(flow.state), None) == question and not self._gone:
                await self._ask(flow, question, lines)
        return True

    async def _ask(self, flow: MemoryFlow, question: Question, lines: _Lines) -> None:
        """Ask until a line comes, or until the question is answered otherwise."""
        words = "/".join(question.words)
        click.echo(escaped(f"{question.attempt.id}: {words}? "), nl=False)
        line = asyncio.ensure_future(lines.next())
        moot = asyncio.ensure_future(
            flow.until(lambda state: next(questions(state), None) != question)
        )
        try:
            await asyncio.wait((line, moot), return_when=asyncio.FIRST_COMPLETED)
        finally:
            line.cancel()
            moot.cancel()
        if moot.done():
            self._screen.write("")
            moot.result()
        else:
            await self._take(flow, question, line.result())

    async def _take(self, flow: MemoryFlow, question: Question, line: str | None) -> None:
        if line is None:
            self._gone = True
            self._screen.write("")
            return
        typed, _, note = line.strip().partition(" ")
        meant = [word for word in question.words if typed and word.startswith(typed.lower())]
        if meant:
            await question.answer(flow, meant[0], self._by, note.strip() or None)


class _Lines:
    """The lines that are typed from now on: what was typed before the question is no answer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    def __enter__(self) -> Self:
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
            yield f"{name}: {first}" if not more else f"{name}:"
            yield from (f"  {line}" for line in (first, *more) if more)
        elif entry is not None:
            yield f"{name}: {json.dumps(entry, ensure_ascii=False)}"
