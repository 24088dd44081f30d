"""`conductor explain`: where a log leaves its flow, and what a flow file will do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.codec import encode_spec
from conductor_core.events import PolicyReport, StepError
from conductor_core.log import LogWriter
from conductor_core.testing.brief import START, answered, failed, flow, group, succeeded

PARKING: Final = FlowOptions(on_failure="await-retry")
PLAN: Final = StepSpec(
    key="plan",
    approval=ApprovalSpec(
        required=2, approvers=["ann", "bob"], timeout_ms=3_600_000, stale_after_ms=60_000
    ),
)
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[1_000], jitter=False)
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["explain", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def write_log(spec: FlowSpec, *sent: events.Event, silent: bool = False) -> int:
    """Write the log of a flow to which these events happened; return how many entries it has."""
    state = initial_state(spec, flow_id="deploy-42")
    writer = LogWriter(state, at_ms=0)
    text = writer.header()
    for event in sent:
        transition = reduce(state, event)
        text += writer.entry(event, evolve(transition, commands=()) if silent else transition)
        state = transition.state
    Path("log").write_text(text)
    return len(sent)


def lines_of(spec: FlowSpec, *sent: events.Event) -> list[str]:
    """What is told of a flow right after these events; the line that says so is left out."""
    result = run("log", "--at", str(write_log(spec, *sent)))
    assert (result.exit_code, result.stderr) == (0, "")
    first, *lines = result.stdout.splitlines()
    assert first == f"after entry {len(sent):,}"
    return lines


def data_of(spec: FlowSpec, *sent: events.Event) -> dict[str, Any]:
    """The same as data."""
    told: dict[str, Any] = json.loads(
        run("log", "--json", "--at", str(write_log(spec, *sent))).stdout
    )
    return told


def told_of(spec: FlowSpec) -> list[str]:
    """What is told of a flow file."""
    write_flow(spec)
    result = run("flow.json")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def write_flow(spec: FlowSpec) -> None:
    """Write a flow as a flow file."""
    wire = encode_spec(spec)
    wire["flow"] = wire.pop("type", "flow")
    Path("flow.json").write_text(json.dumps(wire))


# --- where a flow stands ---


def test_an_open_approval_says_who_may_answer_until_when_and_how() -> None:
    """Everything that a person needs who was asked, and what each answer leads to."""
    spec = flow(group("g", PLAN, "apply"), group("later", "smoke"))
    assert lines_of(spec, START, succeeded("plan#1", subject="sha256:1"), answered("plan")) == [
        "flow deploy-42 (flow): approval-awaiting",
        "  waits for plan#1: 1 of 2 approvals (person, at the latest in 1 h)",
        "groups",
        "  g: approval-awaiting",
        "    plan#1: approval-awaiting",
        "      subject: sha256:1",
        "      1 of 2 approvals; may be approved by bob; expires in 1 h",
        "      stale in 1 min",
        "      ann: approve",
        "    and 1 pending",
        "  later: pending (1 pending)",
        "people may now",
        "  approve plan",
        "  deny plan: the flow stops",
        "  skip plan (skip-current): what follows in its group is skipped too",
        "  skip plan and what follows in its group (skip-current-and-dependents): the flow stops",
        "  send plan back (retry): it is worked out and asked about anew",
        "  retry the whole group g",
        "  take every plan as approved, open ones too (approve-all)",
        "  pause the flow: what runs goes on, nothing new starts",
        "  cancel the flow, for good",
        "  append groups to the flow",
        "the host may now report",
        "  that a timer fired: approval:plan#1 due in 1 h (timer-fired)",
        "  that its history grows long (continue-as-new-suggested)",
        "next timer: approval:plan#1, the time limit of its approval, due in 1 h",
        "  then plan#1 is approval-expired; flow error",
        "the shortest way to success: 3 events",
        "  bob approves plan",
        "  the work of apply#1 succeeds",
        "  the work of smoke#1 succeeds",
    ]


def test_a_stale_plan_is_called_one() -> None:
    """Who approves it should know that this has it worked out anew."""
    pause = events.PauseRequested(at_ms=60_000, by="ann")
    lines = lines_of(flow(group("g", PLAN)), START, succeeded("plan#1"), pause)
    assert "      stale: to approve it has it worked out anew" in lines
    assert "  paused: nothing new starts" in lines
    assert "  resume the flow" in lines


def test_skipping_a_step_alone_is_told_from_skipping_its_group() -> None:
    """What follows a skipped plan is what its skip scope says."""
    alone = StepSpec(key="plan", approval=ApprovalSpec(skip_scope="step"))
    lines = lines_of(flow(group("g", alone)), START, succeeded("plan#1"))
    assert "  skip plan (skip-current): what follows in its group runs" in lines


def test_a_failure_is_told_twice_for_people_and_for_operators() -> None:
    """People get what may be shown to them, operators the whole chain with its details."""
    cause = StepError(message="quota used up", type="Quota", non_retryable=True)
    error = StepError(message="exit status 1", type="exit", details={"code": 1}, cause=cause)
    spec = flow(group("g", "done", StepSpec(key="a", name="The work")), options=PARKING)
    lines = lines_of(spec, START, succeeded("done#1"), failed("a#1", error=error))
    assert lines[:10] == [
        "flow deploy-42 (flow): failed-pending-retry",
        "  waits for a#1: a retry or a skip (person)",
        "groups",
        "  g: failed-pending-retry",
        "    a#1 (The work): error (failed)",
        "      for people: quota used up",
        "      exit: exit status 1",
        '        details: {"code":1}',
        "      caused by Quota (non_retryable): quota used up",
        "    and 1 success",
    ]
    assert lines[11:14] == [
        "  retry a (retry-step)",
        "  skip a (skip-step)",
        "  retry the whole group g",
    ]


def test_a_denial_by_policy_names_the_policies() -> None:
    """What was violated is what has to be changed."""
    report = PolicyReport(deny_violations=("no public buckets",))
    lines = lines_of(flow(group("g", "a")), START, succeeded("a#1", policy=report))
    assert lines[1] == "  because: policy-denied at a#1: Denied by policy"
    assert "      denied by policy: no public buckets" in lines


def test_what_policies_warn_of_is_told_while_people_are_asked() -> None:
    """Whoever approves has to know of it; afterwards it is in the log."""
    plan = StepSpec(key="plan", approval=ApprovalSpec())
    report = PolicyReport(warn_violations=("no owner",), evaluated=False)
    spec, planned = flow(group("g", plan)), succeeded("plan#1", policy=report)
    lines = lines_of(spec, START, planned)
    awaiting = lines.index("    plan#1: approval-awaiting")
    assert lines[awaiting + 1 : awaiting + 3] == [
        "      its policies could not be evaluated",
        "      warned by policy: no owner",
    ]
    approved = events.ApprovalResponded(at_ms=2, step="plan", response="approve", by="ana")
    assert "warned" not in "".join(lines_of(spec, START, planned, approved))


def test_an_attempt_that_tries_again_tells_why() -> None:
    """While it waits, the failure before it is what there is to know."""
    spec = flow(group("g", SLOW))
    lines = lines_of(spec, START, failed("slow#1", error=StepError(message="no route")))
    assert lines[1:9] == [
        "  waits for slow#2: the end of its backoff (clock, at the latest in 1 s)",
        "groups",
        "  g: in-progress",
        "    slow#2: waiting-to-retry, retry 1 of 10",
        "      slow#1 before it: error (failed)",
        "        for people: Step failed",
        "        Error: no route",
        "people may now",
    ]
    assert "  retry slow now, without the rest of its wait" in lines


def test_a_plan_that_was_sent_back_has_nothing_to_tell_of_the_one_before() -> None:
    """Nothing failed: a person wanted it anew."""
    spec = flow(group("g", StepSpec(key="plan", approval=ApprovalSpec())))
    back = events.ApprovalResponded(at_ms=0, step="plan", response="retry", by="ann")
    lines = lines_of(spec, START, succeeded("plan#1"), back)
    assert lines[4] == "    plan#2: queued, retry 1 of 10"
    assert lines[5] == "people may now"


def test_a_denied_flow_says_who_denied_it() -> None:
    """The outcome, and the answer with its note."""
    spec = flow(group("g", StepSpec(key="plan", approval=ApprovalSpec()), "apply"))
    no = events.ApprovalResponded(
        at_ms=0, step="plan", response="deny", by="bob", note="not on a friday"
    )
    assert lines_of(spec, START, succeeded("plan#1"), no)[:8] == [
        "flow deploy-42 (flow): error",
        "  because: denied at plan#1: Approval denied",
        "groups",
        "  g: error",
        "    plan#1: approval-denied (denied)",
        "      bob: deny: not on a friday",
        "      for people: Approval denied",
        "    and 1 discarded",
    ]


def test_a_stop_that_is_under_way_is_told_before_it_is_the_outcome() -> None:
    """What still runs may end; that the flow will stop is decided."""
    lines = lines_of(flow(group("g", "a", "b", parallel=True)), START, failed("a#1"))
    assert lines[1] == "  to stop: failed at a#1: Step failed"


def test_retries_that_are_used_up_are_said_to_be() -> None:
    """Why nobody may retry it any more."""
    never = StepSpec(key="a", retry=RetryPolicy(max_retries=0))
    lines = lines_of(flow(group("g", never)), START, failed("a#1"))
    assert lines[1] == ("  because: retries-exhausted at a#1: Step failed, its retries are used up")


def test_a_rerun_counts_and_a_generation_too() -> None:
    """The second run of a flow, and the second generation of its group."""
    again = events.GroupRetryRequested(at_ms=0, group="g", by="ann")
    lines = lines_of(flow(group("g", "a", "b")), START, failed("a#1"), again)
    assert lines[0] == "flow deploy-42 (flow): in-progress, run 2"
    assert "    a#2: queued, generation 1" in lines


def test_a_cancelled_flow_says_who_cancelled_it_and_why() -> None:
    """What was running is told, what never ran is counted."""
    spec = flow(group("g", "a", "b"), group("later", "c"))
    cancel = events.CancelRequested(at_ms=0, by="ann", reason="too slow")
    given_up = events.StepFinished(at_ms=0, attempt="a#1", outcome="cancelled")
    lines = lines_of(spec, START, cancel, given_up)
    assert lines == [
        "flow deploy-42 (flow): cancelled",
        "  because: cancelled: too slow",
        "  cancelled by ann: too slow",
        "groups",
        "  g: cancelled",
        "    a#1: cancelled",
        "    and 1 cancelled",
        "  later: discarded (1 not-attempted)",
        "there is nothing that people may ask of it",
        "it has finished (cancelled): nothing is left to do",
    ]


def test_an_approval_option_that_was_changed_is_told() -> None:
    """The flow file says something else by then."""
    changed = events.ApprovalOptionChanged(at_ms=0, option="approve-all", by="ann")
    lines = lines_of(flow(group("g", "a")), START, changed)
    assert lines[1] == "  approval option: approve-all"
    assert "  have people asked for approvals again (prompt)" in lines


def test_a_flow_without_groups_says_so() -> None:
    """They are being generated, and that is what it waits for."""
    assert lines_of(FlowSpec(), START)[:3] == [
        "flow deploy-42 (flow): in-progress",
        "  waits for the groups that are being generated (host)",
        "no groups yet",
    ]


def test_a_flow_that_succeeded_has_no_more_to_say() -> None:
    """Each group in a line."""
    assert lines_of(flow(group("g", "a")), START, succeeded("a#1")) == [
        "flow deploy-42 (flow): success",
        "groups",
        "  g: success (1 success)",
        "there is nothing that people may ask of it",
        "it has finished (success): nothing is left to do",
    ]


def test_a_large_flow_fits_on_a_page() -> None:
    """Of thousands of steps those are told that people must look after, the rest is counted."""
    asking = [StepSpec(key=f"s{n}", approval=ApprovalSpec()) for n in range(3_000)]
    before = [group(f"b{n}", f"x{n}") for n in range(6)]
    after = [group(f"a{n}", f"y{n}") for n in range(500)]
    spec = flow(*before, group("g", *asking, parallel=True), *after, options=PARKING)
    sent = [succeeded(f"x{n}#1") for n in range(6)]
    sent += [succeeded(f"s{n}#1") for n in range(2_000)]
    lines = lines_of(spec, START, *sent, failed("s2999#1"))
    assert len(lines) < 80
    assert "  b0 to b5 (6 groups): success (6 success)" in lines
    assert "  a0 to a499 (500 groups): pending (500 pending)" in lines
    assert "    s2999#1: error (failed)" in lines
    assert "    and 1,991 approval-awaiting, 999 queued" in lines
    assert "  and for 2,990 things more" in lines
    assert "  approve s0, s1, s2, s3, s4 and more" in lines


def test_what_work_left_behind_is_cut_and_escaped() -> None:
    """An error of any length is a line, and steers no terminal."""
    error = StepError(message="\x1b[2J" + "x" * 10_000)
    lines = lines_of(flow(group("g", "a")), START, failed("a#1", error=error))
    (line,) = (line for line in lines if "Error: " in line)
    assert line.startswith("      Error: \\x1b[2Jxxx")
    assert len(line) < 500


def test_a_log_is_looked_at_from_now() -> None:
    """Without an entry the time is that of the clock: what was due then is over by now."""
    write_log(flow(group("g", SLOW)), START, failed("slow#1"))
    line = run("log").stdout.splitlines()[1]
    assert line == "  waits for slow#2: the end of its backoff (clock, at the latest in 0 s)"


def test_json_tells_where_a_flow_stands() -> None:
    """The same as data, with each request in words and as the event that asks for it."""
    spec = flow(group("g", SLOW, PLAN, parallel=True), options=PARKING)
    told = data_of(spec, START, failed("slow#1"), succeeded("plan#1", at_ms=7))
    waiting, asking = told["groups"][0].pop("attempts")
    assert told["groups"] == [
        {
            "key": "g",
            "status": "in-progress",
            "current": True,
            "counts": {"waiting-to-retry": 1, "approval-awaiting": 1},
        }
    ]
    assert (told["kind"], told["entries"], told["at_ms"]) == ("log", 3, 7)
    assert (told["outcome"], told["truncated"], told["closed"]) == (None, None, False)
    assert [wait["due_at_ms"] for wait in told["waits"]] == [1_000, 3_600_007]
    assert waiting["failure_before"] == {
        "attempt": "slow#1",
        "status": "error",
        "reason": "failed",
        "message": "Step failed",
        "deny_violations": [],
        "error": None,
    }
    assert (waiting["retry"], waiting["max_retries"]) == (1, 10)
    assert asking["approval"] == {
        "requested_at_ms": 7,
        "answers": [],
        "automatic": None,
        "required": 2,
        "missing": 2,
        "may_approve": ["ann", "bob"],
        "stale_at_ms": 60_007,
    }
    assert {
        "told": "approve plan",
        "request": {
            "type": "approval-responded",
            "at_ms": 7,
            "step": "plan",
            "response": "approve",
            "by": "ann",
        },
    } in told["requests"]


def test_json_tells_who_cancelled_and_what_stops() -> None:
    """What people read about the whole flow, programs find too."""
    both = flow(group("g", StepSpec(key="a", name="The work"), "b", parallel=True))
    told = data_of(both, START, failed("a#1"))
    assert (told["stop"]["step"], told["outcome"], told["cancellation"]) == ("a#1", None, None)
    assert (told["approval_option"], told["for_people"]) == ("prompt", False)
    assert [it["name"] for it in told["groups"][0]["attempts"]] == ["The work", None]
    told = data_of(both, START, events.CancelRequested(at_ms=0, by="ann", reason="too slow"))
    assert told["cancellation"] == {"by": "ann", "reason": "too slow"}


def test_json_tells_who_may_still_approve() -> None:
    """Who has not yet, null where that is anybody, and nobody once it is decided."""
    anybody = StepSpec(key="any", approval=ApprovalSpec())
    spec = flow(group("g", PLAN, anybody, parallel=True))
    sent = (START, succeeded("plan#1"), succeeded("any#1"), answered("plan"))
    plan, other = data_of(spec, *sent)["groups"][0]["attempts"]
    assert (plan["approval"]["missing"], plan["approval"]["may_approve"]) == (1, ["bob"])
    assert other["approval"]["may_approve"] is None
    no = events.ApprovalResponded(at_ms=0, step="plan", response="deny", by="bob")
    plan, *_ = data_of(spec, *sent, no)["groups"][0]["attempts"]
    assert (plan["approval"]["missing"], plan["approval"]["may_approve"]) == (0, [])


def test_json_tells_an_outcome_with_the_whole_error() -> None:
    """Programs get the error in its wire form."""
    error = StepError(message="no", type="exit", details={"code": 1})
    told = data_of(flow(group("g", "a")), START, failed("a#1", error=error))
    assert told["outcome"] == {
        "status": "error",
        "reason": "failed",
        "step": "a#1",
        "message": "Step failed",
        "retries_exhausted": False,
    }
    (attempt,) = told["groups"][0]["attempts"]
    assert attempt["failure"]["error"] == {"message": "no", "type": "exit", "details": {"code": 1}}


def test_a_truncated_log_is_explained_with_a_warning(folder: Path) -> None:
    """What stands before a line that was cut off is as good as ever."""
    write_log(flow(group("g", "a")), START, succeeded("a#1"))
    (folder / "log").write_text((folder / "log").read_text()[:-9])
    result = run("log")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "flow deploy-42 (flow): in-progress",
    )
    assert result.stderr.startswith("log: warning: line 3: the last line is cut off")
    assert json.loads(run("log", "--json").stdout)["truncated"].startswith("line 3: ")


def test_a_log_that_diverges_ends_with_1() -> None:
    """It is told where, and nothing is explained that is not true."""
    write_log(flow(group("g", "a")), START, silent=True)
    result = run("log")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("log: line 2: entry 1 diverges:\n")
    assert result.stderr.endswith("--at 0 shows where the flow stood before that\n")


def test_what_cannot_be_read_ends_with_2(folder: Path) -> None:
    """Bad input is one line."""
    (folder / "bad").write_text("")
    result = run("bad")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "bad: it is empty, expected a log or a flow file\n"


# --- what a flow will do ---


def test_a_flow_file_is_told_in_order() -> None:
    """Groups, how their steps run, what does the work, who is asked, and what is handed over."""
    spec = flow(
        group("network", evolve(PLAN, work="shell", input={"run": "terraform plan\n"}), "apply"),
        group("services", StepSpec(key="api", name="The API", needs=["plan"]), parallel=True),
        group("rest", "a", "b", "c", parallel=True, max_parallel=2, fail_fast=True),
    )
    assert told_of(spec) == [
        "flow flow: 3 groups, 6 steps",
        "  1 approval asked of people",
        "  a failure stops the flow, until somebody retries or skips its step",
        "1. network: 2 steps, one after another",
        "   plan: runs terraform plan",
        "     then waits for approval by ann and bob; a denial stops the flow",
        "       expires after 1 h, which stops the flow",
        "       stale after 1 min: to approve it then has it worked out anew",
        "       to skip it: what follows in its group is skipped too",
        "   apply: calls apply",
        "2. services: 1 step in parallel, all at once",
        "   api (The API): calls api",
        "     given the output of plan",
        "3. rest: 3 steps in parallel, 2 at a time; a stop cancels those that run (fail_fast)",
        "   a: calls a",
        "   b: calls b",
        "   c: calls c",
    ]


@pytest.mark.parametrize(
    ("approval", "people"),
    [
        (ApprovalSpec(), "anybody"),
        (ApprovalSpec(required=2), "2 people"),
        (ApprovalSpec(approvers=["ann"]), "ann"),
        (ApprovalSpec(approvers=["ann", "bob"]), "ann or bob"),
        (ApprovalSpec(required=2, approvers=["ann", "bob", "cid"]), "2 of ann, bob or cid"),
    ],
)
def test_who_may_approve_is_told(approval: ApprovalSpec, people: str) -> None:
    """How many it takes, and whose approvals count."""
    lines = told_of(flow(group("g", StepSpec(key="a", approval=approval))))
    assert lines[5] == f"     then waits for approval by {people}; a denial stops the flow"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"retry": RetryPolicy(max_auto_retries=1)}, "retried once, after at most 30 s; then"),
        (
            {"retry": RetryPolicy(max_auto_retries=2, backoff_ms=[1_000, 5_000], jitter=False)},
            "retried 2 times, after 1 s, 5 s; then",
        ),
        (
            {"retry": RetryPolicy(max_auto_retries=3, backoff_ms=[1_000], jitter=False)},
            "retried 3 times, after 1 s each; then",
        ),
        (
            {"retry": RetryPolicy(max_auto_retries=3, backoff_ms=[1, 2], jitter=False)},
            "retried 3 times, after 0.001 s, 0.002 s and so on; then",
        ),
        (
            {"retry": RetryPolicy(max_auto_retries=2, backoff_ms=[], scope="group")},
            "retried with its whole group 2 times, at once; then",
        ),
    ],
)
def test_retries_are_told_with_their_waits(step: dict[str, Any], told: str) -> None:
    """How often it is tried again without asking anybody, and after what wait."""
    lines = told_of(flow(group("g", StepSpec(key="a", **step))))
    assert lines[5:] == [f"     on failure {told} the flow stops"]


@pytest.mark.parametrize(
    ("step", "options", "told"),
    [
        ({"skip_on_failure": True}, FlowOptions(), "the flow goes on (skip_on_failure)"),
        ({"retryable": False}, FlowOptions(), "the flow stops, and nobody may retry it"),
        ({"retryable": False}, PARKING, "the flow stops, and nobody may retry it"),
        (
            {"retry": RetryPolicy(max_retries=0)},
            PARKING,
            "the flow stops, and nobody may retry it",
        ),
        (
            {"retry": RetryPolicy(max_retries=2, max_auto_retries=9, backoff_ms=[])},
            PARKING,
            "retried 2 times, at once; then the flow stops, and nobody may retry it",
        ),
        (
            {"retry": RetryPolicy(max_retries=3, max_auto_retries=2, backoff_ms=[])},
            PARKING,
            (
                "retried 2 times, at once; then waits for somebody to retry it (at most once)"
                " or to skip it"
            ),
        ),
    ],
)
def test_a_failure_that_leads_elsewhere_says_where(
    step: dict[str, Any], options: FlowOptions, told: str
) -> None:
    """What holds for the whole flow is told once; a step tells what is different about it."""
    lines = told_of(flow(group("g", StepSpec(key="a", **step)), options=options))
    assert lines[5:] == [f"     on failure {told}"]


def test_a_group_is_retried_as_often_as_each_of_its_steps_may_be() -> None:
    """The smallest budget counts for all."""
    scoped = RetryPolicy(scope="group", max_auto_retries=5, backoff_ms=[])
    spec = flow(
        group(
            "g",
            StepSpec(key="a", retry=scoped),
            StepSpec(key="b", retry=RetryPolicy(max_retries=1)),
        )
    )
    assert told_of(spec)[5] == (
        "     on failure retried with its whole group once, at once; then the flow stops,"
        " and nobody may retry it"
    )


def test_whatever_else_is_decided_about_a_step_is_told() -> None:
    """Time-outs, what may not be skipped, and what a crash or nothing to do leads to."""
    step = StepSpec(
        key="a",
        work="shell",
        input={"run": "x", "cwd": "y"},
        timeout_ms=5_000,
        skip_if_noop=True,
        skippable=False,
        on_recovery="fail",
    )
    spec = flow(group("g", step, StepSpec(key="b", work="w", input={"é": [1]}, skipped=True)))
    assert told_of(spec)[4:] == [
        '   a: runs x with {"cwd": "y"}',
        "     fails after 5 s",
        "     when there is nothing to do, the rest of its group is skipped",
        "     no person may skip it",
        "     after a crash it is not run again, but fails",
        "   b: skipped",
    ]


def test_options_hold_for_the_whole_flow() -> None:
    """Approvals without asking, failures that wait, continuing as new."""
    plan = StepSpec(
        key="plan",
        approval=ApprovalSpec(auto_approve_on_policy_pass=True),
        skippable=False,
        input={"n": 1},
    )
    options = FlowOptions(approval="approve-all", on_failure="await-retry", continue_as_new_every=1)
    assert told_of(flow(group("g", plan), options=options)) == [
        "flow flow: 1 group, 1 step",
        "  1 approval, taken as given without asking (approve-all)",
        "  a failure waits for somebody to retry or skip its step (await-retry)",
        "  continues as new after every group",
        "1. g: 1 step",
        '   plan: calls plan with {"n": 1}',
        "     approval by anybody, taken as given",
        "     no person may skip it",
    ]
    assert "       approved by itself when its policy passes" in told_of(flow(group("g", plan)))


def test_groups_that_are_generated_are_spoken_of() -> None:
    """There is nothing to review yet but that."""
    assert told_of(FlowSpec(type="deploy"))[:2] == [
        "flow deploy: 0 groups, 0 steps",
        "  its groups are generated when it starts, for the type 'deploy'",
    ]


def test_a_large_flow_file_shows_what_asks_people() -> None:
    """The first steps of each group stand for the rest, but no approval is passed over."""
    steps = [StepSpec(key=f"s{n}") for n in range(3_000)]
    steps[1_500] = StepSpec(key="plan", approval=ApprovalSpec())
    asking = [StepSpec(key=f"p{n}", approval=ApprovalSpec()) for n in range(100)]
    rest = [group(f"r{n}", f"x{n}") for n in range(60)]
    needy = StepSpec(key="last", needs=[f"s{n}" for n in range(12)], approval=ApprovalSpec())
    lines = told_of(flow(group("g", *steps, needy), group("asking", *asking), *rest))
    assert "   plan: calls plan" in lines
    assert "   and 2,996 steps more" in lines
    assert "   and 80 steps more, with 80 approvals" in lines
    assert "     given the output of s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more" in lines
    assert lines[-1] == "and 12 groups more"
    assert len(lines) < 250


def test_json_tells_a_flow_file_with_what_is_told_of_each_step() -> None:
    """The same as data: the steps as they are declared, and the words beside them."""
    needy = StepSpec(key="a", needs=["z"])
    write_flow(flow(group("y", "z"), group("g", needy, "b", parallel=True)))
    told = json.loads(run("flow.json", "--json").stdout)
    assert (told["file"], told["kind"], told["type"]) == ("flow.json", "flow", "flow")
    assert told["told"][0] == "0 approvals"
    _, parallel = told["groups"]
    assert (parallel["parallel"], parallel["at_once"]) == (True, 2)
    assert parallel["steps"] == [
        {
            "key": "a",
            "told": ["given the output of z"],
            "step": {"key": "a", "needs": ["z"]},
        },
        {"key": "b", "told": [], "step": {"key": "b"}},
    ]
