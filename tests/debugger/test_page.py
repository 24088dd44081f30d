"""The page in a browser: it shows what the states say, at any moment, to anybody."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from conductor_adapters.cli.main import conductor
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.view import view_of
from tests.debugger.browser import Viewer, press
from tests.debugger.recordings import large, put_samples, read, release
from tests.debugger.stories import DEPLOY, OTHER, STORY, UNTAMED, recording, untamed

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUICK_MS = 2000
"""What a page of 10,251 entries takes at most on a quiet machine."""
BOUND_MS = 3 * QUICK_MS
"""What a test grants: other tests run beside it."""
SLOW_DRAW_MS = 250
HIDDEN = ("Cc", "Cf", "Zl", "Zp")
"""Categories of characters that have no shape."""


def statuses(told: Recording, seq: int) -> dict[str, str]:
    """What the state says of every step."""
    return {attempt.step: attempt.status.value for attempt in told.state_at(seq).live}


def check(shown: Page, told: Recording, seq: int, log: int = 0) -> None:
    """Flow, groups and steps stand on the page as in the state, in its memory and to be seen."""
    state = told.state_at(seq)
    assert shown.evaluate(f"conductor.statuses({log})") == statuses(told, seq)
    assert shown.evaluate(f"conductor.status({log})") == state.status
    groups = shown.evaluate(f"conductor.groups({log})")
    for index, group in enumerate(state.catalog.groups):
        assert groups[group.key] == state.group_status(index)
    drawn = shown.locator(".scroll").nth(log)
    seen = drawn.evaluate(
        "it => Object.fromEntries([...it.querySelectorAll('.stage:not([hidden]) [data-step]')]"
        ".map(node => [node.dataset.step, node.dataset.status]))"
    )
    assert seen == statuses(told, seq)


# --- any moment ---


def story() -> Recording:
    """All kinds of things that may happen."""
    return recording(DEPLOY, *STORY)


@pytest.mark.parametrize("name", ["release", "story", "untamed"])
def test_every_moment_is_the_one_that_was(viewer: Viewer, name: str) -> None:
    """There and back: after each entry every status is that of `Recording.state_at`."""
    stories: dict[str, Callable[[], Recording]] = {
        "release": release,
        "story": story,
        "untamed": untamed,
    }
    told = stories[name]()
    with viewer.opened(told) as shown:
        check(shown, told, len(told.entries))
        for seq in [*range(len(told.entries), -1, -1), *range(len(told.entries) + 1)]:
            shown.evaluate(f"conductor.seek({seq})")
            check(shown, told, seq)


@pytest.mark.parametrize("name", ["release", "large"])
def test_scrubbing_to_the_middle_shows_what_replay_tells(
    viewer: Viewer, tmp_path: Path, name: str
) -> None:
    """`conductor replay --until N --state --json` tells what the page shows at entry N."""
    put_samples(tmp_path)
    told = read(tmp_path / f"{name}.jsonl")
    with viewer.opened(told) as shown:
        track = shown.locator("#track").bounding_box()
        assert track is not None
        shown.mouse.click(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
        at = int(shown.evaluate("conductor.cursor"))
        assert abs(at - len(told.entries) / 2) < max(2, len(told.entries) / 20)
        records = shown.evaluate("conductor.records()")
    command = ["replay", str(tmp_path / f"{name}.jsonl"), "--until", str(at), "--state", "--json"]
    (log,) = json.loads(CliRunner().invoke(conductor, command).stdout)["logs"]
    assert records.keys() <= log["state"]["records"].keys()
    for record, fields in log["state"]["records"].items():
        seen = {"status": "pending", **records.get(record, {})}
        # What an attempt gave back stands with the entry that brought it.
        seen.pop("result", None)
        assert {key: value for key, value in seen.items() if value} == fields, record


def test_a_large_log_is_quick(viewer: Viewer, record_property: Any) -> None:
    """10,251 entries load in time, and every look into the middle is drawn at once."""
    told = large()
    with viewer.opened(told) as shown:
        while (painted := shown.evaluate("conductor.painted_ms")) is None:
            shown.wait_for_timeout(20)
        record_property("painted_ms", painted)
        assert painted < BOUND_MS
        for seq in (5125, 17, 10_251, 5126, 0, 5125):
            took = shown.evaluate(
                f"(() => {{ const began = performance.now(); conductor.seek({seq});"
                " return performance.now() - began })()"
            )
            record_property(f"seek_{seq}_ms", took)
            assert took < SLOW_DRAW_MS
            check(shown, told, seq)
        assert shown.locator(".row").count() < 60
        print(f"10,251 entries were to be seen after {painted:.0f} ms")


def test_the_mouse_scrubs(viewer: Viewer) -> None:
    """To drag over the timeline to its middle shows the middle of the log."""
    told = large()
    with viewer.opened(told) as shown:
        box = shown.locator("#track").bounding_box()
        assert box is not None
        shown.mouse.move(box["x"] + 10, box["y"] + 20)
        shown.mouse.down()
        shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=8)
        shown.mouse.up()
        cursor = shown.evaluate("conductor.cursor")
        assert abs(cursor - 5125) <= 10
        shown.wait_for_selector(f"html[data-cursor='{cursor}']", state="attached")
        check(shown, told, cursor)
        assert shown.locator("#where").inner_text() == f"entry {cursor:,} of 10,251"


# --- keyboard ---


def test_the_keyboard_moves(viewer: Viewer) -> None:
    """Entry by entry, to both ends, to failures and to what people did."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        assert press(shown, "Home") == 0
        assert press(shown, "ArrowRight", "ArrowRight", "ArrowLeft", "j") == 2
        assert press(shown, "n") == 8
        assert press(shown, "p") == 11
        assert press(shown, "N", "P") == 6
        assert press(shown, "End") == 19
        assert press(shown, "ArrowRight", "k") == 18


def test_everything_is_reached_by_tab(viewer: Viewer) -> None:
    """Buttons, the timeline, the list, each step and the details, and focus is to be seen."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        reached = set()
        for _ in range(40):
            shown.keyboard.press("Tab")
            reached.add(
                shown.evaluate("document.activeElement.id || document.activeElement.dataset.step")
            )
        wanted = {"theme", "keys", "back", "play", "next", "range", "search", "step", "list"}
        assert reached >= wanted | {"plan", "apply", "smoke", "mail", "tab-entry", "panel"}
        shown.locator("#list").focus()
        shown.keyboard.press("ArrowUp")
        ring = shown.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid"


def test_tabs_turn_with_arrows(viewer: Viewer) -> None:
    """As tabs do, and the cursor stays where it is."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        shown.locator("#tab-entry").focus()
        assert press(shown, "ArrowRight") == 19
        assert shown.locator("#tab-step").get_attribute("aria-selected") == "true"


def test_the_list_tells_which_entry_is_shown(viewer: Viewer) -> None:
    """A reader of screens hears the row, its number and how many there are."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        press(shown, "Home", "ArrowRight")
        shown.wait_for_selector("html[data-cursor='1']", state="attached")
        assert shown.locator("#list").get_attribute("aria-activedescendant") == "row-1"
        row = shown.locator("#row-1")
        assert row.get_attribute("aria-selected") == "true"
        assert row.get_attribute("aria-setsize") == "19"
        told = shown.locator("#range").get_attribute("aria-valuetext")
        assert told == "entry 1: flow started"


# --- finding ---


def test_search_and_filters(viewer: Viewer) -> None:
    """What is listed is what was asked for; outputs and errors are searched as well."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:

        def listed() -> list[str]:
            return shown.locator("#list .told").all_inner_texts()

        press(shown, "/")
        shown.keyboard.type("LOOKS right")
        assert listed() == ["ana approves plan: looks right"]
        press(shown, "Escape")
        shown.locator("[data-only=refused]").click()
        assert listed() == ["eve approves plan", "api#1 succeeded"]
        shown.locator("[data-only=people]").click()
        assert listed() == ["eve approves plan"]
        press(shown, "Escape")
        shown.locator("#step").fill("web")
        wanted = ["web#1 failed", "ana asks to retry-step web", "web#2 succeeded"]
        assert listed()[-3:] == wanted
        shown.locator("#step").fill("nowhere")
        assert shown.locator("#nothing").is_visible()


def test_an_entry_shows_its_verdict_changes_and_commands(viewer: Viewer) -> None:
    """Old and new stand beside each other."""
    with viewer.opened(recording(DEPLOY, *STORY), fragment="#entry=8") as shown:
        panel = shown.locator("#panel")
        assert "accepted" in panel.inner_text()
        change = panel.locator(".change", has_text="apply#1").first
        assert change.locator("del").first.inner_text().endswith("in-progress")
        assert change.locator("ins").first.inner_text().endswith("error")
        assert "timer backoff:apply#2 in 1.00 s" in panel.inner_text()
        shown.evaluate("conductor.seek(4)")
        assert "rejected: not-an-approver" in panel.inner_text()


def test_a_step_shows_its_attempts_at_that_moment(viewer: Viewer) -> None:
    """A click on it opens them, newest first."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        shown.locator(".node[data-step=apply]").click()
        assert shown.locator("#panel h3").all_inner_texts() == ["apply#2", "apply#1"]
        shown.evaluate("conductor.seek(7)")
        assert shown.locator("#panel h3").all_inner_texts() == ["apply#1"]
        shown.get_by_role("button", name="Only its entries").click()
        assert shown.locator("#count").inner_text() == "5 of 19"


def test_people_are_listed_with_what_they_did(viewer: Viewer) -> None:
    """Who approved what and when, and who was refused."""
    with viewer.opened(recording(DEPLOY, *STORY)) as shown:
        press(shown, "3")
        lines = shown.locator("#panel .line").all_inner_texts()
        assert len(lines) == 5
        assert "eve approves plan" in lines[0]
        assert "rejected: not-an-approver" in lines[0]
        assert "ana approves plan: looks right" in lines[1]
        assert "1970-01-01 00:00:05.000 UTC" in lines[1]
        shown.locator("#panel .line a").nth(1).click()
        assert shown.evaluate("conductor.cursor") == 5


# --- links ---


def test_a_link_leads_to_an_entry(viewer: Viewer) -> None:
    """It opens there, follows a change of the address, and writes the address."""
    told = release()
    with viewer.opened(told, fragment="#entry=9&step=wheel") as shown:
        assert shown.evaluate("conductor.cursor") == 9
        assert shown.locator("[data-step=wheel]").get_attribute("aria-pressed") == "true"
        shown.evaluate("location.hash = '#entry=3'")
        shown.wait_for_selector("html[data-cursor='3']", state="attached")
        check(shown, told, 3)
        press(shown, "ArrowRight")
        shown.wait_for_url(re.compile("#entry=4&step=wheel$"))


@pytest.mark.parametrize(
    ("fragment", "cursor"),
    [
        *(("#entry=999", 16), ("#entry=0", 0), ("#entry=-1", 16), ("#entry=<b>", 16)),
        *(("#entry=2&log=2", 2), ("#step=__proto__", 16)),
    ],
)
def test_a_link_that_leads_nowhere_does_no_harm(viewer: Viewer, fragment: str, cursor: int) -> None:
    """The page opens at the nearest entry, or at its end."""
    with viewer.opened(release(), fragment=fragment) as shown:
        assert shown.evaluate("conductor.cursor") == cursor


# --- two logs ---


def test_two_logs_stand_side_by_side(viewer: Viewer) -> None:
    """Entries about the same attempt share a row, and each log has the state of its own."""
    one, two = recording(DEPLOY, *STORY), recording(DEPLOY, *OTHER)
    with viewer.opened(one, two, fragment="#entry=8") as shown:
        cells = shown.locator(".row[aria-selected=true] .told").all_inner_texts()
        assert cells == ["apply#1 failed", "apply#1 succeeded"]
        check(shown, one, 8, 0)
        check(shown, two, 8, 1)
        assert "differs" in str(shown.locator(".row[aria-selected=true]").get_attribute("class"))
        shown.locator("[data-only=differences]").click()
        told = shown.locator("#list .told").all_inner_texts()
        assert "flow started" not in told
        assert "bo cancels the flow: too late" in told
        press(shown, "End")
        check(shown, one, 19, 0)
        check(shown, two, 11, 1)
        shown.locator("#tab-attempts").click()
        rows = shown.locator("#panel tr.differs td:first-child").all_inner_texts()
        assert "apply#2" in rows
        assert "plan#1" not in rows


def test_a_log_beside_itself_differs_nowhere(viewer: Viewer) -> None:
    """Rows are those of either."""
    with viewer.opened(release(), release()) as shown:
        shown.locator("[data-only=differences]").click()
        assert shown.locator("#count").inner_text() == "0 of 16"


# --- live ---


def test_entries_that_come_later_are_followed(viewer: Viewer) -> None:
    """At its end the page goes along; elsewhere it stays, and nothing is taken twice."""
    told = recording(DEPLOY, *STORY)
    entries = view_of(told)["entries"]
    with viewer.opened(recording(DEPLOY, *STORY[:6])) as shown:
        assert shown.evaluate("conductor.entries()") == 6
        shown.evaluate("more => conductor.append(more)", entries[4:12])
        shown.wait_for_selector("html[data-cursor='12']", state="attached")
        check(shown, told, 12)
        shown.evaluate("conductor.seek(3)")
        shown.evaluate("more => conductor.append(more)", entries[12:])
        assert shown.evaluate("[conductor.cursor, conductor.entries()]") == [3, 19]
        press(shown, "End")
        shown.wait_for_selector("html[data-cursor='19']", state="attached")
        check(shown, told, 19)


# --- hostile text ---


def unseen(shown: Page) -> list[str]:
    """What stands on a page and nobody sees, or turns the order of what is beside it."""
    text: str = shown.evaluate("document.body.innerText + document.querySelector('main').outerHTML")
    return [char for char in text if unicodedata.category(char) in HIDDEN and char not in "\t\n"]


def test_hostile_text_stays_text(viewer: Viewer) -> None:
    """Names, notes, outputs and errors are shown as they are, and do nothing."""
    told = untamed()
    with viewer.opened(told) as shown:
        tags = "[...new Set([...document.querySelectorAll('main *')].map(it => it.tagName))].sort()"
        for seq in range(len(told.entries) + 1):
            shown.evaluate(f"conductor.seek({seq})")
            for tab in "123":
                press(shown, tab)
                assert unseen(shown) == []
            assert not {"SCRIPT", "IMG"} & set(shown.evaluate(tags))
        shown.locator("[data-step=s0]").click()
        assert UNTAMED[0] in shown.locator("#panel").inner_text()
        assert UNTAMED[1] in str(shown.locator(".group h3").text_content())
        assert shown.evaluate("window.broken") is None
