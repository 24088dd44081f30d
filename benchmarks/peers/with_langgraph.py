"""LangGraph: a graph of two nodes, whose state its saver keeps after each step.

The saver is the one in memory, the fastest there is. A node does a step, another one waits
for the approval by an interrupt, which ends the call; the next call resumes. Each step is
saved before the next one begins (durability `sync`, the faster of the two that keep every
step), as ours is when its log is written.
The state after each step is kept and can be gone on from; there are no groups, retries by
people, reruns or verified logs. Threads take part, whose processor time counts as well.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from benchmarks.peers.peer import Peer
from benchmarks.rounds import Play
from benchmarks.workloads import APPROVAL_EVERY


class Flow(TypedDict):
    """The state of the graph."""

    steps: int
    done: int


def _work(state: Flow) -> dict[str, int]:
    return {"done": state["done"] + 1}


def _approval(state: Flow) -> dict[str, int]:
    if interrupt("approve?") != "approve":
        raise AssertionError("not approved")
    return {}


def _onward(state: Flow) -> str:
    return END if state["done"] == state["steps"] else "work"


def _work_onward(state: Flow) -> str:
    return "approval" if state["done"] % APPROVAL_EVERY == 0 else _onward(state)


def _graph() -> Any:
    graph = StateGraph(Flow)
    graph.add_node("work", _work)
    graph.add_node("approval", _approval)
    graph.add_edge(START, "work")
    graph.add_conditional_edges("work", _work_onward, ["work", "approval", END])
    graph.add_conditional_edges("approval", _onward, ["work", END])
    return graph.compile(checkpointer=InMemorySaver())


def prepare(steps: int) -> Play:
    """A compiled graph with a saver of its own."""
    graph = _graph()
    config = {"configurable": {"thread_id": "bench"}, "recursion_limit": steps + 10}

    def play() -> None:
        state = graph.invoke({"steps": steps, "done": 0}, config, durability="sync")
        while "__interrupt__" in state:
            state = graph.invoke(Command(resume="approve"), config, durability="sync")
        if state["done"] != steps or graph.get_state(config).next:
            raise AssertionError(f"{state['done']} of {steps} steps are done")

    return play


PEER: Final = Peer(
    name="langgraph",
    does="graph with a saver in memory; keeps the state after each step",
    prepare=prepare,
)
