"""What the tests of the commands about a store share: flows in a file, and who works on them.

Rule: flows are brought where a test wants them by real hosts; commands run as from a shell.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_adapters.sqlite import SqliteClient, SqliteHost
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, FlowState, RetryPolicy, StepSpec
from conductor_core.events import PolicyReport
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import PATIENCE_S, play

T = TypeVar("T")

STORE: Final = "flows.db"
CONDUCTOR: Final = (
    *(sys.executable, "-c"),
    "from conductor_adapters.cli.main import main; main()",
)
FULL: Final = Path("/dev/full")
"""A device on which there is no room; Linux has it."""


def plan(_context: StepContext) -> StepResult:
    """Plan something."""
    return StepResult(output={"add": 3}, subject="3 servers")


def warned(_context: StepContext) -> StepResult:
    """Plan what a policy warns of, while another could not be evaluated."""
    found = PolicyReport(
        warn_violations=["port 22 is open to all"], passed_policy_ids=["size"], evaluated=False
    )
    return StepResult(output={"add": 3}, policy=found)


def long(_context: StepContext) -> StepResult:
    """Plan at length."""
    return StepResult(output={"text": "\n".join(f"line {n}" for n in range(15))})


async def nothing(_context: StepContext) -> None:
    """Do nothing."""


def fail(_context: StepContext) -> None:
    """Fail."""
    raise StepFailure("the quota is used up", type="quota")


HANDLERS: Final[dict[str, Any]] = {
    "plan": plan,
    "other": plan,
    "long": long,
    "warned": warned,
    "apply": nothing,
    "fail": fail,
}

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec())
ASKS: Final = flow(group("g", PLAN, "apply"))
ASKS_TWICE: Final = flow(
    group("g", PLAN, StepSpec(key="other", approval=ApprovalSpec()), parallel=True)
)
PARKS: Final = flow(group("g", "fail", "apply"), options=FlowOptions(on_failure="await-retry"))
FAILS: Final = flow(group("g", "fail"))
RUNS: Final = flow(group("g", "apply"))
WAITS_LONG: Final = flow(
    group(
        "g",
        StepSpec(key="fail", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[10**9])),
    )
)


# --- flows ---


def begun(spec: FlowSpec, *, flow_id: str = "deploy-1", until: str | None = None) -> None:
    """Begin a flow; with a status to wait for there is a worker until the flow has it."""

    async def script() -> None:
        handlers = {} if until is None else HANDLERS
        async with SqliteHost(handlers, path=STORE, poll_s=0.005, synchronous="NORMAL") as host:
            started = await host.start(spec, flow_id=flow_id)
            await started.until(lambda state: until is None or state.status == until)

    play(script())


def begun_to_back_off() -> None:
    """Begin a flow whose step waits for long until it is retried."""

    async def script() -> None:
        async with SqliteHost(HANDLERS, path=STORE, poll_s=0.005, synchronous="NORMAL") as host:
            started = await host.start(WAITS_LONG, flow_id="deploy-1")
            await started.until(lambda state: bool(state.waiting))

    play(script())


def asked(ask: Callable[[SqliteClient], Coroutine[Any, Any, T]]) -> T:
    """What a client has to say."""

    async def script() -> T:
        async with SqliteClient(STORE) as client:
            return await ask(client)

    return play(script())


def state_of(flow_id: str = "deploy-1") -> FlowState:
    """Where a flow is."""

    async def ask(client: SqliteClient) -> FlowState:
        return (await client.flow(flow_id)).state

    return asked(ask)


def lines_of(flow_id: str = "deploy-1") -> list[str]:
    """The log of a flow."""

    async def ask(client: SqliteClient) -> list[str]:
        return [*await (await client.flow(flow_id)).log()]

    return asked(ask)


def last_event(flow_id: str = "deploy-1") -> dict[str, Any]:
    """What happened last to a flow, without its time."""
    events = [json.loads(line).get("event") for line in lines_of(flow_id)]
    event: dict[str, Any] = [event for event in events if event is not None][-1]
    del event["at_ms"]
    return event


@contextmanager
def worker(handlers: Mapping[str, Any] = HANDLERS) -> Generator[Working]:
    """A worker in a thread of its own."""
    working = Working(handlers)
    try:
        yield working
    finally:
        working.end()


class Working:
    """A host that works, on a loop in a thread."""

    def __init__(self, handlers: Mapping[str, Any] = HANDLERS) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._host = SqliteHost(handlers, path=STORE, poll_s=0.005, synchronous="NORMAL")
        self.do(self._host.open())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def start(self, spec: FlowSpec, flow_id: str = "deploy-1") -> None:
        """Start a flow."""
        self.do(self._host.start(spec, flow_id=flow_id))

    def end(self) -> None:
        """Work no more."""
        self.do(self._host.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


# --- commands ---


def run(command: str, *arguments: str, store: str | None = STORE) -> Result:
    """Run a command; nothing but an exit may come out of it."""
    named = [] if store is None else ["--store", store]
    result = CliRunner().invoke(conductor, [command, *arguments, *named])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(command: str, *arguments: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it writes to both streams."""
    result = run(command, *arguments)
    return result.exit_code, result.stdout, result.stderr


def data_of(command: str, *arguments: str) -> Any:
    """What a command writes as JSON."""
    return json.loads(run(command, *arguments, "--json").stdout)


def write(name: str, text: str) -> Path:
    """Write a file into the current folder."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path
