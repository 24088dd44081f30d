"""What a recorded flow announces, as CloudEvents and as CDEvents: the same, whenever it does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conductor_adapters.debugger.announcements import announcements_of, rfc3339
from conductor_adapters.debugger.cdevents import TYPES, cdevents_of
from conductor_adapters.debugger.cloudevents import cloudevents_of
from tests.debugger.golden import NAMES, SMALL, beginnings, golden, recorded
from tests.recorded.telling import Telling, error, flow, group

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OWN = re.compile(r"dev\.cdeventsx\.conductor-approval\.[a-z]+\.0\.1\.0")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def clouds(name: str) -> list[dict[str, Any]]:
    """The CloudEvents of a recorded log."""
    return list(cloudevents_of(golden(name)))


def types(name: str) -> list[str]:
    """What the CloudEvents of a recorded log are about, in order."""
    return [event["type"].removeprefix("conductor.") for event in clouds(name)]


@pytest.mark.parametrize("name", NAMES)
def test_every_announcement_has_an_id_of_its_own(name: str) -> None:
    """It begins with the digest of its entry."""
    digests = {played.digest for played in golden(name).entries}
    told = list(announcements_of(golden(name)))
    assert len({announcement.id for announcement in told}) == len(told)
    assert {announcement.id.partition("/")[0] for announcement in told} <= digests


@pytest.mark.parametrize("name", SMALL)
def test_a_log_that_grows_only_adds_announcements(name: str) -> None:
    """Who got those of its beginning gets the same again."""
    for events_of in (cloudevents_of, cdevents_of):
        told = list(events_of(golden(name)))
        for beginning in beginnings(name):
            known = list(events_of(beginning))
            assert known == told[: len(known)]


@pytest.mark.parametrize("name", NAMES)
def test_a_cloudevent_has_what_the_specification_asks_for(name: str) -> None:
    """The four attributes that each has, and of those that it may have the right kind."""
    for event in clouds(name):
        assert event["specversion"] == "1.0"
        assert all(event[key] for key in ("id", "source", "type", "subject"))
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", key) for key in event)
        assert TIME.fullmatch(event["time"])
        assert event["datacontenttype"] == "application/json"
    sequence = [event["sequence"] for event in clouds(name)]
    assert sequence == sorted(sequence)


@pytest.mark.parametrize("name", NAMES)
def test_a_cdevent_has_what_the_specification_asks_for(name: str) -> None:
    """Its context, its subject, and what the content of each type must have."""
    chains = set()
    for event in cdevents_of(golden(name)):
        context, subject = event["context"], event["subject"]
        assert context.keys() == {*("specversion", "id", "source", "type", "timestamp", "chainId")}
        assert TIME.fullmatch(context["timestamp"])
        assert subject.keys() == {"id", "source", "content"}
        kind = context["type"]
        assert kind in TYPES.values() or OWN.fullmatch(kind)
        content = subject["content"]
        if ".pipelinerun." in kind:
            assert content.keys() - {"outcome", "errors"} == {"pipelineName", "uri"}
        elif ".taskrun." in kind:
            assert content.keys() - {"outcome", "errors"} == {"taskName", "pipelineRun", "uri"}
        if ".finished." in kind:
            assert content["outcome"] in ("success", "failure", "cancel", "error")
        chains.add(context["chainId"])
    assert len(chains) == 1
    assert UUID4.fullmatch(*chains)


@pytest.mark.parametrize(
    ("name", "approvals"),
    [
        ("approval-with-quorum", "requested responded approved"),
        ("approval-denied", "requested responded denied"),
        ("approval-expired", "requested expired"),
        ("approval-retried", "requested replanned requested approved"),
        ("stale-plan", "requested stale requested stale"),
        ("skip-current", "requested skipped"),
        ("approvals-in-parallel", "requested requested requested approved denied withdrawn"),
        ("policies", "approved"),
    ],
)
def test_approvals_are_announced_from_question_to_decision(name: str, approvals: str) -> None:
    """Between the start and the end of the flow, which are announced as well."""
    words = [f"approval.{word}" for word in approvals.split()]
    assert types(name) == ["flow.started", *words, "flow.finished"]


def test_an_approval_tells_who_and_what() -> None:
    """What was asked of whom, and what was answered by whom."""
    _, asked, first, decided, _ = (event["data"] for event in clouds("approval-with-quorum"))
    assert asked == {
        "flow_id": "golden",
        "flow_type": "story",
        "run": 1,
        "entry": 2,
        "group": "g",
        "step": "plan",
        "attempt": "plan#1",
        "subject": "sha256:1",
        "required": 2,
        "approvers": ["ana", "bo", "cy"],
        "approved_by": [],
        "expires_at": "2026-01-02T00:00:02.000Z",
    }
    assert (first["by"], first["note"], first["approved_by"]) == ("ana", "looks fine", ["ana"])
    assert (decided["by"], decided["approved_by"]) == ("cy", ["ana", "cy"])


def test_an_answer_to_one_approval_is_not_told_of_another() -> None:
    """The one that was withdrawn names who denied, and no answer."""
    withdrawn = next(e["data"] for e in clouds("approvals-in-parallel") if "withdrawn" in e["type"])
    assert withdrawn["by"] == "ana"
    assert "response" not in withdrawn


def test_what_decided_without_people_is_named() -> None:
    """As the rule that it was."""
    decided = next(e["data"] for e in clouds("policies") if "approved" in e["type"])
    assert decided["automatic"] == "approve-all"
    assert "by" not in decided


def test_what_people_may_not_be_told_is_not_announced() -> None:
    """The error of the work in full stays in the log."""
    told = Telling(flow(group("g", "a")))
    told.started()
    told.broken("a#1", error=error("password is 123"), output="hidden")
    for events_of in (cloudevents_of, cdevents_of):
        text = json.dumps(list(events_of(recorded(told))))
        assert "password" not in text
        assert "hidden" not in text
        assert "Step failed" in text


def test_runs_and_attempts_are_found_where_the_source_is() -> None:
    """Below a source that is a place; under a scheme of our own where there is none."""

    def uris(source: str) -> list[str]:
        events = cdevents_of(golden("cancel-of-a-step"), source=source)
        return [event["subject"]["content"]["uri"] for event in events][:2]

    assert uris("/ci") == ["conductor:golden@1", "conductor:golden/a%231"]
    assert uris("https://ci.example/flows/") == [
        "https://ci.example/flows/golden@1",
        "https://ci.example/flows/golden/a%231",
    ]


def test_outcomes_are_those_of_cdevents() -> None:
    """Of runs that succeeded, failed and were cancelled."""

    def outcome(name: str) -> tuple[str, str | None]:
        *_, last = cdevents_of(golden(name))
        content = last["subject"]["content"]
        return content["outcome"], content.get("errors")

    assert outcome("parallel-groups") == ("success", None)
    assert outcome("approval-denied") == ("failure", "Approval denied")
    assert outcome("cancel-of-a-step") == ("cancel", "not this one")


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-5, "1970-01-01T00:00:00.000Z"),
        (1_767_225_600_001, "2026-01-01T00:00:00.001Z"),
        (10**15, "9999-12-31T23:59:59.999Z"),
        (10**20, "9999-12-31T23:59:59.999Z"),
        (-(10**20), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_whatever_it_is(at_ms: int, text: str) -> None:
    """Clocks of tests stand at 0, and a log may say anything."""
    assert rfc3339(at_ms) == text
