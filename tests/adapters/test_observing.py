"""Who watches flows: observers, and the log records of a host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from conductor_adapters.memory import MemoryHost
from conductor_adapters.observing import LOGGER
from conductor_adapters.work import StepContext, StepFailure
from conductor_core import FlowSpec, GroupSpec, StepSpec, Transition, events
from conductor_core.commands import RequestApproval
from conductor_core.spec import ApprovalSpec

SPEC = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a"), StepSpec(key="b")])])


def play(script: Coroutine[Any, Any, None]) -> None:
    """Run a script to its end, but not for ever."""
    asyncio.run(asyncio.wait_for(script, 20.0))


async def fine(_context: StepContext) -> None:
    """Work that succeeds."""


async def secretive(_context: StepContext) -> None:
    """Work that fails with a text that is nobody's business."""
    raise StepFailure("the password is hunter2")


async def run(**options: Any) -> None:
    """Run the flow to its end."""
    async with MemoryHost({"a": fine, "b": secretive}, **options) as host:
        await (await host.start(SPEC, flow_id="deploy-42")).wait()


def test_every_entry_leaves_a_record_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A handler of structured logs finds flow, event, attempt, verdict, status and commands."""
    caplog.set_level(logging.DEBUG, LOGGER.name)
    play(run())
    records = [vars(record) for record in caplog.records if record.name == LOGGER.name]
    fields = ("flow_id", "event", "attempt", "verdict", "status", "commands", "levelname")
    assert [tuple(record[field] for field in fields) for record in records] == [
        ("deploy-42", "flow-started", None, "accepted", "in-progress", ["dispatch-step"], "INFO"),
        ("deploy-42", "step-started", "a#1", "accepted", "in-progress", [], "INFO"),
        ("deploy-42", "step-finished", "a#1", "accepted", "in-progress", ["dispatch-step"], "INFO"),
        ("deploy-42", "step-started", "b#1", "accepted", "in-progress", [], "INFO"),
        ("deploy-42", "step-finished", "b#1", "accepted", "error", ["finish-flow"], "WARNING"),
    ]
    assert caplog.messages[2] == "deploy-42: step-finished a#1 accepted, flow is in-progress"


def test_no_record_holds_what_work_says(caplog: pytest.LogCaptureFixture) -> None:
    """Outputs and errors may be secret: they stay in the flow's log."""
    caplog.set_level(logging.DEBUG)
    play(run())
    assert not any("hunter2" in str(vars(record)) for record in caplog.records)


def test_what_is_ignored_is_told_to_those_who_debug(caplog: pytest.LogCaptureFixture) -> None:
    """A duplicate is no news."""
    caplog.set_level(logging.INFO, LOGGER.name)

    async def script() -> None:
        async with MemoryHost({"a": fine, "b": fine}) as host:
            flow = await host.start(SPEC, flow_id="f")
            await flow.resume(by="ana")
            await flow.wait()

    play(script())
    assert not any("resume-requested" in message for message in caplog.messages)


def test_an_observer_sees_all_flows_of_its_host() -> None:
    """The state of the transition says which."""
    seen: list[str] = []

    def observe(_event: events.Event, transition: Transition) -> None:
        seen.append(transition.state.flow_id)

    async def script() -> None:
        async with MemoryHost({"a": fine, "b": fine}, observe=observe) as host:
            flows = [await host.start(SPEC, flow_id=name) for name in ("one", "two")]
            for flow in flows:
                await flow.wait()

    play(script())
    assert sorted(seen) == ["one"] * 5 + ["two"] * 5


def test_an_observer_that_raises_breaks_no_flow(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of, and the flow runs to its end."""

    def observe(_event: events.Event, _transition: Transition) -> None:
        raise LookupError("no such counter")

    play(run(observe=observe))
    assert "an observer of flow deploy-42 raised" in caplog.messages


def test_log_records_that_cannot_be_made_break_no_flow() -> None:
    """A filter of somebody else's may raise."""

    def broken(_record: logging.LogRecord) -> bool:
        raise LookupError("no such field")

    LOGGER.addFilter(broken)
    level = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    try:
        play(run())
    finally:
        LOGGER.removeFilter(broken)
        LOGGER.setLevel(level)


@pytest.mark.parametrize("breaks", [False, True])
def test_whoever_is_asked_is_told_of_each_approval(breaks: bool) -> None:
    """The host hands every request for approval on; a messenger that fails holds nothing up."""
    asked: list[tuple[str, str]] = []

    def ask(flow_id: str, command: RequestApproval) -> None:
        asked.append((flow_id, command.attempt))
        if breaks:
            raise ConnectionError("the chat is down")

    async def script() -> None:
        step = StepSpec(key="plan", approval=ApprovalSpec())
        spec = FlowSpec(groups=[GroupSpec(key="g", steps=[step])])
        async with MemoryHost({"plan": fine}, ask=ask) as host:
            flow = await host.start(spec, flow_id="f")
            state = await flow.until(lambda state: bool(state.open_approvals()))
            assert str(await flow.approve("plan", by="ana")) == "accepted"
            await flow.wait()
        async with MemoryHost({"plan": fine}, ask=ask) as host:
            await host.recover(state)

    play(script())
    assert asked == [("f", "plan#1"), ("f", "plan#1")]
