"""A store with a worker, and a server of its pages: what the tests of `conductor ui` look at.

Rule: the worker and the server are two hosts of one file, as in two processes; each has a loop in
a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from conductor_adapters.sqlite import SqliteClient, SqliteHost
from conductor_adapters.ui.server import Patience
from conductor_adapters.ui.serving import serving
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from tests.adapters.processes import PATIENCE_S

T = TypeVar("T")

TOKEN: Final = "a token that nobody guesses"
PLAN: Final = """\
Actions are indicated with the following symbols:
  + create    ~ update in place    - destroy

  # network.main will be updated in place
  ~ network "main" {
      ~ cidr   = "10.0.0.0/16" -> "10.1.0.0/16"
        zones  = 3
    }

  # server.web[2] will be created
  + server "web" {
      + image  = "web-2026.11"
      + size   = "large"
      + zone   = "eu-1c"
    }

  # server.old will be destroyed
  - server "old" {
      - image  = "web-2024.02"
      - size   = "small"
    }

""" + "".join(f"  # dns.record[{n}] will be read during apply\n" for n in range(1, 13)) + """
Plan: 1 to add, 1 to change, 1 to destroy.
"""  # fmt: skip
HOSTILE: Final = (
    '<img src="x" onerror="window.broken = true">',
    "</script><script>window.broken = true</script>",
    "\u2028\u202e\x1b[31m'\"`${window.broken = true}",
)


def plan(_context: StepContext) -> StepResult:
    """Plan a change."""
    return StepResult(output={"plan": PLAN, "changes": {"add": 1}}, subject="sha256:4f1c9be0")


def hostile(_context: StepContext) -> StepResult:
    """Plan what would break a page that takes it for markup."""
    output = {HOSTILE[0]: HOSTILE[1], "list": list(HOSTILE)}
    return StepResult(output=output, subject=HOSTILE[0])


async def apply(_context: StepContext) -> dict[str, int]:
    """Carry it out."""
    await asyncio.sleep(0.05)
    return {"applied": 3}


def fail(_context: StepContext) -> None:
    """Fail."""
    raise StepFailure("the quota of 8 servers is used up", type="quota")


HANDLERS: Final[dict[str, Any]] = {
    "plan": plan,
    "hostile": hostile,
    "apply": apply,
    "fail": fail,
}


def step(key: str, name: str | None = None, work: str = "apply", **more: Any) -> StepSpec:
    """A step, and the handler that does it."""
    return StepSpec(key=key, name=name, work=work, **more)


DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[
        GroupSpec(
            key="network",
            steps=[
                step("plan", "What would change, and where", "plan", approval=ApprovalSpec()),
                step("apply", "Change the network", needs=["plan"]),
            ],
        ),
        GroupSpec(
            key="services",
            parallel=True,
            steps=[step("api", "Roll out the API"), step("web", "Roll out the site")],
        ),
        GroupSpec(key="check", steps=[step("smoke", "Ask both how they are", needs=["api"])]),
    ],
)
PARKS: Final = FlowSpec(
    type="deploy",
    groups=[GroupSpec(key="g", steps=[step("fail", "Add servers", "fail"), step("apply")])],
    options=FlowOptions(on_failure="await-retry"),
)
WILD: Final = FlowSpec(
    type=HOSTILE[0],
    groups=[
        GroupSpec(
            key="toString",
            name=HOSTILE[1],
            steps=[
                step("constructor", HOSTILE[0], "hostile", approval=ApprovalSpec()),
                step("apply", HOSTILE[2]),
            ],
        )
    ],
)
BACKS_OFF: Final = FlowSpec(
    type="nightly",
    groups=[
        GroupSpec(
            key="g",
            steps=[
                step("sync", "Copy the archive", "fail",
                     retry=RetryPolicy(max_auto_retries=1, backoff_ms=[3_600_000], jitter=False)),
            ],
        )
    ],
)  # fmt: skip


class Loop:
    """A loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def end(self) -> None:
        """Run no more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


class Stage:
    """A store with a worker, and perhaps a server."""

    def __init__(self, path: Path, handlers: Mapping[str, Any] = HANDLERS) -> None:
        self.path = path
        self._works, self._serves = Loop(), Loop()
        self.host = SqliteHost(handlers, path=path, poll_s=0.02, synchronous="NORMAL")
        self._works.do(self.host.open())

    def start(self, spec: FlowSpec, flow_id: str, until: str | None = None) -> None:
        """Start a flow, and wait until it has a status."""

        async def script() -> None:
            flow = await self.host.start(spec, flow_id=flow_id)
            await flow.until(lambda state: until is None or state.status == until)

        self._works.do(script())

    def state(self, flow_id: str) -> FlowState:
        """Where a flow is."""

        async def script() -> FlowState:
            return (await self.host.flow(flow_id)).state

        return self._works.do(script())

    def ask(self, flow_id: str, verb: str, *about: str, **rest: Any) -> None:
        """Ask something of a flow, elsewhere."""

        async def script() -> None:
            await getattr(await self.host.flow(flow_id), verb)(*about, by="bo", **rest)

        self._works.do(script())

    @contextmanager
    def served(
        self,
        *,
        token: str | None = TOKEN,
        port: int = 0,
        by: str = "",
        patience: Patience | None = None,
    ) -> Generator[str]:
        """Serve the store; gives the address."""
        client = SqliteClient(self.path)
        whole = serving(
            client, store=self.path.name, token=token, port=port, by=by, patience=patience
        )
        url = self._serves.do(whole.__aenter__())
        try:
            yield url
        finally:
            self._serves.do(whole.__aexit__(None, None, None))
            self._serves.do(client.close())

    def end(self) -> None:
        """Work no more."""
        self._works.do(self.host.close())
        self._works.end()
        self._serves.end()


@contextmanager
def stage(path: Path) -> Generator[Stage]:
    """A store with a worker, for as long as a `with` takes."""
    made = Stage(path)
    try:
        yield made
    finally:
        made.end()
