"""Groups that children run: what is large, what is asked meanwhile, and children that are gone."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from conductor_adapters.temporal import Options, Settings
from conductor_adapters.work import StepContext
from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec
from conductor_core.commands import GenerateSteps
from conductor_core.errors import ConductorError
from conductor_core.log import replay
from conductor_core.state import FlowState
from tests.adapters.temporal_flows import Gates, Scene, done, new_id, reset, run, scene
from tests.services.temporal import Temporal

ODD_REPORTS: tuple[tuple[object, str], ...] = (
    (0, "{}"),
    (0, "[5]"),
    (0, '[{"event": 5}]'),
    (0, '[{"relay": "x", "at_ms": 1}]'),
    (0, "no JSON"),
    ("x", "[]"),
    (None, "[]"),
)
CHILD = {"host": {"temporal": {"child": True}}}


def handed(key: str, *steps: str, parallel: bool = False, work: str = "work") -> GroupSpec:
    """A group that a child runs."""
    specs = tuple(StepSpec(key=step, work=work) for step in steps)
    return GroupSpec(key=key, parallel=parallel, steps=specs, metadata=CHILD)


async def children_of(on: Scene, flow_id: str) -> list[str]:
    """The children that a flow has now."""
    described = await on.client.get_workflow_handle(flow_id).describe()
    return [child.workflow_id for child in described.raw_description.pending_children]


def has_ended(attempt_id: str, state: FlowState) -> bool:
    """Whether the work of an attempt has ended."""
    attempt = state.attempt(attempt_id)
    return attempt is not None and not attempt.active


def test_a_flow_is_seen_to_its_end(temporal: Temporal) -> None:
    """Whoever waits sees it, however long both histories are."""

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": lambda context: context.attempt}):
            spec = FlowSpec(groups=(handed("g", "a", "b", parallel=True), handed("h", "c")))
            for _ in range(5):
                flow = await on.flows.start(spec, flow_id=new_id("seen"))
                assert (await flow.wait()).status == "success"
                assert replay(await flow.log()).state == flow.state

    run(story())


def test_outputs_of_a_group_may_be_larger_than_one_report(temporal: Temporal) -> None:
    """A child reports in pieces, each of which Temporal takes."""

    def work(context: StepContext) -> str:
        return "".join(f"{hash((context.step, n)):x}" for n in range(60_000))

    async def story() -> None:
        on = await scene(temporal.url)
        async with on.worker({"work": work}):
            spec = FlowSpec(groups=(handed("g", *(f"s{n}" for n in range(6)), parallel=True),))
            flow = await on.flows.start(spec, flow_id=new_id("large"))
            assert (await flow.wait()).status == "success"
            assert replay(await flow.log()).state == flow.state

    run(story())


def test_a_group_that_is_too_large_for_a_child_runs_in_its_flow(temporal: Temporal) -> None:
    """That is found out once, and not at each step."""

    def large(context: StepContext) -> str:
        return "".join(f"{hash((context.step, n)):x}" for n in range(70_000))

    async def story() -> None:
        on = await scene(temporal.url)
        needs = ("a", "b", "c")
        group = GroupSpec(
            key="h",
            parallel=True,
            metadata=CHILD,
            steps=tuple(StepSpec(key=f"s{n}", work="done", needs=needs) for n in range(2)),
        )
        first = GroupSpec(key="g", steps=tuple(StepSpec(key=key, work="large") for key in needs))
        handlers = {"large": large, "done": lambda _context: None}
        async with on.worker(handlers):
            flow = await on.flows.start(FlowSpec(groups=(first, group)), flow_id=new_id("kept"))
            outcome = await flow.wait()
            lines = await flow.log()
        assert (outcome.status, "too-large" in "".join(lines)) == ("error", True)
        assert replay(lines).state == flow.state

    run(story())


def test_a_mixed_group_is_handed_over_as_a_whole_or_not_at_all(temporal: Temporal) -> None:
    """What is said of a step or of its handler is no word about its group."""

    async def story() -> None:
        settings = Settings(of_handlers={"child": Options(child=True)})
        on = await scene(temporal.url, settings=settings)
        gates = Gates()
        steps = (
            StepSpec(key="a", work="work"),
            StepSpec(key="b", work="child"),
            StepSpec(key="c", work="work", metadata=CHILD),
        )
        spec = FlowSpec(groups=(GroupSpec(key="g", parallel=True, steps=steps),))
        async with on.worker({"work": gates.work, "child": gates.work}):
            flow = await on.flows.start(spec, flow_id=new_id("mixed"))
            await flow.until(lambda _state: len(gates.begun) == 3)
            assert await children_of(on, flow.flow_id) == []
            for key in "abc":
                gates.open(key)
            await flow.wait()
        assert sorted(gates.begun) == ["a#1", "b#1", "c#1"]

    run(story())


def test_a_generator_that_fails_while_a_child_has_a_group_ends_the_flow(temporal: Temporal) -> None:
    """The child hears of it; what ran there ends, and nothing begins any more."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates, fails = Gates(), asyncio.Event()

        async def generate(_command: GenerateSteps) -> tuple[GroupSpec, ...]:
            await fails.wait()
            raise ValueError("no such region")

        async with on.worker({"work": gates.work}, generators={"made": generate}):
            flow = await on.flows.start(FlowSpec(type="made"), flow_id=new_id("fails"))
            await flow.append((handed("g", "a", "b"),), by="ann")
            await flow.until(lambda _state: bool(gates.begun))
            fails.set()
            await flow.until(lambda state: state.generating in ("failing", "failed"))
            gates.open("a")
            outcome = await flow.wait()
            lines = await flow.log()
        assert outcome.reason == "generation-failed"
        assert gates.begun == ["a#1"]
        assert replay(lines).state == flow.state

    run(story())


def test_what_is_asked_while_children_change_counts_once(temporal: Temporal) -> None:
    """A pause that comes as one group ends holds the next one, whichever has taken it in."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()

        async def begun_is(attempt: str) -> None:
            while attempt not in gates.begun:
                await asyncio.sleep(0.01)

        groups = tuple(handed(f"g{n}", f"a{n}", f"b{n}") for n in range(4))
        async with on.worker({"work": gates.work}):
            flow = await on.flows.start(FlowSpec(groups=groups), flow_id=new_id("asked"))
            for n in range(4):
                await begun_is(f"a{n}#1")
                gates.open(f"a{n}")
                await begun_is(f"b{n}#1")
                gates.open(f"b{n}")
                said = await flow.pause(by="ann")
                begun = list(gates.begun)
                await asyncio.sleep(0.2)
                if str(said) == "accepted" and (await flow.refresh()).is_live:
                    assert flow.state.paused
                    assert f"a{n + 1}#1" in begun or f"a{n + 1}#1" not in gates.begun
                    assert str(await flow.resume(by="ann")) == "accepted"
            assert (await flow.wait()).status == "success"
            assert replay(await flow.log()).state == flow.state
        assert sorted(gates.begun) == sorted(f"{key}{n}#1" for n in range(4) for key in "ab")

    run(story())


@pytest.mark.parametrize("asks", [False, True], ids=["alone", "asked"])
def test_a_child_that_is_gone_is_replaced(temporal: Temporal, asks: bool) -> None:
    """Its group goes on where the flow knows that it stood; what was asked is asked again."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        async with on.worker({"work": gates.work}):
            flow = await on.flows.start(
                FlowSpec(groups=(handed("g", "a", "b"),)), flow_id=new_id("gone")
            )
            await flow.until(lambda _state: bool(gates.begun))
            (child,) = await children_of(on, flow.flow_id)
            await on.client.get_workflow_handle(child).terminate()
            if asks:
                assert str(await flow.pause(by="ann")) == "accepted"
                assert str(await flow.resume(by="ann")) == "accepted"
            await flow.until(lambda _state: gates.begun == ["a#1", "a#1"])
            gates.open("a")
            gates.open("b")
            assert (await flow.wait()).status == "success"
            assert replay(await flow.log()).state == flow.state

    run(story())


def test_work_that_waits_in_a_child_is_seen(temporal: Temporal) -> None:
    """In the list of what nobody has taken, and in the state of its flow."""

    async def story() -> None:
        on = await scene(temporal.url)
        nobody = {"host": {"queue": new_id("nobody"), "temporal": {"child": True}}}
        group = GroupSpec(key="g", steps=(StepSpec(key="a", work="rare"),), metadata=nobody)
        async with on.worker({}):
            flow = await on.flows.start(FlowSpec(groups=(group,)), flow_id=new_id("waits"))
            while ("step", "rare", 1) not in await on.flows.waiting_works():
                await asyncio.sleep(0.05)
            assert str(await flow.cancel(by="ann")) == "accepted"
            await flow.wait()

    run(story())


def test_signals_that_are_none_are_dropped(temporal: Temporal) -> None:
    """Whoever sends what is no report, or no relay, stops nobody."""

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        nonsense: tuple[Any, ...] = (
            {}, 5, None, {"child": 1, "entries": "x"}, {"child": "x", "entries": None},
            {"number": "x"}, {"number": 1, "event": 2, "changed": 3, "removed": 4},
        )  # fmt: skip
        async with on.worker({"work": gates.work}):
            flow = await on.flows.start(FlowSpec(groups=(handed("g", "a"),)), flow_id=new_id("odd"))
            await flow.until(lambda _state: bool(gates.begun))
            (child,) = await children_of(on, flow.flow_id)
            ours = [
                {"child": child, "after": 0, "entries": f"plain:{text}"} for text in ODD_REPORTS
            ]
            ours += [
                {"child": child, "after": after, "entries": "plain:[]"} for after in ("x", None)
            ]
            for told in (*nonsense, *ours):
                await on.client.get_workflow_handle(flow.flow_id).signal("report", told)
                await on.client.get_workflow_handle(child).signal("relay", told)
            # Whoever looks takes none of them for what the child has reported.
            assert not has_ended("a#1", await flow.refresh())
            gates.open("a")
            await flow.until(partial(has_ended, "a#1"))
            assert (await flow.wait()).status == "success"

    run(story())


def test_a_flow_that_was_reset_knows_its_children_again(temporal: Temporal) -> None:
    """What children did before that point stands, and groups after it go to new ones."""

    async def story() -> None:
        on = await scene(temporal.url)
        asks = GroupSpec(key="p", steps=(StepSpec(key="plan", approval=ApprovalSpec()),))
        spec = FlowSpec(groups=(handed("g", "a"), asks, handed("h", "b")))
        async with on.worker({"work": lambda context: context.attempt, "plan": done}):
            flow = await on.flows.start(spec, flow_id=new_id("reset"))
            await flow.until(lambda state: bool(state.open_approvals()))
            await reset(on, flow.flow_id)
            await flow.approve("plan", by="ann")
            assert (await flow.wait()).status == "success"
            await reset(on, flow.flow_id)
            await asyncio.sleep(1)
            assert replay(await flow.log()).state == await flow.refresh()
            assert (await flow.wait()).status == "success"

    run(story())


def test_large_requests_reach_children_up_to_a_limit(temporal: Temporal) -> None:
    """What is larger is refused before anything is written, by a flow without children too."""
    much = "x" * 1_100_000

    async def story() -> None:
        on = await scene(temporal.url)
        gates = Gates()
        async with on.worker({"work": gates.work}):
            flow = await on.flows.start(
                FlowSpec(groups=(handed("g", "a"),)), flow_id=new_id("much")
            )
            await flow.until(lambda _state: bool(gates.begun))
            with pytest.raises(ConductorError, match="bytes, of at most"):
                await flow.cancel(by="ann", reason=much + much[:600_000])
            assert str(await flow.cancel(by="ann", reason=much)) == "accepted"
            assert (await flow.wait()).status == "cancelled"
            assert replay(await flow.log()).state == flow.state

    run(story())
