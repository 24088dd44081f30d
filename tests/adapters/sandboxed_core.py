"""A sandboxed workflow that reduces a flow by itself; its module is loaded in the sandbox."""

from __future__ import annotations

from temporalio import workflow

from conductor_core import FlowSpec, GroupSpec, StepSpec, initial_state, reduce
from conductor_core.codec import decode_event, encode_event
from conductor_core.events import FlowStarted, StepFinished
from conductor_core.snapshot import restore, snapshot

SPEC = FlowSpec(groups=(GroupSpec(key="g", steps=(StepSpec(key="s"),)),))


DONE = StepFinished(at_ms=1, attempt="s#1", outcome="succeeded", output={"n": 1})


@workflow.defn(name="sandboxed-core")
class SandboxedCore:
    """Reduces a flow of one step to its end."""

    @workflow.run
    async def run(self) -> str:
        """Where the flow has ended."""
        state = reduce(initial_state(SPEC, "f"), FlowStarted(at_ms=0)).state
        return reduce(state, DONE).state.status


@workflow.defn(name="sandboxed-forms")
class SandboxedForms:
    """Does the same by way of all wire forms."""

    @workflow.run
    async def run(self) -> str:
        """Where the flow has ended."""
        state = reduce(initial_state(SPEC, "f"), FlowStarted(at_ms=0)).state
        state = reduce(restore(snapshot(state)), decode_event(encode_event(DONE))).state
        return state.status
