"""The flows of a store, the newest first: filtered, page by page, with what they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from conductor_adapters.client import FlowSummary
from conductor_adapters.store.errors import StoreError
from conductor_adapters.ui import listing
from conductor_adapters.ui.listing import PAGE, Listing, Wanted
from tests.adapters.processes import play
from tests.ui.calling import Caller
from tests.ui.stage import DEPLOY, PARKS, Stage

STATUSES = ("success", "error", "approval-awaiting", "in-progress")


class Rows:
    """A client that has many flows."""

    def __init__(self, count: int) -> None:
        self.rows = [
            FlowSummary(
                flow_id=f"f-{n}", type="odd" if n % 2 else "even", status=STATUSES[n % 4],
                began_ms=n // 3, changed_ms=n,
            )
            for n in range(count)
        ]  # fmt: skip
        self.reads = 0

    async def list(self, *, after: FlowSummary | None, limit: int) -> Sequence[FlowSummary]:
        """So many of them behind one."""
        self.reads += 1
        start = 0 if after is None else self.rows.index(after) + 1
        return self.rows[start : start + limit]

    async def flow(self, flow_id: str) -> Any:
        """None can be looked at."""
        raise StoreError(f"{flow_id} is locked")


def page(count: int, **wanted: Any) -> dict[str, Any]:
    """A page of so many flows."""
    client: Any = Rows(count)
    return play(Listing(client).page(Wanted(**wanted)))


def ids(told: dict[str, Any]) -> list[str]:
    """The flows on a page."""
    return [row["flow_id"] for row in told["flows"]]


def test_thousands_of_flows_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first; each stands on one page."""
    monkeypatch.setattr(listing, "ROWS", 100)
    monkeypatch.setattr(listing, "FRESH_S", 600.0)
    client: Any = Rows(2_310)
    whole = Listing(client)

    async def script() -> list[str]:
        first = await whole.page(Wanted())
        assert (first["count"], first["pages"], first["all"]) == (2_310, 93, 2_310)
        assert not first["more"]
        return [it for n in range(1, 94) for it in ids(await whole.page(Wanted(page=n)))]

    assert play(script()) == [f"f-{n}" for n in range(2_309, -1, -1)]
    assert client.reads == 24


def test_filters_go_together() -> None:
    """A kind of status, and words that all stand in id, type or status."""
    told = page(400, kind="people", text="EVEN f-3")
    assert set(ids(told)) == {"f-3", *(f"f-{n}" for n in range(400))} & set(ids(told))
    assert ids(told)[:2] == ["f-398", "f-394"]
    assert {row["status"] for row in told["flows"]} == {"approval-awaiting"}
    assert told["kinds"]["people"] == told["count"]
    assert told["all"] == told["kinds"]["people"] + told["kinds"]["done"]
    assert ids(page(400, text="nothing")) == []


def test_a_page_that_is_not_there_is_the_nearest() -> None:
    """The last, or the first."""
    assert (page(60, page=99)["page"], page(60, page=0)["page"], page(0)["pages"]) == (3, 1, 1)
    assert len(ids(page(60, page=3))) == 60 - 2 * PAGE


def test_of_too_many_flows_those_are_listed_that_began_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it is said that there are more."""
    monkeypatch.setattr(listing, "ROWS", 10)
    monkeypatch.setattr(listing, "MOST", 30)
    told = page(95)
    assert (told["count"], told["more"], ids(told)[0]) == (30, True, "f-94")


def test_rows_are_read_once_in_a_while() -> None:
    """However many look."""
    client: Any = Rows(10)
    whole = Listing(client)

    async def script() -> None:
        await asyncio.gather(*(whole.page(Wanted()) for _ in range(20)))

    play(script())
    assert client.reads == 1


def test_a_flow_that_cannot_be_looked_at_says_why() -> None:
    """The others are told all the same, and it is not asked for again at once."""
    client: Any = Rows(3)
    whole = Listing(client)

    async def script() -> dict[str, Any]:
        await whole.waits(["f-1"])
        return await whole.waits(["f-1", "f-2", "f-1"])

    told = play(script())
    assert list(told) == ["f-1", "f-2"]
    assert told["f-1"] == {"waits": [], "more": 0, "error": "f-1 is locked"}


def test_what_flows_wait_for_is_told(stage: Stage, caller: Caller) -> None:
    """Of those that are named."""
    stage.start(DEPLOY, "deploy/1", "approval-awaiting")
    stage.start(PARKS, "deploy-2", "failed-pending-retry")
    told = caller.get("/api/flows?kind=people").json
    assert ids(told) == ["deploy-2", "deploy/1"]
    waits = caller.get("/api/waits?flow=deploy%2F1&flow=deploy-2").json
    assert [each["waits"][0]["subject"] for each in waits.values()] == ["plan#1", "fail#1"]
    assert waits["deploy-2"]["waits"][0]["what"] == "a retry or a skip"
    assert caller.get("/api/waits").json == {}
