"""What a recorded flow announces as CDEvents 0.5.1: pipeline runs, task runs, and approvals.

Rule: a run of the flow is a `pipelineRun`, an attempt a `taskRun`. CDEvents has no word for an
approval, so that those are events of our own, `dev.cdeventsx.conductor-approval.*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

from conductor_adapters.debugger.announcements import Announcement, announcements_of, run_name
from conductor_adapters.debugger.cloudevents import SOURCE
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.spans import Names

VERSION: Final = "0.5.1"
TYPES: Final = {
    "flow.started": "dev.cdevents.pipelinerun.started.0.3.0",
    "flow.finished": "dev.cdevents.pipelinerun.finished.0.3.0",
    "attempt.started": "dev.cdevents.taskrun.started.0.3.0",
    "attempt.finished": "dev.cdevents.taskrun.finished.0.3.0",
}
APPROVAL: Final = "dev.cdeventsx.conductor-{}.0.1.0"
OUTCOMES: Final = {
    "success": "success",
    "auto-skipped": "success",
    "user-skipped": "cancel",
    "cancelled": "cancel",
    "discarded": "cancel",
    "not-attempted": "cancel",
    "error": "failure",
    "approval-denied": "failure",
    "approval-expired": "failure",
}
"""What CDEvents calls how a run or an attempt ended."""


def cdevents_of(recording: Recording, *, source: str = SOURCE) -> Iterator[dict[str, Any]]:
    """The events of a recorded flow, in order."""
    chain = _chain(Names.of(recording.header).trace(1))
    for announcement in announcements_of(recording):
        yield cdevent(announcement, source, chain)


def cdevent(announcement: Announcement, source: str, chain: str) -> dict[str, Any]:
    """An announcement as an event; `chain` is the id that all events of the flow share."""
    word = announcement.word
    told: dict[str, Any] = {
        "context": {
            "specversion": VERSION,
            "id": announcement.id,
            "source": source,
            "type": TYPES.get(word) or APPROVAL.format(word),
            "timestamp": announcement.time,
            "chainId": chain,
        },
        "subject": {
            "id": _subject(announcement),
            "source": source,
            "content": _content(announcement, source),
        },
    }
    if word in TYPES:
        told["customData"] = {"conductor": announcement.data}
        told["customDataContentType"] = "application/json"
    return told


def _chain(digest: str) -> str:
    """An id that looks like one drawn at random, as CDEvents wants it, and never changes."""
    return str(UUID(bytes=sha256(digest.encode()).digest()[:16], version=4))


def _subject(announcement: Announcement) -> str:
    """A run by its number; an attempt by the key that its work goes out under."""
    if announcement.word.startswith("flow."):
        return run_name(announcement.moment)
    return f"{announcement.moment.state.flow_id}/{announcement.about}"


def _uri(source: str, subject: str) -> str:
    """Where a run or an attempt is to be found: below a source that is a place, or nowhere."""
    place = f"{source.rstrip('/')}/" if urlsplit(source).scheme else "conductor:"
    return f"{place}{quote(subject, safe='/:@')}"


def _content(announcement: Announcement, source: str) -> dict[str, Any]:
    """What CDEvents has to say of a run or of an attempt; of an approval all there is."""
    data, subject = announcement.data, _subject(announcement)
    if announcement.word.startswith("approval."):
        return {"taskRun": {"id": subject, "source": source}, **data}
    if announcement.word.startswith("flow."):
        content: dict[str, Any] = {"pipelineName": data["flow_type"]}
    else:
        run = {"id": run_name(announcement.moment), "source": source}
        content = {"taskName": data["step"], "pipelineRun": run}
    content["uri"] = _uri(source, subject)
    if "status" in data:
        content["outcome"] = OUTCOMES[data["status"]]
        if "message" in data:
            content["errors"] = data["message"]
    return content
