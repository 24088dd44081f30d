"""Digests: SHA-256 over canonical JSON, so that equal things have equal names (S1.6).

Rule: what is digested is text that any language can make again: canonical JSON in UTF-8
(sorted keys, compact, no NaN). A chain shows accidents and not malice: who can edit a log
can also compute its digests.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from conductor_core.codec import encode_state
from conductor_core.payload import canonical_text
from conductor_core.state import FlowState
from conductor_core.statecodec import state_pieces
from conductor_core.texts import Unwritable


def digest_of(text: str) -> str:
    """The digest of a text: `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def digest_of_all(pieces: Iterable[str]) -> str:
    """The digest of the text that these pieces make, of which one is held at a time."""
    digest = sha256()
    for piece in pieces:
        digest.update(piece.encode())
    return f"sha256:{digest.hexdigest()}"


def chain(previous: str, text: str) -> str:
    """The digest of a text that follows what `previous` is the digest of."""
    return digest_of(f"{previous}\n{text}")


def state_digest(state: FlowState) -> str:
    """The digest of a state; equal states have equal ones on every runtime."""
    try:
        return digest_of_all(state_pieces(state))
    except (Unwritable, UnicodeEncodeError):
        return digest_of(canonical_text(encode_state(state)))
