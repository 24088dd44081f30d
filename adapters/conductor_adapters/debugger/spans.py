"""Spans of a recorded flow: a trace for each run, of groups, of attempts, and of approvals.

Rule: a span is told when it has ended, under ids that follow from the log alone, and is the same
in every later export: to export a log again, or when it has grown, changes nothing that was
exported. What goes on is left out. No payload is told: no input, output, metadata or details.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from attrs import field, frozen

from conductor_adapters.debugger import span_words as words
from conductor_adapters.debugger.moments import Kind, Moment, moments_of
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.span_words import Attributes, Mark
from conductor_core.loglines import Header, beginning
from conductor_core.state import initial_state

__all__ = ["Attributes", "Mark", "Span", "spans_of"]


@frozen(kw_only=True)
class Span:
    """Something that took its time; `error` says why it failed, if it did.

    `linked` are the trace and the span of the run before, for a run that was revived.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ms: int
    end_ms: int
    attributes: Attributes
    marks: tuple[Mark, ...] = ()
    error: str | None = None
    linked: tuple[str, str] | None = None


def spans_of(recording: Recording) -> Iterator[Span]:
    """Every span that has ended, in the order in which they did."""
    told = _Telling(recording.header)
    for moment in moments_of(recording):
        yield from told.spans(moment)


@frozen
class Names:
    """The ids of one log: of traces 16 bytes, of spans 8, as hexadecimal digits."""

    _flow: str

    @classmethod
    def of(cls, header: Header) -> Names:
        """Those of the log with this header; another log of a flow of that id has others."""
        start = initial_state(header.spec, header.flow_id)
        return cls(f"{header.flow_id}\n{beginning(header, start).digest}")

    def trace(self, run: int) -> str:
        """The trace of a run."""
        return self._digest(f"run {run}")[:32]

    def span(self, what: str) -> str:
        """The span of a run, of a group in one, of an attempt, or of its approval."""
        return self._digest(what)[:16]

    def _digest(self, what: str) -> str:
        return sha256(f"{self._flow}\n{what}".encode()).hexdigest()


@frozen
class _Begun:
    """A span that has not ended, and what is known of it."""

    start_ms: int
    attributes: Attributes = field(factory=dict)
    marks: list[Mark] = field(factory=list)


NOWHERE: Final = -1


class _Telling:
    """What has begun so far, and what ends with a moment."""

    def __init__(self, header: Header) -> None:
        self._names = Names.of(header)
        self._flow: Attributes = {
            "conductor.flow.id": header.flow_id,
            "conductor.flow.type": header.spec.type,
        }
        self._run = _Begun(header.at_ms)
        self._group = _Begun(header.at_ms)
        self._attempts: dict[str, _Begun] = {}
        self._approvals: dict[str, _Begun] = {}

    def spans(self, moment: Moment) -> Iterator[Span]:
        """Take a moment in; the spans that end with it."""
        at_ms = moment.at_ms
        match moment.kind:
            case Kind.REQUEST_ACCEPTED:
                self._run.marks.append(words.asked(moment))
            case Kind.FLOW_STARTED:
                # What was asked of a flow before it started belongs to its first run.
                early = self._run.marks if moment.run == 1 else []
                self._run = _Begun(at_ms, marks=early)
            case Kind.GROUP_STARTED:
                self._group = _Begun(at_ms)
            case Kind.ATTEMPT_STARTED:
                self._attempts[moment.named.id] = _Begun(at_ms)
            case Kind.WORK_STARTED | Kind.WORK_FINISHED:
                self._mark_attempt(moment)
            case Kind.APPROVAL_REQUESTED:
                self._approvals[moment.named.id] = _Begun(at_ms, words.wanted(moment))
            case Kind.APPROVAL_RESPONDED:
                self._approvals[moment.named.id].marks.append(words.answered(moment))
            case Kind.APPROVAL_DECIDED:
                yield from self._decided(moment)
            case Kind.STEP_SKIPPED:
                self._run.marks.append(words.skipped(moment))
            case Kind.ATTEMPT_FINISHED:
                yield self._attempt(moment)
            case Kind.GROUP_FINISHED:
                yield self._group_of(moment)
            case Kind.FLOW_FINISHED:
                yield self._run_of(moment)

    # --- what ends ---

    def _run_of(self, moment: Moment) -> Span:
        run, outcome, names = moment.run, words.outcome_of(moment), self._names
        return self._ended(
            self._run,
            moment,
            what=f"run {run}",
            name=f"flow {moment.state.spec.type}",
            attributes=words.run_attributes(moment),
            error=(outcome.message or "") if outcome.status == "error" else None,
            linked=(names.trace(run - 1), names.span(f"run {run - 1}")) if run > 1 else None,
        )

    def _group_of(self, moment: Moment) -> Span:
        assert moment.group is not None, "a group that is over has an index"
        key, status = moment.group_key, moment.state.group_status(moment.group)
        return self._ended(
            self._group,
            moment,
            what=f"group {key} in run {moment.run}",
            parent=f"run {moment.run}",
            name=f"group {key}",
            attributes={
                "conductor.group": key,
                "conductor.group.index": moment.group,
                "conductor.group.status": status,
            },
            error=f"group {key} stopped the flow" if status == "error" else None,
        )

    def _attempt(self, moment: Moment) -> Span:
        attempt = moment.named
        return self._ended(
            self._attempts.pop(attempt.id),
            moment,
            what=f"attempt {attempt.id}",
            parent=f"group {moment.group_key} in run {moment.run}",
            name=f"step {attempt.step}",
            attributes=words.attempt_attributes(moment),
            error=moment.failure,
        )

    def _decided(self, moment: Moment) -> Iterator[Span]:
        """The approval that was open; one that nobody was asked for is a mark of its attempt."""
        attempt = moment.named
        begun = self._approvals.pop(attempt.id, None)
        if begun is None:
            self._attempts[attempt.id].marks.append(words.decided_by_rule(moment))
            return
        yield self._ended(
            begun,
            moment,
            what=f"approval of {attempt.id}",
            parent=f"attempt {attempt.id}",
            name=f"approval {attempt.step}",
            attributes=begun.attributes | words.decision(moment),
        )

    def _ended(
        self,
        begun: _Begun,
        moment: Moment,
        *,
        what: str,
        name: str,
        attributes: Attributes,
        parent: str | None = None,
        error: str | None = None,
        linked: tuple[str, str] | None = None,
    ) -> Span:
        """A span of the run that is under way; where the clock was put back, it takes no time."""
        return Span(
            trace_id=self._names.trace(moment.run),
            span_id=self._names.span(what),
            parent_id=None if parent is None else self._names.span(parent),
            name=name,
            start_ms=begun.start_ms,
            end_ms=max(begun.start_ms, moment.at_ms),
            attributes=self._flow | attributes,
            marks=tuple(begun.marks),
            error=error,
            linked=linked,
        )

    def _mark_attempt(self, moment: Moment) -> None:
        marks = self._attempts[moment.named.id].marks
        marks.append(Mark(name=f"conductor.{moment.kind}", at_ms=moment.at_ms, attributes={}))
        error = moment.named.error
        if moment.kind is Kind.WORK_FINISHED and error is not None:
            marks.append(words.exception(moment, error))
