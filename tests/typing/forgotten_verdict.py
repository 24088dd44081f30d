"""A match over verdicts that forgot one: the type checkers must say which."""

from __future__ import annotations

from typing import assert_never

from conductor_core.verdicts import Accepted, Rejected, Verdict


def exit_code(verdict: Verdict) -> int:
    """Turn a verdict into an exit code; what was ignored was forgotten."""
    match verdict:
        case Accepted():
            return 0
        case Rejected():
            return 1
        case _:
            assert_never(verdict)
