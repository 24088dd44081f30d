"""The decoders of JSON text for whoever holds what he read against the text itself.

Rule: a scanner may be lenient, and may even read what is unusual wrongly (keys that stand
twice, enormous numbers), since whatever it gives is written again and compared with the text
to the byte. It raises ValueError for what it cannot read. Which scanner is used changes
nothing but the speed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from conductor_core.frozen import frozen

NEXT: Final = b',"verdict":'
"""What follows an event in the line of an entry, and rarely stands within one."""


ScanPiece: TypeAlias = Callable[[str, int], tuple[Any, int]]
"""Reads the value that begins at some character of a text, and tells where it ends."""


@frozen
class Scanner:
    """How a piece of a text is read, and how the event that begins at some byte of a line."""

    name: str
    piece: ScanPiece
    event: Callable[[bytes, int], Any]


def _event(line: bytes, start: int) -> Any:
    event, _ = _piece(line.decode(), start)
    return event


_piece: Final[ScanPiece] = json.JSONDecoder().raw_decode

STANDARD: Final = Scanner("json", _piece, _event)
"""The scanner of the standard library."""


@cache
def best() -> Scanner:
    """The fastest scanner that is installed: msgspec's (the extra `fast`), or the standard one."""
    try:
        from msgspec.json import Decoder  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        return STANDARD
    decode = Decoder().decode
    return Scanner(
        "msgspec", _piece, lambda line, start: decode(line[start : line.find(NEXT, start)])
    )
