"""The loop that all hosts share: the order of things, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from conductor_adapters.host import FlowLoop, perform
from conductor_core import (
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    StepSpec,
    Transition,
    commands,
    events,
    initial_state,
    reduce,
)
from conductor_core.commands import Command
from conductor_core.errors import LogError
from conductor_core.events import Event
from conductor_core.payload import EMPTY
from conductor_core.verdicts import Accepted, Ignored


@define
class Trace:
    """A journal and a performer that write down, in one list, what reaches them."""

    happened: list[tuple[str, Any]] = field(factory=list)
    refuse: bool = False
    then: dict[type[Command], Callable[[], object]] = field(factory=dict)

    def append(self, event: Event, transition: Transition) -> None:
        """Take an entry, or refuse it."""
        if self.refuse:
            raise LogError("the disk is full")
        self.happened.append(("entry", event))

    def _carry_out(self, command: Command) -> None:
        self.happened.append(("command", command))
        self.then.get(type(command), lambda: None)()

    dispatch_step = _carry_out
    request_approval = _carry_out
    cancel_futures = _carry_out
    schedule_timer = _carry_out
    cancel_timer = _carry_out
    generate_steps = _carry_out
    continue_as_new = _carry_out
    finish_flow = _carry_out

    @property
    def entries(self) -> list[Event]:
        """The events that were journaled."""
        return [what for kind, what in self.happened if kind == "entry"]

    @property
    def commands(self) -> list[Command]:
        """The commands that left."""
        return [what for kind, what in self.happened if kind == "command"]

    @property
    def kinds(self) -> list[str]:
        """What happened, in its order, by the names of the classes."""
        return [type(what).__name__ for _, what in self.happened]


TWO_STEPS = FlowSpec(
    groups=(GroupSpec(key="g", steps=(StepSpec(key="a"), StepSpec(key="b"))),),
)
TOGETHER = FlowSpec(
    groups=(
        GroupSpec(
            key="g", parallel=True, steps=(StepSpec(key="a", on_recovery="fail"), StepSpec(key="b"))
        ),
    ),
    options=FlowOptions(on_failure="await-retry"),
)


def loop_over(
    trace: Trace, state: FlowState, now_ms: Callable[[], int] = lambda: 1_000
) -> FlowLoop:
    """A loop whose journal and performer are the trace."""
    return FlowLoop(state, journal=trace, performer=trace, now_ms=now_ms)


def succeeded(attempt: str, at_ms: int = 5) -> events.StepFinished:
    """The fact that an attempt succeeded."""
    return events.StepFinished(at_ms=at_ms, attempt=attempt, outcome="succeeded")


def test_an_entry_precedes_its_commands() -> None:
    """Every event is in the journal before any of its commands leaves."""
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"))
    loop.feed(events.FlowStarted(at_ms=0))
    loop.feed(succeeded("a#1"))
    loop.feed(succeeded("b#1"))
    step = ["StepFinished", "DispatchStep"]
    assert trace.kinds == ["FlowStarted", "DispatchStep", *step, "StepFinished", "FinishFlow"]
    assert loop.state.status == "success"


def test_the_observer_sees_an_entry_between_journal_and_commands() -> None:
    """An observer sees what is in the journal already and has not led to anything yet."""
    trace = Trace()

    def observe(_event: Event, transition: Transition) -> None:
        trace.happened.append(("seen", transition))

    loop = FlowLoop(
        initial_state(TWO_STEPS, "f"), journal=trace, performer=trace,
        now_ms=lambda: 0, observe=observe,
    )  # fmt: skip
    loop.feed(events.FlowStarted(at_ms=0))
    assert trace.kinds == ["FlowStarted", "Transition", "DispatchStep"]


def test_what_is_fed_from_within_a_command_is_recorded_at_once() -> None:
    """A performer may answer at once: commands still leave in the order of their events."""
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"))
    answers = iter(["a#1", "b#1"])
    trace.then[commands.DispatchStep] = lambda: loop.feed(succeeded(next(answers)))
    assert loop.feed(events.FlowStarted(at_ms=0)) == Accepted()
    first, second, last = "DispatchStep", "DispatchStep", "FinishFlow"
    assert trace.kinds == ["FlowStarted", first, "StepFinished", second, "StepFinished", last]


def test_what_the_journal_refuses_did_not_happen() -> None:
    """When the journal refuses an entry, the state stays and no command leaves."""
    trace = Trace(refuse=True)
    state = initial_state(TWO_STEPS, "f")
    loop = loop_over(trace, state)
    with pytest.raises(LogError, match="the disk is full"):
        loop.feed(events.FlowStarted(at_ms=0))
    assert loop.state is state
    assert trace.happened == []


def test_a_command_that_fails_is_carried_out_by_the_next_event() -> None:
    """A performer that raises loses no command: it comes first when the loop runs again."""
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"))

    def fail_once() -> None:
        trace.then.clear()
        raise OSError("no thread could be started")

    trace.then[commands.DispatchStep] = fail_once
    with pytest.raises(OSError, match="no thread"):
        loop.feed(events.FlowStarted(at_ms=0))
    loop.feed(events.PauseRequested(at_ms=1, by="ana"))
    dispatched = [c.attempt for c in trace.commands if isinstance(c, commands.DispatchStep)]
    assert dispatched == ["a#1", "a#1"]


def test_a_repeated_fact_commands_nothing() -> None:
    """A fact that is delivered twice gets its verdict twice and leads on once."""
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"))
    loop.feed(events.FlowStarted(at_ms=0))
    loop.feed(succeeded("a#1"))
    before = trace.commands
    assert loop.feed(succeeded("a#1")) == Ignored("stale-attempt")
    assert trace.commands == before
    assert len(trace.entries) == 3


def test_reported_events_carry_a_time_that_never_goes_back() -> None:
    """The clock of a flow stands still while that of its host is set back."""
    times = iter([100, 40, 120])
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"), now_ms=lambda: next(times))
    loop.report(events.FlowStarted)
    loop.report(lambda *, at_ms: events.PauseRequested(at_ms=at_ms, by="ana"))
    loop.report(lambda *, at_ms: events.ResumeRequested(at_ms=at_ms, by="ana"))
    assert [entry.at_ms for entry in trace.entries] == [100, 100, 120]


def test_a_recovered_flow_goes_on() -> None:
    """A host that takes a flow over dispatches what was active, under the same ids."""
    state = reduce(initial_state(TWO_STEPS, "f"), events.FlowStarted(at_ms=0)).state
    trace = Trace()
    loop = loop_over(trace, state)
    loop.recover()
    assert trace.kinds == ["DispatchStep"]
    loop.feed(succeeded("a#1"))
    loop.feed(succeeded("b#1"))
    assert loop.state.status == "success"


def test_interrupted_work_is_answered_for_before_anything_is_dispatched() -> None:
    """What must not run twice unseen fails as interrupted; the rest is dispatched again (S14.3)."""
    state = reduce(initial_state(TOGETHER, "f"), events.FlowStarted(at_ms=0)).state
    trace = Trace()
    loop = loop_over(trace, state)
    loop.recover()
    assert trace.kinds == ["StepFinished", "DispatchStep"]
    attempt = loop.state.attempt("a#1")
    assert attempt is not None
    assert attempt.error is not None
    assert (attempt.status, attempt.error.type) == ("error", "interrupted")
    dispatched = trace.commands[0]
    assert isinstance(dispatched, commands.DispatchStep)
    assert dispatched.attempt == "b#1"


def test_a_stopped_loop_records_and_carries_nothing_out() -> None:
    """After a stop facts are still journaled, and their commands are left to the next host."""
    trace = Trace()
    loop = loop_over(trace, initial_state(TWO_STEPS, "f"))
    loop.feed(events.FlowStarted(at_ms=0))
    loop.stop()
    loop.feed(succeeded("a#1"))
    assert trace.kinds == ["FlowStarted", "DispatchStep", "StepFinished"]
    heir = Trace()
    loop_over(heir, loop.state).recover()
    assert heir.kinds == ["DispatchStep"]


EVERY_COMMAND: list[tuple[str, Command]] = [
    (
        "dispatch_step",
        commands.DispatchStep(
            attempt="a#1", work="a", input=EMPTY, outputs=EMPTY, subjects=EMPTY,
            idempotency_key="f/a#1", retry=0, generation=0, timeout_ms=None,
        ),
    ),
    (
        "request_approval",
        commands.RequestApproval(
            attempt="a#1", subject=None, required=1, approvers=None, expires_at_ms=None
        ),
    ),
    ("cancel_futures", commands.CancelFutures(attempts=("a#1",))),
    ("schedule_timer", commands.ScheduleTimer(timer="t", due_at_ms=1, delay_ms=1)),
    ("cancel_timer", commands.CancelTimer(timer="t")),
    (
        "generate_steps",
        commands.GenerateSteps(flow_id="f", flow_type="flow", metadata=EMPTY, run=1),
    ),
    ("continue_as_new", commands.ContinueAsNew(start_from_group_idx=1, incarnation=0)),
    ("finish_flow", commands.FinishFlow(outcome=commands.Outcome(status="success"), run=1)),
]  # fmt: skip


@pytest.mark.parametrize(("method", "command"), EVERY_COMMAND)
def test_every_command_has_its_method(method: str, command: Command) -> None:
    """Each kind of command reaches the method of the performer that is named after it."""
    reached: list[tuple[str, Command]] = []

    class Named(Trace):
        def __getattribute__(self, name: str) -> object:
            return lambda command: reached.append((name, command))

    perform(command, Named())
    assert reached == [(method, command)]
