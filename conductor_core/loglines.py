"""What the lines of a log say, and what follows where.

Rule: a log is JSON Lines. A header comes first; then entries, one for each event that was
reduced, with a checkpoint between them now and then, and `closed` at the end:

    {"log":"conductor-log/1","flow_id":...,"semantics":1,"core":...,"spec":{...},"at_ms":...}
    {"seq":1,"event":{...},"verdict":"accepted","commands":[...],"digest":"sha256:..."}
    {"checkpoint":1000,"state":"sha256:...","digest":"sha256:..."}
    {"closed":1234,"state":"sha256:...","digest":"sha256:..."}

The digest of a line is SHA-256 over the digest before it, a newline, and the canonical JSON
of the line without `seq` and `digest`; the first one before is that of the header's
canonical JSON. `state` is the digest of the whole state after so many entries.

A rejection is pinned by its code. Its message is text for people: it is not logged, so that
a better wording breaks no old log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, Union

from attrs import evolve

from conductor_core.building import builder
from conductor_core.codec import (
    TEXTS,
    encode_command,
    encode_event,
    encode_verdict,
    texts_of,
    texts_of_all,
    verdict_text,
    writer,
)
from conductor_core.commands import Command
from conductor_core.digest import chain, digest_of, digest_of_all, state_digest
from conductor_core.errors import LogError
from conductor_core.events import Event
from conductor_core.frozen import frozen
from conductor_core.json_text import check_depth, dumps
from conductor_core.payload import canonical_text
from conductor_core.spec import FlowSpec, GroupSpec
from conductor_core.state import FlowState
from conductor_core.texts import DECLARED, SORTED, Form, Unwritable
from conductor_core.verdicts import Rejected, Verdict
from conductor_core.version import VERSION

FORMAT: Final = "conductor-log/1"
SEMANTICS: Final = 1
LONGEST_LINE: Final = 64 * 1024 * 1024
"""So many bytes a line may have, its newline included."""
WIDEST: Final = 4
"""So many bytes a character may take."""
APART: Final = 1000
"""So many entries lie between two checkpoints at least."""


@frozen(kw_only=True)
class Header:
    """The first line: whose log this is, and by which rules it was made.

    `accepted_only`: what was ignored or rejected is not in it, as in a log that was
    rebuilt from another engine's history.
    """

    log: str
    flow_id: str
    semantics: int
    core: str
    spec: FlowSpec
    at_ms: int
    accepted_only: bool = False


@frozen(kw_only=True)
class Entry:
    """One event, and what the reducer made of it."""

    seq: int
    event: Event
    verdict: Verdict
    commands: tuple[Command, ...]
    digest: str


@frozen(kw_only=True)
class Checkpoint:
    """The digest of the whole state after so many entries."""

    checkpoint: int
    state: str
    digest: str


@frozen(kw_only=True)
class Closed:
    """The host is done with a finished flow; a checkpoint at the same time."""

    closed: int
    state: str
    digest: str


Line: TypeAlias = Union[Header, Entry, Checkpoint, Closed]


@frozen(kw_only=True)
class Position:
    """Where a log ends: after how many entries, and under which digest.

    `since` counts the entries after the last checkpoint; at `look` of them it is time to
    count the attempts and see whether the next is due.
    """

    digest: str
    entries: int = 0
    since: int = 0
    look: int = APART
    closed: bool = False


_position: Final = builder(Position)
REFUSALS: Final = (Unwritable, TypeError, ValueError, RecursionError)
"""What the short way of writing raises for what only the long way can judge."""


def new_header(state: FlowState, *, at_ms: int, accepted_only: bool = False) -> Header:
    """The header of a log that begins with this state."""
    return Header(
        log=FORMAT,
        flow_id=state.flow_id,
        semantics=SEMANTICS,
        core=VERSION,
        spec=state.spec,
        at_ms=at_ms,
        accepted_only=accepted_only,
    )


def after_header(header: Header, state: FlowState) -> tuple[str, Position]:
    """The header as a line, and the position after it."""
    return header_line(header), beginning(header, state)


def beginning(header: Header, state: FlowState) -> Position:
    """The position after a header."""
    try:
        digest = digest_of_all(_header_pieces(header, SORTED))
    except REFUSALS:
        digest = digest_of(canonical_text(writer(Header)(header)))
    return Position(digest=digest, look=max(APART, len(state.live)))


def header_line(header: Header) -> str:
    """The header as a line."""
    try:
        line = "".join(header_pieces(header))
        if len(line.encode()) <= LONGEST_LINE:
            return line
    except REFUSALS:
        pass
    return _line(writer(Header)(header))


def header_pieces(header: Header) -> Iterator[str]:
    """The header as a line, in pieces; raises one of REFUSALS for what may be none."""
    yield from _header_pieces(header, DECLARED)
    yield "\n"


def _header_pieces(header: Header, form: Form) -> Iterator[str]:
    return TEXTS.pieces(Header, header, HEADER_PARTS, form)


HEADER_PARTS: Final = (Header, FlowSpec, GroupSpec)
"""The records of a header that may be long, and so are written and read in pieces."""


def after_entry(
    position: Position, event: Event, verdict: Verdict, commands: tuple[Command, ...]
) -> tuple[str, Position]:
    """The line of one more entry, and the position after it."""
    entries = position.entries + 1
    line, digest = entry_line(position.digest, entries, event, verdict, commands)
    since, look = position.since + 1, position.look
    return line, _position(digest=digest, entries=entries, since=since, look=look)


def entry_line(
    previous: str, seq: int, event: Event, verdict: Verdict, commands: tuple[Command, ...]
) -> tuple[str, str]:
    """The line of an entry and its digest, after what `previous` is the digest of."""
    try:
        said = verdict_text(verdict)
        happened, happened_sorted = texts_of(event)
        asked, asked_sorted = texts_of_all(commands)
        pinned = f'{{"commands":{asked_sorted},"event":{happened_sorted},"verdict":{said}}}'
        digest = chain(previous, pinned)
        line = (
            f'{{"seq":{seq},"event":{happened},"verdict":{said},'
            f'"commands":{asked},"digest":"{digest}"}}\n'
        )
        if _fits(line):
            return line, digest
    except REFUSALS:
        pass
    return _careful_entry(previous, seq, event, verdict, commands)


def _fits(line: str) -> bool:
    """Whether a line is not too long to be read again."""
    return len(line) <= LONGEST_LINE // WIDEST or len(line.encode()) <= LONGEST_LINE


def _careful_entry(
    previous: str, seq: int, event: Event, verdict: Verdict, commands: tuple[Command, ...]
) -> tuple[str, str]:
    """The same, or the error that tells why it may not be written."""
    fields = {
        "seq": seq,
        "event": encode_event(event),
        "verdict": encode_verdict(_pinned(verdict)),
        "commands": [encode_command(command) for command in commands],
    }
    return _linked_line(previous, fields)


def after_checkpoint(position: Position, state: FlowState) -> tuple[str, Position]:
    """The line of a checkpoint, and the position after it."""
    fields = {"checkpoint": position.entries, "state": state_digest(state)}
    line, digest = _linked_line(position.digest, fields)
    look = max(APART, _attempts(state))
    return line, evolve(position, digest=digest, since=0, look=look)


def after_closing(position: Position, state: FlowState) -> tuple[str, Position]:
    """The line that ends the log, and the position after it."""
    fields = {"closed": position.entries, "state": state_digest(state)}
    line, digest = _linked_line(position.digest, fields)
    return line, evolve(position, digest=digest, closed=True)


def at_checkpoint(position: Position, state: FlowState) -> tuple[bool, Position]:
    """Tell whether a checkpoint is due: as many entries passed as there are attempts.

    Attempts are counted rarely enough that all counting costs no more than the entries.
    """
    if position.since < position.look:
        return False, position
    attempts = _attempts(state)
    if position.since >= attempts:
        return True, position
    return False, evolve(position, look=max(attempts, 2 * position.since))


def pinned_text(line: Mapping[str, Any]) -> str:
    """The text of a decoded line that the chain of digests pins."""
    return canonical_text({key: line[key] for key in line if key not in ("seq", "digest")})


def _attempts(state: FlowState) -> int:
    return len(state.live) + sum(len(earlier) for earlier in state.superseded)


def _pinned(verdict: Verdict) -> Verdict:
    """What the log keeps of a verdict."""
    return Rejected(verdict.code) if isinstance(verdict, Rejected) else verdict


def _linked_line(previous: str, fields: dict[str, Any]) -> tuple[str, str]:
    """A line with the digest that links it to those before it."""
    digest = chain(previous, pinned_text(fields))
    return _line({**fields, "digest": digest}), digest


def _line(fields: dict[str, Any]) -> str:
    """A line that can be read again; raises where the limits of reading are passed."""
    line = dumps(fields) + "\n"
    check_depth(line, fields)
    length = len(line.encode())
    if length > LONGEST_LINE:
        raise LogError(f"a line of {length} bytes is longer than {LONGEST_LINE}")
    return line
