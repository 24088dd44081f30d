"""Long records from their text, piece by piece, as leanly as from decoded JSON.

Rule: what is read here is what `lean` would read from the whole text, decoded. But the decoded
JSON of a large flow takes more room than its records do, and leaves gaps among them when it
goes; here each piece is let go of before the next is decoded. White space between the pieces
is not expected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import attrs

from conductor_core.kinds import element_of, is_row
from conductor_core.lean import LeanReaders
from conductor_core.scanners import ScanPiece


class TextReader:
    """Reads values from a text, one behind the other; raises one of MISREAD for what is none.

    The pieces are the members of records of the `opened` classes, and all records in rows.
    """

    def __init__(
        self, text: str, readers: LeanReaders, opened: Collection[type], scan: ScanPiece
    ) -> None:
        self._text = text
        self._at = 0
        self._readers = readers
        self._opened = opened
        self._scan = scan

    def value(self, kind: Any) -> Any:
        """The value of a kind that comes next."""
        if kind in self._opened:
            return self._record(kind)
        if is_row(kind) and attrs.has(element_of(kind)):
            return tuple(self._records(element_of(kind)))
        return self._readers[kind](self._decoded())

    def _record(self, cls: type) -> Any:
        kinds = {field.name: field.type for field in attrs.fields(attrs.resolve_types(cls))}
        values: dict[str, Any] = {}
        for _ in self._parts("{", "}"):
            key = self._decoded()
            self._take(":")
            values[key] = self.value(kinds[key])
        return cls(**values)

    def _records(self, cls: type) -> list[Any]:
        if cls in self._opened:
            return [self._record(cls) for _ in self._parts("[", "]")]
        scan, read, text = self._scan, self._readers[cls], self._text
        records: list[Any] = []
        for _ in self._parts("[", "]"):
            data, self._at = scan(text, self._at)
            records.append(read(data))
        return records

    def _parts(self, first: str, last: str) -> Iterator[None]:
        """Stand at the beginning of each part between two brackets, then behind them."""
        self._take(first)
        if self._text[self._at] != last:
            yield
            while self._text[self._at] == ",":
                self._at += 1
                yield
        self._take(last)

    def _take(self, sign: str) -> None:
        if not self._text.startswith(sign, self._at):
            raise ValueError
        self._at += 1

    def _decoded(self) -> Any:
        data, self._at = self._scan(self._text, self._at)
        return data
