"""Which verdicts were met by which events, and which never were.

Rule: `REACHABLE` is written from the rules (S4, S8 to S13), not from what was seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

REQUEST: Final = ("ignored(duplicate-request)",)
ON_A_LIVE_FLOW: Final = (
    *REQUEST,
    "rejected(not-started)",
    "rejected(flow-finished)",
    "rejected(flow-cancelled)",
)
NO_CHANGE: Final = "ignored(no-change)"
STALE_ATTEMPT: Final = ("ignored(stale-attempt)", "ignored(unknown-attempt)")
OF_A_RETRY: Final = (
    "rejected(group-running)",
    "rejected(not-retryable)",
    "rejected(retries-exhausted)",
    "rejected(terminal-error)",
)

REACHABLE: Final[dict[str, tuple[str, ...]]] = {
    "flow-started": ("ignored(already-started)",),
    "groups-generated": (NO_CHANGE,),
    "generation-failed": (NO_CHANGE,),
    "step-started": (NO_CHANGE, *STALE_ATTEMPT),
    "step-finished": STALE_ATTEMPT,
    "timer-fired": ("ignored(stale-timer)",),
    "continue-as-new-suggested": (NO_CHANGE, "ignored(stale-incarnation)"),
    "continued-as-new": (NO_CHANGE, "ignored(stale-incarnation)"),
    "approval-responded": (
        *ON_A_LIVE_FLOW,
        "rejected(unknown-step)",
        "rejected(not-awaiting-approval)",
        "rejected(not-an-approver)",
        "rejected(subject-mismatch)",
        "rejected(already-responded)",
        "rejected(not-skippable)",
        "rejected(retries-exhausted)",
        "rejected(unknown-response)",
    ),
    "approval-option-changed": (*ON_A_LIVE_FLOW, NO_CHANGE, "rejected(unknown-option)"),
    "cancel-requested": (
        *REQUEST,
        NO_CHANGE,
        "rejected(flow-finished)",
        "rejected(unknown-step)",
        "rejected(unknown-group)",
        "rejected(already-finished)",
    ),
    "rerun-requested": (
        *REQUEST,
        NO_CHANGE,
        "rejected(flow-mismatch)",
        "rejected(invalid-continue-index)",
        "rejected(invalid-operation)",
        "rejected(unknown-step)",
        "rejected(stale-attempt)",
        "rejected(flow-cancelled)",
        "rejected(not-failed)",
        "rejected(not-skippable)",
        "rejected(invalid-replan-step)",
        "rejected(blocked-by)",
        *OF_A_RETRY,
    ),
    "group-retry-requested": (
        *REQUEST,
        "rejected(not-started)",
        "rejected(flow-cancelled)",
        "rejected(unknown-group)",
        "rejected(not-failed)",
        *OF_A_RETRY,
    ),
    "retry-now-requested": (
        *ON_A_LIVE_FLOW,
        "rejected(unknown-step)",
        "rejected(not-waiting)",
    ),
    "pause-requested": (*ON_A_LIVE_FLOW, NO_CHANGE),
    "resume-requested": (*ON_A_LIVE_FLOW, NO_CHANGE),
    "append-requested": (
        *REQUEST,
        NO_CHANGE,
        "rejected(flow-finished)",
        "rejected(flow-cancelled)",
        "rejected(duplicate-key)",
        "rejected(invalid-groups)",
    ),
}
"""The verdicts that each event may get, besides `accepted`."""


class Tally:
    """How often each event got each verdict."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, kind: str, verdict: str) -> None:
        """Count one event."""
        self._counts[kind, verdict] += 1

    @property
    def total(self) -> int:
        """How many events were counted."""
        return self._counts.total()

    def never(self) -> list[tuple[str, str]]:
        """What the rules allow and nothing has met."""
        reachable = [(kind, v) for kind in REACHABLE for v in ("accepted", *REACHABLE[kind])]
        return [pair for pair in reachable if not self._counts[pair]]

    def unexpected(self) -> list[tuple[str, str]]:
        """What was met although the rules do not name it."""
        return [(k, v) for k, v in self._counts if v not in ("accepted", *REACHABLE[k])]

    def lines(self) -> Iterator[str]:
        """The counts, by event and verdict."""
        for (kind, verdict), count in sorted(self._counts.items()):
            yield f"{count:9,}  {kind:26} {verdict}"
        for label, pairs in (("never met", self.never()), ("unexpected", self.unexpected())):
            for kind, verdict in pairs:
                yield f"{label}: {kind} {verdict}"
