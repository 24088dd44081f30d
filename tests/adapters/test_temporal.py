"""Flows on a Temporal cluster, from their start to their end and beyond."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from conductor_adapters.store.errors import FlowExists, UnknownFlow
from conductor_adapters.temporal import NoAnswer, NotRunning, Settings, TemporalError
from conductor_adapters.temporal.packing import TooLarge
from conductor_adapters.work import StepContext, StepFailure
from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, GroupSpec, StepSpec
from conductor_core.commands import RequestApproval
from conductor_core.errors import ConductorError, SpecError
from conductor_core.events import PauseRequested
from conductor_core.log import replay
from conductor_core.state import FlowState
from tests.adapters.temporal_flows import Gates, Scene, done, new_id, reset, run, scene
from tests.services.temporal import Temporal

ASKS = FlowSpec(
    type="deploy",
    groups=(
        GroupSpec(key="plan", steps=(StepSpec(key="plan", approval=ApprovalSpec()),)),
        GroupSpec(key="apply", steps=(StepSpec(key="apply", needs=("plan",)),)),
    ),
)
ALL_DONE = {"plan": done, "apply": done}


def asks(state: FlowState) -> bool:
    """Whether people are asked."""
    return bool(state.open_approvals())


async def status_of(on: Scene, flow_id: str) -> WorkflowExecutionStatus | None:
    """What Temporal says of a flow."""
    return (await on.client.get_workflow_handle(flow_id).describe()).status


def broken(_context: StepContext) -> None:
    """Fail."""
    raise StepFailure("no such region", type="bad-region", non_retryable=True)


# --- the end of a flow ---


def test_a_flow_that_succeeds_completes(temporal: Temporal) -> None:
    """Its workflow ends with its outcome, and nothing that is asked of it then counts."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(ASKS, flow_id=new_id("deploy"))
            await flow.until(asks)
            assert str(await flow.approve("apply", by="ann")) == "rejected(not-awaiting-approval)"
            assert str(await flow.approve("plan", by="ann")) == "accepted"
            assert (await flow.wait()).status == "success"
            length = await history_length(on, flow.flow_id)
            assert str(await flow.pause(by="ann")) == "rejected(flow-finished)"
            assert str(await flow.retry("plan", by="ann")) == "rejected(not-failed)"
            assert await history_length(on, flow.flow_id) == length
        assert await status_of(on, flow.flow_id) is WorkflowExecutionStatus.COMPLETED
        told = await on.client.get_workflow_handle(flow.flow_id).result()
        assert told["outcome"]["status"] == "success"

    run(story())


async def history_length(on: Scene, flow_id: str) -> int:
    """How many events the last run of a flow has."""
    return (await on.client.get_workflow_handle(flow_id).describe()).history_length


def test_what_is_not_accepted_leaves_nothing_in_the_history(temporal: Temporal) -> None:
    """A validator answers before anything is written; its error has the code as its type."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(ASKS, flow_id=new_id("deploy"))
            await flow.until(asks)
            length = await history_length(on, flow.flow_id)
            assert str(await flow.approve("nope", by="ann")) == "rejected(unknown-step)"
            assert str(await flow.resume(by="ann")) == "ignored(no-change)"
            handle = on.client.get_workflow_handle(flow.flow_id)
            for event, kind in (
                ({"type": "approval-responded", "at_ms": 0, "step": "nope", "response": "approve",
                  "by": "ann"}, "unknown-step"),
                ({"type": "resume-requested", "at_ms": 0, "by": "ann"}, "ignored"),
                ({"type": "nonsense", "at_ms": 0}, "bad-event"),
            ):  # fmt: skip
                with pytest.raises(Exception, match="Workflow update failed") as caught:
                    await handle.execute_update("tell", event)
                cause = caught.value.__cause__
                assert isinstance(cause, ApplicationError)
                assert (cause.type, cause.non_retryable) == (kind, True)
            assert await history_length(on, flow.flow_id) == length

    run(story())


def test_a_flow_that_fails_is_revived_in_another_run(temporal: Temporal) -> None:
    """A rerun of a flow that had ended goes on with its log, where the last run left it."""

    async def story() -> None:
        on = await scene(temporal.url)
        flow_id = new_id("revived")
        async with on.worker({"plan": done, "apply": broken}):
            flow = await on.flows.start(ASKS, flow_id=flow_id)
            await flow.until(asks)
            await flow.approve("plan", by="ann")
            assert (await flow.wait()).reason == "failed"
            first = (await on.client.get_workflow_handle(flow_id).describe()).run_id
            with pytest.raises(WorkflowFailureError) as caught:
                await on.client.get_workflow_handle(flow_id).result()
            cause = caught.value.cause
            assert isinstance(cause, ApplicationError)
            assert (cause.type, cause.message) == ("failed", "no such region")
        async with on.worker(ALL_DONE):
            assert str(await flow.retry("apply", by="ann")) == "accepted"
            assert (await flow.wait()).status == "success"
            lines = await flow.log()
        assert [it.run_id async for it in on.flows.histories(flow_id)][1:] == [first]
        assert replay(lines).state == flow.state
        assert replay(lines).closed
        assert flow.state.run == 2

    run(story())


def test_two_that_revive_a_flow_at_once_revive_it_once(temporal: Temporal) -> None:
    """Whoever comes second finds a flow that runs."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"plan": broken, "apply": done}):
            flow = await on.flows.start(ASKS, flow_id=new_id("twice"))
            await flow.wait()
        async with on.worker(ALL_DONE):
            said = await asyncio.gather(*(flow.retry("plan", by=f"p{n}") for n in range(4)))
            assert sorted(map(str, said)) == ["accepted", *["rejected(not-failed)"] * 3]
            await flow.until(asks)
        assert replay(await flow.log()).state.run == 2

    run(story())


def test_a_flow_stays_on_its_queue_and_in_its_place(temporal: Temporal) -> None:
    """Whoever revives it, from whichever queue; and a list tells when it began."""

    async def story() -> None:
        on, other = await scene(temporal.url), await scene(temporal.url)
        flow_id = new_id("stays")
        async with on.worker({"plan": broken, "apply": done}):
            flow = await on.flows.start(ASKS, flow_id=flow_id)
            await flow.wait()
            (row,) = await rows_of(on, flow_id)
        async with on.worker(ALL_DONE):
            elsewhere = await other.flows.flow(flow_id)
            assert str(await elsewhere.retry("plan", by="ann")) == "accepted"
            await elsewhere.until(asks)
            known = await on.client.get_workflow_handle(flow_id).describe()
            assert known.task_queue == on.queue
            (again,) = await rows_of(on, flow_id)
        assert (again.began_ms, again.type) == (row.began_ms, "deploy")

    run(story())


def test_a_cancel_in_temporal_is_a_cancel_of_the_flow(temporal: Temporal) -> None:
    """Work is told to give up, and the workflow ends as cancelled."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        async with on.worker({"plan": gates.work, "apply": done}):
            flow = await on.flows.start(ASKS, flow_id=new_id("cancelled"))
            await flow.until(lambda _state: bool(gates.begun))
            await on.client.get_workflow_handle(flow.flow_id).cancel(reason="wrong day")
            outcome = await flow.wait()
        assert (outcome.status, outcome.message) == ("cancelled", "wrong day")
        assert await status_of(on, flow.flow_id) is WorkflowExecutionStatus.CANCELED
        assert replay(await flow.log()).state == flow.state

    run(story())


def test_a_flow_that_people_cancel_ends_as_failed(temporal: Temporal) -> None:
    """Its error says that it was cancelled; Temporal was not asked to cancel it."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(ASKS, flow_id=new_id("cancelled"))
            await flow.until(asks)
            assert str(await flow.cancel(by="ann", reason="wrong day")) == "accepted"
            assert (await flow.wait()).status == "cancelled"
            assert await status_of(on, flow.flow_id) is WorkflowExecutionStatus.FAILED
            rows = await rows_of(on, flow.flow_id)
        assert [row.status for row in rows] == ["cancelled"]

    run(story())


async def rows_of(on: Scene, *flow_ids: str) -> list[Any]:
    """The rows of some flows, once visibility knows them."""
    while True:
        rows = [row for row in await on.flows.list() if row.flow_id in flow_ids]
        if len(rows) == len(flow_ids):
            return rows
        await asyncio.sleep(0.05)


def test_a_flow_that_was_terminated_is_taken_up(temporal: Temporal) -> None:
    """Until then it says so; then it goes on where it stood."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(ASKS, flow_id=new_id("terminated"))
            await flow.until(asks)
            await on.client.get_workflow_handle(flow.flow_id).terminate("by mistake")
            with pytest.raises(NotRunning, match="was terminated in Temporal"):
                await flow.approve("plan", by="ann")
            with pytest.raises(NotRunning):
                await flow.wait()
            assert asks(await flow.refresh())
            again = await on.flows.take_up(flow.flow_id)
            assert str(await again.approve("plan", by="ann")) == "accepted"
            assert (await again.wait()).status == "success"
        assert replay(await flow.log()).state == again.state

    run(story())


def test_a_flow_that_was_reset_goes_on_from_there(temporal: Temporal) -> None:
    """What happened after that point has not happened, and is not in the log."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"plan": done, "apply": broken}):
            flow = await on.flows.start(ASKS, flow_id=new_id("reset"))
            await flow.until(asks)
            await flow.approve("plan", by="ann")
            await flow.wait()
        await reset(on, flow.flow_id)
        async with on.worker(ALL_DONE):
            assert (await flow.wait()).status in ("success", "error")
            assert replay(await flow.log()).state == flow.state

    run(story())


# --- who is not there ---


@workflow.defn(name="other", sandboxed=False)
class Other:
    """A workflow that has nothing to do with flows."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing."""


def test_flows_that_nobody_serves_hide_no_others(temporal: Temporal) -> None:
    """A list tells where flows stand whose workers live, whatever other queues lack."""

    async def story() -> None:
        on, other = await scene(temporal.url), await scene(temporal.url)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(ASKS, flow_id=new_id("served"))
            await flow.until(asks)
            for _ in range(25):
                await other.flows.start(ASKS, flow_id=new_id("unserved"))
            (row,) = await rows_of(on, flow.flow_id)
            assert row.status == "approval-awaiting"

    run(story())


def test_a_flow_that_nobody_started_is_unknown(temporal: Temporal) -> None:
    """And a workflow of another kind is none."""

    async def story() -> None:
        on = await scene(temporal.url)
        with pytest.raises(UnknownFlow):
            await on.flows.flow("nobody")
        with pytest.raises(UnknownFlow):
            await on.flows.log("nobody")
        with pytest.raises(UnknownFlow):
            await on.flows.tell("nobody", partial(pause, by="ann"))
        name = new_id("other")
        await on.client.start_workflow(Other.run, id=name, task_queue=on.queue)
        with pytest.raises(TemporalError, match="is no flow but a workflow of type 'other'"):
            await on.flows.flow(name)
        with pytest.raises(TemporalError, match="is no flow"):
            await on.flows.log(name)

    run(story())


def pause(*, at_ms: int, by: str) -> Any:
    """A request."""
    return PauseRequested(at_ms=at_ms, by=by)


def test_a_request_that_no_worker_hears_counts_when_one_comes(temporal: Temporal) -> None:
    """Who asked is told that it may count later, and sees the flow as it was."""

    async def story() -> None:
        on = await scene(temporal.url, patience_s=0.5, query_s=0.5)
        assert not await on.flows.has_workers()
        flow = await on.flows.start(ASKS, flow_id=new_id("alone"))
        with pytest.raises(NoAnswer, match="counts when one does"):
            await flow.pause(by="ann", request_id="r1")
        assert (await flow.refresh()).status == "pending"
        async with on.worker(ALL_DONE):
            await flow.until(lambda state: state.paused)
            assert await on.flows.has_workers()
            assert str(await flow.pause(by="ann", request_id="r1")) == "ignored(duplicate-request)"

    run(story())


def test_a_server_that_is_down_is_told_and_loses_nothing() -> None:
    """The same asked again, when it is up, counts."""
    with Temporal(durable=True) as server:

        async def story() -> None:
            on = await scene(server.url)
            async with on.worker(ALL_DONE):
                flow = await on.flows.start(ASKS, flow_id="deploy")
                await flow.until(asks)
            server.kill()
            for ask in (
                flow.approve("plan", by="ann"),
                flow.refresh(),
                flow.log(),
                on.flows.start(ASKS, flow_id="other"),
                on.flows.list(),
            ):
                with pytest.raises(TemporalError, match=f"Temporal at {server.url}"):
                    await ask
            await asyncio.to_thread(server.start)
            async with on.worker(ALL_DONE):
                assert str(await flow.approve("plan", by="ann")) == "accepted"
                assert (await flow.wait()).status == "success"

        run(story())


# --- what cannot be started ---


def test_the_same_flow_may_be_started_twice_and_no_other(temporal: Temporal) -> None:
    """Under one id there is one flow."""

    async def story() -> None:
        on = await scene(temporal.url)
        flow_id = new_id("once")
        _, begun = await on.flows.start_or_find(ASKS, flow_id=flow_id)
        _, again = await on.flows.start_or_find(ASKS, flow_id=flow_id)
        assert (begun, again) == (True, False)
        with pytest.raises(FlowExists):
            await on.flows.start(FlowSpec(type="other"), flow_id=flow_id)

    run(story())


def test_a_flow_that_is_too_large_is_refused(temporal: Temporal) -> None:
    """Before Temporal is asked, and with its size; one that is large alone runs."""

    def flow_of(size: int, kind: str) -> FlowSpec:
        filling = kind * size if kind else str(list(map(hash, map(str, range(size // 20)))))
        steps = (StepSpec(key="plan", input={"filling": filling}),)
        return FlowSpec(groups=(GroupSpec(key="g", steps=steps),))

    async def story() -> None:
        on = await scene(temporal.url)
        with pytest.raises(TooLarge, match="keep large values elsewhere"):
            await on.flows.start(flow_of(6_000_000, ""), flow_id=new_id("large"))
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(flow_of(1_000_000, "x"), flow_id=new_id("large"))
            assert (await flow.wait()).status == "success"
            flow = await on.flows.start(flow_of(1_600_000, "x"), flow_id=new_id("large"))
            assert (await flow.wait()).status == "error"
        assert "too-large" in "".join(await flow.log())

    run(story())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"temporal": {"local": "yes"}}, "temporal.local: expected true or false, got 'yes'"),
        ({"temporal": {"priority": 9}}, "temporal.priority: expected a number from 1 to 5, got 9"),
        ({"temporal": {"colour": 1}}, "temporal.colour: no option is named so"),
        ({"temporal": 7}, "temporal: expected a mapping, got 7"),
        ({"queue": ""}, "queue: expected the name of a queue, got ''"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(
    temporal: Temporal, said: dict[str, Any], problem: str
) -> None:
    """With their place; nothing is started."""

    async def story() -> None:
        on = await scene(temporal.url)
        step = StepSpec(key="plan", metadata={"host": said})
        spec = FlowSpec(groups=(GroupSpec(key="g", steps=(step,)),))
        with pytest.raises(SpecError) as caught:
            await on.flows.start(spec, flow_id=new_id("options"))
        assert f"groups[0].steps[0].metadata.host.{problem}" in str(caught.value)

    run(story())


# --- what is seen of flows ---


def test_people_see_what_a_flow_waits_for(temporal: Temporal) -> None:
    """In Temporal's own page and queries, in lists and in the memo."""

    async def story() -> None:
        on = await scene(temporal.url)
        owner = {"host": {"owner": {"id": "team-7", "type": "team"}}}
        spec = FlowSpec(type="deploy", groups=ASKS.groups, metadata=owner)
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(spec, flow_id=new_id("seen"))
            await flow.until(asks)
            handle = on.client.get_workflow_handle(flow.flow_id)
            summary = await handle.query("summary")
            assert (summary["status"], summary["type"]) == ("approval-awaiting", "deploy")
            explained = await handle.query("explain")
            assert explained["for_people"]
            page = await handle.query("log", args=[0, 1])
            assert len(page["lines"]) == 1
            assert (page["last"], page["more"]) == (1, True)
            metadata = await handle.query("__temporal_workflow_metadata")
            assert "waits for plan#1" in metadata.current_details
            known = await handle.describe()
            memo = await known.memo()
            assert memo["ConductorFlowType"] == "deploy"
            assert (memo["ConductorOwnerId"], memo["ConductorOwnerType"]) == ("team-7", "team")
            (row,) = await rows_of(on, flow.flow_id)
            assert (row.type, row.status) == ("deploy", "approval-awaiting")
            assert row in await on.flows.list(statuses=["approval-awaiting"])
            assert row not in await on.flows.list(statuses=["cancelled"])
            assert row not in await on.flows.list(after=row)

    run(story())


def test_search_attributes_are_there_where_they_are_wanted() -> None:
    """Of type and owner; the installer makes them known to the namespace."""
    names = ("ConductorFlowType", "ConductorOwnerId", "ConductorOwnerType")
    with Temporal(attributes=names) as server:

        async def story() -> None:
            on = await scene(server.url, search_attributes=True)
            owner = {"host": {"owner": {"id": "team-7"}}}
            spec = FlowSpec(type="deploy", groups=ASKS.groups, metadata=owner)
            await on.flows.start(spec, flow_id="f")
            query = "ConductorOwnerId = 'team-7' AND ConductorFlowType = 'deploy'"
            found: list[str] = []
            while not found:
                found = [it.id async for it in on.client.list_workflows(query)]
            assert found == ["f"]

        run(story())


def test_search_attributes_that_nobody_made_known_are_told(temporal: Temporal) -> None:
    """The flow is not started."""

    async def story() -> None:
        on = await scene(temporal.url, search_attributes=True)
        with pytest.raises(ConductorError, match="ConductorFlowType"):
            await on.flows.start(ASKS, flow_id=new_id("unknown"))

    run(story())


def test_people_are_told_what_they_are_asked(temporal: Temporal) -> None:
    """Where the settings say so, by the worker that takes the order to ask."""
    told: list[tuple[str, str]] = []

    async def story() -> None:
        on = await scene(temporal.url, settings=Settings(asks=True))

        def asked(flow_id: str, command: RequestApproval) -> None:
            told.append((flow_id, command.attempt))

        async with on.worker(ALL_DONE, ask=asked):
            flow = await on.flows.start(ASKS, flow_id=new_id("asks"))
            await flow.until(lambda _state: bool(told))
            assert told == [(flow.flow_id, "plan#1")]

    run(story())


# --- fresh histories ---


def test_a_log_goes_on_over_fresh_histories(temporal: Temporal) -> None:
    """After each group the flow leaves its history; its log is one."""

    async def story() -> None:
        on = await scene(temporal.url)
        groups = tuple(
            GroupSpec(key=f"g{n}", steps=(StepSpec(key=f"s{n}", work="plan"),)) for n in range(5)
        )
        spec = FlowSpec(groups=groups, options=FlowOptions(continue_as_new_every=1))
        async with on.worker(ALL_DONE):
            flow = await on.flows.start(spec, flow_id=new_id("long"))
            assert (await flow.wait()).status == "success"
            lines = await flow.log()
            assert await flow.log(after=3) == lines[4:]
        assert len([it async for it in on.flows.histories(flow.flow_id)]) == 5
        assert replay(lines).state == flow.state
        assert flow.state.incarnation == 4

    run(story())
