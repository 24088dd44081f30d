"""What is told of a recorded flow: all that began ends, once, and nothing is taken back."""

from __future__ import annotations

from collections import Counter

import pytest

from conductor_adapters.debugger.moments import Decision, Kind, moments_of
from conductor_core import commands
from tests.debugger.golden import NAMES, SMALL, beginnings, golden, recorded
from tests.recorded.telling import GATE, Telling, answer, flow, group, step

PAIRS = [
    (Kind.FLOW_STARTED, Kind.FLOW_FINISHED),
    (Kind.GROUP_STARTED, Kind.GROUP_FINISHED),
    (Kind.ATTEMPT_STARTED, Kind.ATTEMPT_FINISHED),
]


def kinds_of(name: str) -> Counter[Kind]:
    """How often each kind of moment comes in a log."""
    return Counter(moment.kind for moment in moments_of(golden(name)))


@pytest.mark.parametrize("name", NAMES)
def test_what_began_ends(name: str) -> None:
    """In a flow that has ended every run, group and attempt has, and approvals were decided."""
    kinds = kinds_of(name)
    for began, ended in PAIRS:
        assert kinds[began] == kinds[ended]
    moments = list(moments_of(golden(name)))
    asked = {m.named.id for m in moments if m.kind is Kind.APPROVAL_REQUESTED}
    decided = Counter(m.named.id for m in moments if m.kind is Kind.APPROVAL_DECIDED)
    assert asked <= decided.keys()
    assert set(decided.values()) <= {1}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_is_told_is_one_moment(name: str) -> None:
    """Dispatches, requests for approval and ends of runs, as many as were commanded."""
    kinds = kinds_of(name)
    given = Counter(
        type(command) for entry in golden(name).entries for command in entry.transition.commands
    )
    assert kinds[Kind.ATTEMPT_STARTED] == given[commands.DispatchStep]
    assert kinds[Kind.APPROVAL_REQUESTED] == given[commands.RequestApproval]
    assert kinds[Kind.FLOW_FINISHED] == given[commands.FinishFlow]


@pytest.mark.parametrize("name", SMALL)
def test_a_log_that_grows_only_adds_moments(name: str) -> None:
    """What was told of its beginning stands."""
    told = list(moments_of(golden(name)))
    for beginning in beginnings(name):
        known = list(moments_of(beginning))
        assert known == told[: len(known)]


def test_every_kind_and_every_decision_is_told_of_some_log() -> None:
    """None is there in vain."""
    moments = [moment for name in SMALL for moment in moments_of(golden(name))]
    assert {moment.kind for moment in moments} == set(Kind)
    assert {moment.decision for moment in moments} == {None, *Decision}


@pytest.mark.parametrize(
    ("name", "decisions"),
    [
        ("approval-with-quorum", ["approved"]),
        ("approval-denied", ["denied"]),
        ("approval-expired", ["expired"]),
        ("approval-retried", ["replanned", "approved"]),
        ("stale-plan", ["stale", "stale"]),
        ("skip-current", ["skipped"]),
        ("skip-current-and-dependents", ["skipped"]),
        ("approvals-in-parallel", ["approved", "denied", "withdrawn"]),
        ("cancel-of-a-group", ["withdrawn"]),
        ("approve-all", ["approved"] * 4),
    ],
)
def test_an_approval_ends_as_it_was_answered(name: str, decisions: list[str]) -> None:
    """Whether by a person, by a timer, or because something else happened."""
    assert [m.decision for m in moments_of(golden(name)) if m.decision] == decisions


def test_a_person_is_named_who_had_a_part_in_it() -> None:
    """The one who answered this approval, and not the one who answered another."""
    moments = list(moments_of(golden("approvals-in-parallel")))
    decided = {m.named.id: m for m in moments if m.decision}
    assert decided["a#1"].by == "ana"
    assert decided["a#1"].answer is not None
    assert decided["c#1"].answer is None


def test_a_withdrawal_without_a_person_names_nobody() -> None:
    """A failure of another step ends the wait."""
    told = Telling(flow(group("g", "a", step("p", approval=GATE), parallel=True)))
    told.started()
    told.done("p#1")
    told.broken("a#1")
    (withdrawn,) = [m for m in moments_of(recorded(told)) if m.decision]
    assert (withdrawn.decision, withdrawn.by, withdrawn.answer) == ("withdrawn", None, None)


def test_what_was_not_accepted_is_no_moment() -> None:
    """Of all the requests in vain, those are told that were not."""
    moments = moments_of(golden("requests-in-vain"))
    asked = [type(m.event).__name__ for m in moments if m.kind is Kind.REQUEST_ACCEPTED]
    assert asked == ["PauseRequested", "ResumeRequested", "CancelRequested"]


def test_groups_that_take_no_time_are_gone_through() -> None:
    """A group of nothing but skipped steps begins and ends in the same entry."""
    told = Telling(flow(group("g", step("a", skipped=True)), group("h", step("b", skipped=True))))
    told.started()
    kinds = [(m.kind.value, m.group) for m in moments_of(recorded(told)) if m.group is not None]
    assert kinds == [
        ("group.started", 0),
        ("group.finished", 0),
        ("group.started", 1),
        ("group.finished", 1),
    ]


def test_a_retry_that_a_person_asks_of_a_plan_tells_who() -> None:
    """The attempt that is made anew is another one."""
    told = Telling(flow(group("g", step("p", approval=GATE))))
    told.started()
    told.done("p#1")
    told.tell(answer("p", "retry", "bo"))
    moments = list(moments_of(recorded(told)))
    (decided,) = [m for m in moments if m.decision]
    assert (decided.named.id, decided.by) == ("p#1", "bo")
    assert [m.named.id for m in moments if m.kind is Kind.ATTEMPT_STARTED] == ["p#1", "p#2"]
