"""The pages in a browser: people see what is asked, answer it, and see what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.debugger.test_page import SLOW_DRAW_MS
from tests.ui.growing import Told, lines_of_large, served
from tests.ui.stage import DEPLOY, HOSTILE, PARKS, TOKEN, WILD, Stage
from tests.ui.visiting import Visitor, decide, receipt, status

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def visitor(browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """Somebody to whom the store is served; nothing leaves the pages, and nothing fails there."""
    with stage.served() as url:
        visitor = Visitor(browser, url)
        yield visitor
    assert [asked for asked in visitor.requests if not asked.startswith(url)] == []
    assert visitor.errors == []


# --- the door ---


def test_the_address_that_was_printed_opens_the_door(stage: Stage, visitor: Visitor) -> None:
    """The token leaves the address, and no request but one has it, in its body."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at() as shown:
        assert shown.url == visitor.url
        assert shown.locator("#rows tr").count() == 1
        assert TOKEN not in shown.evaluate("document.cookie + JSON.stringify(sessionStorage)")
        assert shown.evaluate("document.cookie") == ""
    assert not [asked for asked in visitor.requests if "token" in asked]


def test_the_token_may_be_typed(stage: Stage, visitor: Visitor) -> None:
    """A wrong one is said to be wrong; the right one leads to where somebody wanted to go."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1", token=None) as shown:
        shown.wait_for_selector("html[data-ready]", state="attached")
        shown.keyboard.type("guessed")
        shown.keyboard.press("Enter")
        shown.get_by_text("that is not the token that was printed").wait_for()
        shown.get_by_label("Token").fill(TOKEN)
        shown.keyboard.press("Enter")
        shown.wait_for_selector("html[data-live]", state="attached")
        assert shown.url.split("#")[0] == f"{visitor.url}flows/deploy-1"
    assert len(visitor.errors) == 1
    assert "401" in visitor.errors.pop()


@pytest.mark.parametrize(
    "way",
    [
        *("//evil.example/", "https://evil.example/", "/\\evil.example", "/.//evil.example/"),
        *("//", "http://["),
    ],
)
def test_the_door_leads_nowhere_else(visitor: Visitor, way: str) -> None:
    """Whatever a link says."""
    with visitor.at(f"sign-in?to={way}", token=None) as shown:
        shown.get_by_label("Token").fill(TOKEN)
        shown.keyboard.press("Enter")
        shown.wait_for_selector("#rows", state="attached")
        assert shown.url == visitor.url


def test_who_is_known_is_not_asked_again(stage: Stage, visitor: Visitor) -> None:
    """The door lets a browser through that has a session."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at() as shown:
        shown.goto(f"{visitor.url}sign-in?to=%2Fflows%2Fdeploy-1#entry=2")
        shown.wait_for_selector("html[data-live]", state="attached")
        assert shown.evaluate("conductor.cursor") == 2


def test_a_flow_that_is_not_there_is_told(visitor: Visitor) -> None:
    """With the way back to those that are."""
    with visitor.at() as shown:
        shown.goto(f"{visitor.url}flows/%3Cb%3E")
        shown.wait_for_selector("html[data-failed]", state="attached")
        assert shown.locator("main").inner_text().splitlines() == [
            "The flow cannot be shown",
            "no flow is named '<b>'",
            "All flows",
        ]
        shown.get_by_text("All flows").click()
        shown.wait_for_selector("html[data-ready]", state="attached")
    assert "404" in visitor.errors.pop()


# --- deciding ---


def test_an_approval_lets_the_flow_go_on_before_ones_eyes(stage: Stage, visitor: Visitor) -> None:
    """With name and note, to the end, on the same page; who looks again sees it in the log."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        shown.evaluate("window.same = true")
        card = shown.locator(".card")
        card.wait_for()
        told = card.inner_text()
        assert "What would change, and where" in told
        assert "sha256:4f1c9be0" in told
        assert '~ cidr   = "10.0.0.0/16" -> "10.1.0.0/16"' in told
        assert "Plan: 1 to add" not in told
        card.get_by_role("button", name="Show all, 12 more lines").click()
        assert "Plan: 1 to add" in card.inner_text()
        decide(shown, "Approve", by="ana", note="as discussed")
        assert receipt(shown) == "ana · approve plan accepted"
        status(shown, "success")
        shown.get_by_text("The flow has ended: success").wait_for()
        shown.wait_for_function("() => conductor.cursor === 12")
        assert shown.locator(".card").count() == 0
        assert shown.evaluate("window.same") is True
        assert shown.evaluate("sessionStorage.getItem('conductor-by')") == "ana"
        assert set(shown.evaluate("Object.values(conductor.statuses())")) == {"success"}
    event = stage.state("deploy-1").attempt("plan#1")
    assert event is not None
    assert event.approval is not None
    assert [(it.by, it.note) for it in event.approval.answers] == [("ana", "as discussed")]


def test_a_denial_stops_the_flow_before_ones_eyes(stage: Stage, visitor: Visitor) -> None:
    """And nothing is asked any more."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        decide(shown, "Deny", by="bo", note="not on a Friday")
        assert receipt(shown) == "bo · deny plan: the flow stops accepted"
        status(shown, "error")
        shown.get_by_text("The flow has ended: error").wait_for()
        assert shown.evaluate("conductor.statuses().plan") == "approval-denied"
        # Only what a stopped flow still takes is offered.
        labels = shown.locator(".decide .act").all_inner_texts()
        assert "Approve" not in labels
        assert "Cancel" not in labels


def test_a_failed_step_is_retried(stage: Stage, visitor: Visitor) -> None:
    """It fails again, and is asked about anew."""
    stage.start(PARKS, "deploy-1", "failed-pending-retry")
    with visitor.at("flows/deploy-1") as shown:
        shown.locator(".card[data-attempt='fail#1']").wait_for()
        assert "quota: the quota of 8 servers is used up" in shown.locator(".card").inner_text()
        decide(shown, "Retry", by="ana")
        shown.locator(".card[data-attempt='fail#2']").wait_for()
        assert shown.locator(".card").count() == 1


def test_what_is_grave_is_asked_for_twice(stage: Stage, visitor: Visitor) -> None:
    """The first press only asks whether it is meant."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        shown.get_by_label("Signed as").fill("ana")
        shown.get_by_label("Reason, to cancel").fill("too late")
        shown.get_by_role("button", name="Cancel", exact=True).click()
        assert stage.state("deploy-1").status == "approval-awaiting"
        shown.get_by_role("button", name="Cancel: sure?").click()
        status(shown, "cancelled")
        assert receipt(shown) == "ana · cancel the flow, for good accepted"
    cancellation = stage.state("deploy-1").cancellation
    assert cancellation is not None
    assert (cancellation.by, cancellation.reason) == ("ana", "too late")


def test_nobody_asks_without_a_name(stage: Stage, visitor: Visitor) -> None:
    """The field is pointed at, and nothing is sent."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        decide(shown, "Approve")
        shown.get_by_text("Say who you are first").wait_for()
        assert shown.evaluate("document.activeElement.id") == "actor"
    assert not [asked for asked in visitor.requests if asked.endswith("/requests")]


def test_what_somebody_else_answered_is_said(stage: Stage, visitor: Visitor) -> None:
    """The page was not quick enough; the verdict is shown with code and message."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        shown.locator(".card").wait_for()
        # A page that hears nothing still shows the question.
        shown.evaluate("line.close()")
        stage.ask("deploy-1", "deny", "plan")
        decide(shown, "Approve", by="ana")
        told = "ana · approve plan not asked: plan#1 asks for no approval any more, it is"
        assert receipt(shown) == f"{told} approval-denied"
    assert "409" in visitor.errors.pop()


def test_a_question_that_comes_later_appears(stage: Stage, visitor: Visitor) -> None:
    """What somebody typed into another stays, and so does the focus."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        shown.locator(".card textarea").click()
        shown.keyboard.type("jkt 123 is no")
        before = shown.evaluate("conductor.entries()")
        stage.ask("deploy-1", "approve", "smoke")
        shown.wait_for_function(f"() => conductor.entries() > {before}")
        shown.keyboard.type(" key here")
        assert shown.locator(".card textarea").input_value() == "jkt 123 is no key here"
        stage.ask("deploy-1", "retry_plan", "plan")
        shown.locator(".card[data-attempt='plan#2']").wait_for()
        assert shown.locator(".card[data-attempt='plan#1']").count() == 0
        assert shown.title() == "(1) deploy-1 · conductor"


# --- the line ---


def test_a_page_survives_the_server(browser: Browser, stage: Stage) -> None:
    """It says that it is alone, and goes on where it was when there is one again."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with stage.served(token=None) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        visit = Visitor(browser, url).at("flows/deploy-1", token=None)
        shown = visit.__enter__()
        shown.wait_for_selector(".line-state[data-state='live']")
    try:
        shown.wait_for_selector(".line-state[data-state='lost']")
        stage.ask("deploy-1", "approve", "plan")
        with stage.served(token=None, port=port):
            shown.wait_for_selector(".line-state[data-state='live']")
            status(shown, "success")
    finally:
        visit.__exit__(None, None, None)


def test_a_session_that_is_over_leads_to_the_door(browser: Browser, stage: Stage) -> None:
    """A server that was started anew knows nobody."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with stage.served() as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        visit = Visitor(browser, url).at("flows/deploy-1")
        shown = visit.__enter__()
    try:
        with stage.served(port=port):
            shown.wait_for_url(f"{url}sign-in?to=%2Fflows%2Fdeploy-1")
            shown.get_by_label("Token").fill(TOKEN)
            shown.keyboard.press("Enter")
            shown.wait_for_selector("html[data-live]", state="attached")
            decide(shown, "Approve", by="ana")
            status(shown, "success")
    finally:
        visit.__exit__(None, None, None)


@pytest.mark.parametrize("path", ["", "flows/deploy-1"])
def test_who_signs_out_comes_to_the_door(stage: Stage, visitor: Visitor, path: str) -> None:
    """From every page, in all tabs; nothing is kept, and the token opens it again."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at(path) as shown:
        tab = shown.context.new_page()
        tab.goto(f"{visitor.url}flows/deploy-1")
        tab.wait_for_selector("html[data-live]", state="attached")
        shown.get_by_role("button", name="Sign out").click()
        shown.wait_for_url(f"{visitor.url}sign-in")
        assert shown.context.cookies() == []
        assert shown.evaluate("localStorage.length + (sessionStorage['conductor-by'] ?? '')") == "0"
        stage.ask("deploy-1", "approve", "plan")
        tab.wait_for_url(f"{visitor.url}sign-in?to=%2Fflows%2Fdeploy-1")
        shown.get_by_label("Token").fill(TOKEN)
        shown.keyboard.press("Enter")
        shown.wait_for_selector("#rows", state="attached")
        assert shown.url == visitor.url


def test_who_looks_back_is_left_there(stage: Stage, visitor: Visitor) -> None:
    """Entries that come are counted, and the moment that is looked at stays."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at("flows/deploy-1") as shown:
        shown.evaluate("conductor.seek(2)")
        stage.ask("deploy-1", "approve", "plan")
        shown.wait_for_function("() => conductor.entries() === 12")
        assert shown.evaluate("conductor.cursor") == 2
        assert shown.locator("#where").inner_text() == "entry 2 of 12"


# --- hostile text, keys, reading ---


def test_hostile_text_stays_text(stage: Stage, visitor: Visitor) -> None:
    """In names, outputs, subjects and notes; what would turn the order of text is seen."""
    stage.start(WILD, "wild", "approval-awaiting")
    with visitor.at() as shown:
        shown.locator(".flow-id").wait_for()
        assert HOSTILE[0] in shown.locator(".flow-id").inner_text()
    with visitor.at("flows/wild") as shown:
        card = shown.locator(".card")
        card.wait_for()
        told = card.inner_text()
        assert all(each in told for each in HOSTILE[:2])
        assert "\\u202e" in told
        assert "\u202e" not in told
        decide(shown, "Approve", by=HOSTILE[0], note=HOSTILE[1])
        assert receipt(shown) == f"{HOSTILE[0]} · approve constructor accepted"
        status(shown, "success")
        shown.get_by_role("tab", name="People").click()
        assert HOSTILE[0] in shown.locator("#panel").inner_text()
        assert shown.evaluate("window.broken") is None
        assert shown.locator("img, iframe").count() == 0


def test_all_is_done_with_keys(stage: Stage, visitor: Visitor) -> None:
    """From the list to an answer."""
    for n in (1, 2):
        stage.start(DEPLOY, f"deploy-{n}", "approval-awaiting")
    with visitor.at() as shown:
        shown.keyboard.press("/")
        shown.keyboard.type("deploy-1")
        shown.wait_for_function("() => document.querySelectorAll('#rows tr').length === 1")
        shown.keyboard.press("Enter")
        shown.keyboard.press("Enter")
        shown.wait_for_selector("html[data-live]", state="attached")
        shown.locator(".card").wait_for()
        shown.keyboard.press("1")
        shown.keyboard.press("d")
        assert shown.evaluate("document.activeElement.textContent") == "Approve"
        ring = shown.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid"
        for _ in range(12):
            shown.keyboard.press("Shift+Tab")
            if shown.evaluate("document.activeElement.id") == "actor":
                break
        shown.keyboard.type("ana")
        reached = []
        for _ in range(9):
            shown.keyboard.press("Tab")
            reached.append(focused(shown))
        card = ["TEXTAREA", "Approve", "Deny", "Plan again", "Skip", "Skip and stop"]
        assert [each for each in reached if each in card] == card
        shown.keyboard.press("d")
        shown.keyboard.press("Enter")
        status(shown, "success")


def focused(shown: Page) -> str:
    """What has the focus."""
    told: str = shown.evaluate(
        "document.activeElement.matches('.act') ? document.activeElement.textContent"
        " : document.activeElement.tagName"
    )
    return told


def test_a_theme_is_that_of_all_pages(stage: Stage, visitor: Visitor) -> None:
    """Who chose one keeps it from the list to a flow and back."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    theme = "document.documentElement.dataset.theme"
    with visitor.at(color_scheme="light") as shown:
        shown.keyboard.press("t")
        shown.keyboard.press("t")
        assert shown.evaluate(theme) == "dark"
        shown.get_by_role("link", name="deploy-1").click()
        shown.wait_for_selector("html[data-live]", state="attached")
        assert shown.evaluate(theme) == "dark"
        shown.keyboard.press("t")
        shown.get_by_role("link", name="Flows").click()
        shown.wait_for_selector("#rows tr")
        assert shown.evaluate(f"{theme} ?? null") is None


def test_read_only_shows_the_question_and_no_answer(browser: Browser, stage: Stage) -> None:
    """Without any token; there is no field and no button."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with stage.served(token=None) as url:
        visitor = Visitor(browser, url)
        with visitor.at("flows/deploy-1", token=None) as shown:
            shown.locator(".card").wait_for()
            assert "sha256:4f1c9be0" in shown.locator(".card").inner_text()
            assert shown.locator(".decide .act, .decide input, .decide textarea").count() == 0
            assert shown.get_by_role("button", name="Sign out").count() == 0
            stage.ask("deploy-1", "approve", "plan")
            status(shown, "success")
        assert visitor.errors == []


def test_the_list_is_live_and_filtered(stage: Stage, visitor: Visitor) -> None:
    """A flow that begins appears, what it waits for is told, and the address keeps the filter."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    with visitor.at() as shown:
        stage.start(PARKS, "scale-2", "failed-pending-retry")
        row = shown.locator("tr[data-flow='scale-2']")
        row.get_by_text("fail#1: a retry or a skip").wait_for()
        shown.locator("tr[data-flow='deploy-1']").get_by_text("plan#1: 0 of 1 approvals").wait_for()
        listed = "rows => rows.map(it => it.dataset.flow)"
        assert shown.locator("#rows tr").evaluate_all(listed) == ["scale-2", "deploy-1"]
        stage.ask("deploy-1", "approve", "plan")
        shown.get_by_role("button", name="Waiting for people").click()
        shown.wait_for_function("() => document.querySelectorAll('#rows tr').length === 1")
        assert shown.url == f"{visitor.url}?kind=people"
        shown.get_by_role("button", name="Done").click()
        shown.locator("tr[data-flow='deploy-1'] [data-tone='good']").wait_for()
        shown.reload()
        shown.locator("tr[data-flow='deploy-1']").wait_for()
        assert shown.locator("#rows tr").count() == 1


def test_a_log_of_thousands_of_entries_is_followed(
    browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    """It is shown whole, and what comes is there at once; how long it takes is recorded."""
    told = Told(lines_of_large())
    told.shown = 10_100
    with served(told) as url:
        visitor = Visitor(browser, url)
        with visitor.at(token=None) as shown:
            shown.wait_for_selector("html[data-live]", state="attached")
            count = shown.evaluate("conductor.entries()")
            assert count > 10_000
            record_property("painted_ms", shown.evaluate("conductor.painted_ms"))
            told.shown = len(told.lines)
            status(shown, "success")
            assert shown.evaluate("conductor.entries()") == 10_251
            took = shown.evaluate(
                "(() => { const began = performance.now(); conductor.seek(5125);"
                " return performance.now() - began })()"
            )
            assert took < 3 * SLOW_DRAW_MS
        assert visitor.errors == []
