"""Where in a document a problem is, and how it is told.

Rule: a place is a path such as `groups[1].steps[0].key`, empty for the whole document; a
problem is a lower-case sentence without its place. Values are shown in `repr`, cut when
they are long, at a cost that does not grow with them.
"""

from __future__ import annotations

import re
from typing import Final

from conductor_core.errors import WIDTH, FormatError, shown

NEAR: Final = 0.65
"""So much of a word must be as in another one for that to have been meant."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def join(path: str, rest: str) -> str:
    """The path of a place inside another: `groups[1]` and `key` give `groups[1].key`."""
    return f"{path}.{rest}" if path and rest and not rest.startswith("[") else path + rest


def key_place(key: object) -> str:
    """The place of one key: the key itself, in brackets when it would not read as one."""
    plain = isinstance(key, str) and _PLAIN_KEY.fullmatch(key)
    return str(key) if plain else f"[{shown(key)}]"


def expected(what: str, value: object) -> FormatError:
    """The error of a value that is something else."""
    return FormatError("", f"expected {what}, got {shown(value)}")


def unknown(what: str, word: object, known: tuple[str, ...]) -> str:
    """Say that a word is not among the known ones, and which of them was perhaps meant."""
    meant = f" (perhaps {close!r}?)" if (close := _closest(word, known)) else ""
    return f"unknown {what} {shown(word)}{meant}, expected one of {', '.join(known)}"


def _closest(word: object, known: tuple[str, ...]) -> str | None:
    """The known word that looks most like this one, if any does."""
    # What is longer than any word of ours was not meant to be one, and is dear to compare.
    if not isinstance(word, str) or len(word) > WIDTH:
        return None
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import

    return next(iter(get_close_matches(word, known, n=1, cutoff=NEAR)), None)


def located(path: str, error: FormatError) -> FormatError:
    """The same problems, seen from outside the place that `path` names."""
    return FormatError.of([(join(path, place), text) for place, text in error.problems])
