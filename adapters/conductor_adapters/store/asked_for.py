"""What an order says, read from the state of its flow.

Rule: an order is carried out only while its flow asks for it, and says what `pending_commands`
would say (S14.2); what nobody asks for any more is no order.
"""

from __future__ import annotations

from conductor_adapters.store.protocol import ASK, STEP, Order
from conductor_core.commands import Command
from conductor_core.orders import dispatch_of, generation_of, request_of
from conductor_core.state import FlowState


def command_of(state: FlowState, order: Order) -> Command | None:
    """The command that an order stands for; None where nothing waits for its answer."""
    if order.kind == STEP:
        return _dispatch(state, order.name)
    if order.kind == ASK:
        return _question(state, order.name)
    return _generation(state, order.name)


def _dispatch(state: FlowState, attempt_id: str) -> Command | None:
    attempt, position = state.attempt(attempt_id), state.position_of(attempt_id)
    if attempt is None or position is None or not attempt.active:
        return None
    return dispatch_of(state, attempt, state.catalog.steps[position])


def _question(state: FlowState, attempt_id: str) -> Command | None:
    attempt, position = state.attempt(attempt_id), state.position_of(attempt_id)
    if attempt is None or position is None or not attempt.awaiting:
        return None
    return request_of(attempt, state.catalog.steps[position].approval_spec)


def _generation(state: FlowState, run: str) -> Command | None:
    running = state.generating == "running" and state.cancellation is None
    return generation_of(state) if running and run == str(state.run) else None
