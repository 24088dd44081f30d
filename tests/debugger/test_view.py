"""What a page is given leads, patch by patch, to the states of the reducer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.view import entries_of, opening_of, records_of, view_of
from conductor_core import FlowOptions, FlowSpec, GroupSpec, events
from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.testing.brief import START, failed, flow, group, succeeded
from tests.debugger.recordings import large, release
from tests.debugger.stories import DEPLOY, MORE, OTHER, STORY, recording, untamed

CANCEL = events.CancelRequested(at_ms=0, by="bo")
GENERATED = events.GroupsGenerated(at_ms=0, groups=[group("a", "one"), group("b", "two")])
STORIES: Final[dict[str, Callable[[], Recording]]] = {
    "release": release,
    "untamed": untamed,
    "story": lambda: recording(DEPLOY, *STORY),
    "other": lambda: recording(DEPLOY, *OTHER),
    "generated": lambda: recording(FlowSpec(), START, GENERATED, succeeded("one#1"), CANCEL),
    "no groups": lambda: recording(FlowSpec(), START, events.GroupsGenerated(at_ms=0)),
    "cancelled at once": lambda: recording(DEPLOY, CANCEL, START),
    "group retried": lambda: recording(
        flow(group("g", "a", "b", parallel=True), group("h", "c")),
        *(START, succeeded("a#1"), failed("b#1")),
        *(events.GroupRetryRequested(at_ms=0, group="g", by="bo"), succeeded("a#2")),
    ),
    "continued": lambda: recording(
        FlowSpec(
            groups=[group("g", "a"), group("h", "b")], options=FlowOptions(continue_as_new_every=1)
        ),
        *(START, succeeded("a#1"), events.ContinuedAsNew(at_ms=0, incarnation=0)),
    ),
}


class Page:
    """The records of a view, moved on by patches as a page moves them."""

    def __init__(self, view: dict[str, Any]) -> None:
        self.records: dict[str, dict[str, Any]] = {"": dict(view["flow"])}
        self.groups = list(view["groups"])

    def apply(self, entry: dict[str, Any]) -> None:
        """Take an entry."""
        self.groups += entry.get("groups", [])
        for record, fields in entry["patch"]:
            self.records.setdefault(record, {"status": "pending"}).update(fields)

    def status(self, record: str) -> str:
        """The status that a page shows."""
        status: str = self.records.get(record, {"status": "pending"})["status"]
        return status

    def check(self, state: FlowState) -> None:
        """Every status is that of the state."""
        assert self.status("") == state.status
        for attempt in state.attempts():
            assert self.status(attempt.id) == attempt.status, attempt.id
            shown = self.records.get(attempt.id, {})
            assert shown.get("reason") == attempt.reason
            assert shown.get("due_at_ms") == attempt.due_at_ms
            assert (shown.get("retry") or 0) == attempt.retry
        assert [each["key"] for each in self.groups] == [each.key for each in state.catalog.groups]
        for index, each in enumerate(state.catalog.groups):
            assert self.status(f"@{each.key}") == state.group_status(index), each.key
        attempts = {attempt.id for attempt in state.attempts()}
        assert {record for record in self.records if "#" in record} <= attempts


@pytest.mark.parametrize("name", STORIES)
def test_the_records_of_a_state_are_those_that_patches_lead_to(name: str) -> None:
    """But for `result`, which only the entries know, and what need not be said."""
    told: Recording = STORIES[name]()
    page = Page(view_of(told))
    for seq, entry in enumerate(entries_of(told), 1):
        page.apply(entry)
        records = records_of(told.state_at(seq))
        for record, fields in records.items():
            shown = {"status": "pending", **page.records.get(record, {})}
            shown.pop("result", None)
            assert {key: value for key, value in shown.items() if value} == fields, record
        assert page.records.keys() <= records.keys()


@pytest.mark.parametrize("name", STORIES)
def test_patches_lead_to_every_state(name: str) -> None:
    """After each entry the records say what `Recording.state_at` says."""
    told: Recording = STORIES[name]()
    view = json.loads(json.dumps(view_of(told)))
    page = Page(view)
    page.check(told.state_at(0))
    for entry in view["entries"]:
        page.apply(entry)
        page.check(told.state_at(entry["seq"]))


def test_patches_of_a_large_log_lead_to_its_states() -> None:
    """The same now and then in 10,251 entries, as each look at a state costs its length."""
    told = large()
    page = Page(view := view_of(told))
    assert len(view["entries"]) == 10_251
    for entry in view["entries"]:
        page.apply(entry)
        if entry["seq"] % 1000 == 0 or entry["seq"] == 10_251:
            page.check(told.state_at(entry["seq"]))


def test_a_patch_says_only_what_changed() -> None:
    """A step that starts changes its attempt alone, and what is refused changes nothing."""
    entries = view_of(recording(DEPLOY, *STORY))["entries"]
    assert entries[1]["patch"] == [["plan#1", {"status": "in-progress"}]]
    assert entries[3]["verdict"]["rejected"] == "not-an-approver"
    assert (entries[3]["patch"], entries[3]["request"]) == ([], True)
    assert entries[4]["patch"] == [["plan#1", {"answers": ["ana: approve"]}]]


def test_a_result_is_named_by_the_entry_that_brought_it() -> None:
    """Outputs stand in the page once."""
    entries = view_of(recording(DEPLOY, *STORY))["entries"]
    results = {
        record: fields["result"]
        for entry in entries
        for record, fields in entry["patch"]
        if "result" in fields
    }
    assert results["apply#1"] == 8
    assert results["apply#2"] == 10


def test_a_group_that_comes_later_stands_in_its_entry() -> None:
    """A page draws it from there on."""
    appended = [each for each in view_of(recording(DEPLOY, *STORY))["entries"] if "groups" in each]
    (entry,) = appended
    assert entry["event"]["type"] == "append-requested"
    assert entry["groups"] == [
        {"key": "more", "steps": [{"key": "mail", "work": "mail"}], "name": MORE.name}
    ]


def test_entries_can_be_told_in_parts() -> None:
    """Who has shown n entries asks for those after them, and needs nothing else."""
    told = recording(DEPLOY, *STORY)
    view = view_of(told)
    assert opening_of("log.jsonl", told.header) == {
        key: ([] if key == "entries" else value)
        for key, value in view.items()
        if key not in ("closed", "digest")
    }
    for cut in range(len(view["entries"]) + 1):
        assert list(entries_of(told, cut)) == view["entries"][cut:]


def test_a_view_declares_what_a_graph_needs() -> None:
    """Who runs at once, who approves, and what is needed."""
    sent: tuple[Event, ...] = ()
    network, services, _ = view_of(recording(DEPLOY, *sent))["groups"]
    assert network["steps"] == [
        {"key": "plan", "work": "plan", "required": 2},
        {"key": "apply", "work": "apply", "needs": ["plan"]},
    ]
    assert (services["at_once"], "at_once" in network) == (2, False)


def test_a_named_group_keeps_its_name() -> None:
    """The key stays beside it."""
    spec = FlowSpec(groups=[GroupSpec(key="g", name="The group", steps=[*MORE.steps])])
    (only,) = view_of(recording(spec))["groups"]
    assert (only["key"], only["name"]) == ("g", "The group")
