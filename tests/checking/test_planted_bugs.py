"""One line of the reducer is wrong, and the checker finds the shortest story that shows it.

Each bug is planted by replacing one function, or one row of a table, while a test runs. What
is found must replay as a log and play as a scenario on the same wrong reducer, and must be
as short as what a search without reductions finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from attrs import evolve, frozen

from conductor_core import ApprovalSpec, FlowSpec, StepSpec
from conductor_core import directives as directives_module
from conductor_core import legality as legality_module
from conductor_core import rules as rules_module
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import Alphabet, Checked, check
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.checking.reductions import NONE
from conductor_core.commands import Outcome
from conductor_core.directives import Decision, Work
from conductor_core.draft import Draft
from conductor_core.events import ApprovalResponded
from conductor_core.log import replay
from conductor_core.rules import approvals as approvals_module
from conductor_core.rules import group as group_module
from conductor_core.rules import progress as progress_module
from conductor_core.rules.endings import finish
from conductor_core.rules.group import close
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted, Verdict
from tests.checking.flows import DEPLOY, ONCE, plan

BRIEF: Final = Alphabet(endings=(OK, FAIL), pauses=False)
JUDGE: Final = "_judge_response"
BUDGETED: Final = "_budgeted"
"""Private functions, in which a line is wrong."""

Judge = Callable[[FlowState, ApprovalResponded], Verdict]


def let_a_denied_plan_pass(patch: pytest.MonkeyPatch) -> None:
    """A deny ends the wait and stops nothing."""

    def stop(draft: Draft, position: int, status: AttemptStatus, reason: str) -> None:
        close(draft, position, status, "continue", reason)

    patch.setattr(approvals_module, "stop_group", stop)


def count_one_person_twice(patch: pytest.MonkeyPatch) -> None:
    """Who approved before may approve again."""
    judged: Judge = getattr(legality_module, JUDGE)

    def judge(state: FlowState, event: ApprovalResponded) -> Verdict:
        verdict = judged(state, event)
        again = str(verdict) == "rejected(already-responded)"
        return legality_module.ACCEPTED if again else verdict

    patch.setattr(legality_module, JUDGE, judge)


def accept_any_subject(patch: pytest.MonkeyPatch) -> None:
    """An approval counts whatever it is about."""
    judged: Judge = getattr(legality_module, JUDGE)

    def judge(state: FlowState, event: ApprovalResponded) -> Verdict:
        return judged(state, evolve(event, subject=None))

    patch.setattr(legality_module, JUDGE, judge)


def forget_the_gate(patch: pytest.MonkeyPatch) -> None:
    """A group is finished although a plan of it still waits for people."""

    def nothing_unfinished(draft: Draft) -> bool:
        if draft.active or draft.waiting or draft.parked:
            return False
        return not draft.pending or draft.pending.first() >= draft.span.stop

    patch.setattr(Draft, "nothing_unfinished", property(nothing_unfinished))


def retry_once_too_often(patch: pytest.MonkeyPatch) -> None:
    """Budgets are compared with less where they should be with less or equal."""
    budgeted: Callable[[Work, str, str | None], Decision] = getattr(directives_module, BUDGETED)

    def decide(work: Work, kind: str, asked: str | None) -> Decision:
        return budgeted(evolve(work, retry=work.retry - 1), kind, asked)

    patch.setattr(directives_module, BUDGETED, decide)


def never_finish_a_cancel(patch: pytest.MonkeyPatch) -> None:
    """The rule that ends a cancelled flow is missing."""
    left = tuple(rule for rule in rules_module.RULES if rule.__name__ != "finish_cancelled")
    patch.setattr(rules_module, "RULES", left)


def lose_the_backoff(patch: pytest.MonkeyPatch) -> None:
    """A retry that waits has no timer that would end its wait."""
    renew = group_module.renew

    def lose(draft: Draft, position: int, *, generation: int, retry: int, wait_ms: int = 0) -> None:
        renew(draft, position, generation=generation, retry=retry, wait_ms=wait_ms)
        draft.put(position, draft.live[position].waiting_until(None))

    patch.setattr(group_module, "renew", lose)


def finish_twice(patch: pytest.MonkeyPatch) -> None:
    """A flow that ends says so two times."""

    def finish_again(draft: Draft, outcome: Outcome) -> None:
        finish(draft, outcome)
        draft.emit(draft.commands[-1])

    patch.setattr(progress_module, "finish", finish_again)


@frozen(kw_only=True)
class Planted:
    """A bug, a flow that shows it, the theorem that it breaks, and in how many events."""

    bug: Callable[[pytest.MonkeyPatch], None]
    spec: FlowSpec
    theorem: str
    events: int


TWO: Final = ApprovalSpec(required=2)
QUORUM: Final = flow(group("g", plan(approval=TWO), "apply"))
RETRIED: Final = flow(group("g", StepSpec(key="a", retry=ONCE)))
NEEDY: Final = StepSpec(key="apply", needs=["plan"])
BUGS: Final = (
    Planted(bug=let_a_denied_plan_pass, spec=DEPLOY, theorem="deny is final", events=3),
    Planted(bug=let_a_denied_plan_pass, spec=DEPLOY, theorem="the gate", events=3),
    Planted(bug=count_one_person_twice, spec=QUORUM, theorem="the gate", events=4),
    Planted(bug=accept_any_subject, spec=DEPLOY, theorem="the gate", events=3),
    Planted(
        bug=forget_the_gate,
        spec=flow(group("g", plan()), group("h", NEEDY, parallel=True)),
        theorem="the gate",
        events=2,
    ),
    Planted(bug=retry_once_too_often, spec=RETRIED, theorem="retries within budgets", events=4),
    Planted(bug=never_finish_a_cancel, spec=DEPLOY, theorem="cancel always ends", events=1),
    Planted(bug=lose_the_backoff, spec=RETRIED, theorem="no dead end", events=2),
    Planted(bug=finish_twice, spec=RETRIED, theorem="exactly one finish", events=2),
)


def found_in(planted: Planted) -> Checked:
    """What the checker says of the flow that shows the bug."""
    return check(planted.spec, alphabet=BRIEF)


@pytest.mark.parametrize("planted", BUGS, ids=lambda b: f"{b.bug.__name__}, {b.theorem}")
def test_every_planted_bug_is_found(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong line is found by the theorem that it breaks, with a story as short as can be."""
    assert found_in(planted).is_good
    planted.bug(monkeypatch)
    finding = found_in(planted).finding(planted.theorem)
    exact = check(planted.spec, alphabet=BRIEF, reductions=NONE).finding(planted.theorem)
    assert finding.verdict == exact.verdict == "violated"
    assert finding.story is not None
    assert exact.story is not None
    assert len(finding.story.events) == len(exact.story.events) == planted.events
    assert replay(finding.story.log().splitlines(keepends=True)).state == finding.story.state
    assert finding.story.scenario(planted.theorem) is not None


def test_the_last_event_of_a_story_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A story ends with the event that broke the theorem, not before and not behind."""
    accept_any_subject(monkeypatch)
    story = check(DEPLOY, alphabet=BRIEF).finding("the gate").story
    assert story is not None
    *_, (_, last, after) = story.transitions()
    assert isinstance(last, ApprovalResponded)
    assert last.subject == "not what plan#1 planned"
    assert after.verdict == Accepted()
