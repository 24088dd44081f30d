"""A request goes to its flow as from the command line, and its verdict comes back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conductor_adapters.debugger.html import asset
from conductor_adapters.ui import asking
from tests.ui.calling import Answer, Caller
from tests.ui.stage import DEPLOY, PARKS, Stage
from tests.ui.test_events import standing


def asked(caller: Caller, label: str, flow_id: str = "deploy-1", **more: Any) -> Answer:
    """Send what the page offers under a label."""
    told = standing(caller, flow_id)
    request = next(each for each in told["requests"] if each["label"] == label)
    event = {**request["event"], **more}
    body = {"event": event, "by": "ana", "attempt": request["attempt"]}
    return caller.post(f"/api/flows/{flow_id}/requests", body)


def last_request(stage: Stage, caller: Caller, flow_id: str = "deploy-1") -> dict[str, Any]:
    """The last thing somebody asked, as it stands in the log."""
    entries: list[Any] = []
    for kind, data in caller.events(f"/api/flows/{flow_id}/events?after=0"):
        if kind != "entries":
            break
        entries += data
    event: dict[str, Any] = [entry["event"] for entry in entries if entry.get("request")][-1]
    del event["at_ms"]
    return event


def test_an_approval_stands_in_the_log_as_it_was_given(stage: Stage, caller: Caller) -> None:
    """Who, what and about which subject, with the note; and the flow goes on."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    answer = asked(caller, "Approve", note="as discussed", request_id="r-1")
    assert answer.status == 200
    assert answer.json.pop("status") in {"in-progress", "approval-awaiting", "success"}
    assert {**answer.json, "status": ""} == {
        "flow_id": "deploy-1", "status": "", "verdict": "accepted", "code": None, "message": None,
    }  # fmt: skip
    assert last_request(stage, caller) == {
        "type": "approval-responded", "step": "plan", "response": "approve", "by": "ana",
        "note": "as discussed", "subject": "sha256:4f1c9be0", "request_id": "r-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "status"),
    [("Deny", "error"), ("Skip and stop", "error"), ("Cancel", "cancelled"), ("Pause", "paused")],
)
def test_every_offer_is_taken(stage: Stage, caller: Caller, label: str, status: str) -> None:
    """And does what it says."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    assert asked(caller, label).json["verdict"] == "accepted"
    assert standing(caller, "deploy-1")["status"] == status


def test_a_failure_is_skipped(stage: Stage, caller: Caller) -> None:
    """And the flow goes on."""
    stage.start(PARKS, "deploy-1", "failed-pending-retry")
    assert asked(caller, "Skip").json["verdict"] == "accepted"
    assert last_request(stage, caller)["step_id"] == "fail#1"


def test_a_verdict_comes_back_as_it_was_given(stage: Stage, caller: Caller) -> None:
    """Ignored with its reason, rejected with code and message."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    event = {"type": "approval-responded", "step": "plan", "response": "approve"}
    path = "/api/flows/deploy-1/requests"
    about = {"event": {**event, "subject": "another"}, "by": "ana", "attempt": "plan#1"}
    answer = caller.post(path, about)
    told = answer.json
    assert (answer.status, told["verdict"], told["code"]) == (200, "rejected", "subject-mismatch")
    resume = {"type": "approval-option-changed", "option": "prompt"}
    told = caller.post(path, {"event": resume, "by": "ana"}).json
    assert (told["verdict"], told["code"], told["message"]) == ("ignored", "no-change", None)


def test_the_same_request_counts_once(stage: Stage, caller: Caller) -> None:
    """However often it arrives."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    body = {"event": {"type": "pause-requested", "request_id": "r-7"}, "by": "ana"}
    verdicts = [caller.post("/api/flows/deploy-1/requests", body).json for _ in range(2)]
    assert [each["verdict"] for each in verdicts] == ["accepted", "ignored"]
    assert verdicts[1]["code"] == "duplicate-request"


def test_an_answer_is_about_the_attempt_that_was_shown(stage: Stage, caller: Caller) -> None:
    """Not about a later one, should it have been planned anew meanwhile."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    stage.ask("deploy-1", "retry_plan", "plan")
    while not standing(caller, "deploy-1")["approvals"]:
        pass
    event = {"type": "approval-responded", "step": "plan", "response": "approve"}
    path = "/api/flows/deploy-1/requests"
    answer = caller.post(path, {"event": event, "by": "ana", "attempt": "plan#1"})
    assert (answer.status, answer.code) == (409, "not-asked")
    assert answer.json["error"]["message"].startswith("plan#1 asks for no approval any more, it is")
    for none in (7, None):
        answer = caller.post(path, {"event": event, "by": "ana", "attempt": none})
        assert (answer.status, answer.code) == (400, "no-attempt")
    for attempt in ("plan#7", "apply#1"):
        answer = caller.post(path, {"event": event, "by": "ana", "attempt": attempt})
        assert (answer.status, answer.code) == (409, "unknown-attempt")
    assert stage.state("deploy-1").status == "approval-awaiting"


PAUSE = {"type": "pause-requested"}
FACT = {"type": "step-finished", "attempt": "plan#1", "outcome": "failed"}
RERUN = {"type": "rerun-requested", "flow_id": "deploy-2", "step_id": "plan"}
WRONG: list[tuple[Any, str]] = [
    (b"", "no-json"),
    (b"{", "no-json"),
    (b"\xff", "no-json"),
    (b'{"by": NaN}', "no-json"),
    (b"[" * 50_000, "no-json"),
    (b'{"by": "\\ud800", "event": {}}', "no-json"),
    ([], "no-object"),
    ({}, "no-name"),
    ({"event": PAUSE}, "no-name"),
    ({"event": PAUSE, "by": " "}, "no-name"),
    ({"event": PAUSE, "by": 7}, "no-name"),
    ({"event": PAUSE, "by": "a" * 201}, "no-name"),
    ({"event": PAUSE, "by": "bo\u202egro"}, "no-name"),
    ({"event": PAUSE, "by": "bo\u0007"}, "no-name"),
    ({"event": PAUSE, "by": "\u3164"}, "no-name"),
    ({"event": PAUSE, "by": "ana", "more": 1}, "no-request"),
    ({"event": "pause", "by": "ana"}, "no-request"),
    ({"event": {}, "by": "ana"}, "no-request"),
    ({"event": {"type": "nothing"}, "by": "ana"}, "no-request"),
    ({"event": {**PAUSE, "more": 1}, "by": "ana"}, "no-request"),
    ({"event": {"type": "flow-started"}, "by": "ana"}, "no-request"),
    ({"event": FACT, "by": "ana"}, "no-request"),
    ({"event": {"type": "append-requested", "groups": []}, "by": "ana"}, "no-request"),
    ({"event": RERUN, "by": "ana"}, "other-flow"),
]  # fmt: skip


def test_a_page_writes_out_what_no_name_may_have() -> None:
    """Both know the same characters that nobody would see."""
    (known,) = re.findall(r"UNSEEN = /\[(.*)\]/gu;", asset("base.js"))
    kinds, codes = (re.findall(form, known) for form in (r"\\p\{(\w+)\}", r"\\u(\w{4})"))
    assert set(kinds) == asking.UNSEEN
    assert {chr(int(code, 16)) for code in codes} == asking.BLANK


@pytest.mark.parametrize(("body", "code"), WRONG)
def test_what_is_no_request_of_a_page_reaches_no_flow(
    stage: Stage, caller: Caller, body: object, code: str
) -> None:
    """No fact of a worker's, and nothing unsigned."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    answer = caller.post("/api/flows/deploy-1/requests", body)
    assert (answer.status, answer.code) == (400, code)
    assert "Traceback" not in json.dumps(answer.json)
    assert stage.state("deploy-1").status == "approval-awaiting"


def test_nothing_is_asked_of_a_flow_that_is_not_there(caller: Caller) -> None:
    """It is said so."""
    answer = caller.post("/api/flows/nope/requests", {"event": PAUSE, "by": "ana"})
    assert (answer.status, answer.code) == (404, "unknown-flow")
    assert answer.json["error"]["message"] == "no flow is named 'nope'"
