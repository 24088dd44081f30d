"""Hides the secrets of a step in everything that it prints and tells.

Rule: of every occurrence of a secret each byte is hidden, also where occurrences overlap, and
what is hidden without a gap is one mask. What comes in pieces gives what the whole would
give; only what may still become part of a secret is held back, and no longer than it may.

Besides the secret itself its lines are hidden, for programs that print them one by one. A line
without a letter or digit, such as a bracket, tells nothing. Which characters are escaped, and
how, differs from program to program; so each may be written in any way that JSON or a shell
has for it, whatever becomes of the others. Only the letters and digits of ASCII are always
themselves: where the most of them stand in a row is where a secret is looked for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

MASK: Final = b"***"

HEAD: Final = 8
"""A text without such a row is looked for by so many of its parts."""

_RUN: Final = re.compile("[A-Za-z0-9]*")
_PART: Final = re.compile("[A-Za-z0-9]+|'+|[^']")
_SHORT: Final = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Secrets:
    """What a step was given and may not show; empty texts are no secrets."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        texts = dict.fromkeys(text for value in values for text in _texts(value))
        self._needles = tuple(map(_Needle, texts))

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
        hidden = self.hidden_in_text(json.dumps(value))
        return hidden if hidden == MASK.decode() else value


def _texts(secret: str) -> Iterator[str]:
    """What is to be hidden of a secret: all of it, and each of its lines."""
    if secret:
        yield secret
    for line in secret.replace("\r", "\n").split("\n"):
        if any(map(str.isalnum, line)):
            yield line.strip()


class _Needle:
    """A text that is to be hidden, part by part, with the ways in which each may be written."""

    def __init__(self, text: str) -> None:
        run = max(_RUN.finditer(text), key=lambda found: len(found.group()))
        self._run = run.group().encode()
        self._parts = _parts(text)
        self._after = _parts(text[run.end() :])
        before = _parts(text[: run.start()])
        self._before = tuple(tuple(way[::-1] for way in part) for part in reversed(before))
        self._longest_before, self._longest = map(_longest, (before, self._parts))
        self._first = re.compile(_any_of(way[:1] for way in self._parts[0]))
        self._head = re.compile(b"".join(map(_any_of, self._parts[: 0 if self._run else HEAD])))

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where the text lies, also one occurrence over the other."""
        position = self._found(data, 0)
        while position != -1:
            run_end = position + len(self._run)
            # Of most that is found nothing comes, which is to be known soon.
            if not self._after or data.startswith(self._after[0], run_end):
                end, _ = _followed(data, run_end, self._after)
                reversed_data = data[max(0, position - self._longest_before) : position][::-1]
                length, _ = _followed(reversed_data, 0, self._before)
                if end is not None and length is not None:
                    yield position - length, end
            position = self._found(data, position + 1)

    def _found(self, data: bytes, start: int) -> int:
        """Where to look next; -1 if nowhere."""
        if self._run:
            return data.find(self._run, start)
        found = self._head.search(data, start)
        return -1 if found is None else found.start()

    def begun(self, data: bytes) -> int:
        """The length of the longest end of the data that may become the text with what follows."""
        for found in self._first.finditer(data, max(0, len(data) - self._longest + 1)):
            _, may_grow = _followed(data, found.start(), self._parts)
            if may_grow:
                return len(data) - found.start()
        return 0


def _longest(parts: tuple[tuple[bytes, ...], ...]) -> int:
    return sum(max(map(len, part)) for part in parts)


def _parts(text: str) -> tuple[tuple[bytes, ...], ...]:
    return tuple(tuple(_spellings(part)) for part in _PART.findall(text))


def _followed(
    data: bytes, start: int, parts: tuple[tuple[bytes, ...], ...]
) -> tuple[int | None, bool]:
    """Where the longest row of parts that starts here ends, and whether more data may matter."""
    places, may_grow = {start}, False
    for part in parts:
        reached = set[int]()
        for place in places:
            for way in part:
                if data.startswith(way, place):
                    reached.add(place + len(way))
                elif len(data) - place < len(way):
                    may_grow = may_grow or way.startswith(data[place:])
        if not reached:
            return None, may_grow
        places = reached
    return max(places), may_grow


def _spellings(part: str) -> set[bytes]:
    """The ways in which JSON and shells write a character, or some in a row."""
    if _RUN.fullmatch(part):
        return {part.encode()}
    code = part.encode("utf-16-be", "surrogatepass").hex()
    ways = {part, _SHORT.get(part, part)}
    ways |= {re.sub("....", r"\\u\g<0>", digits) for digits in (code, code.upper())}
    if part.isascii() and part.isprintable():
        ways.add("".join("\\" + character for character in part))
    if part[0] == "'":
        # Shells close their quotes for each of them, or once for all, and do not always reopen.
        ways |= {part.replace("'", r"'\''"), part.replace("'", """'"'"'""")}
        ways |= {f"""'"{part}"'""", f"""'"{part}\""""}
    # The encoding of the environment is another one on few systems.
    return {way.encode("utf-8", "surrogateescape") for way in ways} | {os.fsencode(part)}


def _any_of(ways: Iterable[bytes]) -> bytes:
    """A pattern for one of these."""
    return b"(?:%b)" % b"|".join(map(re.escape, ways))


class Masker:
    """Hides needles in a stream of bytes."""

    def __init__(self, needles: tuple[_Needle, ...]) -> None:
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


def _spans(data: bytes, needles: tuple[_Needle, ...]) -> list[tuple[int, int]]:
    """Where needles lie, also one over the other, in the order of their beginnings."""
    return sorted(span for needle in needles for span in needle.spans(data))


def _undecided(data: bytes, needles: tuple[_Needle, ...]) -> int:
    """The length of the longest end of the data that may become a needle, or a longer one."""
    return max(needle.begun(data) for needle in needles)
