"""A host of one's own: a log, an inbox, timers, and a loop around the reducer."""

import time
from collections import deque
from tempfile import TemporaryFile

from conductor_core import commands, events, initial_state, reduce
from conductor_core.log import LogWriter, replay
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, RetryPolicy, StepSpec

plan = StepSpec(key="plan", approval=ApprovalSpec())
apply = StepSpec(key="apply", needs=["plan"], retry=RetryPolicy(max_auto_retries=1, backoff_ms=[5]))
spec = FlowSpec(groups=[GroupSpec(key="network", steps=[plan, apply])])
inbox: deque[events.Event] = deque()
timers: dict[str, int] = {}


def now_ms() -> int:
    """The clock of this host; the reducer has none."""
    return time.time_ns() // 1_000_000


def carry_out(command: commands.Command) -> None:
    """Do what the reducer asks for; what comes of it goes to the inbox."""
    match command:
        case commands.DispatchStep(attempt=name):  # the work; the first try of `apply` fails
            how: events.WorkOutcome = "failed" if name == "apply#1" else "succeeded"
            inbox.append(events.StepFinished(at_ms=now_ms(), attempt=name, outcome=how))
        case commands.RequestApproval():  # whoever is asked here agrees
            response = {"step": "plan", "response": "approve", "by": "ana"}
            inbox.append(events.ApprovalResponded(at_ms=now_ms(), **response))
        case commands.ScheduleTimer(timer=name, due_at_ms=due_at_ms):
            timers[name] = due_at_ms
        case commands.CancelTimer(timer=name):
            timers.pop(name, None)
        case commands.FinishFlow(outcome=outcome):
            print(f"the flow ends: {outcome.status}")
        case _:
            raise NotImplementedError(command)  # this flow cancels and generates nothing


state = initial_state(spec, flow_id="deploy-42")
writer = LogWriter(state, at_ms=now_ms())
inbox.append(events.FlowStarted(at_ms=now_ms()))
with TemporaryFile(buffering=0) as log:
    log.write(writer.header().encode())
    while state.outcome is None:
        if not inbox:  # then all that is left to wait for is a timer
            timer = min(timers, key=timers.__getitem__)
            time.sleep(max(0, timers.pop(timer) - now_ms()) / 1000)
            inbox.append(events.TimerFired(at_ms=now_ms(), timer=timer))
        transition = reduce(state, event := inbox.popleft())
        log.write(writer.entry(event, transition).encode())  # before its commands leave
        state = transition.state
        print(f"{type(event).__name__}: {transition.verdict}, {state.status}")
        for command in transition.commands:
            carry_out(command)
    log.write(writer.close(state).encode())  # so that readers wait for no more
    log.seek(0)
    print(f"replay: {replay(log).entries} entries verified")
