"""A host that carries nothing out: it answers as a recording knows, on virtual time.

Rule: no command leaves this module; the only thing that is done with one is to look up what
answered it. Nothing here reads a clock: the time goes on from event to event. What the recording
does not know is a Question. Whoever stands behind `assume` may answer it; else it stays open,
and then no timer of it fires, because nobody knows that it would.

People do again what they did, when they did it or as soon after as it is accepted, and answer
as long after they are asked as they did. What is never accepted is sent at the end, so that its
rejection is told.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Final

from attrs import evolve, frozen

from conductor_adapters.debugger.happening import (
    Assume,
    Happened,
    Origin,
    Question,
    assumed_end,
    is_accepted,
)
from conductor_adapters.debugger.known import Call, Knowledge, Known, calls_of
from conductor_adapters.debugger.recording import Recording
from conductor_core import commands, events
from conductor_core.attempt import Attempt
from conductor_core.errors import ConductorError
from conductor_core.events import Event, is_request
from conductor_core.explain import quorum_of

MOST: Final = 100_000
"""So many events more than ten times those of the recording may happen in a branch."""
LAST: Final = 1 << 62
"""What comes after all that was recorded at the same time."""


@frozen
class _Due:
    """An event that is to happen; `plan` is the attempt whose approval it answers."""

    event: Event
    origin: Origin
    known: Known | None = None
    of: str | None = None
    plan: str | None = None


class VirtualHost:
    """A flow that goes on from the entry `at` of a recording, without the entry `dropped`.

    `open` are the questions that nobody answered, `happened` the events behind the fork.
    """

    def __init__(
        self, recording: Recording, at: int, assume: Assume, *, dropped: int | None = None
    ) -> None:
        self.state = recording.state_at(at)
        self.happened: list[Happened] = []
        self.open: dict[Question, None] = {}
        self._reduce = recording.reduce
        self._known = Knowledge(recording)
        self._at, self._dropped, self._assume = at, dropped, assume
        self._now_ms = self._known.clock[at]
        self._most = MOST + 10 * len(recording.entries)
        self._agenda: list[tuple[int, int, int, _Due | Question]] = []
        self._count = count()
        self._waiting: list[Known] = []
        self._take_up()

    def send(self, event: Event, origin: Origin) -> None:
        """Let an event happen now."""
        self._send(_Due(event, origin))

    def play(self) -> None:
        """Go on until nothing is left to happen but what nobody knows."""
        while self._agenda or self._ask_people() or self._give_up_waiting():
            while self._agenda:
                order_ms, _, _, due = heapq.heappop(self._agenda)
                late_ms = max(0, self._now_ms - order_ms)
                self._now_ms = max(self._now_ms, order_ms)
                if isinstance(due, Question):
                    self._ask_about_work(due)
                else:
                    self._happens(due, late_ms)

    def unsent(self) -> Iterator[Known]:
        """What people did behind the fork, and had no occasion to do here."""
        sent = {happened.known.seq for happened in self.happened if happened.known is not None}
        for known in self._known.all:
            counted = self._is_behind(known) and known.accepted and known.seq not in sent
            if counted and is_request(known.event):
                yield known

    # --- what happens ---

    def _send(self, due: _Due) -> None:
        if len(self.happened) >= self._most:
            raise ConductorError(f"the branch does not end within {self._most:,} events")
        transition = self._reduce(self.state, due.event)
        self._now_ms = max(self._now_ms, due.event.at_ms)
        self.state = transition.state
        self.happened.append(Happened(due.event, transition, due.origin, due.known, due.of))
        for command in transition.commands:
            self._look_up(command)
        if self.open:
            self.open = {question: None for question in self.open if self._is_asked(question)}
        if is_accepted(transition):
            self._send_waiting()

    def _happens(self, due: _Due, late_ms: int) -> None:
        """Send what is due, unless it would mean nothing any more."""
        event, known = due.event, due.known
        if late_ms:
            event = evolve(event, at_ms=event.at_ms + late_ms)
        if isinstance(event, events.TimerFired) and not self._may_fire(event.timer, known):
            return
        due = evolve(due, event=event)
        if known is not None and not known.accepted:
            self._send(due)
        elif due.plan is not None:
            if self._is_asked(Question("approval", due.plan)):
                self._send(due)
        elif self._would_accept(event):
            self._send(due)
        elif known is not None and is_request(event):
            self._waiting.append(known)

    def _may_fire(self, timer: str, known: Known | None) -> bool:
        """Whether a timer is open, and of nothing unknown; one that was stale is to be stale."""
        is_open = timer in dict(self.state.timers())
        if known is not None and not known.accepted:
            return not is_open
        _, _, of = timer.partition(":")
        return is_open and Question("work", of) not in self.open

    def _would_accept(self, event: Event) -> bool:
        return is_accepted(self._reduce(self.state, event))

    # --- people ---

    def _send_waiting(self) -> None:
        """Send what people did, and what can be accepted only now."""
        for known in self._waiting:
            due = self._again(known)
            if self._would_accept(due.event):
                self._waiting.remove(known)
                self._send(due)
                return

    def _give_up_waiting(self) -> bool:
        """At the end, send what was never accepted; tell whether there was anything."""
        if self.open or not self._waiting:
            return False
        self._send(self._again(self._waiting.pop(0)))
        return True

    def _again(self, known: Known) -> _Due:
        at_ms = max(self._now_ms, known.event.at_ms)
        return _Due(evolve(known.event, at_ms=at_ms), "recorded", known)

    def _ask_people(self) -> bool:
        """Ask about an approval that nobody is known to answer; tell whether anybody did now."""
        for attempt in self.state.open_approvals():
            question = Question("approval", attempt.id)
            if question not in self.open:
                self.open[question] = None
                response = self._assume(question)
                if response is not None and self._respond(attempt, response):
                    return True
        return False

    def _respond(self, attempt: Attempt, response: str) -> bool:
        """Answer an approval as somebody who may; tell whether that is accepted."""
        quorum = quorum_of(self.state, attempt)
        by = quorum.left[0] if quorum.left else f"assumed-{len(quorum.given) + 1}"
        subject = None if attempt.result is None else attempt.result.subject
        event = events.ApprovalResponded(
            at_ms=self._now_ms, step=attempt.step, response=response, by=by, subject=subject
        )
        if not self._would_accept(event):
            return False
        del self.open[Question("approval", attempt.id)]
        self._send(_Due(event, "assumed"))
        return True

    # --- work ---

    def _ask_about_work(self, question: Question) -> None:
        """Ask how work ends, unless that does not matter any more."""
        if not self._is_asked(question):
            return
        outcome = self._assume(question)
        if outcome is None:
            self.open[question] = None
        else:
            end = assumed_end(question.of, outcome, self._now_ms)
            self._plan(self._now_ms, LAST, _Due(end, "assumed"))

    def _is_asked(self, question: Question) -> bool:
        """Whether it still matters what the answer to a question is."""
        if question.kind == "groups":
            return self.state.generating == "running"
        attempt = self.state.attempt(question.of)
        if attempt is None:
            return False
        if question.kind == "approval":
            return attempt.awaiting
        return attempt.active and not attempt.cancel_requested

    # --- what is known ---

    def _take_up(self) -> None:
        """Take up what is under way at the fork, and what came by itself behind it."""
        for known in self._known.answers(None):
            if self._is_behind(known):
                self._plan(known.order_ms, known.seq, _Due(known.event, "recorded", known))
        for call in self._under_way():
            self._called(call, self._known.at[call])
        for call in self._over():
            self._plan_answers(call, self._known.at[call])
        for timer, due_ms in self.state.timers():
            self._set(timer, due_ms)

    def _under_way(self) -> Iterator[Call]:
        """The calls that are open at the fork."""
        if self.state.generating == "running":
            yield Call("groups", str(self.state.run))
        if self.state.continuing:
            yield Call("continue", str(self.state.incarnation))
        for attempt in self.state.current_attempts():
            if attempt.awaiting:
                yield Call("approval", attempt.id)
            if attempt.active:
                yield Call("work", attempt.id)
            if attempt.active and attempt.cancel_requested:
                yield Call("cancel", attempt.id)

    def _over(self) -> Iterator[Call]:
        """The calls about attempts that are over at the fork, of which there may still be news."""
        for attempt in self.state.attempts():
            if attempt.dispatched and not attempt.active:
                yield Call("work", attempt.id)
                if attempt.cancel_requested:
                    yield Call("cancel", attempt.id)

    def _look_up(self, command: commands.Command) -> None:
        """Find out what answers a command."""
        if isinstance(command, commands.ScheduleTimer):
            self._set(command.timer, command.due_at_ms)
            return
        for call in calls_of(command):
            self._called(call, self._now_ms)

    def _called(self, call: Call, at_ms: int) -> None:
        """Plan what answers a call."""
        model = self._model(call)
        self._plan_answers(call, at_ms)
        if model is None:
            self._unknown(call, at_ms)
        elif model != call:
            for known in self._known.answers(model):
                if known.accepted and not known.sends_back:
                    self._plan_answer(known, at_ms, call)

    def _model(self, call: Call) -> Call | None:
        """The call whose answers hold: this one, or that of an earlier attempt of the step."""
        answers = self._known.answers(call)
        if call.kind == "groups":
            return call if any(map(self._is_behind, answers)) else None
        if call.kind not in ("work", "approval"):
            return call if call in self._known.at else None
        if any(known.ends and self._is_behind(known) for known in answers):
            return call
        if self._known.expired(call):
            return call
        step, _, number = call.of.rpartition("#")
        for n in range(int(number) - 1, 0, -1):
            earlier = Call(call.kind, f"{step}#{n}")
            answers = self._known.answers(earlier)
            if self._known.expired(earlier) or any(
                known.ends and not known.sends_back for known in answers
            ):
                return earlier
        return None

    def _unknown(self, call: Call, at_ms: int) -> None:
        """Nothing is known of a call: a host would answer it, or it is a question."""
        match call.kind:
            case "work":
                asked_ms = max(self._now_ms, at_ms + self._known.ran_ms(call))
                self._plan(asked_ms, LAST, Question("work", call.of))
            case "cancel":
                end = assumed_end(call.of, "cancelled", self._now_ms)
                self._plan(self._now_ms, LAST, _Due(end, "assumed"))
            case "continue":
                event = events.ContinuedAsNew(at_ms=self._now_ms, incarnation=int(call.of))
                self._plan(self._now_ms, LAST, _Due(event, "host"))
            case "groups":
                self.open[Question("groups", call.of)] = None
            case "approval" | "timer":
                pass  # people are asked when nothing else is left; timers are set

    def _set(self, timer: str, due_ms: int) -> None:
        """Plan the firing of a timer, as late as it was; that of an approval only if it expired."""
        kind, _, of = timer.partition(":")
        if kind == "approval":
            model = self._model(Call("approval", of))
            if model is None or not self._known.expired(model):
                return
        if not self._plan_answers(Call("timer", timer), due_ms):
            fired = events.TimerFired(at_ms=due_ms, timer=timer)
            self._plan(due_ms, LAST, _Due(fired, "clock"))

    def _plan_answers(self, call: Call, at_ms: int) -> bool:
        """Plan what answered this very call behind the fork; tell whether anything did."""
        answers = [known for known in self._known.answers(call) if self._is_behind(known)]
        for known in answers:
            self._plan_answer(known, at_ms)
        return bool(answers)

    def _plan_answer(self, known: Known, at_ms: int, call: Call | None = None) -> None:
        """Plan a recorded answer to a call that was made at a time, perhaps of another attempt."""
        order_ms = at_ms + known.after_ms
        event = evolve(known.event, at_ms=order_ms + known.lag_ms)
        assert known.call is not None, "an answer is one to a call"
        about, of = known.call, None
        if call is not None:
            about, of = call, known.call.of
            if isinstance(event, events.StepStarted | events.StepFinished):
                event = evolve(event, attempt=call.of)
        plan = about.of if about.kind == "approval" else None
        self._plan(order_ms, known.seq, _Due(event, "recorded", known, of, plan))

    def _plan(self, order_ms: int, seq: int, due: _Due | Question) -> None:
        heapq.heappush(self._agenda, (order_ms, seq, next(self._count), due))

    def _is_behind(self, known: Known) -> bool:
        """Whether something was recorded behind the fork, and still counts as such."""
        return known.seq > self._at and known.seq != self._dropped
