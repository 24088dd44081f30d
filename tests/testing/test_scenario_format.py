"""The scenario format is closed: what it does not promise is refused, with its path."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core import events
from conductor_core.errors import FormatError
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenarios import Scenario, Send

A_FLOW = {"groups": [{"key": "g", "steps": [{"key": "a"}]}]}


def scenarios(**parts: Any) -> dict[str, Any]:
    """A file with one scenario, of which parts are replaced."""
    scenario = {"name": "s", "flow": A_FLOW, **parts}
    return {"format": "conductor-scenario/1", "scenarios": [scenario]}


def decoded(**parts: Any) -> Scenario:
    """The scenario of such a file."""
    (scenario,) = decode_scenarios(scenarios(**parts))
    return scenario


def sent(action: object) -> events.Event:
    """The event that an action sends."""
    deed = decoded(do=[action]).do[0].deed
    assert isinstance(deed, Send)
    return deed.event


def refusal(data: object) -> tuple[str, str]:
    """Where and why a file is refused."""
    with pytest.raises(FormatError) as refused:
        decode_scenarios(data)
    return refused.value.path.removeprefix("scenarios[0]").removeprefix("."), refused.value.problem


@pytest.mark.parametrize(
    ("data", "path", "problem"),
    [
        (None, "", "expected a mapping, got None"),
        ([], "", "expected a mapping, got []"),
        ({1: 2}, "", "expected a text, got 1"),
        ({}, "", "missing key 'format'"),
        ({"format": "conductor-scenario/1"}, "", "missing key 'scenarios'"),
        ({"format": "conductor-scenario/2", "new": 1}, "format", "'conductor-scenario/2'"),
        ({"format": 1}, "format", "expected the format 'conductor-scenario/1', got 1"),
        ({**scenarios(), "scenario": []}, "scenario", "unknown key 'scenario'"),
        ({"format": "conductor-scenario/1", "scenarios": {}}, "scenarios", "expected a list"),
        (
            {"format": "conductor-scenario/1", "scenarios": []},
            "scenarios",
            "expected at least one scenario",
        ),
        ({"format": "conductor-scenario/1", "scenarios": [1]}, "", "expected a mapping, got 1"),
        ({"format": "conductor-scenario/1", "scenarios": [{}]}, "", "missing key 'name'"),
        ({"format": "conductor-scenario/1", "scenarios": [{"name": "s"}]}, "", "key 'flow'"),
    ],
)
def test_a_file_of_another_shape_is_refused(data: object, path: str, problem: str) -> None:
    """What is no scenario file is refused, and another version before anything in it."""
    where, why = refusal(data)
    assert where == path
    assert problem in why


@pytest.mark.parametrize(
    ("parts", "path", "problem"),
    [
        ({"name": ""}, "name", "expected a name, got ''"),
        ({"name": 1}, "name", "expected a text, got 1"),
        ({"name": "\ud800"}, "name", "expected a text"),
        ({"spec": ["S1"]}, "spec", "expected a text"),
        ({"flwo": {}}, "flwo", "unknown key 'flwo' (perhaps 'flow'?)"),
        ({"flow": []}, "flow", "expected a mapping"),
        ({"flow": {"groups": [{"key": "g"}]}}, "flow.groups[0].steps", "at least one step"),
        ({"flow": {"groups": [{"steps": []}]}}, "flow.groups[0]", "missing key 'key'"),
        ({"flow": {"group": []}}, "flow.group", "unknown key 'group'"),
        ({"flow_id": "-"}, "flow_id", "'-' does not match"),
        ({"flow_id": 7}, "flow_id", "expected a text, got 7"),
        ({"work": ["a"]}, "work", "expected a mapping"),
        ({"work": {"a": "fail"}}, "work.a", "expected a list, got 'fail'"),
        ({"work": {"a": ["okay"]}}, "work.a[0]", "expected ok, fail, cancelled, hold or"),
        ({"work": {"a": [True]}}, "work.a[0]", "expected ok, fail, cancelled, hold or"),
        ({"work": {"a": [{"attempt": "a#1"}]}}, "work.a[0].attempt", "unknown key 'attempt'"),
        ({"work": {"a": [{"outcome": "good"}]}}, "work.a[0].outcome", "expected one of succeeded"),
        ({"work": {"a": [{"noop": "yes"}]}}, "work.a[0].noop", "'yes'"),
        ({"work": {"a": [{"error": {"mesage": ""}}]}}, "work.a[0].error.mesage", "unknown key"),
        ({"work": {"a": [{"policy": {"evaluated": 1}}]}}, "work.a[0].policy.evaluated", "got 1"),
        ({"work": {"b": ["ok"]}}, "work.b", "unknown step"),
        ({"ignores_cancel": "a"}, "ignores_cancel", "expected a list"),
        ({"ignores_cancel": [1]}, "ignores_cancel[0]", "expected a text, got 1"),
        ({"ignores_cancel": ["a", "b"]}, "ignores_cancel[1]", "unknown step 'b'"),
        ({"hold_continue_as_new": "yes"}, "hold_continue_as_new", "expected true or false"),
        ({"generate": "groups"}, "generate", "expected a mapping"),
        ({"generate": {}}, "generate", "expected partial or fail"),
        ({"generate": {"partial": [], "fail": ""}}, "generate", "expected partial or fail"),
        ({"generate": {"groups": []}}, "generate.groups", "unknown key 'groups'"),
        ({"generate": {"fail": 1}}, "generate.fail", "expected a text"),
        ({"generate": {"partial": {}}}, "generate.partial", "expected a list"),
        ({"generate": [{"key": 1}]}, "generate[0].key", "expected a string, got 1"),
        ({"do": {}}, "do", "expected a list"),
        ({"do": [None]}, "do[0]", "expected a mapping, got None"),
        ({"expect": None}, "expect", "expected a mapping, got None"),
    ],
)
def test_a_scenario_of_another_shape_is_refused(
    parts: dict[str, Any], path: str, problem: str
) -> None:
    """Unknown keys, wrong types and bad references are refused where they stand."""
    where, why = refusal(scenarios(**parts))
    assert where == path
    assert problem in why


@pytest.mark.parametrize(
    ("action", "path", "problem"),
    [
        ({}, "do[0]", "expected one action, got none"),
        ({"check": {}}, "do[0]", "expected one action, got none"),
        ({"deny": "a", "approve": "a"}, "do[0]", "expected one action, got approve and deny"),
        ({"aprove": "a"}, "do[0].aprove", "unknown key 'aprove' (perhaps 'approve'?)"),
        ({"approve": 1}, "do[0].approve", "expected a text, got 1"),
        ({"approve": {"by": "ana"}}, "do[0].approve", "missing key 'step'"),
        ({"approve": {"step": "a", "at_ms": 3}}, "do[0].approve.at_ms", "unknown key"),
        ({"deny": {"step": "a", "response": "x"}}, "do[0].deny.response", "unknown key"),
        ({"respond": "a"}, "do[0].respond", "expected a mapping"),
        ({"respond": {"step": "a"}}, "do[0].respond", "missing key 'response'"),
        ({"retry": {"step": "a"}}, "do[0].retry", "expected a text"),
        ({"rerun": "a"}, "do[0].rerun", "expected a mapping"),
        ({"rerun": {"operation": "retry-step"}}, "do[0].rerun", "missing key 'step'"),
        ({"rerun": {"step": "a", "stale_plan": 1}}, "do[0].rerun.stale_plan", "got 1"),
        ({"rerun": {"step": "a", "step_id": "a"}}, "do[0].rerun.step_id", "unknown key"),
        (
            {"rerun": {"step": "a", "continue_from_idx": -1}},
            "do[0].rerun.continue_from_idx",
            "expected an integer of at least 0, got -1",
        ),
        (
            {"rerun": {"step": "a", "additional_skip": "b"}},
            "do[0].rerun.additional_skip",
            "expected a list",
        ),
        ({"pause": None}, "do[0].pause", "expected a mapping, got None"),
        ({"resume": {"step": "a"}}, "do[0].resume.step", "unknown key"),
        ({"cancel": "a"}, "do[0].cancel", "expected a mapping"),
        ({"cancel": {"group": "g", "step": "a"}}, "do[0].cancel", "a group or a step, got both"),
        ({"append": {"key": "g"}}, "do[0].append", "expected a list"),
        ({"append": [{"key": "g", "steps": [1]}]}, "do[0].append[0].steps[0]", "a mapping"),
        ({"start": "maybe"}, "do[0].start", "expected yes or no, got 'maybe'"),
        ({"start": 1}, "do[0].start", "expected yes or no, got 1"),
        ({"generated": {"complete": True}}, "do[0].generated", "missing key 'groups'"),
        ({"generated": {"groups": [], "complete": "no"}}, "do[0].generated.complete", "'no'"),
        ({"generation-failed": {}}, "do[0].generation-failed", "expected a text"),
        ({"finish": "a#1"}, "do[0].finish", "expected a mapping"),
        ({"finish": {"outcome": "failed"}}, "do[0].finish", "missing key 'attempt'"),
        ({"finish": {"attempt": 1}}, "do[0].finish.attempt", "got 1"),
        ({"started": ["a#1"]}, "do[0].started", "expected a text"),
        ({"advance": "5"}, "do[0].advance", "expected an integer of at least 0, got '5'"),
        ({"advance": True}, "do[0].advance", "got True"),
        ({"advance": 1.0}, "do[0].advance", "got 1.0"),
        ({"advance": -1}, "do[0].advance", "got -1"),
        ({"continue-as-new": "yes"}, "do[0].continue-as-new", "expected suggest or continued"),
        ({"continue-as-new": {}}, "do[0].continue-as-new", "missing key 'fact'"),
        ({"continue-as-new": {"fact": "go"}}, "do[0].continue-as-new.fact", "got 'go'"),
        ({"snapshot": {"twice": 1}}, "do[0].snapshot.twice", "unknown key"),
        ({"pause": {}, "expect": "ignored"}, "do[0].expect", "expected accepted, {rejected"),
        ({"pause": {}, "expect": {}}, "do[0].expect", "expected accepted, {rejected"),
        ({"pause": {}, "expect": {"accepted": ""}}, "do[0].expect.accepted", "unknown key"),
        ({"pause": {}, "expect": {"ignored": ""}}, "do[0].expect.ignored", "expected a name"),
        ({"advance": 1, "expect": "accepted"}, "do[0].expect", "there is no verdict"),
        ({"snapshot": {}, "expect": "accepted"}, "do[0].expect", "there is no verdict"),
        ({"start": "no", "expect": "accepted"}, "do[0].expect", "there is no verdict"),
        ({"pause": {}, "check": []}, "do[0].check", "expected a mapping"),
    ],
)
def test_an_action_of_another_shape_is_refused(action: object, path: str, problem: str) -> None:
    """Each action has its own shape and no other."""
    where, why = refusal(scenarios(do=[action]))
    assert where == path
    assert problem in why


@pytest.mark.parametrize(
    ("expect", "path", "problem"),
    [
        ({"status": "success"}, "status", "unknown key 'status'"),
        ({"flow": "done"}, "flow", "expected one of pending"),
        ({"flow": None}, "flow", "got None"),
        ({"reason": 1}, "reason", "expected a text, got 1"),
        ({"step": "a"}, "step", "expected an attempt id such as 'plan#1', got 'a'"),
        ({"retries_exhausted": "no"}, "retries_exhausted", "expected true or false"),
        ({"steps": ["a#1"]}, "steps", "expected a mapping"),
        ({"steps": {"a": "success"}}, "steps.a", "expected an attempt id"),
        ({"steps": {"a#0": "success"}}, "steps['a#0']", "expected an attempt id"),
        ({"steps": {"a#1": "sucess"}}, "steps['a#1']", "expected one of pending"),
        ({"directives": {"a#1": "go"}}, "directives['a#1']", "expected one of continue"),
        ({"groups": {"g": "skipped"}}, "groups.g", "expected one of pending"),
        ({"dispatched": ["a"]}, "dispatched[0]", "expected an attempt id"),
        ({"dispatched": "a#1"}, "dispatched", "expected a list"),
        ({"attempts": {"a": "1"}}, "attempts.a", "expected an integer"),
        ({"timers": [1]}, "timers[0]", "expected a text"),
        ({"approvals": ["a"]}, "approvals[0]", "expected an attempt id"),
        ({"commands": {"dispatch": 0}}, "commands.dispatch", "expected one of dispatch-step"),
        ({"commands": {"dispatch-step": True}}, "commands.dispatch-step", "got True"),
        ({"absent": {"a#1": 1}}, "absent", "expected a list"),
        ({"absent": ["a"]}, "absent[0]", "expected an attempt id"),
        ({"inputs": {"a#1": 1}}, "inputs['a#1']", "expected a mapping, got 1"),
        ({"inputs": {"a#1": {"b": float("nan")}}}, "inputs['a#1']", "not a JSON value"),
    ],
)
def test_an_expectation_of_another_shape_is_refused(
    expect: object, path: str, problem: str
) -> None:
    """What cannot be true of any flow is refused, in the end as in between."""
    where, why = refusal(scenarios(expect=expect))
    assert where == f"expect.{path}"
    assert problem in why
    where, _ = refusal(scenarios(do=[{"pause": {}, "check": expect}]))
    assert where == f"do[0].check.{path}"


def test_only_the_first_action_keeps_the_flow_from_starting() -> None:
    """`start: no` means something only before anything else has happened."""
    where, why = refusal(scenarios(do=[{"advance": 1}, {"start": "no"}]))
    assert (where, why) == ("do[1]", "only the first action may keep the flow from starting")


def test_everything_that_is_wrong_with_a_flow_is_told_at_once() -> None:
    """An invalid flow is refused with every problem and its path (S2.1)."""
    flow = {"groups": [{"key": "g", "steps": [{"key": "a", "needs": ["b"]}, {"key": "a"}]}]}
    with pytest.raises(FormatError) as refused:
        decode_scenarios(scenarios(flow=flow))
    assert [path for path, _ in refused.value.problems] == [
        "scenarios[0].flow.groups[0].steps[0].needs",
        "scenarios[0].flow.groups[0].steps[1].key",
    ]


def problems(**parts: Any) -> list[tuple[str, str]]:
    """Everything for which a file with one scenario is refused, seen from the scenario."""
    with pytest.raises(FormatError) as refused:
        decode_scenarios(scenarios(**parts))
    told = refused.value.problems
    return [
        (path.removeprefix("scenarios[0].").removeprefix("scenarios[0]"), why) for path, why in told
    ]


def test_everything_that_is_wrong_with_a_scenario_is_told_at_once() -> None:
    """One bad part does not hide what is wrong with the next, nor a bad name a bad value."""
    told = problems(
        flwo={},
        spec=1,
        work={"a": ["okay", "ok", "no"], "b": ["ok"]},
        ignores_cancel=["c", "a"],
        do=[
            {"aprove": "a", "expect": "no"},
            {"deny": {"by": 1, "nte": "x"}, "check": {"flow": "done", "steps": {"a": "x"}}},
        ],
        expect={"steps": {"a#1": "sucess", "b": "error"}, "dispatched": ["a", "b"], "timer": []},
    )
    assert [path for path, _ in told] == [
        "flwo",
        "spec",
        "work.a[0]",
        "work.a[2]",
        "expect.timer",
        "expect.steps['a#1']",
        "expect.steps.b",
        "expect.dispatched[0]",
        "expect.dispatched[1]",
        "do[0].aprove",
        "do[0].expect",
        "do[1].deny.nte",
        "do[1].deny",
        "do[1].deny.by",
        "do[1].check.flow",
        "do[1].check.steps.a",
    ]


def test_an_unknown_name_does_not_hide_what_else_is_wrong() -> None:
    """Names are looked up as soon as it is known which groups there are."""
    told = problems(
        work={"b": ["ok"]}, ignores_cancel=["c", "a"], expect={"flow": "done"}, spec=["S1"]
    )
    assert [path for path, _ in told] == ["spec", "expect.flow", "work.b", "ignores_cancel[0]"]


def test_names_are_not_looked_up_where_groups_may_be_missing() -> None:
    """What follows from a group that cannot be read is not told."""
    assert problems(flow={"groups": [{"key": "g"}]}, work={"a": ["ok"]}) == [
        ("flow.groups[0].steps", "expected at least one step")
    ]
    append = {"append": [{"key": "h", "steps": [{"kye": "b"}]}]}
    told = problems(do=[append], work={"b": ["ok"]})
    assert {path for path, _ in told} == {
        "do[0].append[0].steps[0]",
        "do[0].append[0].steps[0].kye",
    }


@pytest.mark.parametrize(
    ("expect", "path", "problem"),
    [
        ({"absent": ["aplpy#1"]}, "absent[0]", "unknown step 'aplpy' (perhaps 'apply'?)"),
        ({"attempts": {"zz": 0}}, "attempts.zz", "unknown step 'zz'"),
        ({"attempts": {"apply#1": 0}}, "attempts['apply#1']", "unknown step 'apply#1'"),
        ({"step": "zz#1"}, "step", "unknown step 'zz'"),
        ({"steps": {"zz#1": "error"}}, "steps['zz#1']", "unknown step 'zz'"),
        ({"directives": {"zz#1": None}}, "directives['zz#1']", "unknown step 'zz'"),
        ({"groups": {"nett": "error"}}, "groups.nett", "unknown group 'nett' (perhaps 'net'?)"),
        ({"groups": {"apply": "error"}}, "groups.apply", "unknown group 'apply'"),
        ({"dispatched": ["apply#1", "zz#1"]}, "dispatched[1]", "unknown step 'zz'"),
        ({"approvals": ["zz#1"]}, "approvals[0]", "unknown step 'zz'"),
        ({"inputs": {"zz#1": {}}}, "inputs['zz#1']", "unknown step 'zz'"),
        ({"inputs": {"apply#1": {"zz": 1}}}, "inputs['apply#1'].zz", "unknown step 'zz'"),
    ],
)
def test_a_claim_about_nothing_is_refused(expect: object, path: str, problem: str) -> None:
    """A step or group that no part of the scenario has is a misspelling, not something absent."""
    flow = {"groups": [{"key": "net", "steps": [{"key": "apply"}]}]}
    (told,) = problems(flow=flow, expect=expect)
    assert told == (f"expect.{path}", told[1])
    assert told[1].startswith(problem)
    (told,) = problems(flow=flow, do=[{"pause": {}}, {"advance": 1, "check": expect}])
    assert told[0] == f"do[1].check.{path}"


@pytest.mark.parametrize(
    "action",
    [
        {"approve": "zz", "expect": {"rejected": "unknown-step"}},
        {"retry": "zz#1", "expect": {"rejected": "unknown-step"}},
        {"finish": {"attempt": "zz#1"}, "expect": {"ignored": "unknown-attempt"}},
        {"cancel": {"step": "zz"}, "expect": {"rejected": "unknown-step"}},
        {"rerun": {"step": "a", "additional_skip": ["a", "zz"]}, "expect": {"rejected": "x"}},
        {"rerun": {"step": "a", "replan_step": "zz"}, "expect": {"rejected": "x"}},
        {"retry-group": "zz", "expect": {"rejected": "unknown-group"}},
    ],
)
def test_what_an_action_names_may_be_claimed_absent(action: object) -> None:
    """People name steps that do not exist, and a scenario says that nothing comes of it."""
    decoded(do=[action], expect={"absent": ["zz#1"], "attempts": {"zz": 0}, "flow": "success"})


@pytest.mark.parametrize("parts", [{}, {"generate": []}, {"generate": {"fail": "no template"}}])
def test_without_any_group_anything_is_absent(parts: dict[str, Any]) -> None:
    """Where no group is known, none of its steps can be misspelt."""
    decoded(flow={}, expect={"absent": ["a#1"]}, **parts)


def test_two_scenarios_of_one_name_are_refused() -> None:
    """A name says which scenario is meant, so it stands once in a file."""
    file = scenarios()
    file["scenarios"] = [{"name": name, "flow": A_FLOW} for name in ("s", "t", "s", "S")]
    assert refusal(file) == (
        "scenarios[2].name",
        "'s' is used twice, first at scenarios[0].name",
    )


def test_as_many_unknown_names_are_told_as_help() -> None:
    """Thousands of misspellings are not told one by one."""
    assert len(problems(expect={"attempts": {f"z{n}": 0 for n in range(1000)}})) == 20
    assert len(problems(**{f"z{n}": 0 for n in range(1000)})) == 20


def test_what_is_wrong_with_several_scenarios_is_told_at_once() -> None:
    """One bad scenario does not hide what is wrong with the next."""
    file = scenarios()
    file["scenarios"] = [{"name": 1, "flow": {}}, {"name": "s", "flow": {}}, {"flow": {}}]
    with pytest.raises(FormatError) as refused:
        decode_scenarios(file)
    assert [path for path, _ in refused.value.problems] == ["scenarios[0].name", "scenarios[2]"]


def test_a_file_of_garbage_is_told_in_a_few_lines() -> None:
    """Enough problems are told to mend them, and not one for each of thousands."""
    file = {"format": "conductor-scenario/1", "scenarios": [{}] * 1000}
    with pytest.raises(FormatError) as refused:
        decode_scenarios(file)
    assert len(refused.value.problems) == 20


@pytest.mark.parametrize(
    "parts",
    [
        {"flow": {"groups": [{"key": "h", "steps": [{"key": "b"}]}]}},
        {"generate": [{"key": "h", "steps": [{"key": "b"}]}]},
        {"generate": {"partial": [{"key": "h", "steps": [{"key": "b"}]}]}},
        {"do": [{"append": [{"key": "h", "steps": [{"key": "b"}]}]}]},
        {"do": [{"generated": [{"key": "h", "steps": [{"key": "b"}]}]}]},
    ],
)
def test_steps_that_come_later_have_work_too(parts: dict[str, Any]) -> None:
    """A step is known when any group of the scenario holds it, whoever brings the group."""
    claims = {"absent": ["b#2"], "attempts": {"b": 0}, "groups": {"h": "pending"}}
    scenario = decoded(work={"b": ["hold"]}, ignores_cancel=["b"], expect=claims, **parts)
    assert scenario.work[0].step == "b"


def test_only_name_and_flow_are_needed() -> None:
    """Whatever else a scenario may say has a default."""
    assert decoded() == Scenario(name="s", flow=decoded().flow, flow_id="flow")


def test_every_request_is_by_the_operator_unless_it_says_by_whom() -> None:
    """`by` may be given wherever a request is written as a mapping."""
    assert sent({"pause": {}}) == events.PauseRequested(at_ms=0, by="operator")
    assert sent({"append": []}) == events.AppendRequested(at_ms=0, by="operator")
    assert sent({"retry-now": "a"}) == events.RetryNowRequested(at_ms=0, by="operator", step="a")
    assert sent({"pause": {"by": "ana"}}) == events.PauseRequested(at_ms=0, by="ana")
    assert sent({"cancel": {"by": "ana", "reason": "r"}}) == events.CancelRequested(
        at_ms=0, by="ana", reason="r"
    )


def test_an_answer_to_an_approval_takes_its_response_from_its_name() -> None:
    """`retry-plan` is `retry`, and `respond` sends any response."""
    answer = {"step": "a", "by": "ana", "note": "n", "subject": "s"}
    fields: dict[str, Any] = {"at_ms": 0, **answer}
    for name in ("approve", "deny", "skip-current", "skip-current-and-dependents"):
        assert sent({name: answer}) == events.ApprovalResponded(response=name, **fields)
    assert sent({"retry-plan": answer}) == events.ApprovalResponded(response="retry", **fields)
    assert sent({"respond": {**answer, "response": "perhaps"}}) == events.ApprovalResponded(
        response="perhaps", **fields
    )


def test_a_rerun_is_for_the_flow_itself_unless_it_names_another() -> None:
    """The short forms are plain reruns; the long one gives every field of the input."""
    assert sent({"retry": "a"}) == events.RerunRequested(
        at_ms=0, by="operator", flow_id="flow", step_id="a", operation="retry-step"
    )
    assert sent({"skip": "a"}) == events.RerunRequested(
        at_ms=0, by="operator", flow_id="flow", step_id="a", operation="skip-step"
    )
    assert sent({"rerun": {"step": "a"}}) == sent({"retry": "a"})
    full = {
        "step": "a",
        "operation": "skip-step",
        "stale_plan": True,
        "replan_step": "p",
        "additional_skip": ["b"],
        "continue_from_idx": 2,
        "flow_id": "other",
    }
    assert sent({"rerun": full}) == events.RerunRequested(
        at_ms=0,
        by="operator",
        flow_id="other",
        step_id="a",
        operation="skip-step",
        stale_plan=True,
        replan_step_id="p",
        additional_skip_step_ids=("b",),
        continue_from_idx=2,
    )


def test_a_finish_succeeds_unless_it_says_otherwise() -> None:
    """`finish` has the fields of step-finished and its attempt."""
    finished = events.StepFinished(at_ms=0, attempt="a#1", outcome="succeeded")
    assert sent({"finish": {"attempt": "a#1"}}) == finished


def test_yes_and_no_may_be_true_and_false() -> None:
    """JSON has no `yes`: true and false start a flow, or not, as well."""
    assert decoded(do=[{"start": True}]) == decoded(do=[{"start": "yes"}])
    assert decoded(do=[{"start": False}]) == decoded(do=[{"start": "no"}])
