"""What a flow on Temporal hears it hears in one order, in every replay, also without a cache.

Tasks that lead to nothing are dropped when a history is replayed, and what they held is handed
over with what came after; an update must then see what it saw when it was answered.
"""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec
from conductor_core.codec import TAGS, encode_event
from conductor_core.events import Event, PauseRequested, StepFinished
from conductor_core.log import Entry, read_log, replay
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from tests.adapters.temporal_flows import Gates, Scene, new_id, run, scene
from tests.services.temporal import Temporal

STEPS = ("a", "b", "c", "d")
TOGETHER = FlowSpec(
    groups=(
        GroupSpec(
            key="g",
            parallel=True,
            steps=(
                StepSpec(key="plan", work="wait", approval=ApprovalSpec()),
                *(StepSpec(key=key, work="wait") for key in STEPS),
            ),
        ),
    )
)
"""Work that ends alone leads to nothing, as long as others go on."""


def brief(event: Event) -> str:
    """An event in a word."""
    about = f" {event.attempt}" if isinstance(event, StepFinished) else ""
    return f"{TAGS[type(event)]}{about}"


def has_ended(attempt_id: str, state: FlowState) -> bool:
    """Whether the work of an attempt has ended."""
    attempt = state.attempt(attempt_id)
    return attempt is not None and not attempt.active


async def played(on: Scene, *, signals: bool, cached: int) -> tuple[list[str], list[str]]:
    """What a worker reduced, in its order, and what the log says of the same flow."""
    gates, reduced = Gates(), list[str]()

    def observe(event: Event, _transition: Transition) -> None:
        reduced.append(brief(event))

    flow_id = new_id("order")
    async with on.worker({"wait": gates.work}, observe=observe, max_cached_workflows=cached):
        flow = await on.flows.start(TOGETHER, flow_id=flow_id)
        for step in (*STEPS[:-1], "plan"):
            gates.open(step)
            await flow.until(partial(has_ended, f"{step}#1"))
        if signals:
            handle = on.client.get_workflow_handle(flow_id)
            await handle.signal("tell", encode_event(PauseRequested(at_ms=0, by="ann")))
            await flow.until(lambda state: state.paused)
            await flow.resume(by="ann")
        assert str(await flow.approve("plan", by="ann")) == "accepted"
        gates.open(STEPS[-1])
        await flow.wait()
        lines = await flow.log()
    assert replay(lines).state == flow.state
    entries = [line for line in read_log(lines) if isinstance(line, Entry)]
    # What a task without a cache takes in once more is shown once more.
    return list(dict.fromkeys(reduced)), [brief(entry.event) for entry in entries]


@pytest.mark.parametrize("signals", [False, True], ids=["updates", "signals"])
@pytest.mark.parametrize("cached", [0, 100], ids=["cold", "warm"])
def test_what_was_answered_stands_where_it_was(
    temporal: Temporal, signals: bool, cached: int
) -> None:
    """The order in the log is the one in which a worker reduced, whether or not it had a cache."""

    async def story() -> None:
        on = await scene(temporal.url, query_s=0)
        reduced, logged = await played(on, signals=signals, cached=cached)
        assert reduced == logged

    run(story())


def test_a_cold_worker_goes_on_where_a_warm_one_was(temporal: Temporal) -> None:
    """A flow that changes hands after tasks which led to nothing comes to what it would have."""

    async def story() -> None:
        on = await scene(temporal.url)
        flow_id, gates = new_id("hands"), Gates()
        handlers = {"wait": gates.work}
        flow = await on.flows.start(TOGETHER, flow_id=flow_id)
        for step in (*STEPS, "plan"):
            async with on.worker(handlers):
                gates.open(step)
                await flow.until(partial(has_ended, f"{step}#1"))
        async with on.worker(handlers):
            assert str(await flow.approve("plan", by="ann")) == "accepted"
            assert (await flow.wait()).status == "success"
            await asyncio.sleep(0)
        assert replay(await flow.log()).state == flow.state

    run(story())
