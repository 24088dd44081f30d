"""Text that travels through histories: plain while it is short, compressed where it is long.

Rule: what is packed says by its first word how. A larger text than Temporal takes is told
before anything is written.
"""

from __future__ import annotations

import base64
import zlib
from typing import Final

from conductor_core.errors import ConductorError, FormatError, shown

SHORT: Final = 1_024
"""A text of so many bytes is as good to read as it is to carry."""
MOST: Final = 1_900_000
"""So many bytes a packed text may have: Temporal refuses payloads above 2 MiB."""
PLAIN: Final = "plain:"
DEFLATED: Final = "zlib:"


class TooLarge(ConductorError):
    """What is to be carried is larger than Temporal takes."""

    def __init__(self, what: str, size: int) -> None:
        self.size = size
        super().__init__(
            f"{what} is too large for Temporal: {size:,} bytes, packed, of at most {MOST:,}; "
            "keep large values elsewhere and refer to them"
        )


def packed(text: str) -> str:
    """A text in the form in which it is carried."""
    data = text.encode()
    if len(data) <= SHORT:
        return PLAIN + text
    return DEFLATED + base64.b85encode(zlib.compress(data, 6)).decode("ascii")


def unpacked(text: str) -> str:
    """The text that was packed; raises FormatError for what never was one."""
    if text.startswith(PLAIN):
        return text.removeprefix(PLAIN)
    if not text.startswith(DEFLATED):
        raise FormatError("", f"expected a packed text, got {shown(text)}")
    try:
        data = base64.b85decode(text.removeprefix(DEFLATED))
        return zlib.decompress(data).decode()
    except (ValueError, zlib.error) as error:
        raise FormatError("", f"the packed text is damaged: {error}") from None


def checked(what: str, text: str) -> str:
    """A packed text that Temporal takes; raises TooLarge."""
    if len(text) > MOST:
        raise TooLarge(what, len(text))
    return text
