"""Records histories of every feature on a Temporal server, for the tests of all later releases.

    python -m tests.histories.record FOLDER

Rule: what stands in a folder of a release is never recorded anew: a change that breaks it breaks
the flows that run. A new feature gets a new story, and a folder of its release.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from conductor_adapters.temporal import Options, Settings
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, GroupSpec, RetryPolicy, StepSpec
from conductor_core.codec import encode_event
from conductor_core.commands import GenerateSteps
from conductor_core.events import PauseRequested
from conductor_core.state import FlowState
from tests.adapters.temporal_flows import Scene, run, scene
from tests.recorded.record import pin
from tests.services.temporal import Temporal

Story = Callable[[Scene, str], Awaitable[None]]
CHILDREN: Final = Settings(default=Options(child=True))
LOCAL: Final = Settings(default=Options(local=True))


async def work(context: StepContext) -> StepResult:
    """Do what the input says: fail so many times, wait so long."""
    told: dict[str, Any] = context.input
    await asyncio.sleep(told.get("wait_s", 0))
    if int(context.attempt.rpartition("#")[2]) <= told.get("fails", 0):
        raise StepFailure("not yet", type="busy", details={"n": 1})
    return StepResult(output={"by": context.attempt}, subject=told.get("subject"))


def generate(_command: GenerateSteps) -> tuple[GroupSpec, ...]:
    """Make two groups."""
    return tuple(GroupSpec(key=f"g{n}", steps=(step(f"s{n}"),)) for n in range(2))


def step(key: str, *, fails: int = 0, wait_s: float = 0, **more: Any) -> StepSpec:
    """A step that fails so many times."""
    return StepSpec(key=key, work="work", input={"fails": fails, "wait_s": wait_s}, **more)


def group(key: str, *steps: StepSpec, **more: Any) -> GroupSpec:
    """A group of steps."""
    return GroupSpec(key=key, steps=steps, **more)


SOON: Final = RetryPolicy(max_auto_retries=2, backoff_ms=(20,), jitter=False)
GATE: Final = ApprovalSpec()
RELEASE: Final = FlowSpec(
    type="release",
    groups=(
        group("plan", step("plan", approval=ApprovalSpec(required=2, timeout_ms=3_600_000))),
        group("apply", *(step(f"a{n}", fails=n % 2, retry=SOON) for n in range(4)), parallel=True),
        group("check", step("check", needs=("plan", "a1")), step("skipped", skipped=True)),
    ),
)


def asks(state: FlowState) -> bool:
    """Whether people are asked."""
    return bool(state.open_approvals())


async def release(on: Scene, flow_id: str) -> None:
    """Approvals of two, a time limit, parallel work, retries, needs."""
    flow = await on.flows.start(RELEASE, flow_id=flow_id)
    await flow.until(asks)
    await flow.approve("plan", by="ann", note="fine")
    await flow.approve("plan", by="bob")
    await flow.wait()


async def rerun(on: Scene, flow_id: str) -> None:
    """A failure that ends the flow, and a rerun that revives it in another run."""
    spec = FlowSpec(groups=(group("g", step("a"), step("b", fails=1), step("c")),))
    flow = await on.flows.start(spec, flow_id=flow_id)
    await flow.wait()
    await flow.retry("b", by="ann", request_id="again")
    await flow.until(lambda state: state.outcome is not None and state.run == 2)


async def parked(on: Scene, flow_id: str) -> None:
    """A failure that waits for people, a group retry, and a skip."""
    never = RetryPolicy(max_auto_retries=0)
    spec = FlowSpec(
        groups=(group("g", step("a"), step("b", fails=2, retry=never)), group("h", step("c"))),
        options=FlowOptions(on_failure="await-retry"),
    )
    flow = await on.flows.start(spec, flow_id=flow_id)
    await flow.until(lambda state: state.status == "failed-pending-retry")
    await flow.retry_group("g", by="ann")
    await flow.until(lambda state: state.status == "failed-pending-retry")
    await flow.skip("b", by="ann")
    await flow.wait()


async def held(on: Scene, flow_id: str) -> None:
    """Pause by a signal, resume, append, and a change of the approval option."""
    spec = FlowSpec(groups=(group("g", step("a", approval=GATE)), group("h", step("b"))))
    flow = await on.flows.start(spec, flow_id=flow_id)
    await flow.until(asks)
    handle = on.client.get_workflow_handle(flow_id)
    await handle.signal("tell", encode_event(PauseRequested(at_ms=0, by="ann")))
    await flow.until(lambda state: state.paused)
    await flow.append((group("i", step("c")),), by="ann")
    await flow.set_approval_option("approve-all", by="ann")
    await flow.resume(by="ann")
    await flow.wait()


async def cancelled(on: Scene, flow_id: str) -> None:
    """A cancel by people, while work goes on."""
    spec = FlowSpec(groups=(group("g", step("a", wait_s=30)), group("h", step("b"))))
    flow = await on.flows.start(spec, flow_id=flow_id)
    await flow.until(lambda state: bool(state.active))
    await flow.cancel(by="ann", reason="wrong day")
    await flow.wait()


async def cancelled_in_temporal(on: Scene, flow_id: str) -> None:
    """A cancel of the workflow itself."""
    spec = FlowSpec(groups=(group("g", step("a", approval=GATE)),))
    flow = await on.flows.start(spec, flow_id=flow_id)
    await flow.until(asks)
    await on.client.get_workflow_handle(flow_id).cancel()
    await flow.wait()


async def too_late(on: Scene, flow_id: str) -> None:
    """Work and an approval that take too long."""
    spec = FlowSpec(
        groups=(
            group("g", step("a", wait_s=30, timeout_ms=100, skip_on_failure=True)),
            group("h", step("b", approval=ApprovalSpec(timeout_ms=100))),
        )
    )
    await (await on.flows.start(spec, flow_id=flow_id)).wait()


async def generated(on: Scene, flow_id: str) -> None:
    """Groups that a generator makes."""
    await (await on.flows.start(FlowSpec(type="made"), flow_id=flow_id)).wait()


async def fresh_histories(on: Scene, flow_id: str) -> None:
    """A fresh history after each group, with a timer that is carried over."""
    spec = FlowSpec(
        groups=tuple(group(f"g{n}", step(f"s{n}")) for n in range(4)),
        options=FlowOptions(continue_as_new_every=1),
    )
    await (await on.flows.start(spec, flow_id=flow_id)).wait()


async def many_at_once(on: Scene, flow_id: str) -> None:
    """More parallel work than is with Temporal at a time."""
    spec = FlowSpec(groups=(group("g", *(step(f"s{n}") for n in range(12)), parallel=True),))
    await (await on.flows.start(spec, flow_id=flow_id)).wait()


STORIES: Final[dict[str, tuple[Story, Settings]]] = {
    "release": (release, Settings()),
    "rerun": (rerun, Settings()),
    "parked": (parked, Settings()),
    "held": (held, Settings()),
    "cancelled": (cancelled, Settings()),
    "cancelled-in-temporal": (cancelled_in_temporal, Settings()),
    "too-late": (too_late, Settings()),
    "generated": (generated, Settings()),
    "fresh-histories": (fresh_histories, Settings()),
    "many-at-once": (many_at_once, Settings(max_in_flight=3)),
    "asked": (held, Settings(asks=True)),
    "local": (release, LOCAL),
    "children": (release, CHILDREN),
    "children-parked": (parked, CHILDREN),
    "children-rerun": (rerun, CHILDREN),
    "children-cancelled": (cancelled, CHILDREN),
}


async def record(name: str, url: str, folder: Path) -> None:
    """Play a story, and keep and pin the histories of its runs with its log."""
    story, settings = STORIES[name]
    on = await scene(url, settings=settings)
    async with on.worker({"work": work}, generators={"made": generate}, max_cached_workflows=2):
        await story(on, name)
        lines = await on.flows.log(name)
    runs = [each.run_id async for each in on.flows.histories(name)][::-1]
    histories = [await history_of(on, name, run_id) for run_id in runs]
    groups = [await history_of(on, child) for history in histories for child in children(history)]
    write(folder / f"{name}.json", as_json(histories))
    if groups:
        write(folder / f"{name}.groups.json", as_json(groups))
    write(folder / f"{name}.jsonl", "".join(lines))


async def history_of(on: Scene, workflow_id: str, run_id: str | None = None) -> dict[str, Any]:
    """The history of a run, without what it says of the machine that recorded it."""
    handle = on.client.get_workflow_handle(workflow_id, run_id=run_id)
    cleaned: dict[str, Any] = clean((await handle.fetch_history()).to_json_dict())
    return cleaned


def clean(data: Any) -> Any:
    """What does not name a host, a process or a file."""
    if isinstance(data, list):
        return [clean(each) for each in data]
    if not isinstance(data, dict):
        return data
    hidden = {"identity": "recorder", "stackTrace": ""}
    if data.get("kind") == "TASK_QUEUE_KIND_STICKY":
        hidden["name"] = "recorder"
    return {key: hidden.get(key, clean(value)) for key, value in data.items()}


def children(history: Any) -> list[str]:
    """The workflows of the groups that a flow handed over."""
    key = "startChildWorkflowExecutionInitiatedEventAttributes"
    return [event[key]["workflowId"] for event in history["events"] if key in event]


def as_json(histories: list[dict[str, Any]]) -> str:
    """Histories as the text of a file."""
    return json.dumps(histories, indent=1) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file that is not there yet, and add it to the manifest."""
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    pin(path)


def main(folder: Path) -> None:
    """Record what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with Temporal() as server:
        for name in STORIES:
            if not (folder / f"{name}.json").exists():
                run(record(name, server.url, folder))
                print(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
