"""A flow from its start to its end, one statement of its store after the other.

Rule: whoever leads a flow does what a worker and a patient person do, in one thread and by
clocks that it sets itself, so that the same life has the same statements. What it was told is
for good it writes down, so that whoever comes after its death can compare.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import define, field

from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Key
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    StepSpec,
    events,
    initial_state,
)
from conductor_core.events import Event
from conductor_core.spec import GroupSpec, RetryPolicy
from conductor_core.testing.brief import group
from conductor_core.verdicts import Accepted
from tests.adapters.ledgers import LEASE_MS, Clocks, Hand, ended, worker

T = TypeVar("T")

LIFE = FlowSpec(type="made", options=FlowOptions(continue_as_new_every=1))
"""A generator makes its groups, and it continues as new after each of them."""
AGAIN = RetryPolicy(max_auto_retries=9, backoff_ms=(20,))
GROUPS: tuple[GroupSpec, ...] = (
    group(
        "work",
        StepSpec(key="a", timeout_ms=60_000),
        StepSpec(
            key="once", on_recovery="fail", skip_on_failure=True,
            retry=RetryPolicy(max_auto_retries=0),
        ),
        StepSpec(key="fails", retry=AGAIN),
        StepSpec(key="late", timeout_ms=50, retry=AGAIN),
        parallel=True,
    ),
    group("ask", StepSpec(key="plan", approval=ApprovalSpec()), StepSpec(key="apply")),
    group("last", StepSpec(key="stuck", retry=RetryPolicy(max_auto_retries=0))),
)  # fmt: skip
WORKS = ("a", "once", "fails", "late", "plan", "apply", "stuck")
LONGEST = 200
"""So many deeds lead every life to its end."""
A_WHILE_MS = 100


def heir(path: Path, name: str, boots: int) -> Hand:
    """A worker that comes when the leases of those before it have run out."""
    clocks = Clocks()
    clocks.boot_ms = boots * 2 * LEASE_MS
    kinds = {STEP: list(WORKS), GENERATE: [LIFE.type], ASK: [""]}
    return worker(path, clocks, name, kinds=kinds, snapshot_every=5)


@define
class Leader:
    """Leads a flow to its end; where `cancels`, a person ends it in its middle.

    `taken` are the attempts that were handed out here; `told` gets a line for each of them, and
    for each end of work and each request of which the store said that it has it.
    """

    hand: Hand
    told: Path
    cancels: bool
    taken: list[str] = field(factory=list)
    _todo: list[Taken] = field(factory=list)
    _to_give_up: list[Key] = field(factory=list)

    def lead(self) -> FlowState:
        """Do what is to be done until the flow has ended and nothing more is asked of anybody."""
        self._do(lambda ledger: ledger.start(initial_state(LIFE, "f")))
        for _ in range(LONGEST):
            state = self._do(lambda ledger: ledger.look("f"))
            if self._todo:
                self._answer(self._todo.pop(0))
            elif self._to_give_up:
                self._give_up(self._to_give_up.pop(0))
            elif state.outcome is not None and state.outcome.status != "error":
                return state
            else:
                self._go_on(state)
        raise AssertionError(f"it has not ended after {LONGEST} deeds")

    def _do(self, act: Callable[[Ledger], T]) -> T:
        """Do something in a transaction, and take note of what it brought about."""
        done = self.hand.do(act)
        self._todo += self.hand.news.taken
        for taken in self.hand.news.taken:
            self.taken.append(taken.order.name)
            self._tell(f"took {taken.order.name}")
        self._to_give_up += self.hand.news.given_up
        return done

    def _answer(self, taken: Taken) -> None:
        """Do the work that was taken; `late` does not come to an end at its first attempt."""
        match taken.order.kind, taken.order.name:
            case "ask", _:
                self._do(lambda ledger: ledger.drop(taken.order.key, self._worker))
            case "generate", _:
                made = partial(events.GroupsGenerated, groups=GROUPS)
                self._do(lambda ledger: ledger.answer(taken.order.key, self._worker, made))
            case _, "late#1":
                pass
            case _, "fails#1" | "stuck#1" as name:
                self._finish(taken.order.key, ended(name, "failed"))
            case _, name:
                self._finish(taken.order.key, ended(name))

    def _give_up(self, key: Key) -> None:
        """Say that work has given up, which counts where the flow still waits for it."""
        gave_up = ended(key[2], "cancelled")
        self._do(lambda ledger: ledger.answer(key, self._worker, gave_up))

    def _finish(self, key: Key, what: Callable[..., Event]) -> None:
        """Say how work ended, and write down that it is kept."""
        if self._do(lambda ledger: ledger.answer(key, self._worker, what)):
            self._tell(key[2])

    @property
    def _worker(self) -> str:
        assert self.hand.leases is not None, "it works"
        return self.hand.leases.worker_id

    def _go_on(self, state: FlowState) -> None:
        """Do what a person does where something waits for one, or let some time go by."""
        if self.cancels and state.attempt("fails#2") is not None and state.cancellation is None:
            self._ask(events.CancelRequested)
        elif state.open_approvals():
            self._ask(events.ApprovalResponded, step="plan", response="approve")
        elif state.outcome is not None:
            self._ask(events.RerunRequested, flow_id="f", step_id="stuck", operation="retry-step")
        else:
            self.hand.clocks.day_ms += A_WHILE_MS
            leases = self.hand.leases
            assert leases is not None, "it works"
            self._do(lambda _: leases.look_around())

    def _ask(self, request: Callable[..., Event], **what: str) -> None:
        name = request.__name__
        asked = partial(request, by="ana", request_id=name, **what)
        assert self._do(lambda ledger: ledger.feed("f", asked)) == Accepted()
        self._tell(name)

    def _tell(self, name: str) -> None:
        with self.told.open("a") as lines:
            print(name, file=lines, flush=True)
