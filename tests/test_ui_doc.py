"""What docs/debugging/ui.md shows and says is what happens."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import click
import pytest

from conductor_adapters.cli import ui as command
from conductor_adapters.debugger.html import asset as page_asset
from conductor_adapters.ui import gate, listing, messages, server
from conductor_adapters.ui.pages import HEADERS, asset
from tests.cli.operating import ASKS, CONDUCTOR, begun
from tests.documents import BLOCK, LINK, ROOT, commands_in

PAGE = ROOT / "docs" / "debugging" / "ui.md"
TEXT = PAGE.read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
CHOSEN = re.compile(r"127\.0\.0\.1:\d+|(?<=token=)[\w-]{43}|(?<=\"token\": \")[\w-]{43}")
"""What differs from start to start."""


@pytest.mark.parametrize(
    ("line", "shown"),
    [it for kind, text in BLOCK.findall(TEXT) if kind == "console" for it in commands_in(text)],
)
def test_the_sessions_go_as_shown(
    line: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start prints what stands below it, but for the port and the token, and ends in order."""
    monkeypatch.chdir(tmp_path)
    begun(ASKS)
    program, *words = line.split()
    assert program == "conductor"
    started = [*CONDUCTOR, *words, "--port", "0"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in shown.splitlines()]
        process.send_signal(signal.SIGINT)
        printed.append(process.stdout.read())
    assert process.returncode == 0
    assert CHOSEN.sub("CHOSEN", "".join(printed)) == CHOSEN.sub("CHOSEN", f"{shown}\n")


def test_every_option_is_listed() -> None:
    """In the order of the help, but for what is about the store."""
    listed = re.findall(r"^\| `(--[a-z-]+)", TEXT, re.MULTILINE)
    params = (each for each in command.ui.params if isinstance(each, click.Option))
    assert sorted(listed) == sorted(each.opts[-1] for each in params)


def test_the_numbers_are_those_that_hold() -> None:
    """Every limit in the text is the one in the code."""
    assert f"on 127.0.0.1 alone: {command.PORT}," in WORDS
    assert f"{messages.MOST_HEAD // 1024} KiB of head" in WORDS
    assert f"{messages.MOST_BODY // 1024} KiB of body" in WORDS
    assert f"{server.Patience().request_s:g} s for a request" in WORDS
    assert f"{server.MOST_CONNECTIONS} connections" in WORDS
    assert f"{8 * gate.TOKEN_BYTES} random bits" in WORDS
    assert f"{listing.PAGE} on a page" in WORDS
    assert f"more than {listing.MOST:,} flows" in WORDS
    assert "24 lines of it at first" in WORDS
    assert "const SHOWN = 24; " in asset("flow.js")


def test_what_it_says_of_headers_is_so() -> None:
    """Each that is named is sent."""
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cache-Control"] == "no-store"
    assert "`nosniff`, `no-referrer`, `no-store`" in WORDS


def test_the_keys_are_those_of_the_pages() -> None:
    """Each is one that a page listens to."""
    rows = re.findall(r"^\| (`.`.*?) \|", TEXT, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`(.+?)`", row)}
    named = {"↓": "ArrowDown", "↑": "ArrowUp", "←": "ArrowLeft", "→": "ArrowRight"}
    code = asset("flow.js") + asset("flows.js")
    assert keys == {"d", "/", "j", "k", *named}
    for key in keys:
        word = named.get(key, key)
        assert f'"{word}"' in code or f" {word}: " in code


def test_pictures_are_small_and_links_lead_somewhere() -> None:
    """All four pictures are there."""
    links = [*LINK.findall(TEXT), *re.findall(r'src(?:set)?="([^"]+)"', TEXT)]
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    pictures = sorted(PAGE.parent.glob("ui-*.png"))
    names = [path.stem for path in pictures]
    assert names == ["ui-dark", "ui-flows-dark", "ui-flows-light", "ui-light"]
    assert all(path.stat().st_size < 200_000 for path in pictures)


def test_the_page_of_a_flow_has_the_key_in_its_help() -> None:
    """Beside those of `conductor html`."""
    assert 'make("kbd", {}, "d")' in asset("flow.js")
    assert "<kbd>d</kbd>" not in page_asset("page.html")
