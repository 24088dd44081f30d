"""A request that somebody makes on a page, on its way to its flow.

Rule: it is decoded as an event of a log would be, and whether it counts is the verdict of the flow.
What is refused here never reached it: what is no request, what nobody signed, and an answer about
an attempt that does not ask any more.
"""

from __future__ import annotations

from typing import Any, Final
from unicodedata import category

from attrs import evolve

from conductor_adapters.client import Client, ClientFlow
from conductor_adapters.ui.messages import Refused
from conductor_core import events
from conductor_core.codec import decode_event, encode_verdict
from conductor_core.errors import FormatError
from conductor_core.events import Request, is_request
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

LONGEST_NAME: Final = 200
KEYS: Final = frozenset({"event", "by", "attempt"})

UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that have no shape of their own, or turn the order of others."""
JOINERS: Final = "\u200c\u200d"
"""What Persian names and some pictures cannot do without."""
BLANK: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Letters and marks that look like nothing."""


async def ask(client: Client, flow_id: str, data: dict[str, Any]) -> dict[str, Any]:
    """Put a request to a flow and tell what came of it; raises Refused and ConductorError."""
    request = read(data)
    if isinstance(request, events.RerunRequested) and request.flow_id != flow_id:
        raise Refused(400, "other-flow", "the request is about another flow")
    flow = await client.flow(flow_id)
    _check_asks(flow, request, data.get("attempt"))

    def stamped(*, at_ms: int) -> Request:
        return evolve(request, at_ms=at_ms)

    verdict = await flow.send(stamped)
    return {"flow_id": flow_id, "status": flow.state.status, **told_verdict(verdict)}


def read(data: dict[str, Any]) -> Request:
    """The request that was made; raises Refused."""
    if not data.keys() <= KEYS:
        raise Refused(400, "no-request", f"expected {', '.join(sorted(KEYS))}")
    by, event = data.get("by"), data.get("event")
    if not isinstance(by, str) or not by.strip() or len(by) > LONGEST_NAME:
        raise Refused(400, "no-name", "say who asks")
    if not _is_seen(by):
        raise Refused(400, "no-name", "the name has characters that nobody would see")
    if not isinstance(event, dict):
        raise Refused(400, "no-request", "the event is no object")
    try:
        request = decode_event({**event, "by": by.strip(), "at_ms": 0}, "event")
    except FormatError as error:
        raise Refused(400, "no-request", str(error)) from None
    if not is_request(request) or isinstance(request, events.AppendRequested):
        raise Refused(400, "no-request", "that cannot be asked on a page")
    return request


def _is_seen(name: str) -> bool:
    """Whether nothing of a name hides or turns the order of the rest; joiners belong to scripts."""
    kinds = {category(char) for char in name if char not in JOINERS}
    return not kinds & UNSEEN and not BLANK & set(name)


def _check_asks(flow: ClientFlow, request: Request, attempt: object) -> None:
    """Raise Refused for an answer about an attempt that was shown and does not ask any more."""
    if not isinstance(request, events.ApprovalResponded):
        return
    if not isinstance(attempt, str):
        raise Refused(400, "no-attempt", "an answer names the attempt that was shown")
    found = flow.state.attempt(attempt)
    if found is None or found.step != request.step:
        raise Refused(409, "unknown-attempt", f"step {request.step} has no such attempt")
    if not found.awaiting:
        told = f"{found.id} asks for no approval any more, it is {found.status}"
        raise Refused(409, "not-asked", told)


def told_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict for a page."""
    match verdict:
        case Accepted():
            return {"verdict": encode_verdict(verdict), "code": None, "message": None}
        case Ignored(reason=reason):
            return {"verdict": "ignored", "code": reason, "message": None}
        case Rejected(code=code, message=message):
            return {"verdict": "rejected", "code": code, "message": message}
