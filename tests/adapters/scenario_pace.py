"""How fast the time of a scenario passes where it passes by itself, and who cannot stand that.

Rule: which scenarios a host without a virtual clock does not play is said here and nowhere else,
by what happens when they are played on the reducer.

Time is lazy there: what is waited for is only that a timer fires, or that a plan gets old. All
else happens at once, and a timer that is still to come must not fire meanwhile. So each scenario
has a pace, by which all its times are multiplied: slow enough for what happens while a timer is
open, and quick enough for whoever waits for the timer.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final, Literal, TypeAlias, TypeVar

import attrs
from attrs import evolve, frozen

from conductor_core.commands import RequestApproval
from conductor_core.events import ContinuedAsNew, Event, RerunRequested, TimerFired
from conductor_core.payload import Payload
from conductor_core.testing.scenario_play import play_scenario, play_world
from conductor_core.testing.scenario_world import World
from conductor_core.testing.scenarios import Action, Scenario, Send, StayPending
from conductor_core.verdicts import Accepted, Verdict

T = TypeVar("T")

Reason: TypeAlias = Literal["does not start", "stays between incarnations", "needs a virtual clock"]
"""Why a scenario is left out.

`does not start`: a host starts every flow. `stays between incarnations`: a host that continues as
new has done so before anybody can act. `needs a virtual clock`: what it waits for takes too long
as soon as what it does meanwhile has time enough, or what is due at one moment comes in an order.
"""

LONGEST_MS: Final = 4_000
"""So long a scenario may wait in all."""
MARGIN_MS: Final = 1_000
"""So much time there is at least for what happens while a timer is open."""
COMFORT_MS: Final = 60_000
"""So much time is enough for it."""
QUICK_MS: Final = 100
"""So long a scenario waits that does nothing meanwhile."""
AGE: Final = "age:"
"""Begins the ids of timers that no flow knows: one fires when a plan gets too old to apply."""


@frozen(kw_only=True)
class Paced:
    """A scenario that can be played, under a flow id of its own; `pace` multiplies its times."""

    scenario: Scenario
    pace: float


class LeftOut(Exception):
    """A scenario cannot be played."""

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(reason)


class AgingWorld(World):
    """A world that knows what time alone brings about: a timer fires, or a plan gets old."""

    def send(self, event: Event) -> Verdict:
        """Send an event; what only tells the age of a plan is not sent."""
        if isinstance(event, TimerFired) and event.timer.startswith(AGE):
            self.age(event.timer)
            del self.timers[event.timer]
            return Accepted()
        before = len(self.emitted)
        verdict = super().send(event)
        for command in self.emitted[before:]:
            if isinstance(command, RequestApproval):
                self._ask(command.attempt)
        return verdict

    def _ask(self, attempt: str) -> None:
        stale_after_ms = self.stale_after_ms(attempt)
        if stale_after_ms is not None:
            self.timers[AGE + attempt] = self.now_ms + stale_after_ms + 1

    def stale_after_ms(self, attempt: str) -> int | None:
        """How old the plan of an attempt may get."""
        position = self.state.position_of(attempt)
        assert position is not None, f"{attempt!r} asks and has no position"
        approval = self.state.catalog.steps[position].approval
        return None if approval is None else approval.stale_after_ms

    def age(self, timer: str) -> None:
        """A plan gets old."""

    def is_due(self, event: Event) -> bool:
        """Whether an event is a timer that fires by itself, and not by hand."""
        if not isinstance(event, TimerFired):
            return False
        due_at_ms = self.timers.get(event.timer)
        return due_at_ms is not None and due_at_ms <= self.now_ms

    def continues(self, event: Event) -> bool:
        """Whether an event is the answer to a continue-as-new that was commanded."""
        state = self.state
        answers = isinstance(event, ContinuedAsNew) and event.incarnation == state.incarnation
        return answers and state.continuing


class Course(AgingWorld):
    """Plays a scenario on lazy time, and takes note of how much time it leaves.

    `waited_ms` is the lazy time, `rings` when timers fire by it, and `shortest_ms` how long before
    that something else happened, at the least.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.waited_ms = 0
        self.rings: dict[str, tuple[int, int]] = {}
        self.shortest_ms: int | None = None

    def send(self, event: Event) -> Verdict:
        """Send an event at its lazy time."""
        if self.state.continuing and not self.continues(event):
            raise LeftOut("stays between incarnations")
        if self.is_due(event):
            assert isinstance(event, TimerFired), "only timers are due"
            self._wait(event.timer)
            self._leave_time(but_for=event.timer)
        else:
            # A timer that is fired by hand must not have fired by itself before.
            self._leave_time()
        verdict = super().send(event)
        self._set()
        return verdict

    def copy_state(self) -> bool:
        """Look at the state, which takes its time."""
        self._leave_time()
        return super().copy_state()

    def _wait(self, timer: str) -> None:
        _, rings_ms = self.rings[timer]
        self.waited_ms = max(self.waited_ms, rings_ms)

    def age(self, timer: str) -> None:
        """A plan gets old: its whole time is slept through."""
        stale_after_ms = self.stale_after_ms(timer.removeprefix(AGE))
        self.waited_ms += 0 if stale_after_ms is None else stale_after_ms + 1

    def _leave_time(self, *, but_for: str | None = None) -> None:
        for timer, (_, rings_ms) in self.rings.items():
            if timer != but_for:
                left_ms = rings_ms - self.waited_ms
                self.shortest_ms = (
                    left_ms if self.shortest_ms is None else min(left_ms, self.shortest_ms)
                )

    def _set(self) -> None:
        """Set the timers that are new, and forget those that are gone."""
        for timer, due_at_ms in self.timers.items():
            known = self.rings.get(timer)
            if known is None or known[0] != due_at_ms:
                rings_ms = self.waited_ms + due_at_ms - self.now_ms
                self.rings[timer] = due_at_ms, rings_ms
        open_approvals = {AGE + attempt.id for attempt in self.state.open_approvals()}
        for timer in tuple(self.rings):
            if timer not in self.timers or (timer.startswith(AGE) and timer not in open_approvals):
                del self.rings[timer]

    @property
    def pace(self) -> float:
        """How many real milliseconds a virtual one takes; raises LeftOut where none will do."""
        if self.shortest_ms is None:
            return QUICK_MS / self.waited_ms if self.waited_ms else 1.0
        pace = COMFORT_MS / max(self.shortest_ms, 1)
        if self.waited_ms:
            pace = min(pace, LONGEST_MS / self.waited_ms)
        if self.shortest_ms * pace < MARGIN_MS:
            raise LeftOut("needs a virtual clock")
        return pace


def paced(scenario: Scenario, stem: str) -> Paced:
    """How a scenario is played; raises LeftOut."""
    if any(isinstance(action.deed, StayPending) for action in scenario.do):
        raise LeftOut("does not start")
    course = Course(_under_own_id(scenario, stem))
    play_world(course)
    if course.state.continuing:
        raise LeftOut("stays between incarnations")
    return Paced(scenario=course.scenario, pace=course.pace)


def _under_own_id(scenario: Scenario, stem: str) -> Scenario:
    """The same scenario under a flow id by which it comes out the same: jitter goes by ids."""
    ids = (stem if number == 0 else f"{stem}-{number}" for number in count())
    renamed = (_renamed(scenario, flow_id) for flow_id in ids)
    return next(it for it in renamed if not play_scenario(it))


def _renamed(scenario: Scenario, flow_id: str) -> Scenario:
    def renamed(action: Action) -> Action:
        match action.deed:
            case Send(event=RerunRequested(flow_id=of) as event) if of == scenario.flow_id:
                return evolve(action, deed=Send(event=evolve(event, flow_id=flow_id)))
            case _:
                return action

    return evolve(scenario, flow_id=flow_id, do=tuple(map(renamed, scenario.do)))


def slowed(value: T, pace: float) -> T:
    """A flow, or an event, with all its times multiplied."""
    return value if pace == 1 else _slowed(value, pace)


def _slowed(value: Any, pace: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_slowed(item, pace) for item in value)
    if not attrs.has(type(value)) or isinstance(value, Payload):
        return value
    fields = {it.name: getattr(value, it.name) for it in attrs.fields(type(value)) if it.init}
    return evolve(value, **{
        name: _longer(it, pace) if name.endswith("_ms") else _slowed(it, pace)
        for name, it in fields.items()
    })  # fmt: skip


def _longer(ms: Any, pace: float) -> Any:
    """A time, or times; none becomes nothing that was something."""
    if isinstance(ms, tuple):
        return tuple(_longer(it, pace) for it in ms)
    return max(1, round(ms * pace)) if ms else ms
