"""Which Temporal cluster is meant by what a user names: `temporal://HOST:PORT/NAMESPACE?queue=Q`.

Rule: what is left out is what Temporal's own tools take: TEMPORAL_ADDRESS or localhost:7233,
TEMPORAL_NAMESPACE or default; the queue is `conductor`. What needs the extra is imported when it
is asked for.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from attrs import frozen

from conductor_core.errors import ConductorError, shown

if TYPE_CHECKING:
    from temporalio.client import Client

    from conductor_adapters.temporal import TemporalClient

SCHEME: Final = "temporal://"
ADDRESS: Final = "TEMPORAL_ADDRESS"
NAMESPACE: Final = "TEMPORAL_NAMESPACE"
QUEUE: Final = "conductor"
_URL: Final = re.compile(
    r"temporal://(?P<address>[^/?#]*)(?:/(?P<namespace>[^/?#]*))?(?:\?(?P<query>[^#]*))?"
)
LINGER_S: Final = 0.1
"""The library may abort a process whose loop ends while a call of it is on its way."""


@frozen(kw_only=True)
class Place:
    """A namespace of a cluster, and the task queue of flows in it."""

    address: str
    namespace: str
    queue: str = QUEUE

    def __str__(self) -> str:
        queue = "" if self.queue == QUEUE else f"?queue={self.queue}"
        return f"{SCHEME}{self.address}/{self.namespace}{queue}"


def is_temporal(store: object) -> bool:
    """Whether a store is named that is a cluster."""
    return isinstance(store, str) and store.startswith("temporal:")


def place_of(url: str) -> Place:
    """What a URL names; raises ConductorError."""
    found = _URL.fullmatch(url)
    query = parse_qs((found and found["query"]) or "", keep_blank_values=True)
    queues = query.pop("queue", [QUEUE])
    if found is None or query or len(queues) != 1 or not queues[0]:
        raise ConductorError(f"expected temporal://HOST:PORT/NAMESPACE?queue=Q, got {shown(url)}")
    return Place(
        address=found["address"] or os.environ.get(ADDRESS) or "localhost:7233",
        namespace=found["namespace"] or os.environ.get(NAMESPACE) or "default",
        queue=queues[0],
    )


async def connected(place: Place) -> Client:
    """A connection to a namespace; raises ConductorError where there is none."""
    try:
        from temporalio.api.workflowservice.v1 import (  # noqa: PLC0415 - an extra
            DescribeNamespaceRequest,
        )
        from temporalio.client import Client  # noqa: PLC0415 - an extra
        from temporalio.service import RPCError  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConductorError(
            f"{place}: flows on Temporal need their extra: "
            f"pip install 'conductor-core[temporal]' ({error})"
        ) from None
    try:
        client = await Client.connect(place.address, namespace=place.namespace)
        asked = DescribeNamespaceRequest(namespace=place.namespace)
        await client.workflow_service.describe_namespace(asked)
    except (RPCError, RuntimeError, ValueError) as error:
        await asyncio.sleep(LINGER_S)
        raise ConductorError(f"{place}: Temporal cannot be reached: {error}") from None
    return client


@asynccontextmanager
async def client_at(url: str) -> AsyncGenerator[TemporalClient]:
    """A client of the flows of a cluster; raises ConductorError."""
    place = place_of(url)
    client = await connected(place)
    from conductor_adapters.temporal import TemporalClient  # noqa: PLC0415 - an extra

    try:
        async with TemporalClient(client, task_queue=place.queue) as flows:
            yield flows
    finally:
        del client
        await asyncio.sleep(LINGER_S)
