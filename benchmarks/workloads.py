"""The flows that are measured: a spec, and the recorded events that take it to its end.

Rule: what is played is recorded first, so that only `reduce` is timed; what a worker or a
person says follows from the key of the step alone, so that every recording is the same.
The cost of an event may only be compared between sizes when no event touches more as the
flow grows: groups that are retried as a whole are of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from attrs import frozen

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    initial_state,
    reduce,
    verdicts,
)

APPROVAL_EVERY: Final = 10
"""Every so many steps one waits for an approval."""

Answer: TypeAlias = Callable[[commands.Command], Iterator[events.Event]]


@frozen
class Recording:
    """A flow that has started, the events that take it to its end, and the state there."""

    started: FlowState
    events: tuple[events.Event, ...]
    ended: FlowState


def play(recording: Recording) -> FlowState:
    """Take the flow to its end once more."""
    state = recording.started
    for event in recording.events:
        state = reduce(state, event).state
    return state


def record(spec: FlowSpec, answer: Answer) -> Recording:
    """Carry every command out in the order in which they come, and keep what was said."""
    begun = reduce(initial_state(spec, "bench"), events.FlowStarted(at_ms=0))
    state, queue, played = begun.state, list(begun.commands), list[events.Event]()
    for command in queue:
        for event in answer(command):
            transition = reduce(state, event)
            assert isinstance(transition.verdict, verdicts.Accepted), transition.verdict
            state = transition.state
            queue.extend(transition.commands)
            played.append(event)
    assert state.status == "success", f"the flow is {state.status}"
    return Recording(begun.state, tuple(played), state)


# --- flows that go well ---


def sequential(steps: int) -> FlowSpec:
    """One sequential group, an approval every tenth step: the work that the peers do too."""
    approval = ApprovalSpec()
    return FlowSpec(
        groups=[
            GroupSpec(
                key="g",
                steps=[
                    StepSpec(key=f"s{i}", approval=None if i % APPROVAL_EVERY else approval)
                    for i in range(1, steps + 1)
                ],
            )
        ]
    )


def parallel(steps: int) -> FlowSpec:
    """One parallel group."""
    return FlowSpec(groups=[GroupSpec(key="g", parallel=True, steps=_plain(0, steps))])


def groups(steps: int) -> FlowSpec:
    """Sequential groups of 100 steps, or one group of fewer."""
    size = min(steps, 100)
    return FlowSpec(
        groups=[
            GroupSpec(key=f"g{start}", steps=_plain(start, size)) for start in range(0, steps, size)
        ]
    )


def _plain(start: int, count: int) -> tuple[StepSpec, ...]:
    return tuple(StepSpec(key=f"s{i}") for i in range(start, start + count))


def well(command: commands.Command) -> Iterator[events.Event]:
    """All work succeeds, all that is asked is approved."""
    match command:
        case commands.DispatchStep():
            yield events.StepFinished(at_ms=1, attempt=command.attempt, outcome="succeeded")
        case commands.RequestApproval():
            step = command.attempt.partition("#")[0]
            yield events.ApprovalResponded(at_ms=1, step=step, response="approve", by="ann")
        case _:
            pass


# --- a flow with everything in it ---


def mixed(steps: int) -> FlowSpec:
    """Ten steps, again and again: a sequential group of five and a parallel group of five.

    The steps of the first are one that succeeds, one that is approved, one that fails and is
    retried by itself, one that a person retries and one that a person skips. Of the second
    the first one fails, the whole group is retried when the others are done, and then one
    of them is approved.
    """
    options = FlowOptions(on_failure="await-retry")
    return FlowSpec(options=options, groups=[part for i in range(0, steps, 10) for part in _ten(i)])


def _ten(start: int) -> Iterator[GroupSpec]:
    alone = RetryPolicy(max_auto_retries=1, backoff_ms=())
    together = RetryPolicy(max_auto_retries=1, backoff_ms=(), scope="group")
    approval = ApprovalSpec()
    yield GroupSpec(
        key=f"one-by-one-{start}",
        steps=[
            StepSpec(key=f"well-{start}"),
            StepSpec(key=f"approved-{start + 1}", approval=approval),
            StepSpec(key=f"again-{start + 2}", retry=alone),
            StepSpec(key=f"retried-{start + 3}"),
            StepSpec(key=f"skipped-{start + 4}"),
        ],
    )
    yield GroupSpec(
        key=f"together-{start}",
        parallel=True,
        steps=[
            StepSpec(key=f"again-{start + 5}", retry=together),
            *(StepSpec(key=f"well-{i}") for i in range(start + 6, start + 9)),
            StepSpec(key=f"approved-{start + 9}", approval=approval),
        ],
    )


_OPERATIONS: Final = {"retried": "retry-step", "skipped": "skip-step"}


def badly(command: commands.Command) -> Iterator[events.Event]:
    """What the steps of `mixed` are named after; every request carries its id."""
    if not isinstance(command, commands.DispatchStep):
        yield from well(command)
        return
    attempt = command.attempt
    kind, is_first = attempt.partition("-")[0], attempt.endswith("#1")
    if kind not in ("again", *_OPERATIONS) or not is_first:
        yield from well(command)
        return
    error = events.StepError(message="out of luck")
    yield events.StepFinished(at_ms=1, attempt=attempt, outcome="failed", error=error)
    if kind in _OPERATIONS:
        yield events.RerunRequested(
            at_ms=1,
            by="ann",
            flow_id="bench",
            step_id=attempt,
            operation=_OPERATIONS[kind],
            request_id=f"rerun-{attempt}",
        )


@frozen
class Shape:
    """A kind of flow, of any number of steps, and how its commands are answered."""

    name: str
    spec: Callable[[int], FlowSpec]
    answer: Answer = well

    def recorded(self, steps: int) -> Recording:
        """A flow of so many steps, played to its end."""
        return record(self.spec(steps), self.answer)


SEQUENTIAL: Final = Shape("sequential", sequential)
PARALLEL: Final = Shape("parallel", parallel)
GROUPS: Final = Shape("groups of 100", groups)
MIXED: Final = Shape("mixed", mixed, badly)
SHAPES: Final = (SEQUENTIAL, PARALLEL, GROUPS, MIXED)
