"""Who started the command: the name that stands in a log where no other was given.

Rule: a name that cannot be found out is no reason to fail.
"""

from __future__ import annotations

import getpass


def user_name() -> str:
    """The name of whoever started the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
