"""A match over directives that forgot one: the type checkers must say which."""

from __future__ import annotations

from typing import assert_never

from conductor_core import Directive


def goes_on(directive: Directive) -> bool:
    """Whether a flow goes on by itself; the group that is skipped was forgotten."""
    match directive:
        case Directive.CONTINUE | Directive.RETRY | Directive.RETRY_GROUP:
            return True
        case Directive.STOP | Directive.AWAIT_APPROVAL | Directive.AWAIT_RETRY:
            return False
        case _:
            assert_never(directive)
