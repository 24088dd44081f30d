"""A state as one line of text, with its digest, to put aside and go on from later.

Rule: what is restored is the very state that was put aside, or there is a LogError. The
digest shows damage, not malice.
"""

from __future__ import annotations

from typing import Final

from conductor_core.codec import encode_state, reader
from conductor_core.digest import digest_of, state_digest
from conductor_core.errors import FormatError, LogError, shown
from conductor_core.frozen import frozen
from conductor_core.json_text import check_depth, loads
from conductor_core.loglines import SEMANTICS
from conductor_core.payload import canonical_text
from conductor_core.state import FlowState
from conductor_core.statecodec import state_pieces
from conductor_core.texts import Unwritable

__all__ = ["restore", "snapshot"]

FORMAT: Final = "conductor-snapshot/1"


@frozen(kw_only=True)
class _Snapshot:
    """The form of a snapshot."""

    snapshot: str
    semantics: int
    digest: str
    state: FlowState


def snapshot(state: FlowState) -> str:
    """The state as text; raises FormatError for one whose payloads are nested too deeply."""
    try:
        text = "".join(state_pieces(state, shallow=True))
        digest = digest_of(text)
    except (Unwritable, UnicodeEncodeError):
        text = _careful_text(state)
        digest = digest_of(text)
    head = f'"snapshot":"{FORMAT}","semantics":{SEMANTICS},"digest":"{digest}"'
    return f'{{{head},"state":{text}}}'


def _careful_text(state: FlowState) -> str:
    """The same text, or the error that tells why there is none."""
    data = encode_state(state)
    text = canonical_text(data)
    check_depth(text, [data])
    return text


def restore(text: str | bytes) -> FlowState:
    """The state of a snapshot; raises LogError for anything else."""
    try:
        data = loads(text)
        found = data.get("snapshot") if isinstance(data, dict) else data
        if found != FORMAT:
            raise LogError(f"expected a snapshot of format {FORMAT!r}, got {shown(found)}")
        form: _Snapshot = reader(_Snapshot)(data, _Snapshot)
    except FormatError as error:
        raise LogError(f"the snapshot cannot be read: {error}") from None
    if form.semantics != SEMANTICS:
        raise LogError(f"unknown semantics {form.semantics}, expected {SEMANTICS}")
    if state_digest(form.state) != form.digest:
        raise LogError("the snapshot is damaged: its state has another digest")
    return form.state
