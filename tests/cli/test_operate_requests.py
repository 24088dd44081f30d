"""What operators ask of flows in a store: each request, its verdict and its exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conductor_adapters.cli.main import conductor
from conductor_adapters.cli.user import user_name
from tests.cli.operating import (
    ASKS,
    ASKS_TWICE,
    CONDUCTOR,
    FAILS,
    FULL,
    PARKS,
    RUNS,
    STORE,
    begun,
    begun_to_back_off,
    data_of,
    last_event,
    lines_of,
    run,
    state_of,
    told,
    write,
)

ID = "deploy-1"
ACCEPTED = (0, "accepted\n", "")
BY_ANA = ("--by", "ana")
ANSWERS = ("approve", "deny", "skip-current", "retry-plan")
NEEDS_ONE_MORE = (
    *("retry", "skip", "rerun", "retry-group", "retry-now", "append", "approval-option"),
)
REQUESTS = (*ANSWERS, *NEEDS_ONE_MORE, "cancel", "pause", "resume")
"""The requests that need to be told what they are about."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDUCTOR_STORE", raising=False)
    return tmp_path


def request(command: str, *arguments: str) -> tuple[str, ...]:
    """A request with all that it needs."""
    if command == "append":
        write("more.yaml", "- {key: more, steps: [{key: x, work: apply}]}\n")
    named = {"append": "more.yaml", "retry-group": "g", "approval-option": "approve-all"}
    about = named.get(command, "apply")
    return (command, ID, *([about] if command in NEEDS_ONE_MORE else []), *arguments)


# --- each request ---


def answer(response: str, **more: Any) -> dict[str, Any]:
    """An answer to the approval of the step `plan`."""
    event = {"type": "approval-responded", "step": "plan", "response": response, "by": "ana"}
    return event | more


def rerun(operation: str, **more: Any) -> dict[str, Any]:
    """A request to rerun the step `fail`."""
    event = {"type": "rerun-requested", "by": "ana", "flow_id": ID, "step_id": "fail"}
    return event | ({"operation": operation} if operation != "retry-step" else {}) | more


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (("approve", ID, "plan"), answer("approve")),
        (("approve", ID), answer("approve")),
        (
            ("approve", ID, "--subject", "3 servers", "--note", "go"),
            answer("approve", subject="3 servers", note="go"),
        ),
        (("deny", ID, "plan", "--note", "no"), answer("deny", note="no")),
        (("skip-current", ID), answer("skip-current")),
        (
            ("skip-current", ID, "plan", "--and-dependents", "--note", "later"),
            answer("skip-current-and-dependents", note="later"),
        ),
        (("retry-plan", ID, "--note", "again"), answer("retry", note="again")),
        (("pause", ID), {"type": "pause-requested", "by": "ana"}),
        (
            ("approval-option", ID, "approve-all"),
            {"type": "approval-option-changed", "option": "approve-all", "by": "ana"},
        ),
        (("cancel", ID), {"type": "cancel-requested", "by": "ana"}),
        (
            ("cancel", ID, "--step", "plan", "--reason", "too late"),
            {"type": "cancel-requested", "by": "ana", "step": "plan", "reason": "too late"},
        ),
        (
            ("cancel", ID, "--group", "g"),
            {"type": "cancel-requested", "by": "ana", "group": "g"},
        ),
    ],
)
def test_a_request_to_a_flow_that_asks_is_accepted(
    arguments: tuple[str, ...], event: dict[str, Any]
) -> None:
    """What stands in the log is what was asked, under the name that was given."""
    begun(ASKS, until="approval-awaiting")
    assert told(*arguments, *BY_ANA) == ACCEPTED
    assert last_event() == event


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (("retry", ID, "fail"), rerun("retry-step")),
        (("skip", ID, "fail"), rerun("skip-step")),
        (("rerun", ID, "fail"), rerun("retry-step")),
        (("rerun", ID, "fail", "--operation", "skip-step"), rerun("skip-step")),
        (
            ("rerun", ID, "fail", "--skip", "apply"),
            rerun("retry-step", additional_skip_step_ids=["apply"]),
        ),
        (("retry-group", ID, "g"), {"type": "group-retry-requested", "group": "g", "by": "ana"}),
    ],
)
def test_a_request_about_what_failed_is_accepted(
    arguments: tuple[str, ...], event: dict[str, Any]
) -> None:
    """Where a failure waits for people, what they ask is carried out."""
    begun(PARKS, until="failed-pending-retry")
    assert told(*arguments, *BY_ANA) == ACCEPTED
    assert last_event() == event


def test_a_rerun_can_say_that_a_plan_is_out_of_date() -> None:
    """What else it takes is what the flow says to it."""
    begun(PARKS, until="failed-pending-retry")
    stale = ("--stale-plan", "--replan-step", "apply")
    code, written, errors = told("rerun", ID, "fail", *stale, *BY_ANA)
    assert (code, errors) == (1, "")
    assert written.startswith("rejected: ")
    assert last_event() == rerun("retry-step", stale_plan=True, replan_step_id="apply")


def test_a_wait_for_a_retry_is_cut_short() -> None:
    """The step that waits out its backoff begins now."""
    begun_to_back_off()
    assert told("retry-now", ID, "fail", *BY_ANA) == ACCEPTED
    assert last_event() == {"type": "retry-now-requested", "step": "fail", "by": "ana"}


def test_a_flow_is_paused_and_goes_on() -> None:
    """A pause of what is paused changes nothing, and is no failure."""
    begun(RUNS)
    assert told("pause", ID) == ACCEPTED
    assert state_of().paused
    assert told("pause", ID) == (0, "ignored: no-change\n", "")
    assert told("resume", ID) == ACCEPTED
    assert not state_of().paused
    assert told("resume", ID) == (0, "ignored: no-change\n", "")


# --- who asks, and how often ---


@pytest.mark.parametrize("command", REQUESTS)
def test_who_started_the_command_asks(command: str) -> None:
    """Where nobody is named it is the user of the system."""
    begun(ASKS, until="approval-awaiting")
    run(*request(command))
    assert last_event()["by"] == user_name()


@pytest.mark.parametrize("command", REQUESTS)
def test_every_request_has_the_options_of_all(command: str) -> None:
    """An id under which it counts once, a name, and JSON."""
    begun(ASKS, until="approval-awaiting")
    step = ("plan",) if command in ANSWERS else ()
    data = data_of(*request(command, *step, *BY_ANA, "--request-id", "r-1"))
    assert list(data) == ["flow_id", "verdict", "reason", "code", "message", "status"]
    assert data["flow_id"] == ID
    assert data["status"] == state_of().status
    event = last_event()
    assert (event["by"], event["request_id"]) == ("ana", "r-1")


def test_a_request_that_is_sent_twice_counts_once() -> None:
    """By its id it is known again, whatever became of the flow meanwhile."""
    begun(ASKS, until="approval-awaiting")
    once = ("approve", ID, "plan", "--request-id", "r-1")
    assert told(*once) == ACCEPTED
    assert told(*once) == (0, "ignored: duplicate-request\n", "")


def test_a_request_that_may_be_sent_twice_names_its_step() -> None:
    """Else it could be about another step the second time."""
    begun(ASKS, until="approval-awaiting")
    code, written, errors = told("approve", ID, "--request-id", "r-1")
    assert (code, written) == (2, "")
    assert errors.startswith("--request-id: name the step")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is full")
def test_the_exit_code_tells_the_verdict_though_nothing_can_be_written() -> None:
    """Whoever asks by its exit code must not ask again what was accepted."""
    begun(ASKS, until="approval-awaiting")
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*CONDUCTOR, "pause", ID, "--store", STORE],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        0, "cannot write the output: No space left on device\n",
    )  # fmt: skip
    assert state_of().paused


# --- what is not accepted ---


def test_what_is_not_asked_any_more_is_rejected() -> None:
    """Exit code 1, the code and what it is about."""
    begun(ASKS, until="approval-awaiting")
    assert told("approve", ID, "plan") == ACCEPTED
    rejected = "rejected: not-awaiting-approval ('plan#1' is success)\n"
    assert told("approve", ID, "plan") == (1, rejected, "")


def test_an_approval_is_of_what_is_asked_about() -> None:
    """Who approves something else has approved nothing."""
    begun(ASKS, until="approval-awaiting")
    code, written, _ = told("approve", ID, "--subject", "4 servers")
    assert code == 1
    assert written == "rejected: subject-mismatch ('4 servers' was answered, not '3 servers')\n"
    assert state_of().status == "approval-awaiting"


def test_an_answer_may_name_the_attempt_that_asks() -> None:
    """And no earlier one: what that planned is out of date."""
    begun(ASKS, until="approval-awaiting")
    assert told("retry-plan", ID, "plan#1")[0] == 0
    code, written, errors = told("approve", ID, "plan#1")
    assert (code, written) == (2, "")
    assert errors.startswith("plan#1 asks for no approval, it is ")


@pytest.mark.parametrize(
    ("arguments", "verdict", "exit_code"),
    [
        (
            ("approve", ID, "plan"),
            {"verdict": "accepted", "reason": None, "code": None, "message": None},
            0,
        ),
        (
            ("resume", ID),
            {"verdict": "ignored", "reason": "no-change", "code": None, "message": None},
            0,
        ),
        (
            ("retry", ID, "plan"),
            {
                "verdict": "rejected",
                "reason": None,
                "code": "not-failed",
                "message": "'plan#1' is approval-awaiting and holds nothing up",
            },
            1,
        ),
    ],
)
def test_a_verdict_is_told_as_json(
    arguments: tuple[str, ...], verdict: dict[str, Any], exit_code: int
) -> None:
    """All of it, and where the flow is with it."""
    begun(ASKS, until="approval-awaiting")
    result = run(*arguments, "--json")
    data = json.loads(result.stdout)
    assert (data | verdict, result.exit_code) == (data, exit_code)


# --- which step ---


def test_where_several_ask_one_must_be_named() -> None:
    """The error lists them; nothing is asked of the flow."""
    begun(ASKS_TWICE, until="approval-awaiting")
    before = lines_of()
    for command in ("approve", "deny", "skip-current", "retry-plan"):
        code, written, error = told(command, ID)
        assert (code, written) == (2, "")
        assert error == ("flow 'deploy-1' asks for 2 approvals, so name the step: plan, other\n")
    assert lines_of() == before
    assert told("approve", ID, "other") == ACCEPTED


def test_where_none_asks_there_is_nothing_to_leave_out() -> None:
    """It is said where the flow is instead."""
    begun(RUNS)
    error = "flow 'deploy-1' asks for no approval, it is in-progress\n"
    assert told("deny", ID) == (2, "", error)


# --- groups from a file ---


def test_groups_are_appended_from_a_list() -> None:
    """In the words of a flow file."""
    begun(ASKS, until="approval-awaiting")
    write("more.yaml", "- key: more\n  steps:\n    - {key: x, run: echo x}\n")
    assert told("append", ID, "more.yaml") == ACCEPTED
    *_, step = state_of().catalog.steps
    assert [group.key for group in state_of().catalog.groups] == ["g", "more"]
    assert (step.key, step.handler, step.input.value) == ("x", "shell", {"run": "echo x"})


def test_groups_are_appended_from_a_flow_file() -> None:
    """Its groups alone, and what is passed over is told."""
    begun(ASKS, until="approval-awaiting")
    more = {"flow": "more", "options": {}, "groups": [{"key": "more", "steps": [{"key": "x"}]}]}
    write("more.json", json.dumps(more, indent=1))
    warning = "more.json:3: warning: options: it is not appended, groups alone are\n"
    assert told("append", ID, "more.json") == (0, "accepted\n", warning)
    assert [group.key for group in state_of().catalog.groups] == ["g", "more"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "more.yaml:1: the document is empty\n"),
        ("- {key: [}", "more.yaml:1: "),
        ("3", "more.yaml:1: expected a list of groups or a flow file, got 3\n"),
        ("{flow: x}", "more.yaml:1: expected a list of groups or a flow file, got {'flow': 'x'}\n"),
        ("groups:\n  3", "more.yaml:1: groups: expected a list, got 3\n"),
        (
            "- key: more\n  steps:\n    - {key: x}\n    - {key: y, job: z}\n",
            "more.yaml:4: [0].steps[1].job: ",
        ),
        (
            "flow: x\ngroups:\n  - key: more\n    steps:\n      - {run: 3}\n",
            "more.yaml:5: groups[0].steps[0].run: expected a command line, got 3\n",
        ),
    ],
)
def test_a_file_of_groups_that_cannot_be_read_is_told_with_its_place(text: str, error: str) -> None:
    """File, line, path and what is wrong; the flow hears nothing of it."""
    begun(ASKS, until="approval-awaiting")
    before = lines_of()
    write("more.yaml", text)
    code, written, errors = told("append", ID, "more.yaml")
    assert (code, written) == (2, "")
    assert errors.startswith(error)
    assert lines_of() == before


def test_a_file_of_groups_that_is_not_there_is_told() -> None:
    """Before any store is opened."""
    code, _, error = told("append", ID, "more.yaml")
    assert (code, error) == (2, "more.yaml: No such file or directory\n")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("[]", (0, "ignored: no-change\n")),
        (
            "- {key: g, steps: [{key: x}]}",
            (1, "rejected: duplicate-key ('g' is a key of the flow already)\n"),
        ),
        (
            "- {key: h, steps: [{key: x, needs: [nobody]}]}",
            (1, "rejected: invalid-groups ("),
        ),
    ],
)
def test_the_flow_judges_groups_that_can_be_read(text: str, verdict: tuple[int, str]) -> None:
    """Its verdict says what keeps it from taking them."""
    begun(ASKS, until="approval-awaiting")
    write("more.yaml", text)
    code, written, errors = told("append", ID, "more.yaml")
    assert (code, errors) == (verdict[0], "")
    assert written.startswith(verdict[1])


# --- what cannot be used ---


@pytest.mark.parametrize("command", REQUESTS)
def test_a_flow_that_is_not_there_is_told(command: str) -> None:
    """Exit code 2; text of others is escaped."""
    begun(RUNS)
    arguments = [argument if argument != ID else "a\x1bb" for argument in request(command)]
    assert told(*arguments) == (2, "", "flows.db: no flow is named 'a\\x1bb'\n")


@pytest.mark.parametrize("command", REQUESTS)
@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--by", "", "--by: expected a name, got ''\n"),
        ("--by", " ", "--by: expected a name, got ' '\n"),
        ("--by", "\udcff", "--by: expected a name, got '\\udcff'\n"),
        ("--request-id", "", "--request-id: expected an id, got ''\n"),
        ("--store", "no.db", "there is no such store\n"),
        ("--store", ".", "it is a directory\n"),
        ("--store", "text.db", "it is no database\n"),
        (
            "--store",
            "http://x/y",
            "--store: expected a file or postgresql://..., got 'http://x/y'\n",
        ),
    ],
)
def test_a_bad_option_ends_with_2(command: str, option: str, value: str, error: str) -> None:
    """One line that says what is wrong with it."""
    begun(RUNS)
    write("text.db", "no database " * 1_000)
    store = () if option == "--store" else ("--store", STORE)
    result = CliRunner().invoke(conductor, [*request(command), option, value, *store])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(error)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("cancel", ID, "--step", "a", "--group", "g"), "--step does not go together with --group"),
        (("rerun", ID, "a", "--operation", "undo"), "'undo' is not one of"),
        (("rerun", ID), "Missing argument 'STEP'"),
        (("retry-group", ID), "Missing argument 'GROUP'"),
        (("append", ID), "Missing argument 'FILE'"),
        (("pause",), "Missing argument 'FLOW_ID'"),
        (("approve", ID, "plan", "more"), "unexpected extra argument"),
    ],
)
def test_a_command_that_is_not_understood_ends_with_2(
    arguments: tuple[str, ...], error: str
) -> None:
    """And says what it understands."""
    code, written, errors = told(*arguments)
    assert (code, written) == (2, "")
    assert error in errors


@pytest.mark.parametrize(
    "options",
    [("--note", "\udcff"), ("--subject", "\udcff")],
)
def test_text_that_no_log_can_hold_is_refused(options: tuple[str, str]) -> None:
    """What is no text reaches no log."""
    begun(ASKS, until="approval-awaiting")
    before = lines_of()
    code, written, error = told("approve", ID, *options)
    assert (code, written) == (2, "")
    assert "\\udcff" in error
    assert lines_of() == before


def test_a_store_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an option, or by the environment; the option counts where both do."""
    begun(FAILS, until="error")
    missing = run("pause", ID, store=None)
    assert (missing.exit_code, "Missing option '--store'" in missing.stderr) == (2, True)
    monkeypatch.setenv("CONDUCTOR_STORE", STORE)
    code = run("resume", ID, store=None).exit_code
    assert code == 1
    assert run("pause", ID, store="no.db").exit_code == 2
