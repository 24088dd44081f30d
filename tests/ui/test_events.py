"""A page that follows a flow hears all that happens, once and in order, whatever comes between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from conductor_adapters.client import Client
from conductor_adapters.debugger.view import view_of
from conductor_adapters.store.errors import StoreError, UnknownFlow
from conductor_adapters.ui import feed as feeding
from conductor_adapters.ui.feed import Feed, Feeds
from conductor_core.errors import LogError
from tests.adapters.processes import play
from tests.debugger.recordings import RELEASE, release
from tests.debugger.stories import DEPLOY as LONG
from tests.debugger.stories import STORY, log_of
from tests.ui.calling import Caller
from tests.ui.growing import Told, lines_of_large
from tests.ui.stage import BACKS_OFF, DEPLOY, PARKS, Stage


def test_a_page_goes_on_where_it_began(stage: Stage, caller: Caller) -> None:
    """The entries that it asks for, and those that are sent behind them, are those of the log."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    entries = caller.get("/api/flows/deploy-1").json["entries"]
    assert [entry["seq"] for entry in entries] == [1, 2, 3]
    for kind, data in caller.events("/api/flows/deploy-1/events?after=3"):
        if kind == "entries":
            entries += data
        elif kind == "standing" and data["ended"]:
            break
        elif kind == "standing" and not data["requests"]:
            continue
        elif kind == "standing" and data["approvals"]:
            stage.ask("deploy-1", "approve", "plan")
    assert [entry["seq"] for entry in entries] == [*range(1, 13)]
    assert not any("state" in entry for entry in entries)


def test_who_lost_the_line_asks_for_what_comes_after(stage: Stage, caller: Caller) -> None:
    """As often as it takes; nothing is missing and nothing comes twice."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    stage.ask("deploy-1", "approve", "plan")
    seen = 0
    while seen < 12:
        for kind, data in caller.events(f"/api/flows/deploy-1/events?after={seen}"):
            if kind == "entries":
                assert data[0]["seq"] == seen + 1
                seen = data[-1]["seq"]
                break


def test_what_is_refused_comes_too(stage: Stage, caller: Caller) -> None:
    """It changes nothing, and is an entry."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    events = caller.events("/api/flows/deploy-1/events?after=3")
    assert next(events)[0] == "standing"
    stage.ask("deploy-1", "approve", "smoke")
    kind, (entry,) = next(it for it in events if it[0] == "entries")
    assert (kind, entry["patch"]) == ("entries", [])
    assert entry["verdict"]["rejected"] == "not-awaiting-approval"


def test_a_page_of_another_log_begins_anew(stage: Stage, caller: Caller) -> None:
    """It knows of entries that are none here."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    assert list(caller.events("/api/flows/deploy-1/events?after=99")) == [("reset", {})]


def test_an_unknown_flow_is_followed_by_nobody(caller: Caller) -> None:
    """It is said at once."""
    answer = caller.get("/api/flows/nope/events?after=0")
    assert (answer.status, answer.code) == (404, "unknown-flow")


# --- where a flow stands ---


def standing(caller: Caller, flow_id: str) -> dict[str, Any]:
    """What the first event that tells it tells."""
    events = caller.events(f"/api/flows/{flow_id}/events?after=0")
    found: dict[str, Any] = next(data for kind, data in events if kind == "standing")
    return found


def test_an_open_approval_is_told_with_what_may_be_answered(stage: Stage, caller: Caller) -> None:
    """About its subject; the output stays in its entry."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    told = standing(caller, "deploy-1")
    (approval,) = told["approvals"]
    asked_at_ms = approval.pop("asked_at_ms")
    assert asked_at_ms > 0
    assert approval == {
        "attempt": "plan#1", "step": "plan", "subject": "sha256:4f1c9be0", "required": 1,
        "given": [], "left": None, "stale_at_ms": None, "due_at_ms": None,
    }  # fmt: skip
    labels = {each["label"]: each for each in told["requests"]}
    assert list(labels) == [
        *("Approve", "Deny", "Skip", "Skip and stop", "Plan again"),
        *("Retry the group", "Approve all", "Pause", "Cancel"),
    ]
    assert labels["Deny"] == {
        "event": {
            "type": "approval-responded", "step": "plan", "response": "deny",
            "subject": "sha256:4f1c9be0",
        },
        "attempt": "plan#1", "label": "Deny", "told": "deny plan: the flow stops", "kind": "deny",
        "grave": False, "words": "note",
    }  # fmt: skip
    grave = [label for label, each in labels.items() if each["grave"]]
    assert grave == ["Skip and stop", "Approve all", "Cancel"]
    assert told["for_people"] is True


def test_a_failure_is_told_with_what_went_wrong(stage: Stage, caller: Caller) -> None:
    """And a retry is about that very attempt."""
    stage.start(PARKS, "deploy-1", "failed-pending-retry")
    told = standing(caller, "deploy-1")
    assert told["failures"] == [
        {"attempt": "fail#1", "step": "fail", "error": "quota: the quota of 8 servers is used up"}
    ]
    about = {each["label"]: each["event"] for each in told["requests"] if each["attempt"]}
    assert list(about) == ["Retry", "Skip"]
    assert {each["step_id"] for each in about.values()} == {"fail#1"}


def test_a_backoff_can_be_cut_short(stage: Stage, caller: Caller) -> None:
    """It is told as a wait, with its time."""
    stage.start(BACKS_OFF, "nightly-1")
    told = standing(caller, "nightly-1")
    while not [each for each in told["requests"] if each["kind"] == "retry-now-requested"]:
        told = standing(caller, "nightly-1")
    (wait,) = told["waits"]
    assert (wait["subject"], wait["who"], wait["due_at_ms"] > 0) == ("sync#2", "clock", True)
    retry = told["requests"][0]
    assert (retry["label"], retry["attempt"], retry["words"]) == ("Retry now", "sync#2", None)


# --- a feed ---


def feed_of(told: Told, flow_id: str) -> Feed:
    """A feed of a log."""
    client: Any = told
    checked: Client = client
    return Feed(checked, flow_id, "release.jsonl")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are looked at without a rest."""
    monkeypatch.setattr(feeding, "LOOK_S", 0.01)


def lines_of_release() -> list[str]:
    """The small sample."""
    return RELEASE.read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.mark.parametrize("cut", range(1, 18))
def test_a_log_that_comes_in_two_parts_is_the_log(cut: int) -> None:
    """Wherever it is cut: every entry is as in the page of the whole."""
    told = Told(lines_of_release())
    told.shown = cut
    feed = feed_of(told, "release-0.1.0")

    async def script() -> None:
        await feed.catch_up()
        told.shown = len(told.lines)
        feed.nudge()
        await feed.catch_up()

    play(script())
    whole = view_of(release())
    assert {**feed.view(), "name": ""} == {
        key: "" if key == "name" else whole[key] for key in whole if key not in {"closed", "digest"}
    }


def test_a_damaged_log_is_told_and_not_followed() -> None:
    """What was verified before it stays."""
    lines = lines_of_release()
    lines[9] = lines[8]
    told = Told(lines)
    told.shown = 5
    feed = feed_of(told, "release-0.1.0")

    async def script() -> list[bytes]:
        await feed.catch_up()
        told.shown = len(lines)
        feed.nudge()
        return [event async for event in feed.follow(0)]

    kinds = [event.split(b"\n")[0] for event in play(script())]
    assert kinds[-1] == b"event: gone"
    assert feed.seq < 9
    looks = told.looks
    with pytest.raises(LogError):
        play(feed.catch_up())
    assert told.looks == looks


def test_trouble_passes() -> None:
    """It is told once, and told again when it is over."""
    told = Told(lines_of_release())
    feed = feed_of(told, "release-0.1.0")

    async def script() -> list[bytes]:
        await feed.catch_up()
        stream = feed.follow(feed.seq)
        first = await anext(stream)
        told.error = StoreError("it is locked")
        second = await anext(stream)
        told.error = None
        return [first, second, await anext(stream)]

    first, second, third = play(script())
    assert first.startswith(b"event: standing\n")
    assert second == b'event: trouble\ndata: {"message":"it is locked"}\n\n'
    assert third == b'event: trouble\ndata: {"message":""}\n\n'


def test_many_pages_look_once() -> None:
    """However many follow a flow, its log is read for all of them together."""
    told = Told(lines_of_release())
    client: Any = told
    feeds = Feeds(client, "flows.db")

    async def script() -> list[Feed]:
        return await asyncio.gather(*(feeds.of("release-0.1.0") for _ in range(50)))

    with pytest.MonkeyPatch.context() as patch:
        # However long it takes here, it is the same look.
        patch.setattr(feeding, "LOOK_S", 600.0)
        assert len({id(feed) for feed in play(script())}) == 1
    assert told.looks == 1


def test_who_goes_away_leaves_the_log_as_it_is() -> None:
    """A page may be closed while a long log is verified; the next finds all of it, and sound."""
    feed = feed_of(Told(lines_of_large()), "rollout-1")

    async def script() -> int:
        leaving = asyncio.ensure_future(feed.catch_up())
        while not feed.seq:
            await asyncio.sleep(0)
        leaving.cancel()
        feed.nudge()
        await feed.catch_up()
        return feed.seq

    assert play(script()) == 10_251


def test_a_long_log_comes_in_batches() -> None:
    """Each of bounded size, all of them the log."""
    lines = log_of(LONG, *STORY).splitlines(keepends=True)
    feed = feed_of(Told(lines), "deploy-42")

    async def script() -> list[int]:
        await feed.catch_up()
        sizes: list[int] = []
        async for event in feed.follow(0):
            if not event.startswith(b"event: entries"):
                break
            sizes.append(len(json.loads(event.split(b"data: ")[1])))
        return sizes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeding, "BATCH", 5)
        assert play(script()) == [5, 5, 5, 4]


def test_the_feeds_that_were_looked_at_last_are_kept() -> None:
    """One that is not there leaves nothing; what is known is given in trouble, too."""
    told = Told(lines_of_release())
    client: Any = told
    feeds = Feeds(client, "flows.db")
    feeds.MOST = 1  # type: ignore[misc]  # as small as it goes

    async def script() -> None:
        first = await feeds.of("release-0.1.0")
        feeds.nudge("release-0.1.0")
        told.error = StoreError("it is locked")
        assert await feeds.of("release-0.1.0") is first
        with pytest.raises(StoreError):
            await feeds.of("other")
        feeds.nudge("release-0.1.0")
        feeds.nudge("other")
        told.error = UnknownFlow("release-0.1.0")
        with pytest.raises(UnknownFlow):
            await feeds.of("release-0.1.0")
        told.error = None
        assert await feeds.of("release-0.1.0") is not first

    play(script())
