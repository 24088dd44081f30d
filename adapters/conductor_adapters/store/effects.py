"""What an entry leaves to be carried out, in the words of a store.

Rule: it follows from the event and its commands alone, and is the same on every store. Orders
are known by a name within their flow, which is the same however often they are commanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, Union, assert_never

from attrs import frozen

from conductor_core.codec import encode_command
from conductor_core.commands import (
    CancelFutures,
    CancelTimer,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.events import (
    ContinuedAsNew,
    Event,
    GenerationFailed,
    GroupsGenerated,
    StepFinished,
    TimerFired,
)
from conductor_core.payload import canonical_text
from conductor_core.reducer import Transition
from conductor_core.verdicts import Accepted

Ordered: TypeAlias = Union[DispatchStep, GenerateSteps, RequestApproval, ContinueAsNew]
"""The commands that somebody must take up, and does."""

APPROVALS: Final = "approvals"
CONTINUATIONS: Final = "continuations"


def steps_queue(work: str) -> str:
    """The queue of the orders that a handler takes."""
    return f"step:{work}"


def generations_queue(flow_type: str) -> str:
    """The queue of the orders that a generator takes."""
    return f"generation:{flow_type}"


@frozen(kw_only=True)
class NewOrder:
    """Something to be taken up; `queue` says by whom."""

    name: str
    queue: str
    command: str


@frozen(kw_only=True)
class Effects:
    """What becomes of the orders and timers of a flow with one entry.

    `answered` are the orders that are done, `given_up` those whose work is to give up.
    `ended`: the flow waits for none of them any more.
    """

    answered: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    orders: tuple[NewOrder, ...] = ()
    timers: tuple[tuple[str, int | None], ...] = ()
    ended: bool = False


def effects_of(event: Event, transition: Transition) -> Effects:
    """The effects of an event that was reduced; timers are set to their time, or to None."""
    given_up, orders = list[str](), list[NewOrder]()
    timers: dict[str, int | None] = {}
    ended = False
    if isinstance(event, TimerFired):
        timers[event.timer] = None
    for command in transition.commands:
        match command:
            case DispatchStep() | GenerateSteps() | RequestApproval() | ContinueAsNew():
                orders.append(_order(command))
            case CancelFutures():
                given_up += command.attempts
            case ScheduleTimer():
                timers[command.timer] = command.due_at_ms
            case CancelTimer():
                timers[command.timer] = None
            case FinishFlow():
                ended = True
            case _:
                assert_never(command)
    return Effects(
        answered=tuple(_answered(event, transition)),
        given_up=tuple(given_up),
        orders=tuple(orders),
        timers=tuple(timers.items()),
        ended=ended,
    )


def _answered(event: Event, transition: Transition) -> Iterator[str]:
    """The orders that an event answers; the end of work does so even if it comes too late."""
    match event:
        case StepFinished():
            yield event.attempt
        case GroupsGenerated(complete=True) | GenerationFailed():
            if isinstance(transition.verdict, Accepted):
                yield generation(transition.state.run)
        case ContinuedAsNew():
            if isinstance(transition.verdict, Accepted):
                yield continuation(event.incarnation)
        case _:
            pass


def generation(run: int) -> str:
    """The name of the order to make the groups of a run."""
    return f"generation:{run}"


def continuation(incarnation: int) -> str:
    """The name of the order to go on in a fresh history, after that of a number."""
    return f"continuation:{incarnation}"


def _order(command: Ordered) -> NewOrder:
    text = canonical_text(encode_command(command))
    match command:
        case DispatchStep():
            name, queue = command.attempt, steps_queue(command.work)
        case GenerateSteps():
            name, queue = generation(command.run), generations_queue(command.flow_type)
        case RequestApproval():
            name, queue = f"approval:{command.attempt}", APPROVALS
        case ContinueAsNew():
            name, queue = continuation(command.incarnation), CONTINUATIONS
        case _:
            assert_never(command)
    return NewOrder(name=name, queue=queue, command=text)
