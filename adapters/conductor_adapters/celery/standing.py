"""Who is who among the processes of a host on Celery, and how each says that it lives."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable

from conductor_adapters.store.protocol import Store, WorkerRow


def new_name() -> str:
    """A name of its own for this process, which tells people where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def say_alive(store: Store, worker_id: str, lease_ms: int, works: Iterable[str] = ()) -> None:
    """Say, in the transaction that is open, that a process lives, and what it carries out."""
    clock, now_ms = store.clock()
    name = worker_id.rpartition(":")[0]
    until_ms = now_ms + lease_ms
    store.renew(
        WorkerRow(
            worker_id=worker_id, name=name, boot=clock, until_ms=until_ms, works=frozenset(works)
        )
    )
