"""The page in a browser: whoever looks at it, and on whatever screen, can read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.debugger.browser import Viewer, press
from tests.debugger.recordings import release
from tests.debugger.stories import DEPLOY, STORY, recording


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_until_told_otherwise(viewer: Viewer, scheme: str) -> None:
    """Text stands out from its ground in both."""
    other = {"light": "dark", "dark": "light"}[scheme]

    with viewer.opened(release(), color_scheme=scheme) as shown:

        def brightness() -> float:
            value: float = shown.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)"
                ".reduce((sum, each) => sum + Number(each), 0) / 765"
            )
            return value

        assert (brightness() > 0.5) == (scheme == "light")
        while shown.evaluate("document.documentElement.dataset.theme ?? ''") != other:
            press(shown, "t")
        assert (brightness() > 0.5) == (other == "light")


CONTRAST = """() => {
  const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgb = (...layers) => {
    for (const each of layers) { pen.fillStyle = each; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => { const layers = [];
    for (let it = element; it; it = it.parentElement) layers.unshift(getComputedStyle(it).backgroundColor);
    return layers; };
  const bad = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(it => it.nodeType === 3 && it.data.trim());
    if (!own || !element.checkVisibility() || element.closest('.later, dialog, datalist')) continue;
    const layers = ground(element), a = light(rgb(...layers)), b = light(rgb(...layers, getComputedStyle(element).color));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${element.className} ${element.textContent}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""  # noqa: E501 - a program of its own


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(viewer: Viewer, scheme: str) -> None:
    """Its contrast is at least 4.5 to 1, whatever the status."""
    told = recording(DEPLOY, *STORY)
    with viewer.opened(told, color_scheme=scheme) as shown:
        for seq in (0, 1, 3, 4, 8, 14, 19):
            shown.evaluate(f"conductor.seek({seq})")
            for tab in "123":
                press(shown, tab)
                assert shown.evaluate(CONTRAST) == []


def test_a_small_screen_scrolls_down_and_not_aside(viewer: Viewer) -> None:
    """On a telephone the panes stand below each other."""
    with viewer.opened(release(), viewport={"width": 390, "height": 800}) as shown:
        wide = shown.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390


def test_nothing_moves_for_who_wants_that(viewer: Viewer) -> None:
    """Reduced motion is no motion."""
    with viewer.opened(release(), reduced_motion="reduce") as shown:
        shown.evaluate("conductor.seek(9)")
        running = "document.getAnimations().filter(it => it.playState === 'running').length"
        assert shown.evaluate(running) == 0


def test_without_a_script_the_page_says_so(viewer: Viewer, tmp_path: Path) -> None:
    """It does not stay blank."""
    file = viewer.write(release())
    assert file.parent == tmp_path
    assert "switched off" in file.read_text(encoding="utf-8")
