"""Hides the secrets of a step in everything that it prints and tells.

Rule: of every occurrence of a secret each byte is hidden, also where occurrences overlap, and
what is hidden without a gap is one mask. What comes in pieces gives what the whole would
give; only what may still become part of a secret is held back, and no longer than it may.

Besides the secret itself its lines are hidden, for programs that print them one by one, and
what JSON makes of it. A line without a letter or digit, such as a bracket, tells nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

MASK: Final = b"***"


class Secrets:
    """What a step was given and may not show; empty texts are no secrets."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._needles = frozenset(needle for value in values for needle in _needles(value))

    def masker(self) -> Masker:
        """Hides the secrets in one stream."""
        return Masker(self._needles)

    def hidden_in(self, data: bytes) -> bytes:
        """The data with its secrets hidden."""
        masker = self.masker()
        return masker.feed(data) + masker.flush()

    def hidden_in_text(self, text: str) -> str:
        """The text with its secrets hidden."""
        if not self._needles:
            return text
        return self.hidden_in(text.encode("utf-8", "backslashreplace")).decode("utf-8", "replace")

    def hidden_in_value(self, value: Any) -> Any:
        """A JSON value with the secrets hidden in its texts and keys, and numbers that are one."""
        if isinstance(value, str):
            return self.hidden_in_text(value)
        if isinstance(value, dict):
            return {
                self.hidden_in_text(key): self.hidden_in_value(item) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.hidden_in_value(item) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        return MASK.decode() if json.dumps(value).encode() in self._needles else value


def _needles(secret: str) -> Iterator[bytes]:
    """The forms in which a secret may be seen."""
    lines = (line.strip() for line in secret.replace("\r", "\n").split("\n"))
    for text in (secret, *(line for line in lines if any(map(str.isalnum, line)))):
        for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            if form:
                yield form.encode("utf-8", "surrogateescape")
                # The encoding of the environment; nearly everywhere the same.
                yield os.fsencode(form)


class Masker:
    """Hides needles in a stream of bytes."""

    def __init__(self, needles: frozenset[bytes]) -> None:
        self._needles = needles
        # The end of what came so far, as far as it may be the beginning of a needle ...
        self._tail = b""
        # ... and how much of it is behind a mask that was handed out; none after plain bytes.
        self._behind: int | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece; returns what can be shown of the stream by now."""
        if not self._needles:
            return chunk
        data = self._tail + chunk
        return self._shown(data, len(data) - _undecided(data, self._needles))

    def flush(self) -> bytes:
        """The stream has ended; returns the rest of it."""
        return self._shown(self._tail, len(self._tail))

    def _shown(self, data: bytes, decided: int) -> bytes:
        """Hide what is to be hidden; plain bytes are shown as far as they are decided."""
        shown: list[bytes] = []
        masked, position = self._behind is not None, self._behind or 0
        for start, end in _spans(data, self._needles):
            if not (masked and start <= position):
                if start > decided:
                    break
                shown += (data[position:start], MASK)
                masked = True
            position = max(position, end)
        if position < decided:
            shown.append(data[position:decided])
            masked, position = False, decided
        self._tail = data[decided:]
        self._behind = position - decided if masked else None
        return b"".join(shown)


def _spans(data: bytes, needles: frozenset[bytes]) -> list[tuple[int, int]]:
    """Where needles lie, also one over the other, in the order of their beginnings."""
    spans: list[tuple[int, int]] = []
    for needle in needles:
        start = data.find(needle)
        while start != -1:
            spans.append((start, start + len(needle)))
            start = data.find(needle, start + 1)
    return sorted(spans)


def _undecided(data: bytes, needles: frozenset[bytes]) -> int:
    """The length of the longest end of the data that is the beginning of a longer needle."""
    return max(_begun(data, needle) for needle in needles)


def _begun(data: bytes, needle: bytes) -> int:
    start = data.find(needle[:1], max(0, len(data) - len(needle) + 1))
    while start != -1 and not needle.startswith(data[start:]):
        start = data.find(needle[:1], start + 1)
    return 0 if start == -1 else len(data) - start
