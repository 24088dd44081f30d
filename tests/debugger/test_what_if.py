"""What would have become of a flow, had something else happened; nothing of it is carried out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.debugger.happening import Question
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.what_if import Branch, branch_of, default_ms, difference_of
from conductor_core import events
from conductor_core.errors import ConductorError, LogError
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.spec import ApprovalSpec, FlowOptions, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import START, failed, fired, flow, group, succeeded
from tests.debugger.recordings import read, recorded, release
from tests.documents import ROOT

HISTORIES: Final = sorted((ROOT / "tests" / "histories").glob("**/*.jsonl"))
PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec())
PLANNED: Final = flow(group("g", PLAN, "apply"))


def approved(step: str, at_ms: int = 0, *, response: str = "approve", by: str = "ann") -> Event:
    """A person answers."""
    return events.ApprovalResponded(at_ms=at_ms, step=step, response=response, by=by)


def branch(recording: Recording, at: int, *given: Event, instead: bool = False) -> Branch:
    """A branch in which nobody knows more than the recording."""
    return branch_of(recording, at, given, lambda _: None, instead=instead)


def assuming(
    recording: Recording, at: int, answer: str, *given: Event, instead: bool = False
) -> Branch:
    """A branch in which every question has the same answer."""
    return branch_of(recording, at, given, lambda _: answer, instead=instead)


def told(branch: Branch) -> list[tuple[Event, str]]:
    """The events of a branch, with where they come from."""
    return [(happened.event, happened.origin) for happened in branch.happened]


# --- as it was ---


def assert_plays_on_as_recorded(recording: Recording, at: int) -> None:
    """Play on from an entry when nothing is different."""
    played = branch(recording, at)
    assert [(it.event, it.transition.verdict) for it in played.happened] == [
        (entry.event, entry.transition.verdict) for entry in recording.entries[at:]
    ]
    assert played.state == recording.replay.state
    assert (played.unknown, played.refused, played.unsent) == ((), (), ())


@pytest.mark.parametrize("log", HISTORIES, ids=lambda path: path.stem)
def test_where_nothing_is_different_all_goes_as_recorded(log: Path) -> None:
    """From every entry of every log the recording is played to its end, event by event."""
    recording = read(log)
    for at in range(len(recording.entries) + 1):
        assert_plays_on_as_recorded(recording, at)


def test_what_was_odd_in_a_recording_is_odd_again() -> None:
    """Repeated facts, refused requests, late timers and a clock that goes back come again."""
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=(10,), jitter=False)
    spec = flow(group("g", StepSpec(key="a", retry=retry, timeout_ms=50), "b"))
    recording = recorded(
        spec,
        events.FlowStarted(at_ms=100),
        events.FlowStarted(at_ms=101),
        events.StepStarted(at_ms=90, attempt="a#1"),
        fired("timeout:a#1", at_ms=170),
        failed("a#1", at_ms=175),
        events.ResumeRequested(at_ms=176, by="ann"),
        fired("backoff:a#2", at_ms=200),
        fired("backoff:a#2", at_ms=201),
        approved("a", 202),
        succeeded("a#2", at_ms=203),
        events.CancelRequested(at_ms=204, by="bo"),
        events.StepFinished(at_ms=209, attempt="b#1", outcome="cancelled"),
        events.PauseRequested(at_ms=210, by="bo"),
    )
    for at in range(len(recording.entries) + 1):
        assert_plays_on_as_recorded(recording, at)


def test_the_same_event_in_its_own_place_changes_nothing() -> None:
    """An event that takes the place of its like leads where that led."""
    recording = release()
    for at, entry in enumerate(recording.entries):
        played = branch(recording, at, entry.event, instead=True)
        assert played.state == recording.replay.state
        assert played.log().splitlines()[:-1] == branch(recording, 0).log().splitlines()[:-1]


# --- work ---


def test_a_retry_is_answered_as_the_attempt_before_it_was() -> None:
    """A step that is tried again ends as it did before, and it is said whose answer that is."""
    at = 11
    failure = failed("quickstart#1", at_ms=default_ms(release(), at, instead=True))
    played = branch(release(), at, failure, instead=True)
    again = [(it.event, it.of) for it in played.happened if it.of is not None]
    assert [type(event) for event, _ in again] == [events.StepStarted, events.StepFinished]
    assert {of for _, of in again} == {"quickstart#1"}
    assert played.state.status == "success"
    (change,) = difference_of(played).steps
    assert change.b == ("quickstart#2", "success")


def test_what_takes_long_takes_as_long_again() -> None:
    """An answer comes as long after its dispatch as it did, whenever that is."""
    spec = flow(group("g", "a", "b"))
    recording = recorded(spec, START, succeeded("a#1", at_ms=100), succeeded("b#1", at_ms=107))
    played = branch(recording, 1, succeeded("a#1", at_ms=40))
    assert told(played)[1:] == [(succeeded("b#1", at_ms=47), "recorded")]


def test_work_that_nobody_knows_is_where_it_stops() -> None:
    """A step that never ran in the recording is a question; what else is known goes on."""
    recording = recorded(PLANNED, START, succeeded("plan#1"), approved("plan", response="deny"))
    played = branch(recording, 2, approved("plan", at_ms=3), instead=True)
    assert played.unknown == (Question("work", "apply#1"),)
    assert played.state.status == "in-progress"


def test_work_that_nobody_knows_may_be_assumed() -> None:
    """What was assumed is marked, and moves the flow on as anything does."""
    recording = recorded(PLANNED, START, succeeded("plan#1"), approved("plan", response="deny"))
    for outcome, status in (("succeeded", "success"), ("failed", "error")):
        played = assuming(recording, 2, outcome, approved("plan"), instead=True)
        assert [it.origin for it in played.happened] == ["given", "assumed"]
        assert (played.state.status, played.unknown) == (status, ())


def test_the_timer_of_unknown_work_does_not_fire() -> None:
    """Nobody knows that work would take too long; it is the work that is asked about."""
    spec = flow(group("g", StepSpec(key="a", timeout_ms=5), "b"))
    played = branch(recorded(spec, START), 1)
    assert (played.happened, played.unknown) == ((), (Question("work", "a#1"),))


def test_work_that_took_too_long_takes_too_long_again() -> None:
    """A time-out that was recorded is an answer; the next attempt has it too."""
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=())
    spec = flow(group("g", StepSpec(key="a", timeout_ms=5, retry=retry)))
    recording = recorded(spec, START, fired("timeout:a#1", at_ms=5))
    played = branch(recording, 2)
    assert told(played) == [(fired("timeout:a#2", at_ms=10), "clock")]
    assert played.state.status == "error"


def test_work_that_was_cancelled_is_unknown_without_the_cancel() -> None:
    """What answered a cancel does not answer work that nobody cancels."""
    spec = flow(group("g", "a"))
    cancel = events.CancelRequested(at_ms=5, by="bo")
    ended = events.StepFinished(at_ms=6, attempt="a#1", outcome="cancelled")
    played = branch(recorded(spec, START, cancel, ended), 1, approved("a"), instead=True)
    assert played.unknown == (Question("work", "a#1"),)


def test_who_is_told_to_give_up_gives_up() -> None:
    """A cancel that was not recorded is acknowledged at once, which is an assumption."""
    spec = flow(group("g", "a", "b", parallel=True))
    recording = recorded(spec, START, succeeded("a#1", at_ms=5), succeeded("b#1", at_ms=9))
    played = branch(recording, 2, events.CancelRequested(at_ms=6, by="bo"))
    assert told(played)[1:] == [
        (events.StepFinished(at_ms=6, attempt="b#1", outcome="cancelled"), "assumed")
    ]
    assert played.state.status == "cancelled"


# --- people ---


def test_who_approved_approves_again_as_long_after_being_asked() -> None:
    """The answer to an approval follows the question."""
    late = recorded(PLANNED, START, succeeded("plan#1", at_ms=10), approved("plan", 15))
    played = branch(late, 1, succeeded("plan#1", at_ms=7), instead=True)
    assert told(played)[1:] == [(approved("plan", 12), "recorded")]


def test_who_approved_a_plan_approves_the_next_one_but_sends_none_back_twice() -> None:
    """The answer to an earlier attempt holds, unless it was to work it out anew."""
    back = approved("plan", 2, response="retry")
    first = recorded(PLANNED, START, succeeded("plan#1", at_ms=1), approved("plan", 2))
    played = branch(first, 2, back)
    assert [it.of for it in played.happened] == [None, "plan#1", "plan#1"]
    assert played.unknown == (Question("work", "apply#1"),)
    again = recorded(PLANNED, START, succeeded("plan#1", at_ms=1), back)
    assert branch(again, 3).unknown == (Question("approval", "plan#2"),)


def test_an_approval_that_nobody_knows_is_assumed_by_those_who_may() -> None:
    """As many approve as are needed, each once; the timer of the approval waits for them."""
    four_eyes = ApprovalSpec(required=2, approvers=("ann", "bo"), timeout_ms=9)
    recording = recorded(flow(group("g", StepSpec(key="a", approval=four_eyes))), START)
    played = assuming(recording, 1, "approve", succeeded("a#1"))
    answers = [it.event for it in played.happened if it.origin == "assumed"]
    assert answers == [approved("a", by="ann"), approved("a", by="bo")]
    assert played.state.status == "success"
    anybody = flow(group("g", StepSpec(key="a", approval=ApprovalSpec(required=2))))
    played = assuming(recorded(anybody, START), 1, "approve", succeeded("a#1"))
    assert played.state.status == "success"


def test_an_answer_that_would_be_refused_leaves_the_question_open() -> None:
    """What may not be skipped is not skipped by assumption."""
    spec = flow(group("g", StepSpec(key="a", approval=ApprovalSpec(), skippable=False)))
    played = assuming(recorded(spec, START), 1, "skip-current", succeeded("a#1"))
    assert played.unknown == (Question("approval", "a#1"),)


def test_an_approval_that_expired_expires_again() -> None:
    """Nobody answered in the recording; nobody does in the branch."""
    spec = flow(group("g", StepSpec(key="a", approval=ApprovalSpec(timeout_ms=9))))
    recording = recorded(spec, START, succeeded("a#1", at_ms=1), fired("approval:a#1", at_ms=10))
    played = branch(recording, 1, succeeded("a#1", at_ms=4), instead=True)
    assert told(played)[1:] == [(fired("approval:a#1", at_ms=13), "recorded")]


def test_people_do_again_what_they_did_as_soon_as_it_is_accepted() -> None:
    """A retry that comes before its failure waits for it."""
    spec = flow(group("g", "a"), options=FlowOptions(on_failure="await-retry"))
    again = events.RerunRequested(at_ms=5, by="ann", flow_id="flow-1", step_id="a")
    recording = recorded(spec, START, failed("a#1", at_ms=4), again, succeeded("a#2", at_ms=6))
    played = branch(recording, 1, failed("a#1", at_ms=8), instead=True)
    assert told(played) == [
        (failed("a#1", at_ms=8), "given"),
        (evolve(again, at_ms=8), "recorded"),
        (succeeded("a#2", at_ms=9), "recorded"),
    ]
    late = branch(recording, 1, events.PauseRequested(at_ms=0, by="bo"))
    assert late.state.status == "paused"


def test_what_comes_too_early_waits_for_its_time() -> None:
    """A retry that was pressed before its failure, as things are now, is pressed after it."""
    shaky = RetryPolicy(max_auto_retries=1, backoff_ms=(10,), jitter=False)
    steps = group("g", StepSpec(key="z", retry=shaky), "a")
    again = events.RerunRequested(at_ms=5, by="ann", flow_id="flow-1", step_id="a")
    story = (START, succeeded("z#1", at_ms=1), failed("a#1", at_ms=3), again)
    spec = flow(steps, options=FlowOptions(on_failure="await-retry"))
    recording = recorded(spec, *story, succeeded("a#2", at_ms=6))
    played = branch(recording, 1, failed("z#1", at_ms=1), instead=True)
    assert [(it.event.at_ms, type(it.event)) for it in played.happened[1:]] == [
        (11, events.TimerFired),
        (12, events.StepFinished),
        (14, events.StepFinished),
        (14, events.RerunRequested),
        (15, events.StepFinished),
    ]
    assert (played.refused, played.unsent, played.state.status) == ((), (), "success")


def test_what_is_refused_now_is_sent_at_the_end_and_told() -> None:
    """A retry of what no longer fails is refused; an answer to nothing has no occasion."""
    spec = flow(group("g", "a", PLAN))
    again = events.RerunRequested(at_ms=5, by="ann", flow_id="flow-1", step_id="a")
    recording = recorded(
        spec, START, failed("a#1"), again, succeeded("a#2"), succeeded("plan#1"), approved("plan")
    )
    played = branch(recording, 1, succeeded("a#1", directive="skip-group"), instead=True)
    assert [it.event for it in played.refused] == [again]
    assert [it.event for it in played.unsent] == [approved("plan")]
    assert played.state.status == "success"


# --- the host ---


def test_groups_are_those_that_were_generated() -> None:
    """What was generated is generated again; a second run asks anew, and nobody knows."""
    groups = (group("g", "a"),)
    recording = recorded(
        FlowSpec(),
        START,
        events.GroupsGenerated(at_ms=4, groups=groups, complete=False),
        failed("a#1", at_ms=5),
    )
    assert branch(recording, 0).state == recording.replay.state
    played = branch(
        recording, 3, events.RerunRequested(at_ms=6, by="ann", flow_id="flow-1", step_id="a")
    )
    assert Question("groups", "2") in played.unknown


def test_a_host_continues_as_new_by_itself() -> None:
    """A continuation that the recording does not know is answered at once."""
    spec = flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    recording = recorded(spec, START, failed("a#1"))
    played = assuming(recording, 1, "succeeded", succeeded("a#1"))
    assert [it.origin for it in played.happened] == ["given", "host", "assumed"]


def test_a_branch_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that fails as it did, and may be retried for ever, is not retried for ever."""
    monkeypatch.setattr("conductor_adapters.debugger.virtual.MOST", 100)
    retry = RetryPolicy(max_retries=10**9, max_auto_retries=10**9, backoff_ms=())
    recording = recorded(flow(group("g", StepSpec(key="a", retry=retry))), START, failed("a#1"))
    with pytest.raises(ConductorError, match="the branch does not end within 120 events"):
        branch(recording, 2)


# --- the branch ---


@pytest.mark.parametrize("at", [0, 3, 11, 16])
def test_a_branch_is_a_log_that_replays(at: int) -> None:
    """What is written verifies, and leads where the branch led."""
    played = branch(release(), at, events.CancelRequested(at_ms=0, by="bo"))
    verified = replay(played.log().splitlines(keepends=True))
    assert verified.state == played.state
    assert verified.entries == at + len(played.happened)
    assert verified.closed


def test_a_fork_is_at_an_entry() -> None:
    """Behind the end nothing can be replaced, and nothing comes after it."""
    with pytest.raises(LogError, match=r"release\.jsonl has 16 entries, and no entry 17"):
        branch(release(), 17)
    with pytest.raises(LogError, match=r"release\.jsonl has no entry 17 that could be replaced"):
        branch(release(), 16, START, instead=True)


# --- nothing is carried out ---


def test_no_module_of_it_can_carry_anything_out() -> None:
    """What plays a branch loads no host, no shell, no process and no network."""
    script = (
        "import sys; import conductor_adapters.debugger.what_if;"
        "print(*sorted(n for n in sys.modules if n.startswith('conductor_adapters')"
        " or n in ('subprocess', 'socket', 'asyncio', 'multiprocessing')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert all(
        name == "conductor_adapters" or name.startswith("conductor_adapters.debugger")
        for name in loaded
    )


def test_a_shell_step_that_would_make_a_file_makes_none(tmp_path: Path) -> None:
    """The dispatch of a command is looked up, and never run."""
    marks = [tmp_path / name for name in ("before", "after")]
    steps = [
        StepSpec(key=mark.name, work="shell", input={"run": f"touch {mark}"}) for mark in marks
    ]
    recording = recorded(flow(group("g", *steps)), START, failed("before#1"))
    played = assuming(recording, 1, "succeeded", succeeded("before#1"))
    assert played.state.status == "success"
    assert played.state.attempt("after#1") is not None
    assert list(tmp_path.iterdir()) == []
