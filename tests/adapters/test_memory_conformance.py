"""The memory host does what every host must; what breaks it is named."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from typing import TypeVar

import pytest

from conductor_adapters import memory
from conductor_core.events import Event, FlowStarted, StepFinished, is_request
from conductor_core.log import Entry, read_log
from conductor_core.state import FlowState
from conductor_core.testing.conformance import (
    Breakage,
    Case,
    Nonconformity,
    Weather,
    Worker,
    cases,
    conforms,
    weathers,
)
from conductor_core.testing.conformance.breakages import Breach
from conductor_core.verdicts import Accepted, Ignored, Verdict
from tests.adapters import broken_hosts, broken_hosts_recovering, broken_hosts_telling
from tests.adapters.broken_hosts import BrokenRig, Misdeed
from tests.adapters.broken_hosts_recovering import HARMLESS
from tests.adapters.rigs import (
    AcceptedOnlyRig,
    ClosedRig,
    FileRig,
    MemoryRig,
    QueueRig,
    ThreadRig,
    VirtualRig,
)

IMPATIENT_S = 0.4
MISDEEDS = (
    *broken_hosts.MISDEEDS,
    *broken_hosts_recovering.MISDEEDS,
    *broken_hosts_telling.MISDEEDS,
)


@pytest.mark.parametrize("weather", weathers(), ids=str)
@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_memory_host_conforms(case: Case, weather: Weather) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    asyncio.run(conforms(MemoryRig, case, weather))


@pytest.mark.parametrize("weather", [Weather.CALM, Weather.DELAYED, Weather.LOST], ids=str)
def test_it_conforms_when_work_runs_in_threads(weather: Weather) -> None:
    """Threads cannot be interrupted, and do no harm when their host is gone."""
    asyncio.run(all_cases(ThreadRig, weather))


@pytest.mark.parametrize("weather", [Weather.DUPLICATED, Weather.CRASHING], ids=str)
def test_it_conforms_in_virtual_time(weather: Weather) -> None:
    """Where time is moved by hand, timers fire when it has been moved far enough."""
    asyncio.run(all_cases(VirtualRig, weather))


async def all_cases(rig: type[MemoryRig], weather: Weather) -> None:
    """Play every case with a rig."""
    for case in cases():
        await conforms(rig, case, weather)


def case_named(name: str) -> Case:
    """A case of the kit."""
    return next(case for case in cases() if case.name == name)


R = TypeVar("R", bound=MemoryRig)


def played(name: str, weather: Weather) -> MemoryRig:
    """The rig of the memory host, after a case."""
    return played_with(MemoryRig, name, weather)


def played_with(kind: type[R], name: str, weather: Weather) -> R:
    """A rig, after a case."""
    rigs: list[R] = []

    def rig_of(worker: Worker) -> R:
        rigs.append(kind(worker))
        return rigs[0]

    asyncio.run(conforms(rig_of, case_named(name), weather))
    return rigs[0]


def entries_of(rig: MemoryRig) -> list[Entry]:
    """What the host logged."""
    return [line for line in read_log(rig.lines.lines) if isinstance(line, Entry)]


# --- the weather ---


def test_duplicates_are_really_delivered() -> None:
    """In duplicated weather every fact that counted stands in the log again, and was ignored."""
    entries = entries_of(played("step-retry", Weather.DUPLICATED))
    facts = [entry for entry in entries if not is_request(entry.event)]
    counted = {about(entry.event) for entry in facts if entry.verdict == Accepted()}
    ignored = {about(entry.event) for entry in facts if isinstance(entry.verdict, Ignored)}
    assert counted == ignored
    assert ("TimerFired", "backoff:b#2") in counted


def about(event: Event) -> tuple[str, object]:
    """The kind of an event and what it is about."""
    return type(event).__name__, getattr(event, "attempt", getattr(event, "timer", None))


def test_requests_are_really_sent_twice() -> None:
    """In duplicated weather the second of two equal requests is taken for what it is."""
    entries = entries_of(played("denied", Weather.DUPLICATED))
    verdicts = [str(entry.verdict) for entry in entries if is_request(entry.event)]
    assert verdicts == ["accepted", "ignored(duplicate-request)"]


def test_answers_really_come_late() -> None:
    """In delayed weather work that timed out succeeds when nobody waits for it any more."""
    entries = entries_of(played("timeout", Weather.DELAYED))
    ends = [e for e in entries if isinstance(e.event, StepFinished) and e.event.attempt == "a#1"]
    assert {str(entry.verdict) for entry in ends} == {"ignored(stale-attempt)"}
    assert len(ends) == 2


def test_answers_really_come_in_another_order() -> None:
    """In reordered weather what was called last is answered first."""
    events = [entry.event for entry in entries_of(played("together", Weather.REORDERED))]
    ends = [event.attempt[0] for event in events if isinstance(event, StepFinished)]
    assert "".join(ends) == "bcdeaj"


def test_first_answers_are_really_lost() -> None:
    """In lost weather every attempt is delivered twice, but for what must not run twice."""
    assert set(played("together", Weather.LOST).worker.deliveries.values()) == {2}
    assert played("on-recovery-fail", Weather.LOST).worker.deliveries == {
        "pay#1": 1,
        "receipt#1": 2,
    }


def test_hosts_really_go_down() -> None:
    """In crashing weather the host goes down with every first call, and whenever it is quiet."""
    # The first call of `apply` goes down with the request that set it off.
    calls, quiet, requests = 2, 2, 1
    hosts = played("one-after-another", Weather.CRASHING).hosts
    assert hosts == 1 + calls + quiet + requests


def test_hosts_really_go_down_while_a_timer_is_open() -> None:
    """In crashing weather each backoff sees its host go down, and ends on the next one."""
    first_calls, quiet, backoffs = 4, 2, 2
    rig = played_with(VirtualRig, "step-retry", Weather.CRASHING)
    assert rig.hosts == 1 + first_calls + quiet + backoffs


def test_hosts_really_go_down_while_work_gives_up() -> None:
    """In crashing weather the first time that work gives up its host goes down before it does."""
    first_calls, quiet, give_up = 1, 1, 1  # both calls go down with the same host
    assert played("fail-fast", Weather.CRASHING).hosts == 1 + first_calls + quiet + give_up


def test_requests_are_really_made_at_once() -> None:
    """Of three approvals under way at the same time two count, in the order of the log."""

    class CountingRig(MemoryRig):
        inside = most = 0

        async def tell(self, event: Event) -> Verdict:
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1
            return await super().tell(event)

    rig = played_with(CountingRig, "quorum-at-once", Weather.CALM)
    assert rig.most == 3
    verdicts = [str(e.verdict) for e in entries_of(rig) if is_request(e.event)]
    assert verdicts == ["accepted", "accepted", "rejected(not-awaiting-approval)"]


# --- other rigs ---


def test_a_host_that_delivers_again_conforms_when_it_goes_down() -> None:
    """Work that is delivered again by itself does no harm to the next host."""
    asyncio.run(all_cases(QueueRig, Weather.CRASHING))


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_host_that_delivers_again_by_itself_need_not_crash(case: Case) -> None:
    """Where the host notices lost workers, lost answers come again without a crash."""
    rigs: list[QueueRig] = []

    def rig_of(worker: Worker) -> QueueRig:
        rigs.append(QueueRig(worker))
        return rigs[0]

    asyncio.run(conforms(rig_of, case, Weather.LOST))
    assert rigs[0].hosts == 1


@pytest.mark.parametrize("weather", [Weather.CALM, Weather.DUPLICATED], ids=str)
@pytest.mark.parametrize("rig", [AcceptedOnlyRig, ClosedRig])
def test_a_log_may_leave_out_what_changed_nothing(rig: type[MemoryRig], weather: Weather) -> None:
    """Where the header says so, or the log is closed, what was rejected need not stand in it."""
    for name in ("quorum", "cancel-waiting", "rerun"):
        asyncio.run(conforms(rig, case_named(name), weather))


@pytest.mark.parametrize("weather", weathers(), ids=str)
def test_a_log_may_be_read_while_it_is_written(weather: Weather) -> None:
    """A line that is not whole yet does not stand in the log."""
    asyncio.run(conforms(FileRig, case_named("quorum"), weather))


def test_a_log_may_grow_while_the_state_is_read() -> None:
    """State and log are compared in a moment in which nothing was written."""

    class RestlessRig(MemoryRig):
        left = 9

        async def state(self) -> FlowState:
            if self.left:
                self.left -= 1
                self.flow.tell(lambda *, at_ms: FlowStarted(at_ms=at_ms))
            return await super().state()

    assert played_with(RestlessRig, "together", Weather.CALM).left == 0


def test_what_a_dead_host_cannot_read_is_not_held_against_it() -> None:
    """A handler that looks into the log of a host that is gone finds nothing, and nobody cares."""

    class SlowRig(ThreadRig):
        reads = 0

        def __init__(self, worker: Worker) -> None:
            super().__init__(worker)
            self.gone = asyncio.Event()

        async def log(self) -> Sequence[bytes | str]:
            self.reads += 1
            if self.reads == 1:
                await self.gone.wait()
                raise OSError("the log is locked")
            return await super().log()

        async def crash(self) -> None:
            await super().crash()
            self.gone.set()

    asyncio.run(conforms(SlowRig, case_named("together"), Weather.CRASHING))


def test_what_a_rig_raises_says_where_it_did() -> None:
    """An error of the rig comes through, with a note of what was played."""

    class NoRig(MemoryRig):
        async def recover(self) -> None:
            raise OSError("the store is gone")

    with pytest.raises(OSError, match="the store is gone") as caught:
        asyncio.run(conforms(NoRig, case_named("denied"), Weather.CRASHING))
    assert caught.value.__notes__ == ["in case 'denied' in crashing weather, after the start"]


# --- broken hosts ---


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=str)
def test_a_broken_host_is_told_what_it_breaks(
    misdeed: Misdeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message begins with the name of the breakage, and says where it shows."""
    monkeypatch.setattr(memory, "FlowLoop", misdeed.rig.loop)
    monkeypatch.setattr(memory, "LocalPerformer", misdeed.rig.performer)
    with pytest.raises(Nonconformity) as caught:
        asyncio.run(
            conforms(misdeed.rig, case_named(misdeed.case), misdeed.weather, patience_s=IMPATIENT_S)
        )
    assert caught.value.breakage is misdeed.breakage
    title = str(caught.value).partition("\n")[0]
    assert title.startswith(f"{misdeed.breakage}: ")
    assert f"(case {misdeed.case!r} in {misdeed.weather} weather, after " in title


@pytest.mark.parametrize(("rig", "case"), HARMLESS)
def test_hosts_may_recover_in_their_own_way(
    rig: type[BrokenRig], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host conforms that comes to the right state, in whatever order it takes things up."""
    monkeypatch.setattr(memory, "FlowLoop", rig.loop)
    monkeypatch.setattr(memory, "LocalPerformer", rig.performer)
    asyncio.run(conforms(rig, case_named(case), Weather.CRASHING))


def test_every_breakage_is_shown() -> None:
    """There is a broken host for every breakage that the kit can name."""
    assert {misdeed.breakage for misdeed in MISDEEDS} == set(Breakage)


def test_a_nonconformity_survives_pickling() -> None:
    """It may come from another process: a copy says the same."""
    breach = Breach(Breakage.LOST_TIMER, "timer 'x' does not fire", ["flow is in-progress"])
    error = Nonconformity(breach, case="timeout", weather="calm", after="the start")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert str(error).split("\n") == [
        "lost-timer: timer 'x' does not fire (case 'timeout' in calm weather, after the start)",
        "  flow is in-progress",
    ]
    assert vars(copy) == vars(error)
    assert isinstance(copy, AssertionError)
