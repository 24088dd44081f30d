"""A flow in a world that does its worst: it loses, doubles, delays, reorders, and crashes.

Rule: the world only does what a host may do wrong and what people may do at all. However it
went, a host that recovers through `pending_commands` and behaves from then on leads the flow
to its end.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from conductor_core import (
    FlowSpec,
    GroupSpec,
    StepSpec,
    commands,
    events,
    initial_state,
    interrupted_attempts,
    pending_commands,
    reduce,
)
from conductor_core.attempt import AttemptStatus
from conductor_core.commands import Command
from conductor_core.events import Event, StepError
from conductor_core.log import restore, snapshot
from conductor_core.testing.arbitrary import requests
from conductor_core.testing.arbitrary.facts import (
    generation_failed,
    groups_generated,
    step_finished,
)
from conductor_core.testing.arbitrary.plays import Maker, any_event, any_time
from conductor_core.testing.strategies import chosen, flows
from conductor_core.verdicts import Accepted
from property_tests.fair_world import helpful_requests

REQUESTS: Final = (
    requests.approval_responded,
    requests.rerun_requested,
    requests.group_retry_requested,
    requests.retry_now_requested,
    requests.pause_requested,
    requests.resume_requested,
    requests.approval_option_changed,
    requests.append_requested,
    requests.cancel_requested,
)
PATIENCE: Final = 500
"""So many rounds of a fair world end every flow that can be drawn."""


LATE: Final = (GroupSpec(key="late", steps=(StepSpec(key="late"),)),)
"""What a generator makes that has nothing better to offer."""


class World(RuleBasedStateMachine):
    """One flow, the commands it gave, the facts on their way to it, and the people around it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.told: list[Command] = []
        self.mail: list[Event] = []
        self.workers: list[str] = []
        self.alarms: list[str] = []
        self.dispatched: set[str] = set()
        self.finishes: set[int] = set()

    @initialize(spec=flows())
    def begin(self, spec: FlowSpec) -> None:
        """A flow is declared, and its start is on its way."""
        self.state = initial_state(spec, flow_id="flow")
        self.mail.append(events.FlowStarted(at_ms=0))

    # --- what hosts do, well or ill ---

    @precondition(lambda self: self.told)
    @rule(data=st.data(), again=st.booleans())
    def carry_out(self, data: st.DataObject, again: bool) -> None:
        """A command is carried out, not always the oldest, perhaps not for the last time."""
        command = data.draw(st.sampled_from(self.told))
        if not again:
            self.told.remove(command)
        self._perform(command, data)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """A command is lost."""
        self.told.remove(data.draw(st.sampled_from(self.told)))

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def end_work(self, data: st.DataObject) -> None:
        """A worker reports, in whatever way work ends."""
        worker = data.draw(st.sampled_from(self.workers))
        self.workers.remove(worker)
        report = data.draw(self._any(step_finished))
        assert isinstance(report, events.StepFinished)
        self.mail.append(evolve(report, attempt=worker))

    @precondition(lambda self: self.alarms)
    @rule(data=st.data())
    def ring(self, data: st.DataObject) -> None:
        """A timer is due; the flow may have forgotten it by now."""
        timer = data.draw(st.sampled_from(self.alarms))
        self.alarms.remove(timer)
        self.mail.append(events.TimerFired(at_ms=self.now, timer=timer))

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, again: bool) -> None:
        """A fact arrives, not always the oldest, perhaps not for the last time."""
        fact = data.draw(st.sampled_from(self.mail))
        if not again:
            self.mail.remove(fact)
        self._send(fact)

    @precondition(lambda self: self.mail)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """A fact never arrives."""
        self.mail.remove(data.draw(st.sampled_from(self.mail)))

    @rule(late=st.booleans())
    def crash(self, late: bool) -> None:
        """The host loses its memory and recovers; facts may still be on their way."""
        self._crash(late=late)

    @rule(data=st.data())
    def pass_time(self, data: st.DataObject) -> None:
        """The clock moves, mostly on."""
        self.now = data.draw(chosen(lambda choose: any_time(choose, self.now)))

    # --- what people do, and what nobody expects ---

    @rule(data=st.data(), make=st.sampled_from(REQUESTS))
    def ask(self, data: st.DataObject, make: Maker) -> None:
        """Somebody asks for something."""
        self._send(data.draw(self._any(make)))

    @rule(data=st.data())
    def surprise(self, data: st.DataObject) -> None:
        """Anything arrives that fits the state, wherever it came from."""
        self._send(data.draw(self._any(any_event)))

    def _any(self, make: Maker) -> st.SearchStrategy[Event]:
        return chosen(lambda choose: make(choose, self.state, self.now))

    # --- what must hold after every step ---

    @invariant()
    def what_is_kept_is_what_is_held(self) -> None:
        """The counters of a state are those of its attempts, and its text gives it back."""
        state = self.state
        assert state.active == sum(attempt.active for attempt in state.live)
        assert state.parked == sum(attempt.parked for attempt in state.live)
        assert state.awaiting == len(state.open_approvals())
        assert state.waiting == self._waiting()
        assert restore(snapshot(state)) == state

    def _waiting(self) -> int:
        waiting = AttemptStatus.WAITING_TO_RETRY
        return sum(attempt.status is waiting for attempt in self.state.live)

    @invariant()
    def what_runs_was_dispatched(self) -> None:
        """Nothing is active that no command asked for, and nothing at all in a finished flow."""
        active = {attempt.id for attempt in self.state.live if attempt.active}
        assert active <= self.dispatched
        assert not (active and self.state.outcome is not None)

    @invariant()
    def what_is_open_can_be_recovered(self) -> None:
        """Every active attempt is dispatched again, told to give up, or answered for (S14)."""
        told: set[str] = set(interrupted_attempts(self.state))
        for command in pending_commands(self.state, at_ms=self.now):
            match command:
                case commands.DispatchStep():
                    told.add(command.attempt)
                case commands.CancelFutures():
                    told.update(command.attempts)
                case _:
                    pass
        assert told == {attempt.id for attempt in self.state.live if attempt.active}

    @invariant()
    def success_is_no_pretence(self) -> None:
        """A flow succeeds only when all has ended well or was forgiven (S3.3)."""
        state = self.state
        if state.status == "success":
            for attempt, step in zip(state.live, state.catalog.steps, strict=True):
                assert not attempt.unfinished
                assert attempt.status is not AttemptStatus.ERROR or step.skip_on_failure
            assert state.generating == "complete"

    def teardown(self) -> None:
        """After one more crash the world is fair, and every flow comes to its end (law 10)."""
        if not hasattr(self, "state"):
            return
        self._crash(late=False)
        for _ in range(PATIENCE):
            if self.state.outcome is not None:
                break
            self._be_fair()
        assert self.state.outcome is not None, self.state
        assert self.state.run in self.finishes

    # --- how it is done ---

    def _send(self, event: Event) -> bool:
        transition = reduce(self.state, event)
        accepted = isinstance(transition.verdict, Accepted)
        assert accepted or (transition.state is self.state and not transition.commands)
        held = self.state.outcome is not None and self.state.status != "error"
        assert not held or transition.state.outcome == self.state.outcome
        self.state = transition.state
        for command in transition.commands:
            self._note(command)
        self.told += transition.commands
        return accepted

    def _note(self, command: Command) -> None:
        match command:
            case commands.DispatchStep():
                assert command.attempt not in self.dispatched
                self.dispatched.add(command.attempt)
            case commands.FinishFlow():
                assert command.run not in self.finishes
                self.finishes.add(command.run)
            case _:
                pass

    def _perform(self, command: Command, data: st.DataObject | None = None) -> None:
        """Carry a command out; without data as well as can be."""
        match command:
            case commands.DispatchStep():
                self.workers.append(command.attempt)
            case commands.CancelFutures():
                for attempt in command.attempts:
                    self._give_up(attempt, data)
            case commands.ScheduleTimer():
                self.alarms.append(command.timer)
            case commands.CancelTimer():
                self.alarms = [timer for timer in self.alarms if timer != command.timer]
            case commands.GenerateSteps():
                self.mail.append(self._generated(data))
            case commands.ContinueAsNew():
                answer = events.ContinuedAsNew(at_ms=self.now, incarnation=command.incarnation)
                self.mail.append(answer)
            case commands.RequestApproval() | commands.FinishFlow():
                pass  # people look for themselves, and nothing answers the end

    def _give_up(self, attempt: str, data: st.DataObject | None) -> None:
        """The worker gives up, unless it is deaf; the host answers for one that is gone."""
        if data is not None and data.draw(st.booleans(), label="deaf"):
            return
        self.workers = [worker for worker in self.workers if worker != attempt]
        report = events.StepFinished(at_ms=self.now, attempt=attempt, outcome="cancelled")
        self.mail.append(report)

    def _generated(self, data: st.DataObject | None) -> Event:
        known = tuple(self.state.catalog.groups)
        if data is not None:
            return data.draw(st.one_of(self._any(groups_generated), self._any(generation_failed)))
        return events.GroupsGenerated(at_ms=self.now, groups=() if known else LATE)

    def _crash(self, *, late: bool) -> None:
        self.state = restore(snapshot(self.state))
        if not late:
            self.mail = []
        self.workers, self.alarms = [], []
        self.told = list(pending_commands(self.state, at_ms=self.now))
        for attempt in interrupted_attempts(self.state):
            error = StepError(message="the host crashed", type="interrupted")
            self.mail.append(
                events.StepFinished(at_ms=self.now, attempt=attempt, outcome="failed", error=error)
            )
        if not self.state.started and self.state.outcome is None:
            self.mail.append(events.FlowStarted(at_ms=self.now))

    def _be_fair(self) -> None:
        """Do all that is asked for; when nothing is, let a timer ring, or somebody help."""
        while self.told:
            self._perform(self.told.pop(0))
        for worker in self.workers:
            report = events.StepFinished(at_ms=self.now, attempt=worker, outcome="succeeded")
            self.mail.append(report)
        self.workers = []
        mail, self.mail = self.mail, []
        accepted = [self._send(fact) for fact in mail]
        if any(accepted):
            return
        if self.alarms:
            self._send(events.TimerFired(at_ms=self.now, timer=self.alarms.pop(0)))
            return
        assert any(self._send(request) for request in helpful_requests(self.state, self.now))


TestWorld = World.TestCase
