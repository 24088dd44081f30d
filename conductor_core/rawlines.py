"""The lines of a log as they are read, strictly: each a JSON object.

Rule: a last line that cannot be read and does not end is cut off, which is a LogTruncated;
any other one that cannot be read is a LogError with its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from conductor_core.errors import FormatError, LogError, LogTruncated
from conductor_core.frozen import frozen
from conductor_core.json_text import loads
from conductor_core.loglines import LONGEST_LINE
from conductor_core.places import expected

Raw: TypeAlias = bytes | str


@frozen
class Row:
    """One line: as it was read, and as a JSON object."""

    number: int
    raw: Raw
    data: dict[str, Any]


def first_of(lines: Iterator[Raw]) -> Raw:
    """The first line of a log."""
    raw = next(lines, None)
    if raw is None:
        raise LogError("the log is empty")
    return raw


def read_line(number: int, raw: Raw, rest: Iterator[Raw]) -> Row:
    """A line read strictly; `rest` are those that follow it."""
    if len(raw) > LONGEST_LINE:
        raise LogError(f"the line is longer than {LONGEST_LINE} bytes", line=number)
    try:
        data = loads(raw)
    except FormatError as error:
        if not is_terminated(raw) and next(rest, None) is None:
            raise LogTruncated(f"the last line is cut off: {error}", line=number) from None
        reason = str(error) if raw.strip() else "the line is blank"
        raise LogError(reason, line=number) from None
    if not isinstance(data, dict):
        raise LogError(str(expected("a mapping", data)), line=number)
    return Row(number, raw, data)


def is_terminated(raw: Raw) -> bool:
    """Whether a line ends with a newline."""
    return raw.endswith(b"\n") if isinstance(raw, bytes) else raw.endswith("\n")


def bytes_of(raw: Raw) -> bytes:
    """The bytes of a line."""
    return raw if isinstance(raw, bytes) else raw.encode()
