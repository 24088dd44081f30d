"""Logs in which a failure is planted, and of which the least that shows it is known.

What fails is the last host of the last group, with two retries: a flow of that host alone shows
it in 6 events, and the whole flow in as many as it takes to get there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from attrs import evolve, frozen

from conductor_core import events, initial_state, reduce
from conductor_core.events import Event
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import START, failed, flow, group, succeeded

RETRIES: Final = 2
RETRY: Final = RetryPolicy(max_retries=RETRIES, max_auto_retries=RETRIES, backoff_ms=(1000,))
LEAST: Final = 6
"""The start, three failures, and two timers between them."""
NOISE: Final = (
    events.PauseRequested(at_ms=0, by="bo"),
    events.ResumeRequested(at_ms=0, by="bo"),
    events.StepStarted(at_ms=0, attempt="plan-0#1"),
    events.TimerFired(at_ms=0, timer="timeout:nothing#1"),
)
"""What people press, and what hosts say that means nothing."""


@frozen
class Planted:
    """So many groups of so many hosts, each behind a plan, in a log of so many events."""

    groups: int
    hosts: int
    events: int

    @property
    def culprit(self) -> str:
        """The host that fails for good."""
        return f"host-{self.groups - 1}-{self.hosts - 1}"

    @property
    def least_of_flow(self) -> int:
        """The start, the plans and their approvals, all hosts but one, and the failures of that."""
        return self.groups * (2 + self.hosts) - 1 + LEAST

    def spec(self) -> FlowSpec:
        """Plans, and then hosts at once, again and again."""
        return flow(*(part for number in range(self.groups) for part in self._parts(number)))

    def story(self) -> tuple[Event, ...]:
        """Every fifth host is shaky, people press what they can; in the end one host fails."""
        told: list[Event] = []
        state = initial_state(self.spec(), "planted")
        for number, event in enumerate(self._with_noise()):
            due_ms = dict(state.timers()).get(getattr(event, "timer", ""), 0)
            last_ms = told[-1].at_ms if told else 0
            told.append(evolve(event, at_ms=max(7 * number, due_ms, last_ms)))
            state = reduce(state, told[-1]).state
        return tuple(told)

    def _parts(self, number: int) -> Iterator[GroupSpec]:
        plan = StepSpec(key=f"plan-{number}", approval=ApprovalSpec(), input={"number": number})
        keys = [f"host-{number}-{host}" for host in range(self.hosts)]
        hosts = [StepSpec(key=key, retry=RETRY, metadata={"of": key}) for key in keys]
        yield group(f"p-{number}", plan)
        yield group(f"g-{number}", *hosts, parallel=True)

    def _with_noise(self) -> Iterator[Event]:
        """The plot, with as much in between as there is room for; the end is that of the plot."""
        plot = list(self._plot())
        noise = cycle(NOISE)
        for number, event in enumerate(plot):
            before, after = (
                (self.events - len(plot)) * n // len(plot) for n in (number, number + 1)
            )
            yield from islice(noise, after - before)
            yield event

    def _plot(self) -> Iterator[Event]:
        """What moves the flow on."""
        yield START
        for number in range(self.groups):
            plan, subject = f"plan-{number}", f"sha256:{number}"
            yield succeeded(f"{plan}#1", subject=subject, output={"changes": number})
            yield events.ApprovalResponded(
                at_ms=0, step=plan, response="approve", by="ann", subject=subject
            )
            for host in range(self.hosts):
                yield from self._host(f"host-{number}-{host}", shaky=host % 5 == 0)
        for n in range(1, RETRIES + 2):
            yield failed(f"{self.culprit}#{n}")
            if n <= RETRIES:
                yield events.TimerFired(at_ms=0, timer=f"backoff:{self.culprit}#{n + 1}")

    def _host(self, key: str, *, shaky: bool) -> Iterator[Event]:
        """One host: it starts, perhaps fails once, and succeeds; the culprit's turn comes last."""
        yield events.StepStarted(at_ms=0, attempt=f"{key}#1")
        if key == self.culprit:
            return
        if shaky:
            yield failed(f"{key}#1")
            yield events.TimerFired(at_ms=0, timer=f"backoff:{key}#2")
        yield succeeded(f"{key}#{2 if shaky else 1}", output={"host": key})


LARGE: Final = Planted(groups=8, hosts=40, events=2_000)
SMALL: Final = Planted(groups=2, hosts=10, events=300)
