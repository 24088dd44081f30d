"""Where two logs part, and what makes no difference."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_adapters.debugger.log_diff import LogDiff, diff_of, remarks_on
from conductor_adapters.debugger.parting import Parting
from conductor_adapters.debugger.recording import Recording, record
from conductor_adapters.debugger.what_if import difference_of
from conductor_core import events
from conductor_core.events import Event, StepError
from conductor_core.spec import ApprovalSpec, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.brief import START, cancelled, failed, fired, flow, group, succeeded
from conductor_core.testing.strategies import plays, plays_of
from tests.debugger.recordings import recorded, release
from tests.debugger.test_what_if import approved, branch

RETRY: Final = RetryPolicy(max_auto_retries=2, backoff_ms=(10,), jitter=False)
WIDE: Final = flow(
    group("plan", StepSpec(key="plan", approval=ApprovalSpec())),
    group("both", StepSpec(key="a", retry=RETRY), "b", "c", parallel=True),
    group("last", "z"),
)
BEGUN: Final = (START, succeeded("plan#1"), approved("plan"))
ENDED: Final = succeeded("z#1")


def wide(*happened: Event, flow_id: str = "flow-1") -> Recording:
    """A log of the flow with a parallel group that has begun."""
    return recorded(WIDE, *BEGUN, *happened, flow_id=flow_id)


def diff(a: Recording, b: Recording) -> LogDiff:
    """The two compared, which must come out the other way round the other way round."""
    found, back = diff_of(a, b), diff_of(b, a)
    assert_mirrored(found, back)
    return found


def assert_mirrored(found: LogDiff, back: LogDiff) -> None:
    """Swapping the logs swaps the sides of whatever differs, and nothing else."""
    assert (found.parting.a, found.parting.b) == (back.parting.b, back.parting.a)
    assert found.parting.common == back.parting.common
    assert found.parting.swapped == back.parting.swapped
    assert found.are_alike == back.are_alike
    assert (found.attempts.only_a, found.attempts.only_b) == (
        back.attempts.only_b,
        back.attempts.only_a,
    )
    sides = {
        (diff.attempt, place.place): (place.a, place.b)
        for diff in found.attempts.differing
        for place in diff.places
    }
    others = {
        (diff.attempt, place.place): (place.b, place.a)
        for diff in back.attempts.differing
        for place in diff.places
    }
    assert sides == others
    assert (found.ends.a, found.ends.b) == (back.ends.b, back.ends.a)
    assert {(it.step, it.a, it.b) for it in found.ends.steps} == {
        (it.step, it.b, it.a) for it in back.ends.steps
    }


def parted(parting: Parting) -> tuple[Event | None, Event | None]:
    """The events at which two logs part."""
    return (
        None if parting.a is None else parting.a.entry.event,
        None if parting.b is None else parting.b.entry.event,
    )


# --- what makes no difference ---


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 3, 4), (4, 0, 1, 2, 3), (0, 4, 3, 1, 2), (3, 4, 0, 1, 2)]
)
def test_the_order_of_parallel_work_is_none(order: tuple[int, ...]) -> None:
    """Interleavings that keep the order of each step are the same run."""
    retried: list[Event] = [failed("a#1"), fired("backoff:a#2"), succeeded("a#2")]
    happened = [*retried, succeeded("b#1"), succeeded("c#1")]
    found = diff(wide(*happened, ENDED), wide(*(happened[n] for n in order), ENDED))
    assert found.are_alike
    assert found.parting.common == 9
    assert found.parting.swapped == (order != (0, 1, 2, 3, 4))


def test_noise_is_passed_over() -> None:
    """Times, notes, starts, repeated facts and refused requests change nothing."""
    happened = (succeeded("a#1"), succeeded("b#1"), succeeded("c#1"), ENDED)
    noisy = recorded(
        WIDE,
        evolve(START, at_ms=1_000),
        events.StepStarted(at_ms=1_001, attempt="plan#1"),
        approved("plan"),
        succeeded("plan#1"),
        events.ApprovalResponded(
            at_ms=3_000, step="plan", response="approve", by="ann", note="ok", request_id="r-1"
        ),
        *happened,
        ENDED,
        flow_id="another",
    )
    found = diff(wide(*happened), noisy)
    assert found.are_alike
    assert list(remarks_on(found)) == [
        "of two flows: flow-1 in A, another in B",
        "requests that were refused: 0 in A, 1 in B",
    ]


def test_a_quorum_has_no_order() -> None:
    """Two people who approve do so in whatever order; who they were is told."""
    spec = flow(group("g", StepSpec(key="plan", approval=ApprovalSpec(required=2)), "apply"))

    def by(*people: str) -> Recording:
        return recorded(spec, START, succeeded("plan#1"), *(approved("plan", by=p) for p in people))

    assert diff(by("ana", "bo"), by("bo", "ana")).are_alike
    found = diff(by("ana", "bo"), by("ana", "cy"))
    assert not found.parting.parts
    ((places,),) = [it.places for it in found.attempts.differing]
    assert (places.place, places.a, places.b) == ("approved_by[1]", "bo", "cy")


def test_a_rerun_is_the_same_by_step_and_by_attempt() -> None:
    """A page names the attempt, and who types the step: it is the live one in either case."""
    spec = flow(group("g", "a"))

    def retried(step_id: str) -> Recording:
        rerun = events.RerunRequested(at_ms=0, by="ana", flow_id="flow-1", step_id=step_id)
        return recorded(spec, START, failed("a#1"), rerun, succeeded("a#2"))

    assert diff(retried("a"), retried("a#1")).are_alike


def test_continuing_as_new_is_only_remarked_on() -> None:
    """A run that was continued is the same run (S13.4)."""
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    continued = events.ContinuedAsNew(at_ms=0, incarnation=0)
    spec = flow(group("g", "a"), group("h", "b"))
    plain = recorded(spec, START, succeeded("a#1"), succeeded("b#1"))
    long = recorded(spec, START, suggested, succeeded("a#1"), continued, succeeded("b#1"))
    found = diff(plain, long)
    assert found.are_alike
    assert list(remarks_on(found)) == ["continued as new: 0 times in A, 1 times in B"]


# --- what does ---


def test_a_deny_is_where_they_part() -> None:
    """Approve against deny: both entries are told, with what they have in common before."""
    denied = recorded(WIDE, *BEGUN[:2], approved("plan", response="deny"))
    found = diff(wide(), denied)
    assert parted(found.parting) == (BEGUN[2], approved("plan", response="deny"))
    assert found.parting.common == 2
    assert found.ends.a[0] == "in-progress"
    assert found.ends.b[0] == "error"


def test_one_more_retry_is_told() -> None:
    """The second failure is where they part, and the third attempt is in one log only."""
    once = (failed("a#1"), fired("backoff:a#2"))
    found = diff(
        wide(*once, succeeded("a#2")),
        wide(*once, failed("a#2"), fired("backoff:a#3"), succeeded("a#3")),
    )
    assert parted(found.parting) == (succeeded("a#2"), failed("a#2"))
    assert [it.attempt for it in found.attempts.only_b] == ["a#3"]
    assert [it.attempt for it in found.attempts.differing] == ["a#2"]


def test_another_output_is_told_by_its_place() -> None:
    """What work left behind is compared as JSON; it can be taken for noise."""
    one = wide(succeeded("b#1", output={"version": 1, "files": ["x"]}))
    other = wide(succeeded("b#1", output={"version": True, "files": ["x"]}))
    found = diff(one, other)
    assert found.parting.common == 3
    ((place,),) = [it.places for it in found.attempts.differing]
    assert (place.place, place.a, place.b) == ("output.version", 1, True)
    assert diff_of(one, other, frozenset({"output"})).are_alike


def test_an_error_that_is_noise_is_noise_in_the_end_too() -> None:
    """The message of an error is that of the outcome."""
    spec = flow(group("g", "a"))
    one, other = (
        recorded(spec, START, failed("a#1", error=StepError(message=said, non_retryable=True)))
        for said in ("disk full", "disk still full")
    )
    assert not diff(one, other).are_alike
    assert diff_of(one, other, frozenset({"error"})).are_alike


def test_an_extra_cancel_is_where_one_goes_on() -> None:
    """A cancel in one log stands against what the other did instead, or against nothing."""
    found = diff(wide(succeeded("a#1"), cancelled()), wide(succeeded("a#1"), succeeded("b#1")))
    assert parted(found.parting) == (cancelled(), succeeded("b#1"))
    assert found.parting.common == 4
    found = diff(wide(succeeded("a#1"), cancelled()), wide(succeeded("a#1")))
    assert parted(found.parting) == (cancelled(), None)


def test_of_several_the_earliest_is_told() -> None:
    """Two steps went otherwise: told is the one that comes first in both, whatever the order."""
    one = wide(succeeded("c#1"), failed("b#1"), failed("a#1"))
    other = wide(failed("c#1"), succeeded("b#1"), succeeded("a#1"))
    assert parted(diff(one, other).parting) == (succeeded("c#1"), failed("c#1"))


def test_the_order_of_sequential_work_is_one() -> None:
    """A pause before and a pause after the end of a step are two ways to go."""
    spec = flow(group("g", "a", "b"))
    pause = events.PauseRequested(at_ms=0, by="ann")
    found = diff(
        recorded(spec, START, pause, succeeded("a#1")),
        recorded(spec, START, succeeded("a#1"), pause),
    )
    assert parted(found.parting) == (pause, succeeded("a#1"))
    assert found.parting.common == 1


def test_another_declaration_makes_logs_differ() -> None:
    """Even where the same happened in both."""
    other = FlowSpec(groups=WIDE.groups, metadata={"team": "x"})
    found = diff(wide(), recorded(other, *BEGUN))
    assert [str(change) for change in found.declared] == ['metadata.team: nothing -> "x"']
    assert not found.are_alike
    assert not found.parting.parts


def test_a_branch_parts_from_its_recording_where_it_was_forked() -> None:
    """What-if and diff tell the same end, and the fork is where they part."""
    forked = branch(release(), 11, failed("quickstart#1", at_ms=release().at_ms(12)), instead=True)
    other = record("branch", forked.log().splitlines(keepends=True))
    found = diff(release(), other)
    assert found.parting.a is not None
    assert found.parting.b is not None
    assert (found.parting.a.entry.seq, found.parting.b.entry.seq) == (12, 12)
    assert found.ends == difference_of(forked)


# --- laws ---


def log_of_play(play: Play) -> Recording:
    """The log of a flow to which anything happened."""
    return recorded(play.start.spec, *play.events, flow_id=play.start.flow_id)


@given(plays())
@settings(max_examples=100)
def test_nothing_differs_from_itself(play: Play) -> None:
    """Whatever happened to a flow, its log is the same as itself."""
    log = log_of_play(play)
    found = diff(log, log)
    assert found.are_alike
    assert found.parting.swapped == 0


@given(st.data())
@settings(max_examples=100)
def test_swapping_the_logs_swaps_the_sides(data: st.DataObject) -> None:
    """Of any two runs of a flow, and of any two flows."""
    play = data.draw(plays())
    one = log_of_play(play)
    diff(one, log_of_play(data.draw(plays_of(play.start.spec))))
    diff(one, log_of_play(data.draw(plays())))


@given(st.data())
@settings(max_examples=100)
def test_a_log_that_was_cut_off_has_nothing_more(data: st.DataObject) -> None:
    """The beginning of a log never parts from the whole but by ending."""
    one = log_of_play(data.draw(plays()))
    cut = data.draw(st.integers(0, len(one.entries)))
    events_ = (entry.event for entry in one.entries[:cut])
    found = diff(one, recorded(one.header.spec, *events_, flow_id=one.header.flow_id))
    assert found.parting.b is None
    assert found.parting.common <= cut
