"""The worker of the conformance kit, without a host."""

from __future__ import annotations

import asyncio

from conductor_core.events import StepFinished
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.testing.brief import failed, flow, group, succeeded
from conductor_core.testing.conformance import Case, Weather, Worker
from conductor_core.testing.conformance.call import Call


def test_a_call_is_answered_once() -> None:
    """The first answer stands, and nothing that comes later replaces it."""

    async def script() -> StepFinished:
        call: Call[StepFinished] = Call("a#1", lambda: False, first=True)
        call.give(succeeded("a#1"))
        call.give(failed("a#1"))
        return await call.answer

    assert asyncio.run(script()) == succeeded("a#1")


def test_a_worker_says_what_it_must_be_registered_for() -> None:
    """Handlers are named by the work of the steps, generators by the type of the flow."""

    async def script(case: Case) -> Worker:
        return Worker(case, Weather.CALM)

    plain = Case(name="x", about="", flow=flow(group("g", StepSpec(key="a", work="do"), "b")))
    worker = asyncio.run(script(plain))
    assert worker.works == {"do", "b"}
    assert not worker.flow_types
    generated = Case(name="y", about="", flow=FlowSpec(type="nightly"))
    worker = asyncio.run(script(generated))
    assert not worker.works
    assert worker.flow_types == {"nightly"}
