"""A story as it is told: each event, the verdict that is expected of it, and the log that it makes.

Rule: time is made up, a second for each event; an event whose verdict is another than expected
is a mistake of the story, and raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.events import Event, StepError
from conductor_core.log import LogWriter

BEGAN_MS: Final = 1_767_225_600_000  # the first moment of 2026
FLOW_ID: Final = "golden"
GATE: Final = ApprovalSpec()
START: Final = events.FlowStarted(at_ms=0)
NOW: Final = 0
"""The time of an event that is told at the time that it is."""


class Telling:
    """A flow to which things happen, and its log so far."""

    def __init__(
        self, spec: FlowSpec, *, accepted_only: bool = False, began_ms: int = BEGAN_MS
    ) -> None:
        self.state = initial_state(spec, FLOW_ID)
        self.now_ms = began_ms
        self._writer = LogWriter(self.state, at_ms=self.now_ms, accepted_only=accepted_only)
        self.text = self._writer.header()

    def tell(self, *happened: Event) -> None:
        """Events happen, a second apart, and each counts."""
        for event in happened:
            self._tell(event, "accepted")

    def ignored(self, event: Event, reason: str) -> None:
        """An event happens, and is ignored."""
        self._tell(event, f"ignored({reason})")

    def rejected(self, event: Event, code: str) -> None:
        """A person asks for it, and it is rejected."""
        self._tell(event, f"rejected({code})")

    def started(self) -> None:
        """The flow starts."""
        self.tell(START)

    def done(self, *attempts: str, **more: Any) -> None:
        """The work of these attempts succeeds."""
        self.tell(*(finished(attempt, "succeeded", **more) for attempt in attempts))

    def broken(self, *attempts: str, **more: Any) -> None:
        """The work of these attempts fails."""
        self.tell(*(finished(attempt, "failed", **more) for attempt in attempts))

    def fired(self, timer: str) -> None:
        """A timer fires when it is due."""
        self.now_ms = max(self.now_ms, dict(self.state.timers())[timer] - 1000)
        self.tell(events.TimerFired(at_ms=NOW, timer=timer))

    def later(self, wait_ms: int) -> None:
        """Nothing happens for a while."""
        self.now_ms += wait_ms

    def close(self) -> None:
        """The host is done with the run."""
        self.text += self._writer.close(self.state)

    def status(self, flow: str) -> None:
        """The flow has come to this."""
        assert self.state.status == flow, f"the flow is {self.state.status}, not {flow}"

    def _tell(self, event: Event, verdict: str) -> None:
        self.now_ms += 1000
        transition = reduce(self.state, evolve(event, at_ms=self.now_ms))
        assert str(transition.verdict) == verdict, f"{event}: {transition.verdict}, not {verdict}"
        self.text += self._writer.entry(evolve(event, at_ms=self.now_ms), transition)
        self.state = transition.state


Story: TypeAlias = Callable[[], Telling]
STORIES: Final[dict[str, Story]] = {}


def story(tell: Story) -> Story:
    """A story that is recorded under its name."""
    STORIES[tell.__name__.replace("_", "-")] = tell
    return tell


# --- in brief ---


def flow(*groups: GroupSpec, **options: Any) -> FlowSpec:
    """A flow of these groups."""
    return FlowSpec(type="story", groups=groups, options=FlowOptions(**options))


def group(key: str, *steps: StepSpec | str, **more: Any) -> GroupSpec:
    """A group; a plain step is given by its key alone."""
    return GroupSpec(
        key=key,
        steps=[StepSpec(key=step) if isinstance(step, str) else step for step in steps],
        **more,
    )


def step(key: str, **more: Any) -> StepSpec:
    """A step."""
    return StepSpec(key=key, **more)


def finished(attempt: str, outcome: events.WorkOutcome, **more: Any) -> events.StepFinished:
    """The work of an attempt ended."""
    return events.StepFinished(at_ms=NOW, attempt=attempt, outcome=outcome, **more)


def runs(attempt: str) -> events.StepStarted:
    """A worker took an attempt up."""
    return events.StepStarted(at_ms=NOW, attempt=attempt)


def answer(key: str, response: str, by: str = "ana", **more: Any) -> events.ApprovalResponded:
    """A person answers an approval."""
    return events.ApprovalResponded(at_ms=NOW, step=key, response=response, by=by, **more)


def option(value: str, by: str = "ana") -> events.ApprovalOptionChanged:
    """A person sets the approval option."""
    return events.ApprovalOptionChanged(at_ms=NOW, option=value, by=by)


def cancel(by: str = "ana", **more: Any) -> events.CancelRequested:
    """A person cancels."""
    return events.CancelRequested(at_ms=NOW, by=by, **more)


def rerun(
    key: str, operation: str = "retry-step", flow_id: str = FLOW_ID, **more: Any
) -> events.RerunRequested:
    """A person retries or skips a failed step."""
    return events.RerunRequested(
        at_ms=NOW, by="ana", flow_id=flow_id, step_id=key, operation=operation, **more
    )


def skip(key: str, **more: Any) -> events.RerunRequested:
    """A person skips a failed step."""
    return rerun(key, "skip-step", **more)


def group_retry(key: str) -> events.GroupRetryRequested:
    """A person retries a group."""
    return events.GroupRetryRequested(at_ms=NOW, group=key, by="ana")


def now(key: str) -> events.RetryNowRequested:
    """A person cuts a backoff short."""
    return events.RetryNowRequested(at_ms=NOW, step=key, by="ana")


def pause(**more: Any) -> events.PauseRequested:
    """A person pauses the flow."""
    return events.PauseRequested(at_ms=NOW, by="ana", **more)


def resume(**more: Any) -> events.ResumeRequested:
    """A person resumes the flow."""
    return events.ResumeRequested(at_ms=NOW, by="ana", **more)


def append(*groups: GroupSpec) -> events.AppendRequested:
    """A person appends groups."""
    return events.AppendRequested(at_ms=NOW, by="ana", groups=groups)


def timer(name: str) -> events.TimerFired:
    """A timer fires, whether or not it is open."""
    return events.TimerFired(at_ms=NOW, timer=name)


def error(message: str = "it broke", **more: Any) -> StepError:
    """Why work failed."""
    return StepError(message=message, **more)


def soon(retries: int = 2, **more: Any) -> RetryPolicy:
    """Retried so often by itself, after waits that are not drawn."""
    return RetryPolicy(max_auto_retries=retries, backoff_ms=[30_000, 120_000], **more)
