"""Steps that are approved in advance, on a real host."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from operator import is_not

from conductor_adapters.cli.people import Approvals
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import StepContext
from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, StepSpec


async def work(_context: StepContext) -> None:
    """Succeed."""


def asking(count: int, approval: ApprovalSpec) -> FlowSpec:
    """A flow of so many steps that ask for approval, all at once."""
    steps = [StepSpec(key=f"s{n}", work="work", approval=approval) for n in range(count)]
    return FlowSpec(groups=[GroupSpec(key="g", steps=steps, parallel=True)])


async def play(flow: MemoryFlow, approvals: Approvals) -> int:
    """Approve until the flow ends; return how many calls of functions that took."""
    calls = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    while flow.state.outcome is None:
        state = flow.state
        sys.setprofile(called)
        try:
            answered = await approvals.answer(flow)
        finally:
            sys.setprofile(None)
        if not answered:
            await flow.until(partial(is_not, state))
    return calls


async def calls_for(count: int) -> float:
    """How many calls each step takes in a flow of so many."""
    async with MemoryHost({"work": work}) as host:
        flow = await host.start(asking(count, ApprovalSpec()), flow_id="f")
        named = frozenset(f"s{n}" for n in range(count))
        return await play(flow, Approvals(named, ("ann",))) / count


def test_approving_a_step_costs_no_look_at_all_the_others() -> None:
    """Of twelve times as many steps each takes about as much as before."""
    few, many = asyncio.run(calls_for(100)), asyncio.run(calls_for(1_200))
    assert many < few * 1.5


def test_every_name_approves_once_and_none_in_vain() -> None:
    """Who is not needed any more is not heard; who may not approve is heard once."""

    async def approved() -> list[str]:
        seen: list[str] = []
        async with MemoryHost({"work": work}) as host:
            spec = asking(2, ApprovalSpec(required=2, approvers=["bob", "cid", "dan"]))
            flow = await host.start(
                spec, flow_id="f", observe=lambda event, _: seen.append(getattr(event, "by", ""))
            )
            approvals = Approvals(frozenset({"s0", "s1"}), ("ann", "bob", "cid", "dan"))
            await play(flow, approvals)
        return [name for name in seen if name]

    assert asyncio.run(approved()) == ["ann", "bob", "cid"] * 2
