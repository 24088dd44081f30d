"""Events that must not count, and a reducer that listens to them."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core import legality as legality_module
from conductor_core.checking import Alphabet, check
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.checking.strays import UNHEARD, strays
from conductor_core.testing.brief import START, failed, flow, group
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, TOGETHER, plan

STRAY: Final = Alphabet(endings=(OK, FAIL), starts=True, suggestions=1, strays=True)
TIMED: Final = flow(
    group("g", plan(approval=ApprovalSpec(timeout_ms=5)), StepSpec(key="a", timeout_ms=3)),
    options=FlowOptions(continue_as_new_every=1),
)


@pytest.mark.parametrize(
    "spec",
    [
        DEPLOY,
        TIMED,
        flow(),
        flow(group("g", StepSpec(key="a", retry=ONCE)), options=AWAIT_RETRY),
        flow(group("g", StepSpec(key="a", retry=TOGETHER), "b", parallel=True)),
    ],
    ids=["deploy", "timed", "generated", "parked", "retried together"],
)
def test_strays_lead_nowhere(spec: FlowSpec) -> None:
    """A search with strays finds as many states and transitions as one without."""
    calm = Alphabet(endings=(OK, FAIL), starts=True, suggestions=1)
    plain, stray = check(spec, alphabet=calm), check(spec, UNHEARD, alphabet=STRAY)
    assert (plain.states, plain.transitions) == (stray.states, stray.transitions)
    assert stray.is_good


def test_a_host_that_is_late_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """If timers counted that are not open, the first stray one would show it."""
    monkeypatch.setattr(
        legality_module, "is_open_timer", lambda state, timer: timer.startswith("backoff:plan")
    )
    finding = check(DEPLOY, UNHEARD, alphabet=STRAY, theorems=(), max_states=50).findings[0]
    assert finding.found == "violated"
    assert finding.story is not None
    assert str(finding.story).splitlines()[-1] == "timer backoff:plan#1 fired"


def test_every_stray_is_refused_where_work_has_begun() -> None:
    """A second report of a start is one of them."""
    started = events.StepStarted(at_ms=0, attempt="plan#1")
    state = initial_state(DEPLOY, "flow")
    for event in (START, started):
        state = reduce(state, event).state
    assert started in list(strays(state))
    assert all(reduce(state, event).state is state for event in strays(state))


def test_a_late_timer_of_a_group_is_a_stray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait before a group is retried is over once, and not before it begins."""
    spec = flow(group("g", StepSpec(key="a", retry=TOGETHER)))
    monkeypatch.setattr(legality_module, "is_open_timer", lambda state, timer: "@" in timer)
    finding = check(spec, UNHEARD, alphabet=STRAY, theorems=(), max_states=50).findings[0]
    assert finding.found == "violated"


def test_the_wait_that_a_group_is_in_is_no_stray() -> None:
    """Its timer is open, those of earlier and other generations are not."""
    spec = flow(group("g", StepSpec(key="a", retry=evolve(TOGETHER, backoff_ms=(5,)))))
    state = initial_state(spec, "flow")
    for event in (START, failed("a#1")):
        state = reduce(state, event).state
    assert state.wait_timer == "backoff:g@1"
    timers = {event.timer for event in strays(state) if isinstance(event, events.TimerFired)}
    assert {timer for timer in timers if "@" in timer} == {"backoff:g@0"}
