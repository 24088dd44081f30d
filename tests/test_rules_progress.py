"""How a flow goes on: dispatch (section 5), pause and append (section 11), continue-as-new (13)."""

from __future__ import annotations

import ast
import inspect
from typing import Final

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    rules,
)
from conductor_core.commands import ContinueAsNew, DispatchStep
from conductor_core.draft import Draft
from conductor_core.events import Event
from conductor_core.rules import RULES, Rule, next_rule, progress, settle
from conductor_core.rules.endings import carry_out_cancel, finish_cancelled
from conductor_core.rules.progress import begin_group_retry
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)

PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
RESUME: Final = events.ResumeRequested(at_ms=0, by="ann")
PASSED: Final = StepSpec(key="passed", skipped=True)
TIMED: Final = StepSpec(key="timed", timeout_ms=100)
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[1000], jitter=False)
)
EAGER: Final = StepSpec(key="eager", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[]))
SUGGESTED: Final = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
CONTINUED: Final = events.ContinuedAsNew(at_ms=0, incarnation=0)


# --- dispatch ---


def test_one_after_another() -> None:
    """In a sequential group each step is dispatched when the one before it is over (S5.2)."""
    story = given(flow(group("g", "a", "b"), group("h", "c"))).when(START).then_dispatched("a#1")
    story = story.when(succeeded("a#1")).then_dispatched("b#1")
    story.when(succeeded("b#1")).then_dispatched("c#1")


@pytest.mark.parametrize(
    ("own", "of_the_flow", "sent"),
    [(None, None, 5), (2, None, 2), (None, 3, 3), (2, 3, 2), (4, 3, 4), (9, None, 5)],
)
def test_a_parallel_group_has_so_much_room(
    own: int | None, of_the_flow: int | None, sent: int
) -> None:
    """Its own limit holds, else the flow's, else none; the first steps come first (S5.3)."""
    steps = ["a", "b", "c", "d", "e"]
    spec = flow(
        group("g", *steps, parallel=True, max_parallel=own),
        options=FlowOptions(max_parallel=of_the_flow),
    )
    given(spec).when(START).then_dispatched(*[f"{step}#1" for step in steps[:sent]])


def test_a_sequential_group_has_room_for_one() -> None:
    """The limits of parallel groups do not widen it."""
    spec = flow(group("g", "a", "b", max_parallel=2), options=FlowOptions(max_parallel=2))
    given(spec).when(START).then_dispatched("a#1")


def test_room_that_is_left_is_taken_in_order() -> None:
    """A retry takes its turn by its place in the group, not by its age."""
    spec = flow(group("g", EAGER, "b", "c", "d", parallel=True, max_parallel=2))
    story = given(spec, START).when(failed("eager#1")).then_dispatched("eager#2")
    story.when(succeeded("b#1")).then_dispatched("c#1").when(
        failed("eager#2", directive="await-retry")
    ).then_dispatched("d#1")


def test_what_waits_takes_no_room() -> None:
    """Only active attempts count against the limit (S5.3)."""
    spec = flow(group("g", SLOW, "b", "c", parallel=True, max_parallel=1))
    story = given(spec).when(START).then_dispatched("slow#1").when(failed("slow#1"))
    story = story.then_dispatched("b#1")
    held = story.when(fired("backoff:slow#2", at_ms=1000)).then_dispatched()
    held.when(succeeded("b#1")).then_dispatched("slow#2")


def test_a_skipped_step_is_passed_over_at_its_turn() -> None:
    """It is auto-skipped without a dispatch and takes no room (S5.4)."""
    spec = flow(group("g", "a", PASSED, "b", parallel=True, max_parallel=2))
    given(spec).when(START).then_dispatched("a#1", "b#1").then_status(
        "in-progress", passed="auto-skipped"
    )
    tight = flow(group("g", "a", "b", PASSED, parallel=True, max_parallel=1))
    given(tight).when(START).then_dispatched("a#1").then_status("in-progress", passed="pending")


def test_a_skipped_step_waits_for_its_turn_in_a_row() -> None:
    """What stands before it is done first; its directive is continue and its reason `skipped`."""
    spec = flow(group("g", "a", PASSED), group("h", "b"))
    story = given(spec, START)
    assert story.state.live[1].status == "pending"
    done = story.when(succeeded("a#1")).then_dispatched("b#1").state.live[1]
    assert (done.status, done.directive, done.reason) == ("auto-skipped", "continue", "skipped")


def test_a_flow_of_skipped_steps_ends_at_once() -> None:
    """Group after group is passed in one transition, however many there are."""
    steps = [StepSpec(key=f"s{n}", skipped=True) for n in range(500)]
    spec = flow(*[group(f"g{n}", step) for n, step in enumerate(steps)])
    given(spec).when(START).then(
        commands.FinishFlow(outcome=commands.Outcome(status="success"), run=1)
    )


def test_a_dispatch_comes_with_its_time_out() -> None:
    """The timer is counted from the dispatch (S5.4)."""
    story = given(flow(group("g", "a", TIMED)), START).when(succeeded("a#1", at_ms=50))
    assert isinstance(story.commands[0], DispatchStep)
    assert story.commands[0].timeout_ms == 100
    assert story.commands[1:] == (
        commands.ScheduleTimer(timer="timeout:timed#1", due_at_ms=150, delay_ms=100),
    )


# --- pause (S11.1 to S11.3) ---


def test_a_pause_lets_active_work_run_on() -> None:
    """Nothing new is dispatched; a resume goes on where dispatch would."""
    story = given(flow(group("g", "a", "b", "c", parallel=True, max_parallel=2)), START, PAUSE)
    story.when(succeeded("a#1")).then_dispatched().then_status("in-progress").when(
        succeeded("b#1")
    ).then_dispatched().then_status("paused").when(RESUME).then_dispatched("c#1")


def test_a_skipped_step_waits_for_the_end_of_a_pause() -> None:
    """It is skipped at its turn, and a pause holds every turn (S11.1)."""
    story = given(flow(group("g", "a", PASSED)), START, PAUSE).when(succeeded("a#1"))
    story.then_status("paused", passed="pending").when(RESUME).then_status("success")


def test_a_backoff_that_is_over_waits_for_the_end_of_a_pause() -> None:
    """The attempt, or the group, is pending until somebody resumes (S11.1)."""
    for directive, timer in ((None, "backoff:slow#2"), ("retry-group", "backoff:g@1")):
        waiting = given(flow(group("g", SLOW)), START, PAUSE, failed("slow#1", directive=directive))
        waiting.when(fired(timer, at_ms=1000)).then().then_status("paused", slow="pending").when(
            RESUME
        ).then_dispatched("slow#2")


def test_a_wait_may_be_cut_short_during_a_pause() -> None:
    """The timer is cancelled at once, the dispatch waits (S11.3)."""
    hurry = events.RetryNowRequested(at_ms=5, step="slow", by="ann")
    for directive, timer in ((None, "backoff:slow#2"), ("retry-group", "backoff:g@1")):
        waiting = given(flow(group("g", SLOW)), START, PAUSE, failed("slow#1", directive=directive))
        waiting.when(hurry).then(commands.CancelTimer(timer=timer)).when(RESUME).then_dispatched(
            "slow#2"
        )


def test_a_pause_outlives_the_end_of_a_flow() -> None:
    """A rerun of a flow that ended while paused waits for a resume (S11.1)."""
    story = given(flow(group("g", "a")), START, PAUSE, failed("a#1"))
    story.when(retried("a")).then_dispatched().then_status("paused", a="pending").when(
        RESUME
    ).then_dispatched("a#2")


# --- append (S11.4) ---


def append(*keys: str) -> events.AppendRequested:
    """Somebody adds groups of one step each."""
    groups = [group(f"of-{key}", key) for key in keys]
    return events.AppendRequested(at_ms=0, by="ann", groups=groups)


def test_appended_groups_run_after_the_others() -> None:
    """They are dispatched in their turn, and keep a flow from ending before them."""
    appended = given(flow(group("g", "a")), START, append("b", "c"))
    story = appended.when(succeeded("a#1")).then_dispatched("b#1").when(append("d")).then()
    story = story.when(succeeded("b#1")).then_dispatched("c#1")
    story.when(succeeded("c#1")).then_dispatched("d#1").when(succeeded("d#1")).then_status(
        "success"
    )


def test_appending_before_the_start_commands_nothing() -> None:
    """The flow stays pending, and is no longer than it says (S4.4)."""
    given(flow(group("g", "a"))).when(append("b")).then().then_status("pending", b="pending")


def test_what_is_appended_while_groups_are_generated_runs_at_once() -> None:
    """A flow that waits for nothing but its groups takes up what a person adds."""
    given(FlowSpec(), START).when(append("b")).then_dispatched("b#1")


def test_appended_and_generated_groups_are_told_apart_by_their_keys_only() -> None:
    """What was appended and is then generated is known already (S12.2)."""
    story = given(FlowSpec(), START, append("b"))
    same = events.GroupsGenerated(at_ms=0, groups=[group("of-b", "b")])
    story.when(same).then().when(succeeded("b#1")).then_status("success")


# --- continue-as-new (section 13) ---


def counted(every: int, *keys: str) -> FlowSpec:
    """A flow of groups of one step that continues as new after so many of them."""
    return flow(
        *[group(f"of-{key}", key) for key in keys],
        options=FlowOptions(continue_as_new_every=every),
    )


def continued(incarnation: int) -> events.ContinuedAsNew:
    """The host runs on with a fresh history."""
    return events.ContinuedAsNew(at_ms=0, incarnation=incarnation)


def test_after_so_many_groups_a_flow_continues_as_new() -> None:
    """Instead of dispatching it says where to go on; then the count starts again (S13.1)."""
    first = given(counted(2, "a", "b", "c", "d", "e"), START, succeeded("a#1"))
    story = first.when(succeeded("b#1")).then(ContinueAsNew(start_from_group_idx=2, incarnation=0))
    story = story.then_status("in-progress", c="pending").when(continued(0)).then_dispatched("c#1")
    story = story.when(succeeded("c#1")).then_dispatched("d#1")
    story = story.when(succeeded("d#1")).then(ContinueAsNew(start_from_group_idx=4, incarnation=1))
    story.when(continued(1)).then_dispatched("e#1").when(succeeded("e#1")).then_status("success")


def test_a_flow_continues_as_new_while_it_is_paused() -> None:
    """The pause holds the dispatch that comes after it (S13.1)."""
    story = given(counted(1, "a", "b"), START, PAUSE).when(succeeded("a#1"))
    story.then(ContinueAsNew(start_from_group_idx=1, incarnation=0)).when(continued(0)).then().when(
        RESUME
    ).then_dispatched("b#1")


def test_groups_that_are_passed_without_work_count() -> None:
    """A group whose steps are all skipped has finished too."""
    spec = flow(group("g", PASSED), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    given(spec).when(START).then(ContinueAsNew(start_from_group_idx=1, incarnation=0))


def test_a_flow_waits_for_the_group_that_is_being_generated() -> None:
    """It continues as new when the next group is there, and not at all after the last (S13.1)."""
    spec = FlowSpec(options=FlowOptions(continue_as_new_every=1))
    first = events.GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False)
    more = events.GroupsGenerated(at_ms=0, groups=[group("h", "b")])
    story = given(spec, START, first).when(succeeded("a#1")).then()
    story.when(more).then(ContinueAsNew(start_from_group_idx=1, incarnation=0))
    story.when(events.GroupsGenerated(at_ms=0)).then_status("success")


def test_a_suggestion_waits_until_nothing_is_active() -> None:
    """Also within a group; what waits or is asked does not hinder it (S13.2)."""
    spec = flow(group("g", SLOW, "b", "c", parallel=True, max_parallel=2))
    story = given(spec, START, failed("slow#1")).when(SUGGESTED).then()
    story = story.when(succeeded("b#1")).then_dispatched()
    story.when(succeeded("c#1")).then(ContinueAsNew(start_from_group_idx=0, incarnation=0))


def test_a_suggestion_before_more_dispatches_comes_first() -> None:
    """At the next moment when nothing is active the flow continues as new."""
    story = given(flow(group("g", "a", "b")), START).when(SUGGESTED).then()
    story.when(succeeded("a#1")).then(ContinueAsNew(start_from_group_idx=0, incarnation=0))


def test_a_fresh_history_gets_every_open_timer_again() -> None:
    """With what is left of it, and before anything is dispatched (S13.3)."""
    plan = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=300))
    spec = flow(group("g", SLOW, plan, TIMED, parallel=True, max_parallel=2))
    waiting = given(spec, START, PAUSE, failed("slow#1"), succeeded("plan#1"))
    story = waiting.when(SUGGESTED).then(ContinueAsNew(start_from_group_idx=0, incarnation=0))
    story = story.when(RESUME).then()
    fresh = story.when(events.ContinuedAsNew(at_ms=400, incarnation=0)).then_dispatched("timed#1")
    timers = [c for c in fresh.commands if isinstance(c, commands.ScheduleTimer)]
    assert timers == [
        commands.ScheduleTimer(timer="approval:plan#1", due_at_ms=300, delay_ms=0),
        commands.ScheduleTimer(timer="backoff:slow#2", due_at_ms=1000, delay_ms=600),
        commands.ScheduleTimer(timer="timeout:timed#1", due_at_ms=500, delay_ms=100),
    ]
    assert isinstance(fresh.commands[2], DispatchStep)


def test_what_happens_meanwhile_is_applied_and_starts_nothing() -> None:
    """Timers fire, groups are appended and retried; all of it is dispatched afterwards (S13.3)."""
    spec = flow(group("g", SLOW, "b", parallel=True))
    story = given(spec, START, SUGGESTED, failed("slow#1"), succeeded("b#1"))
    meanwhile: list[Event] = [fired("backoff:slow#2", at_ms=1000), append("c")]
    for event in meanwhile:
        story = given(story.when(event).then().state)
    story.when(CONTINUED).then_dispatched("slow#2")


def test_a_group_that_finishes_meanwhile_counts_afterwards() -> None:
    """One continue-as-new is under way at a time; the next may follow at once (S13.1)."""
    plan = StepSpec(key="plan", approval=ApprovalSpec())
    spec = flow(group("g", plan), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    story = given(spec, START, succeeded("plan#1"), SUGGESTED).when(answered("plan")).then()
    story.when(continued(0)).then(ContinueAsNew(start_from_group_idx=1, incarnation=1)).when(
        continued(1)
    ).then_dispatched("b#1")


@pytest.mark.parametrize(
    "end",
    [[cancelled()], [answered("plan", "deny")], [answered("plan", "skip-current")]],
)
def test_the_end_of_a_flow_ends_its_continue_as_new(end: list[Event]) -> None:
    """What still comes about it is stale, since the incarnation has grown (S13.3a)."""
    spec = flow(group("g", StepSpec(key="plan", approval=ApprovalSpec())))
    story = given(spec, START, succeeded("plan#1"), SUGGESTED, *end)
    assert story.state.outcome is not None
    assert (story.state.incarnation, story.state.continuing) == (1, False)
    story.when(CONTINUED).then_ignored("stale-incarnation")
    story.when(continued(1)).then_ignored("no-change")


def test_the_end_of_a_flow_ends_a_suggestion() -> None:
    """It was never followed, and no later run follows it (S13.3a)."""
    story = given(flow(group("g", "a")), START, SUGGESTED, failed("a#1"))
    assert (story.state.incarnation, story.state.suggested) == (1, False)
    story.when(retried("a")).then_dispatched("a#2").when(failed("a#2")).then_status("error")


def test_continuing_as_new_leaves_no_trace_in_what_comes_of_it() -> None:
    """With or without it the same events lead to the same state (S13.4)."""
    story: list[Event] = [succeeded("a#1"), failed("b#1"), skipped("b"), succeeded("c#1")]
    plain = given(counted(99, "a", "b", "c"), START, *story).state
    fresh = given(
        counted(1, "a", "b", "c"),
        START,
        story[0],
        continued(0),
        *story[1:3],
        continued(1),
        story[3],
    ).state
    assert list(plain.attempts()) == list(fresh.attempts())
    assert (plain.outcome, plain.run) == (fresh.outcome, fresh.run)


# --- settling ---


def test_a_settled_state_is_at_rest() -> None:
    """Settling it again changes nothing and commands nothing."""
    spec = flow(group("g", SLOW, "a", parallel=True), group("h", "b"))
    stories: list[list[Event]] = [[], [START], [START, failed("slow#1")], [START, PAUSE]]
    for history in stories:
        state = given(spec, *history).state
        draft = Draft.of(state, 0)
        settle(draft, None)
        assert draft.freeze() == state
        assert draft.commands == []


@pytest.mark.parametrize("groups", [1, 2, 7])
def test_rules_that_never_rest_are_a_bug(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so often as there are rules, groups to pass and steps to dispatch may one fire."""
    fired = 0

    def restless(_: Draft) -> None:
        nonlocal fired
        fired += 1
        assert fired < 100, "the bound is not seen to"

    monkeypatch.setattr(rules, "next_rule", lambda _: restless)
    spec = flow(*(group(f"g{number}", f"a{number}") for number in range(groups)))
    draft = Draft.of(given(spec).state, 0)
    draft.started = True
    with pytest.raises(AssertionError, match=r"^the rules do not come to rest$"):
        settle(draft, None)
    assert fired == len(RULES) + 3 * groups + 1


def test_a_rule_that_applies_moves_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them changes the state when it fires, and none applies of which nobody knows."""
    fired: set[str] = set()

    def watched(draft: Draft) -> Rule | None:
        rule = next_rule(draft)
        if rule is None:
            return None
        assert rule in RULES
        fired.add(rule.__name__)

        def watch(draft: Draft) -> None:
            before = draft.freeze()
            rule(draft)
            assert draft.freeze() != before, rule.__name__

        return watch

    monkeypatch.setattr(rules, "next_rule", watched)
    in_turn, at_once = group("g", "a", "b"), group("g", "a", "b", parallel=True, max_parallel=1)
    given(flow(in_turn, group("h", PASSED, "c")), START, succeeded("a#1"), succeeded("b#1"))
    given(flow(at_once), START, succeeded("a#1"), failed("b#1", directive="retry-group"))
    given(flow(in_turn), START, cancelled(), succeeded("a#1"))
    given(flow(in_turn), START, failed("a#1"))
    given(flow(in_turn), START, PAUSE, succeeded("a#1"), SUGGESTED, CONTINUED, RESUME)
    given(FlowSpec(), START, events.GenerationFailed(at_ms=0))
    given(FlowSpec(), START, events.GroupsGenerated(at_ms=0))
    assert fired == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("rule", "bug"),
    [
        (begin_group_retry, "nobody wants to retry the group"),
        (carry_out_cancel, "there is no cancel to carry out"),
        (finish_cancelled, "only a cancel ends so"),
    ],
)
def test_a_rule_that_does_not_apply_may_not_fire(rule: Rule, bug: str) -> None:
    """Letting it fire all the same is a bug."""
    draft = Draft.of(given(flow(group("g", "a")), START).state, 0)
    with pytest.raises(AssertionError, match=f"^{bug}$"):
        rule(draft)


def test_the_rules_are_listed_by_their_precedence() -> None:
    """As `next_rule` asks about them, one question after the other."""
    names = [rule.__name__ for rule in RULES]
    asking = ("next_rule", "_next_at_rest", "next_dispatch")
    asked = [
        node.id
        for module in (rules, progress)
        for function in ast.parse(inspect.getsource(module)).body
        if isinstance(function, ast.FunctionDef) and function.name in asking
        for node in sorted(
            (node for node in ast.walk(function) if isinstance(node, ast.Name)),
            key=lambda node: (node.lineno, node.col_offset),
        )
        if node.id in names
    ]
    assert asked == names


def test_every_rule_says_when_it_applies() -> None:
    """The first lines of the rules, in their order, are the table of what happens when."""
    lines = [(rule.__doc__ or "").partition("\n")[0] for rule in RULES]
    assert [line for line in lines if not line.startswith("When ")] == []
