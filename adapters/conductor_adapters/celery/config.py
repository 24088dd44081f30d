"""What the parts of a host on Celery have in common; each process makes its own of the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from conductor_adapters.celery.measures import Measures
from conductor_adapters.clock import Clock
from conductor_adapters.local import Asker
from conductor_adapters.observing import Observer
from conductor_adapters.routes import Routes
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Store
from conductor_adapters.workers import Workers

KINDS: Final = (STEP, GENERATE, ASK)


@frozen(kw_only=True)
class Config:
    """How a host on Celery works; see `ConductorApp` for what each is for."""

    name: str
    open_store: Callable[[], Store]
    workers: Workers
    routes: Routes
    ask: Asker | None
    clock: Clock
    lease_ms: int
    poll_s: float
    max_deliveries: int
    terminate_after_s: float | None
    snapshot_every: int
    observe: Observer | None
    measures: Measures

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of orders that are sent; nobody need be told what people are asked."""
        return KINDS if self.ask is not None else (STEP, GENERATE)

    def task_name(self, kind: str) -> str:
        """The name of the task that carries out orders of a kind."""
        return f"{self.name}.{kind}"

    def does(self, kind: str, work: str) -> bool:
        """Whether work is known here."""
        if kind == STEP:
            return work in self.workers.handlers
        return kind == ASK or work in self.workers.generators
