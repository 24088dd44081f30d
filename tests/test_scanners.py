"""Which decoder reads a log makes no difference to what is read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from conductor_core.scanners import STANDARD, Scanner, best

LINE = b'{"seq":1,"event":{"type":"flow-started","at_ms":0},"verdict":"accepted"}\n'


@pytest.fixture(autouse=True)
def _chosen_anew() -> Iterator[None]:
    """The choice is made when it is first asked for, and made anew afterwards."""
    best.cache_clear()
    yield
    best.cache_clear()


def scanners() -> Iterator[Scanner]:
    """The one of the standard library, and the one of the extra."""
    yield STANDARD
    yield best()


def test_a_line_and_the_event_in_it_are_read() -> None:
    """The event begins at a byte and ends where its text ends."""
    for scanner in scanners():
        assert scanner.piece(LINE.decode(), 0) == (json.loads(LINE), len(LINE) - 1)
        assert scanner.event(LINE, LINE.index(b'{"type"')) == {"type": "flow-started", "at_ms": 0}


def test_what_is_no_json_is_a_value_error() -> None:
    """Whatever is wrong with it: whoever asks looks again, strictly."""
    for scanner in scanners():
        for damaged in (b"", b"{", LINE[:-4], b'\xff{"a":1}'):
            with pytest.raises(ValueError, match=r"."):
                scanner.event(damaged, 0)


def test_the_extra_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the standard library reads."""
    assert best().name == "msgspec"
    best.cache_clear()
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    assert best() is STANDARD
