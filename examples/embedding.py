"""A host of one's own: the reducer, a list for a log, and a loop that carries commands out.

It does one thing after another in one thread, and asks a function instead of a person.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    initial_state,
    reduce,
)

Handler = Callable[[Any], Any]


class TinyHost:
    """Runs one flow to its end."""

    def __init__(self, spec: FlowSpec, handlers: Mapping[str, Handler]) -> None:
        self.state = initial_state(spec, flow_id="tiny-1")
        self.handlers = handlers
        self.log: list[events.Event] = []
        self.inbox: deque[events.Event] = deque([events.FlowStarted(at_ms=now_ms())])
        self.timers: dict[str, int] = {}

    def run(self) -> commands.Outcome:
        """Take one event after another until the flow has an outcome."""
        while self.state.outcome is None:
            event = self.inbox.popleft() if self.inbox else self.next_timer()
            transition = reduce(self.state, event)
            self.log.append(event)  # before its commands leave
            self.state = transition.state
            for command in transition.commands:
                self.carry_out(command)
        return self.state.outcome

    def next_timer(self) -> events.Event:
        """Sleep until a timer is due: with nothing in the inbox, that is what the flow awaits."""
        timer = min(self.timers, key=self.timers.__getitem__)
        time.sleep(max(0, self.timers.pop(timer) - now_ms()) / 1000)
        return events.TimerFired(at_ms=now_ms(), timer=timer)

    def carry_out(self, command: commands.Command) -> None:
        """Do what the reducer asks for, and put the answer into the inbox."""
        match command:
            case commands.DispatchStep():
                self.inbox.append(self.work(command))
            case commands.RequestApproval(attempt=attempt):
                step = attempt.partition("#")[0]
                response = "approve" if input_of(f"approve {attempt}?") else "deny"
                self.inbox.append(
                    events.ApprovalResponded(at_ms=now_ms(), step=step, response=response, by="ana")
                )
            case commands.ScheduleTimer(timer=timer, due_at_ms=due_at_ms):
                self.timers[timer] = due_at_ms
            case commands.CancelTimer(timer=timer):
                self.timers.pop(timer, None)
            case commands.ContinueAsNew(incarnation=number):
                self.inbox.append(events.ContinuedAsNew(at_ms=now_ms(), incarnation=number))
            case commands.GenerateSteps():
                self.inbox.append(events.GenerationFailed(at_ms=now_ms()))
            case commands.CancelFutures() | commands.FinishFlow():
                pass  # work has ended, and its answer is in the inbox, before this is read

    def work(self, command: commands.DispatchStep) -> events.Event:
        """Call the handler; what it returns or raises is the outcome."""
        try:
            output = self.handlers[command.work](command.outputs.value)
        except Exception as error:  # noqa: BLE001 - whatever it raises is a fact
            failure = events.StepError(message=str(error), type=type(error).__name__)
            return events.StepFinished(
                at_ms=now_ms(), attempt=command.attempt, outcome="failed", error=failure
            )
        return events.StepFinished(
            at_ms=now_ms(), attempt=command.attempt, outcome="succeeded", output=output
        )


def now_ms() -> int:
    """The clock of this host."""
    return time.time_ns() // 1_000_000


def input_of(question: str) -> bool:
    """Whoever is asked here agrees to everything."""
    print(question, "yes")
    return True


def main() -> None:
    """Run a flow whose second step needs a second try."""
    tries = iter([False, True])

    def apply(needs: Any) -> str:
        if not next(tries):
            raise ConnectionError("try again")
        return f"added {needs['plan']['add']}"

    plan = StepSpec(key="plan", approval=ApprovalSpec())
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=[10])
    spec = FlowSpec(
        groups=[
            GroupSpec(key="main", steps=[plan, StepSpec(key="apply", needs=["plan"], retry=retry)])
        ]
    )
    host = TinyHost(spec, {"plan": lambda _needs: {"add": 3}, "apply": apply})
    outcome = host.run()
    for attempt in host.state.attempts():
        print(attempt.id, attempt.status)
    print(f"{outcome.status} after {len(host.log)} events")


if __name__ == "__main__":
    main()
