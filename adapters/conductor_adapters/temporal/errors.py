"""What goes wrong between a client and a Temporal cluster, told so that one knows what to do.

Rule: no error of the wire reaches who asks; each says what it is about, and what became of it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from temporalio.service import RPCError, RPCStatusCode

from conductor_adapters.store.errors import UnknownFlow
from conductor_core.errors import ConductorError, shown


class TemporalError(ConductorError):
    """The cluster could not do what was asked of it."""


class NoAnswer(TemporalError):
    """No worker answered in time: what was asked for stands with Temporal, and may still count."""


class NotReady(TemporalError):
    """The last task of a flow's workflow failed, and with it what was asked for was not taken."""


class NotRunning(TemporalError):
    """A flow was ended by force in Temporal; `take_up` begins it again where it stood."""


UNREACHABLE = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
)

NOT_READY = ".WorkflowNotReadyFailure"
"""The same may be asked again: a task fails when something comes in as its run ends."""
NO_NAMESPACE = ".NamespaceNotFoundFailure"


@contextmanager
def told(where: str, flow_id: str | None = None) -> Generator[None]:
    """Say errors of the wire in our own; raises UnknownFlow and TemporalError."""
    try:
        yield
    except RPCError as error:
        missing = error.status is RPCStatusCode.NOT_FOUND and not _says(error, NO_NAMESPACE)
        if missing and flow_id is not None:
            raise UnknownFlow(flow_id) from None
        if error.status in UNREACHABLE:
            raise TemporalError(f"Temporal at {where} cannot be reached: {error.message}") from None
        about = "" if flow_id is None else f"flow {shown(flow_id)}: "
        kind = NotReady if _says(error, NOT_READY) else TemporalError
        raise kind(f"{about}Temporal refused it: {error.message}") from None


def _says(error: RPCError, kind: str) -> bool:
    """Whether an error has a detail of a kind."""
    return any(detail.type_url.endswith(kind) for detail in error.grpc_status.details)
