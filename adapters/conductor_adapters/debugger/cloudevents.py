"""What a recorded flow announces as CloudEvents 1.0: runs that start and end, and approvals.

Rule: one in JSON is a mapping; a batch is a list of them. Source and id together name an event
for ever, so that whoever gets one twice can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from conductor_adapters.debugger.announcements import Announcement, announcements_of
from conductor_adapters.debugger.recording import Recording

SOURCE: Final = "/conductor"
PREFIX: Final = "conductor."
TOLD: Final = ("flow.", "approval.")
"""What is announced here: work is what CDEvents has words for."""


def cloudevents_of(recording: Recording, *, source: str = SOURCE) -> Iterator[dict[str, Any]]:
    """The events of a recorded flow, in order."""
    for announcement in announcements_of(recording):
        if announcement.word.startswith(TOLD):
            yield cloudevent(announcement, source)


def cloudevent(announcement: Announcement, source: str) -> dict[str, Any]:
    """An announcement as an event; `sequence` orders those of the same moment."""
    return {
        "specversion": "1.0",
        "id": announcement.id,
        "source": source,
        "type": f"{PREFIX}{announcement.word}",
        "subject": announcement.about,
        "time": announcement.time,
        "datacontenttype": "application/json",
        "sequence": f"{announcement.moment.seq:016}",
        "data": announcement.data,
    }
