"""The terminal behind the standard output: its encoding, its size, whose it is.

Rule: it is asked anew each time; a terminal that cannot be asked is of the usual size, and ours.
"""

from __future__ import annotations

import os
import sys
from typing import Final

USUAL_SIZE: Final = (80, 24)
LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")


def encoding() -> str:
    """The encoding of the terminal: Python takes the C locale for one of UTF-8, this does not."""
    locale = next((os.environ[name] for name in LOCALE if os.environ.get(name)), None)
    return "ascii" if locale in ("C", "POSIX") else sys.stdout.encoding


def size() -> tuple[int, int]:
    """The columns and lines it has now."""
    try:
        columns, lines = os.get_terminal_size(1)
    except OSError:
        return USUAL_SIZE
    return columns or USUAL_SIZE[0], lines or USUAL_SIZE[1]


def in_front() -> bool:
    """Whether the terminal is ours; in the background it belongs to the shell."""
    try:
        return os.tcgetpgrp(1) == os.getpgrp()
    except OSError:
        return True
