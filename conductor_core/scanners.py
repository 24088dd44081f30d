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
from typing import Any, Final

from conductor_core.frozen import frozen

NEXT: Final = b',"verdict":'
"""What follows an event in the line of an entry, and rarely stands within one."""


@frozen
class Scanner:
    """How a whole line is read, and how the event in it that begins at some byte."""

    name: str
    line: Callable[[bytes], Any]
    event: Callable[[bytes, int], Any]


def _event(line: bytes, start: int) -> Any:
    event, _ = _decoder.raw_decode(line.decode(), start)
    return event


_decoder: Final = json.JSONDecoder()

STANDARD: Final = Scanner("json", json.loads, _event)
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
        "msgspec", decode, lambda line, start: decode(line[start : line.find(NEXT, start)])
    )
