"""Write the log of a flow of 10,000 events and more, the same each time: `... > large.jsonl`.

A hundred services are rolled out, one group each: a plan that somebody approves, then 49 hosts at
once, of which every fourth group has one that fails twice. All takes no time but on paper: what
the clock says is the number of the event, in hundreds of milliseconds.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator

from attrs import evolve

from conductor_core import commands, events, initial_state, reduce
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, RetryPolicy, StepSpec

GROUPS, HOSTS = 100, 49
BEGAN_MS = 1_767_225_600_000  # the first moment of 2026
PACE_MS = 100
PEOPLE = ("ana", "bo", "cy")


def rollout() -> FlowSpec:
    """Plans and hosts of every service."""
    groups = []
    for number in range(GROUPS):
        plan = StepSpec(key=f"plan-{number}", work="plan", approval=ApprovalSpec())
        retry = RetryPolicy(max_auto_retries=2, backoff_ms=[1000])
        hosts = [
            StepSpec(key=f"host-{number}-{host}", work="roll-out", retry=retry)
            for host in range(HOSTS)
        ]
        groups += [
            GroupSpec(key=f"plan-{number}", steps=[plan]),
            GroupSpec(key=f"service-{number}", steps=hosts, parallel=True),
        ]
    return FlowSpec(type="rollout", groups=groups)


class World:
    """Answers every command at once; says the same each time."""

    def __init__(self) -> None:
        self.now_ms = BEGAN_MS
        self.inbox: deque[Event] = deque()

    def tick(self) -> int:
        """The next moment."""
        self.now_ms += PACE_MS
        return self.now_ms

    def answer(self, command: commands.Command) -> Iterator[Event]:
        """What comes of a command."""
        match command:
            case commands.DispatchStep(attempt=attempt, work=work):
                yield events.StepStarted(at_ms=0, attempt=attempt)
                _, number, *_ = attempt.replace("#", "-").split("-")
                shaky = int(number) % 4 == 3 and attempt.startswith(f"host-{number}-7#")
                broken = shaky and not attempt.endswith("#3")
                outcome: events.WorkOutcome = "failed" if broken else "succeeded"
                output = {"changes": int(number)} if work == "plan" else {"host": attempt}
                subject = f"sha256:{int(number):064x}" if work == "plan" else None
                yield events.StepFinished(
                    at_ms=0, attempt=attempt, outcome=outcome, output=output, subject=subject
                )
            case commands.RequestApproval(attempt=attempt, subject=subject):
                step = attempt.partition("#")[0]
                by = PEOPLE[len(step) % len(PEOPLE)]
                yield events.ApprovalResponded(
                    at_ms=0, step=step, response="approve", by=by, subject=subject
                )
            case commands.ScheduleTimer(timer=timer):
                yield events.TimerFired(at_ms=0, timer=timer)
            case _:
                return


def main() -> None:
    """Play the flow to its end, and write its log."""
    state = initial_state(rollout(), "rollout-1")
    world = World()
    writer = LogWriter(state, at_ms=BEGAN_MS)
    sys.stdout.write(writer.header())
    world.inbox.append(events.FlowStarted(at_ms=0))
    while world.inbox:
        event = world.inbox.popleft()
        due_ms = dict(state.timers()).get(getattr(event, "timer", ""), 0)
        at_ms = world.now_ms = max(world.tick(), due_ms)
        event = evolve(event, at_ms=at_ms)
        transition = reduce(state, event)
        sys.stdout.write(writer.entry(event, transition))
        state = transition.state
        for command in transition.commands:
            world.inbox.extend(world.answer(command))
    sys.stdout.write(writer.close(state))


if __name__ == "__main__":
    main()
