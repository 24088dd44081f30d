"""The first line of a log: whose log it is, and the state in which its flow begins.

Rule: as any line, a header is first read in a hurry, and the one that is due is written and
compared; both are done piece by piece, since the header of a large flow is nearly as long
as its state. Any other header is read strictly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias, cast

from conductor_core.codec import LEAN, reader
from conductor_core.errors import FormatError, LogError, SpecError, shown
from conductor_core.lean import MISREAD
from conductor_core.leantext import TextReader
from conductor_core.loglines import (
    FORMAT,
    HEADER_PARTS,
    LONGEST_LINE,
    REFUSALS,
    Header,
    Position,
    beginning,
    header_line,
    header_pieces,
)
from conductor_core.rawlines import Raw, Row, bytes_of
from conductor_core.scanners import Scanner
from conductor_core.state import FlowState, initial_state

Beginning: TypeAlias = tuple[Header, FlowState, Position]


def begun(raw: Raw, scanner: Scanner, known: Collection[int]) -> Beginning | None:
    """The beginning of a log of known semantics whose header is, to the byte, as we write it."""
    try:
        line = bytes_of(raw)
        header = _lean_header(line, scanner)
        if header.log != FORMAT or header.semantics not in known:
            return None
        if len(line) > LONGEST_LINE or not _says(line, header_pieces(header)):
            return None
        state = initial_state(header.spec, header.flow_id)
        return header, state, beginning(header, state)
    except (*MISREAD, *REFUSALS):
        return None


def _lean_header(line: bytes, scanner: Scanner) -> Header:
    return cast(Header, TextReader(line.decode(), LEAN, HEADER_PARTS, scanner.piece).value(Header))


def _says(line: bytes, pieces: Iterable[str]) -> bool:
    """Whether a line is, to the byte, the text that these pieces make."""
    at = 0
    for piece in pieces:
        due = piece.encode()
        if not line.startswith(due, at):
            return False
        at += len(due)
    return at == len(line)


def opened(row: Row, known: Collection[int]) -> Beginning:
    """The header that a line is, the state in which its flow began, and where entries begin."""
    data = row.data
    if data.get("log") != FORMAT:
        found = f"unknown format {shown(data['log'])}" if "log" in data else "no header"
        raise LogError(f"{found}, expected a log of format {FORMAT!r}", line=row.number)
    if data.get("semantics") not in tuple(known):
        found, expected = shown(data.get("semantics")), " or ".join(map(str, sorted(known)))
        raise LogError(f"unknown semantics {found}, expected {expected}", line=row.number)
    try:
        header: Header = reader(Header)(data, Header)
        state = initial_state(header.spec, header.flow_id)
    except (FormatError, SpecError) as error:
        raise LogError(str(error), line=row.number) from None
    header_line(header)  # For its error: what cannot be written again is no header.
    return header, state, beginning(header, state)
