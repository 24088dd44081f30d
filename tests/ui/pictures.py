"""The story that the pictures of `conductor ui` show: a rollout that asks for a second approval.

Rule: everything happened, in a real store; only the times are those of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowSpec, GroupSpec, RetryPolicy
from tests.ui.stage import DEPLOY, HANDLERS, PARKS, Stage, step
from tests.ui.visiting import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZE: Final = {"width": 1320, "height": 820}
MIGRATION: Final = """\
Migrations to apply to orders, 14.2 GB:

  0412_add_region
    + ALTER TABLE orders ADD COLUMN region text;
    + CREATE INDEX CONCURRENTLY orders_region ON orders (region);
  0413_narrow_state
    ~ ALTER TABLE orders ALTER COLUMN state TYPE order_state;
  0414_drop_legacy
    - ALTER TABLE orders DROP COLUMN legacy_total;

Rewrites 1 table: about 4 min, writes wait for it.
"""


def migration(_context: StepContext) -> StepResult:
    """Plan a migration."""
    return StepResult(output={"plan": MIGRATION, "locks": "orders"}, subject="sha256:9d2c41a7")


def shaky(context: StepContext) -> None:
    """Fail the first time."""
    if context.attempt.endswith("#1"):
        raise StepFailure("one of 3 replicas is not ready", type="rollout")


RELEASE: Final = FlowSpec(
    type="rollout",
    groups=[
        GroupSpec(
            key="network",
            steps=[
                step("plan", "What would change in the network", "plan", approval=ApprovalSpec()),
                step("apply", "Change the network", needs=["plan"]),
            ],
        ),
        GroupSpec(
            key="services",
            parallel=True,
            steps=[
                step("api", "Roll out the API"),
                step("web", "Roll out the site", "shaky",
                     retry=RetryPolicy(max_auto_retries=1, backoff_ms=[20], jitter=False)),
            ],
        ),
        GroupSpec(
            key="database",
            steps=[
                step("schema", "What the migrations would do", "migration",
                     approval=ApprovalSpec(required=2, approvers=["ana", "bo", "cy"])),
                step("migrate", "Migrate", needs=["schema"]),
            ],
        ),
        GroupSpec(key="check", steps=[step("smoke", "Place an order", needs=["api", "migrate"])]),
    ],
)  # fmt: skip


@contextmanager
def told() -> Generator[str]:
    """Serve a store in which all of it happened."""
    handlers: dict[str, Any] = {**HANDLERS, "migration": migration, "shaky": shaky}
    with TemporaryDirectory() as folder:
        stage = Stage(Path(folder) / "flows.db", handlers)
        try:
            for n in range(31, 47):
                stage.start(DEPLOY, f"deploy-{n}", "approval-awaiting")
                if n % 8 != 4:
                    stage.ask(f"deploy-{n}", "deny" if n % 7 == 0 else "approve", "plan")
            stage.start(PARKS, "scale-12", "failed-pending-retry")
            stage.start(RELEASE, "rollout-2026.11", "approval-awaiting")
            stage.ask("rollout-2026.11", "approve", "plan", note="as discussed")
            while not stage.state("rollout-2026.11").open_approvals():
                time.sleep(0.05)
            stage.ask("rollout-2026.11", "approve", "schema")
            with stage.served(by="ana") as url:
                yield url
        finally:
            stage.end()


def take(browser: Browser, folder: Path) -> None:
    """Take the list of flows and the page of one, in light and in dark."""
    with told() as url:
        visitor = Visitor(browser, url)
        for scheme in ("light", "dark"):
            look: dict[str, Any] = {"color_scheme": scheme, "viewport": SIZE}
            with visitor.at("flows/rollout-2026.11", **look) as shown:
                shown.locator(".card").wait_for()
                shown.wait_for_timeout(800)
                shown.screenshot(path=folder / f"ui-{scheme}.png")
            with visitor.at(**look) as shown:
                shown.get_by_text("schema#1: 1 of 2 approvals").wait_for()
                shown.wait_for_timeout(400)
                shown.screenshot(path=folder / f"ui-flows-{scheme}.png")
