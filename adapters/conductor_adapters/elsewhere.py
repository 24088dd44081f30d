"""What workers elsewhere do, for asking what nobody does.

Rule: what is made here is only asked what is missing; nothing of it is ever called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from conductor_adapters.store.protocol import GENERATE, STEP
from conductor_adapters.workers import Workers


def with_others(workers: Workers, works: Iterable[str]) -> Workers:
    """Workers that do more than these; only good for asking what is missing."""
    kinds = [work.partition(":") for work in works]
    return Workers(
        handlers={name: _never for kind, _, name in kinds if kind == STEP} | dict(workers.handlers),
        generators={name: _nothing for kind, _, name in kinds if kind == GENERATE}
        | dict(workers.generators),
    )


def _never(_context: object) -> object:
    raise AssertionError("only asked for, never called")


def _nothing(_command: object) -> Awaitable[Any]:
    raise AssertionError("only asked for, never called")
