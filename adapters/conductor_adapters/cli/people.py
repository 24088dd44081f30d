"""Those who answer what a flow asks people: a list of names, or whoever sits at the terminal.

Rule: nobody keeps a question from the others. Whoever waits for an answer looks up whenever
anything happens, so that the next in line has a turn.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from operator import is_not
from typing import Any, Final

from conductor_adapters.cli.questions import (
    OpenApproval,
    Question,
    questions,
    several_questions,
)
from conductor_adapters.cli.screen import PeopleScreen
from conductor_adapters.cli.typed import Typed
from conductor_adapters.memory import MemoryFlow
from conductor_core.attempt import Attempt
from conductor_core.state import FlowState
from conductor_core.vector import Vector
from conductor_core.verdicts import Rejected

NEXT: Final = "next"
LOOK_AGAIN_S: Final = 0.5
"""So often a run looks whether it is in the foreground."""
HANGUP_S: Final = 1.0
"""So long after a terminal has gone its hangup may come."""


class Approvals:
    """Approves, once for each name, the steps that were named in advance."""

    def __init__(self, steps: frozenset[str], names: tuple[str, ...]) -> None:
        self._steps = steps
        self._names = names
        self._seen: Vector[Attempt] = Vector()
        self._answered: set[str] = set()

    async def answer(self, flow: MemoryFlow) -> bool:
        """Approve what newly asks for it; False if nothing does."""
        if not self._steps:
            return False
        live, seen = flow.state.live, self._seen
        self._seen = live
        asked = [live[index] for index in live.changed_since(seen) if self._is_asked(live[index])]
        for attempt in asked:
            self._answered.add(attempt.id)
            await self._approve(flow, attempt)
        return bool(asked)

    def _is_asked(self, attempt: Attempt) -> bool:
        named = attempt.step in self._steps and attempt.awaiting
        return named and attempt.id not in self._answered

    async def _approve(self, flow: MemoryFlow, attempt: Attempt) -> None:
        """Approve as often as it takes, but no name twice."""
        question = OpenApproval(attempt)
        for name in self._names:
            await question.answer(flow, "approve", name, None)
            now = flow.state.attempt(attempt.id)
            if now is None or not now.awaiting:
                return


class Terminal:
    """Asks whoever sits at the terminal, and who may answer for others."""

    def __init__(self, screen: PeopleScreen, by: str) -> None:
        self._screen = screen
        self._by = by
        self._typed = Typed(sys.stdin.fileno())
        self._question: Question | None = None
        self._prompt: str | None = None
        self._called: Question | None = None
        self._gone = False
        self._helped = False

    async def answer(self, flow: MemoryFlow) -> bool:
        """Wait for an answer, or for anything else; False if nothing is asked, or nobody there."""
        question = None if self._gone else self._asked(flow.state)
        if question is None:
            return False
        try:
            if self._typed.in_front():
                self._ask(question, flow.state)
                await self._listen(flow, question)
            else:
                self._call_to_front(question)
                await self._look_up(flow)
            if self._gone or not question.is_asked(flow.state):
                self._leave()
        except BaseException:
            self._leave()
            raise
        return True

    # --- which question ---

    def _asked(self, state: FlowState) -> Question | None:
        """The question that is asked, as long as it is one, or else the first."""
        if self._question is None or not self._question.is_asked(state):
            return next(questions(state), None)
        return self._question

    def _move_on(self, state: FlowState) -> None:
        """Turn to the question behind the one that is asked."""
        asked = list(questions(state))
        index = asked.index(self._question) if self._question in asked else -1
        following = asked[(index + 1) % len(asked)] if asked else None
        if following == self._question:
            self._screen.note("nothing else is asked")
            return
        self._leave()
        if following is not None:
            self._turn_to(following, state)

    # --- the prompt ---

    def _ask(self, question: Question, state: FlowState) -> None:
        """Show the prompt, the first time below what it is about."""
        if question != self._question:
            self._leave()
            self._turn_to(question, state)
        self._typed.listen()
        words = (*question.WORDS, *([NEXT] if several_questions(state) else []))
        prompt = f"{question.subject} (as {self._by}): {'/'.join(words)}? "
        if prompt != self._prompt:
            if self._prompt is not None:
                self._screen.withdraw()
            self._prompt = prompt
            self._screen.ask(prompt)

    def _turn_to(self, question: Question, state: FlowState) -> None:
        """Show what a question is about and, the first time, how to answer."""
        self._question = question
        self._typed.forget()
        for line in question.told(state):
            self._screen.note(line)
        if not self._helped:
            self._helped = True
            more = f'{question.MORE}; "as NAME" on a line of its own: answer for NAME'
            self._screen.note(f'  (the first letters will do; {more}; "{NEXT}": another question)')

    def _leave(self) -> None:
        """Take the prompt away, and ask nothing."""
        self._typed.rest()
        if self._prompt is not None:
            self._screen.withdraw()
        self._question = self._prompt = None

    def _call_to_front(self, question: Question) -> None:
        """Say once that it can only be answered in the foreground."""
        self._leave()
        if question != self._called:
            self._called = question
            self._screen.note(f"{question.subject} asks; to answer, bring this to the foreground")

    # --- what comes ---

    async def _listen(self, flow: MemoryFlow, question: Question) -> None:
        """Take a line if one comes before anything else happens."""
        line = asyncio.ensure_future(self._typed.next())
        try:
            await self._look_up(flow, line)
        finally:
            line.cancel()
        if not line.done():
            return
        typed = line.result()
        if typed is None:
            await self._end()
            return
        self._prompt = None
        self._screen.answered()
        if question.is_asked(flow.state):
            await self._take(flow, question, typed.strip())

    async def _look_up(self, flow: MemoryFlow, *line: asyncio.Future[str | None]) -> None:
        """Wait for a line, for anything to happen, or until it is time to look about."""
        changed = asyncio.ensure_future(flow.until(partial(is_not, flow.state)))
        waited: list[asyncio.Future[Any]] = [changed, *line]
        try:
            await asyncio.wait(waited, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if changed.done():
            changed.result()

    async def _end(self) -> None:
        """Ask no more; who has hung up may say so yet, and then the run is to stop."""
        if self._typed.hung_up():
            await asyncio.sleep(HANGUP_S)
        self._gone = True

    async def _take(self, flow: MemoryFlow, question: Question, typed: str) -> None:
        """Do what was typed, or say why not."""
        first, _, rest = typed.partition(" ")
        rest = rest.strip()
        words = (*question.WORDS, NEXT)
        word = next((word for word in words if first and word.startswith(first.lower())), None)
        if first.lower() == "as" and rest:
            self._by = rest
        elif word is None:
            if first:
                expected = ", ".join(question.WORDS)
                self._screen.note(f"{first!r} is none of {expected} ({question.MORE})")
        elif rest and word not in question.NOTED:
            self._screen.note(f"{word} takes no more than the word, got {rest!r} ({question.MORE})")
        elif word == NEXT:
            self._move_on(flow.state)
        else:
            verdict = await question.answer(flow, word, self._by, rest or None)
            if isinstance(verdict, Rejected):
                for line in question.standing(flow.state):
                    self._screen.note(line)
