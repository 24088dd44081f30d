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
LARGEST: Final = 1_500_000
"""So many bytes a step is given, or gives back: a child reports it again, packed with others."""
LARGEST_LOCAL: Final = 16_384
"""So many bytes local work gives back: one task of the workflow tells of all that ended in it."""
SHOWN: Final = 1_000
"""So many characters of a message stand in the open; what is packed beside it has all of them."""
HOPELESS: Final = 8 * MOST
"""So long a text is not even tried: to pack it takes longer than a task of a workflow has."""
PLAIN: Final = "plain:"
DEFLATED: Final = "zlib:"


class TooLarge(ConductorError):
    """What is to be carried is larger than Temporal takes."""

    def __init__(self, what: str, size: int) -> None:
        self.size = size
        super().__init__(
            f"{what} is too large for Temporal: {size:,} bytes of at most {MOST:,}; "
            "keep large values elsewhere and refer to them"
        )


def packed(what: str, text: str) -> str:
    """A text in the form in which it is carried; raises TooLarge for what Temporal would refuse."""
    data = text.encode()
    if len(data) <= SHORT:
        return PLAIN + text
    if len(data) > HOPELESS:
        raise TooLarge(what, len(data))
    # Every byte of this form is one on the wire, and C writes it.
    form = DEFLATED + base64.b64encode(zlib.compress(data)).decode("ascii")
    if len(form) > MOST:
        raise TooLarge(what, len(form))
    return form


def unpacked(text: str) -> str:
    """The text that was packed; raises FormatError for what never was one."""
    if text.startswith(PLAIN):
        return text.removeprefix(PLAIN)
    if not text.startswith(DEFLATED):
        raise FormatError("", f"expected a packed text, got {shown(text)}")
    try:
        data = base64.b64decode(text.removeprefix(DEFLATED), validate=True)
        return zlib.decompress(data).decode()
    except (ValueError, zlib.error) as error:
        raise FormatError("", f"the packed text is damaged: {error}") from None


def wire_size(text: str) -> int:
    """The bytes of JSON text on the wire: Temporal's converter escapes all that is not ASCII."""
    if text.isascii():
        return len(text)
    plain = len(text.encode("ascii", "ignore"))
    return plain + ESCAPED * (len(text.encode("utf-16-le")) // 2 - plain)


ESCAPED: Final = len(r"\u0416")
