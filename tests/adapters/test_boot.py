"""A clock that nobody sets, and which boot it counts from."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from conductor_adapters.store import boot


class MacOS:
    """A library that has what macOS has."""

    def __init__(self, session: bytes, failed: int = 0) -> None:
        self._session = session
        self._failed = failed

    def sysctlbyname(
        self, name: bytes, told: ctypes.Array[ctypes.c_char], _size: object, *_new: object
    ) -> int:
        """Tell the session."""
        assert name == b"kern.bootsessionuuid"
        told.value = self._session
        return self._failed


@pytest.fixture(autouse=True)
def _no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system whose kernel tells no boot in a file."""
    monkeypatch.setattr(boot, "BOOT_ID", Path("/nowhere"))


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        (MacOS(b"6B29FC40-CA47"), "6B29FC40-CA47"),
        (MacOS(b"6B29", failed=-1), "about "),
        (MacOS(b""), "about "),
        (object(), "about "),
    ],
)
def test_a_boot_has_a_name(library: object, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of macOS, or else about when it was."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    assert boot.boot_id.__wrapped__().startswith(expected)


def test_the_clock_goes_on() -> None:
    """And never back."""
    times = [boot.since_boot_ms() for _ in range(100)]
    assert times == sorted(times)
