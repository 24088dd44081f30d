"""The work of flows on Temporal: where it goes, how it ends, and what never reached a worker."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest

from conductor_adapters.temporal import Options, Settings
from conductor_adapters.work import HostFailure, StepCancelled, StepContext, StepFailure, StepResult
from conductor_core import FlowOptions, FlowSpec, GroupSpec, RetryPolicy, StepSpec
from conductor_core.attempt import Attempt
from conductor_core.commands import GenerateSteps
from conductor_core.errors import ConductorError
from conductor_core.log import replay
from conductor_core.state import FlowState
from tests.adapters.temporal_flows import Gates, Scene, done, new_id, run, scene
from tests.services.temporal import Temporal


def of(*steps: StepSpec, parallel: bool = False, **more: Any) -> FlowSpec:
    """A flow of one group."""
    return FlowSpec(groups=(GroupSpec(key="g", parallel=parallel, steps=steps),), **more)


def attempt(state: FlowState, name: str = "work#1") -> Attempt:
    """An attempt that there is."""
    found = state.attempt(name)
    assert found is not None
    return found


def said(state: FlowState, name: str = "work#1") -> str | None:
    """The type of the error with which an attempt ended."""
    result = attempt(state, name).result
    return None if result is None or result.error is None else result.error.type


async def ended(on: Scene, spec: FlowSpec) -> FlowState:
    """Where a flow ends; its log leads there."""
    flow = await on.flows.start(spec, flow_id=new_id("work"))
    await flow.wait()
    assert replay(await flow.log()).state == flow.state
    return flow.state


# --- handlers ---


def test_functions_of_every_kind_do_work(temporal: Temporal) -> None:
    """In threads and on the loop; each finds what it needs, and its surroundings."""
    variable = contextvars.ContextVar("variable", default="unset")

    def in_thread(context: StepContext) -> StepResult:
        assert threading.current_thread() is not threading.main_thread()
        assert variable.get() == "unset"
        variable.set("set")
        told = {"input": context.input, "inputs": context.inputs, "flow": context.flow_id}
        return StepResult(output=told, subject="s", metadata={"region": "west"})

    async def on_loop(context: StepContext) -> object:
        assert variable.get() == "unset"
        await asyncio.sleep(0)
        return context.needs["thread"]["input"]

    def both(context: StepContext) -> object:
        return on_loop(context)

    async def story() -> None:
        on = await scene(temporal.url)
        spec = of(
            StepSpec(key="thread", input={"n": 1}),
            StepSpec(key="loop", needs=("thread",)),
            StepSpec(key="both", needs=("thread",)),
            metadata={"inputs": {"region": "west"}},
        )
        async with on.worker({"thread": in_thread, "loop": on_loop, "both": both}):
            state = await ended(on, spec)
        for name in ("loop#1", "both#1"):
            result = attempt(state, name).result
            assert result is not None
            assert result.output.value == {"n": 1}
        first = attempt(state, "thread#1").result
        assert first is not None
        assert first.output.value["inputs"] == {"region": "west"}

    run(story())


def test_groups_are_generated(temporal: Temporal) -> None:
    """By the generator of the flow's type; one that fails, or is missing, ends the flow."""

    def generate(command: GenerateSteps) -> tuple[GroupSpec, ...]:
        return (GroupSpec(key="g", steps=(StepSpec(key=command.flow_type, work="work"),)),)

    def refuse(_command: GenerateSteps) -> tuple[GroupSpec, ...]:
        raise ValueError("no such region")

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": done}, generators={"made": generate, "refused": refuse}):
            assert (await ended(on, FlowSpec(type="made"))).live[0].step == "made"
            for kind in ("refused", "unknown"):
                state = await ended(on, FlowSpec(type=kind))
                assert state.outcome is not None
                assert state.outcome.reason == "generation-failed"

    run(story())


def test_groups_that_a_host_failed_to_make_are_made_again(temporal: Temporal) -> None:
    """That the disk was full is no fact about the flow; its generator is called once more."""
    tries: list[str] = []

    def generate(command: GenerateSteps) -> tuple[GroupSpec, ...]:
        tries.append(command.flow_type)
        if len(tries) < 3:
            raise HostFailure("the disk is full")
        return (GroupSpec(key="g", steps=(StepSpec(key="a", work="work"),)),)

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": done}, generators={"made": generate}):
            assert (await ended(on, FlowSpec(type="made"))).status == "success"
        assert tries == ["made"] * 3

    run(story())


# --- where work goes ---


def test_work_goes_to_the_queue_that_is_nearest(temporal: Temporal) -> None:
    """What the step says counts before what its group says, and that before the client."""

    async def story() -> None:
        queues = {name: new_id(name) for name in ("step", "group", "default")}
        settings = Settings(default=Options(queue=queues["default"]))
        on = await scene(temporal.url, settings=settings)
        names: list[tuple[str, str]] = []

        def noting(queue: str) -> Any:
            return lambda context: names.append((context.step, queue))

        def at(queue: str) -> dict[str, Any]:
            return {"host": {"queue": queues[queue]}}

        spec = FlowSpec(
            groups=(
                GroupSpec(
                    key="a",
                    metadata=at("group"),
                    steps=(
                        StepSpec(key="s", work="work", metadata=at("step")),
                        StepSpec(key="g", work="work"),
                    ),
                ),
                GroupSpec(key="b", steps=(StepSpec(key="d", work="work"),)),
            )
        )
        async with on.worker({}):
            others = [
                Scene(on.client, on.flows, queue).worker({"work": noting(name)})
                for name, queue in queues.items()
            ]
            for other in others:
                await other.__aenter__()
            await ended(on, spec)
            for other in others:
                await other.__aexit__(None, None, None)
        assert names == [("s", "step"), ("g", "group"), ("d", "default")]

    run(story())


def test_local_work_leaves_markers_alone(temporal: Temporal) -> None:
    """It is done by the worker of the flow; no task queue has it, and its log is the same."""

    async def story() -> None:
        on = await scene(temporal.url, settings=Settings(default=Options(local=True)))
        steps = (
            StepSpec(key="work", retry=RetryPolicy(max_auto_retries=1, backoff_ms=())),
            StepSpec(key="next", work="done"),
        )
        tries: list[str] = []

        def work(context: StepContext) -> None:
            tries.append(context.attempt)
            if len(tries) < 2:
                raise ValueError("not yet")

        async with on.worker({"work": work, "done": done}):
            flow = await on.flows.start(of(*steps), flow_id=new_id("local"))
            assert (await flow.wait()).status == "success"
            handle = on.client.get_workflow_handle(flow.flow_id)
            kinds = {
                event.WhichOneof("attributes") for event in (await handle.fetch_history()).events
            }
            assert replay(await flow.log()).state == flow.state
        assert tries == ["work#1", "work#2"]
        assert "activity_task_scheduled_event_attributes" not in kinds
        assert "marker_recorded_event_attributes" in kinds

    run(story())


def test_work_that_no_worker_does_fails_and_says_what_there_is(temporal: Temporal) -> None:
    """People see it at once, and may retry when a worker has the handler."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"other": done}):
            flow = await on.flows.start(of(StepSpec(key="work")), flow_id=new_id("unknown"))
            await flow.wait()
            result = attempt(flow.state).result
            assert result is not None
            assert result.error is not None
            assert result.error.type == "unknown-work"
            assert result.error.message == "no handler is named 'work' (known: other)"
        async with on.worker({"work": done}):
            assert str(await flow.retry("work", by="ann")) == "accepted"
            assert (await flow.wait()).status == "success"

    run(story())


def test_work_that_nobody_takes_in_time_has_failed(temporal: Temporal) -> None:
    """Where a limit is set for that; what waits is seen meanwhile."""

    async def story() -> None:
        queue = new_id("nobody")
        options = Options(queue=queue, schedule_to_start_timeout_ms=1_000)
        on = await scene(temporal.url, settings=Settings(of_handlers={"work": options}))
        async with on.worker({}):
            flow = await on.flows.start(of(StepSpec(key="work")), flow_id=new_id("late"))
            while ("step", "work", 1) not in await on.flows.waiting_works():
                await asyncio.sleep(0.05)
            await flow.wait()
        assert said(flow.state) == "no-worker"

    run(story())


# --- how work ends ---


def test_too_long_work_ends_by_the_flows_own_timer(temporal: Temporal) -> None:
    """It is told to give up, and what it says then comes too late."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        async with on.worker({"work": gates.work, "next": done}):
            spec = of(
                StepSpec(key="work", timeout_ms=300, skip_on_failure=True), StepSpec(key="next")
            )
            state = await ended(on, spec)
        assert said(state) == "timeout"

    run(story())


@pytest.mark.parametrize("once", [False, True], ids=["redispatch", "fail"])
def test_work_whose_worker_dies_is_delivered_again_unless_it_must_not_be(
    temporal: Temporal, monkeypatch: pytest.MonkeyPatch, once: bool
) -> None:
    """A worker that is not heard of has died; so has one whose event loop is held up."""

    async def story() -> None:
        options = Options(heartbeat_timeout_ms=800, max_deliveries=2)
        on = await scene(temporal.url, settings=Settings(default=options))
        tries = list[str]()

        async def deaf(context: StepContext) -> None:
            tries.append(context.attempt)
            if len(tries) == 1:
                # Nothing of this worker is heard of for as long.
                monkeypatch.setattr(activity, "heartbeat", lambda *_: None)
                await asyncio.sleep(5)

        async with on.worker({"work": deaf}):
            step = StepSpec(key="work", on_recovery="fail" if once else "redispatch")
            flow = await on.flows.start(of(step), flow_id=new_id("dies"))
            await flow.until(lambda state: len(tries) > 1 or not state.is_live)
            monkeypatch.undo()
            outcome = await flow.wait()
        if once:
            assert said(flow.state) == "interrupted"
            assert tries == ["work#1"]
        else:
            assert (outcome.status, tries) == ("success", ["work#1", "work#1"])

    run(story())


@pytest.mark.parametrize("once", [False, True], ids=["redispatch", "fail"])
@pytest.mark.parametrize("threads", [False, True], ids=["coroutine", "thread"])
def test_work_of_a_worker_that_ends_is_left_to_another(
    temporal: Temporal, once: bool, threads: bool
) -> None:
    """That a worker ends is no fact about its work, which is delivered again if it may be."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates, over, tries = Gates(), threading.Event(), list[str]()

        def in_thread(context: StepContext) -> None:
            gates.begun.append(context.attempt)
            over.wait(20)

        def next_try(context: StepContext) -> None:
            tries.append(context.attempt)

        step = StepSpec(key="work", on_recovery="fail" if once else "redispatch")
        async with on.worker({"work": in_thread if threads else gates.work}):
            flow = await on.flows.start(of(step), flow_id=new_id("ends"))
            await flow.until(lambda _state: bool(gates.begun))
        over.set()
        async with on.worker({"work": next_try}):
            await flow.wait()
        assert tries == ([] if once else ["work#1"])
        assert said(flow.state) == ("interrupted" if once else None)

    run(story())


def test_a_host_that_fails_its_work_leaves_it_to_another(temporal: Temporal) -> None:
    """That is no fact about the work, which is delivered again."""
    tries: list[str] = []

    def work(context: StepContext) -> None:
        tries.append(context.attempt)
        if len(tries) < 3:
            raise HostFailure("the disk is full")

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work}):
            assert (await ended(on, of(StepSpec(key="work")))).status == "success"
        assert tries == ["work#1"] * 3
        few = Settings(default=Options(max_deliveries=1))
        tries.clear()
        on = await scene(temporal.url, settings=few)
        async with on.worker({"work": work}):
            assert said(await ended(on, of(StepSpec(key="work")))) == "lost"

    run(story())


def test_work_is_asked_to_give_up_and_says_how_that_went(temporal: Temporal) -> None:
    """A coroutine is interrupted, a thread asked, and what succeeds all the same has succeeded."""

    async def story() -> None:
        on = await scene(temporal.url)
        begun = threading.Semaphore(0)

        async def stubborn(_context: StepContext) -> str:
            begun.release()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return "done all the same"
            return "never"

        async def obedient(_context: StepContext) -> None:
            begun.release()
            await asyncio.sleep(30)

        def polite(context: StepContext) -> None:
            begun.release()
            while not context.cancelled:
                context.cancellation.wait(0.05)
            raise StepCancelled("asked")

        handlers = {"stubborn": stubborn, "obedient": obedient, "polite": polite}
        async with on.worker(handlers):
            steps = (StepSpec(key=key) for key in handlers)
            flow = await on.flows.start(of(*steps, parallel=True), flow_id=new_id("cancel"))
            for _ in handlers:
                await asyncio.to_thread(begun.acquire)
            await flow.cancel(by="ann")
            assert (await flow.wait()).status == "cancelled"
        statuses = [attempt(flow.state, f"{key}#1").status for key in handlers]
        assert statuses == ["success", "cancelled", "cancelled"]

    run(story())


def test_work_that_is_asked_before_it_begins_never_does(temporal: Temporal) -> None:
    """Of many that may run at once so many are with Temporal; the others wait within the flow."""

    async def story() -> None:
        on = await scene(temporal.url, settings=Settings(max_in_flight=2))
        gates = Gates()
        async with on.worker({"work": gates.work}):
            steps = (StepSpec(key=f"s{n}", work="work") for n in range(5))
            flow = await on.flows.start(of(*steps, parallel=True), flow_id=new_id("gate"))
            await flow.until(lambda _state: len(gates.begun) == 2)
            gates.open("s0")
            await flow.until(lambda _state: len(gates.begun) == 3)
            await flow.cancel(by="ann")
            await flow.wait()
        assert gates.begun == ["s0#1", "s1#1", "s2#1"]
        assert replay(await flow.log()).state == flow.state

    run(story())


def test_more_than_a_task_can_hold_is_handed_over_in_several(temporal: Temporal) -> None:
    """Temporal ends a workflow that hands over more than four megabytes at once."""

    async def story() -> None:
        on = await scene(temporal.url)
        filling = "x" * 400_000
        async with on.worker({"work": done}):
            steps = (
                StepSpec(key=f"s{n}", work="work", input={"filling": filling}) for n in range(12)
            )
            assert (await ended(on, of(*steps, parallel=True))).status == "success"

    run(story())


def test_results_that_are_too_large_are_failures_of_the_work(temporal: Temporal) -> None:
    """They are told with their size, and not delivered again and again."""
    tries: list[str] = []

    def work(context: StepContext) -> str:
        tries.append(context.attempt)
        return "x" * 3_000_000

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work}):
            state = await ended(on, of(StepSpec(key="work")))
        result = attempt(state).result
        assert result is not None
        assert result.error is not None
        assert "3,000" in result.error.message
        assert tries == ["work#1"]

    run(story())


def test_texts_of_every_script_are_counted_as_they_travel(temporal: Temporal) -> None:
    """Temporal's converter takes six bytes for what is two in a file."""
    tries: list[str] = []

    def work(context: StepContext) -> str:
        tries.append(context.attempt)
        return "Ж" * 400_000

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work, "done": done}):
            state = await ended(on, of(StepSpec(key="work", skip_on_failure=True)))
            assert said(state) == "bad-result"
            asked = StepSpec(key="work", work="done", input={"text": "Ж" * 400_000})
            assert said(await ended(on, of(asked))) == "too-large"
        assert tries == ["work#1"]

    run(story())


def test_work_that_takes_longer_than_temporal_is_told_is_not_done_again(
    temporal: Temporal,
) -> None:
    """It may still run; its worker is alive."""

    async def story() -> None:
        options = Options(start_to_close_timeout_ms=500)
        on = await scene(temporal.url, settings=Settings(default=options))
        gates = Gates()
        async with on.worker({"work": gates.work}):
            state = await ended(on, of(StepSpec(key="work")))
        assert said(state) == "timeout"
        assert gates.begun == ["work#1"]

    run(story())


def test_an_activity_that_is_paused_in_temporal_goes_on_later(temporal: Temporal) -> None:
    """That is nothing that the flow asked for, and no fact about the work."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        async with on.worker({"work": gates.work}):
            flow = await on.flows.start(of(StepSpec(key="work")), flow_id=new_id("paused"))
            await flow.until(lambda _state: bool(gates.begun))
            what: dict[str, Any] = {
                "namespace": on.client.namespace,
                "execution": WorkflowExecution(workflow_id=flow.flow_id),
                "id": "work#1",
            }
            await on.client.workflow_service.pause_activity(PauseActivityRequest(**what))
            await asyncio.sleep(1)
            assert (await flow.refresh()).is_live
            gates.open("work")
            await on.client.workflow_service.unpause_activity(UnpauseActivityRequest(**what))
            assert (await flow.wait()).status == "success"
        assert gates.begun == ["work#1", "work#1"]

    run(story())


def test_a_thread_whose_activity_is_paused_is_asked_to_give_up(temporal: Temporal) -> None:
    """It would go on beside whoever does the work later."""
    begun: list[StepContext] = []

    def work(context: StepContext) -> None:
        begun.append(context)
        while len(begun) == 1 and not context.cancelled:
            time.sleep(0.01)

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work}):
            flow = await on.flows.start(of(StepSpec(key="work")), flow_id=new_id("paused"))
            await flow.until(lambda _state: bool(begun))
            what: dict[str, Any] = {
                "namespace": on.client.namespace,
                "execution": WorkflowExecution(workflow_id=flow.flow_id),
                "id": "work#1",
            }
            await on.client.workflow_service.pause_activity(PauseActivityRequest(**what))
            while not begun[0].cancelled:
                await asyncio.sleep(0.01)
            await on.client.workflow_service.unpause_activity(UnpauseActivityRequest(**what))
            assert (await flow.wait()).status == "success"
        assert [context.cancelled for context in begun] == [True, False]

    run(story())


def test_long_messages_of_errors_are_kept_whole(temporal: Temporal) -> None:
    """With their type, and with what they say about another try."""

    def work(_context: StepContext) -> None:
        raise StepFailure("x" * 1_200_000, type="of-mine", non_retryable=True)

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work}):
            state = await ended(on, of(StepSpec(key="work")))
            result = attempt(state).result
            assert result is not None
            assert result.error is not None
            assert (result.error.type, result.error.non_retryable) == ("of-mine", True)
            assert len(result.error.message) == 1_200_000

    run(story())


def test_local_work_gives_little_back(temporal: Temporal) -> None:
    """All of it that ends at about the same time travels at once, which has its limit."""
    local = {"host": {"temporal": {"local": True}}}

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": lambda _context: "x" * 16_000}):
            steps = (StepSpec(key=f"s{n}", work="work", metadata=local) for n in range(150))
            assert (await ended(on, of(*steps, parallel=True))).status == "success"
        async with on.worker({"work": lambda _context: "x" * 17_000}):
            state = await ended(on, of(StepSpec(key="work", metadata=local)))
            assert said(state) == "bad-result"

    run(story())


def test_a_state_that_is_too_large_stays_in_its_history(temporal: Temporal) -> None:
    """What cannot be carried over is not: the flow goes on where it is, and ends well."""

    async def story() -> None:
        on = await scene(temporal.url)

        def work(context: StepContext) -> str:
            # No text of this kind becomes much shorter.
            return "".join(f"{hash((context.step, n)):x}" for n in range(60_000))

        groups = tuple(
            GroupSpec(key=f"g{n}", steps=(StepSpec(key=f"s{n}", work="work"),)) for n in range(4)
        )
        spec = FlowSpec(groups=groups, options=FlowOptions(continue_as_new_every=1))
        async with on.worker({"work": work}):
            flow = await on.flows.start(spec, flow_id=new_id("heavy"))
            assert (await flow.wait()).status == "success"
            assert flow.state.incarnation == 3
            runs = [it.run_id async for it in on.flows.histories(flow.flow_id)]
        assert 1 < len(runs) < 4
        assert replay(await flow.log()).state == flow.state

    run(story())


# --- settings ---


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Settings(default=Options(priority=7)), "default.priority: expected a number"),
        (lambda: Settings(max_in_flight=0), "max_in_flight: expected a number from 1 to 1900"),
        (
            lambda: Settings(of_handlers={"work": Options(max_deliveries=0)}),
            "of_handlers['work'].max_deliveries: expected a number from 1 on, got 0",
        ),
        (lambda: Settings(default="fast"), "default: expected Options, got 'fast'"),  # type: ignore[arg-type] # as from a program without types
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, problem: str) -> None:
    """When they are made, with their place."""
    with pytest.raises(ConductorError) as caught:
        make()
    assert problem in str(caught.value)
