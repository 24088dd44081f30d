"""The moments of a recorded flow that others care about: what began, ended, was asked, decided.

Rule: a moment is told once and never changes: what a later entry makes of an attempt that has
ended (a rerun discards it, a person skips it) belongs to that entry. So whatever is made of
moments only grows with the log. Entries that were ignored or rejected are no moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from attrs import evolve, frozen

from conductor_adapters.debugger.recording import Recording
from conductor_core import commands, events
from conductor_core.attempt import Approval, Attempt, AttemptStatus
from conductor_core.directives import describe
from conductor_core.events import Event, is_request
from conductor_core.log import Played
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted


class Kind(StrEnum):
    """What happened at a moment."""

    REQUEST_ACCEPTED = "request.accepted"
    FLOW_STARTED = "flow.started"
    WORK_STARTED = "work.started"
    WORK_FINISHED = "work.finished"
    APPROVAL_RESPONDED = "approval.responded"
    APPROVAL_DECIDED = "approval.decided"
    ATTEMPT_FINISHED = "attempt.finished"
    STEP_SKIPPED = "step.skipped"
    GROUP_STARTED = "group.started"
    GROUP_FINISHED = "group.finished"
    ATTEMPT_STARTED = "attempt.started"
    APPROVAL_REQUESTED = "approval.requested"
    FLOW_FINISHED = "flow.finished"


class Decision(StrEnum):
    """How an approval ended."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    REPLANNED = "replanned"
    STALE = "stale"
    WITHDRAWN = "withdrawn"


FAILED: Final = frozenset(
    {AttemptStatus.ERROR, AttemptStatus.APPROVAL_DENIED, AttemptStatus.APPROVAL_EXPIRED}
)


@frozen(kw_only=True)
class Moment:
    """One thing that happened in the entry `seq`, whose digest is `digest`.

    `state` is where the flow stood after the entry, `run` and `group` where it happened;
    `decision` is how an approval ended.
    """

    kind: Kind
    seq: int
    digest: str
    at_ms: int
    event: Event
    state: FlowState
    run: int
    group: int | None = None
    attempt: Attempt | None = None
    decision: Decision | None = None

    @property
    def by(self) -> str | None:
        """The person whose request it was; None where no person brought it about."""
        return self.event.by if is_request(self.event) else None

    @property
    def answer(self) -> events.ApprovalResponded | None:
        """The answer of a person to the approval that this moment is about."""
        event = self.event
        if not isinstance(event, events.ApprovalResponded):
            return None
        return event if event.step == self.named.step else None

    @property
    def named(self) -> Attempt:
        """The attempt that it is about; only of those kinds that are about one."""
        assert self.attempt is not None, f"{self.kind} is about no attempt"
        return self.attempt

    @property
    def step(self) -> StepSpec:
        """The step of the attempt that it is about."""
        position = self.state.catalog.position_of(self.named.step)
        assert position is not None, f"{self.named.step} is no step of the flow"
        return self.state.catalog.steps[position]

    @property
    def group_key(self) -> str:
        """The group in which it happened; only of those kinds that are of one."""
        assert self.group is not None, f"{self.kind} is of no group"
        return self.state.catalog.groups[self.group].key

    @property
    def failure(self) -> str | None:
        """Why its attempt is a failure, as people may be told (S6.21); None if it is none."""
        attempt = self.named
        return describe(attempt.reason, attempt.error) if attempt.status in FAILED else None


def moments_of(recording: Recording) -> Iterator[Moment]:
    """Every moment of a recorded flow, in the order of its entries."""
    before, opened = recording.state_at(0), None
    for played in recording.entries:
        if isinstance(played.transition.verdict, Accepted):
            entry = _Entry(played, before, opened)
            yield from entry.moments()
            before, opened = entry.after, entry.opened


def changed_attempts(
    before: FlowState, after: FlowState
) -> Iterator[tuple[Attempt | None, Attempt]]:
    """The attempts that are no longer what they were, each with what it was, if it was."""
    known = len(before.live)
    for position in after.live.changed_since(before.live):
        live = after.live[position]
        earlier = before.live[position] if position < known else None
        if earlier is None or earlier.id == live.id:
            yield earlier, live
            continue
        superseded = after.attempt(earlier.id)
        assert superseded is not None, f"{earlier.id} was superseded, and is gone"
        yield earlier, superseded
        yield None, live


SKIPPED: Final = frozenset({AttemptStatus.AUTO_SKIPPED, AttemptStatus.USER_SKIPPED})


def _is_open(attempt: Attempt | None) -> bool:
    """Whether work on it, or the approval of it, is under way."""
    return attempt is not None and (attempt.active or attempt.awaiting)


class _Entry:
    """One accepted entry, told; `opened` is the group that is under way."""

    def __init__(self, played: Played, before: FlowState, opened: int | None) -> None:
        self.before, self.after, self.opened = before, played.transition.state, opened
        self._event, self._commands = played.event, played.transition.commands
        self._plain = Moment(
            kind=Kind.REQUEST_ACCEPTED,
            seq=played.seq,
            digest=played.digest,
            at_ms=played.event.at_ms,
            event=played.event,
            state=self.after,
            run=self.after.run,
        )

    def moments(self) -> Iterator[Moment]:
        """What happened in it, each thing before what follows from it."""
        if self._begins():
            self.opened = None
            yield self._told(Kind.FLOW_STARTED)
        if is_request(self._event):
            yield self._told(Kind.REQUEST_ACCEPTED)
        for before, after in changed_attempts(self.before, self.after):
            yield from self._of_attempt(before, after)
        yield from self._of_groups()
        yield from self._of_commands()

    def _told(
        self,
        kind: Kind,
        attempt: Attempt | None = None,
        *,
        group: int | None = None,
        decision: Decision | None = None,
    ) -> Moment:
        return evolve(self._plain, kind=kind, attempt=attempt, group=group, decision=decision)

    def _begins(self) -> bool:
        """Whether a run begins: the first, or one that a request revives (S10.5)."""
        if self.after.run > self.before.run:
            return True
        started = self.after.started or self.after.outcome is not None
        return started and not self.before.started and self.before.outcome is None

    # --- attempts ---

    def _of_attempt(self, before: Attempt | None, after: Attempt) -> Iterator[Moment]:
        """What became of an attempt; one that is under way is one of the current group."""
        group = self.before.current
        if before is not None and before.active:
            if after.status is AttemptStatus.IN_PROGRESS and before.status is not after.status:
                yield self._told(Kind.WORK_STARTED, after, group=group)
            if not after.active:
                yield self._told(Kind.WORK_FINISHED, after, group=group)
        if before is not None and after.approval is not None:
            yield from self._of_approval(before, before.approval, after, after.approval)
        if _is_open(before) and not _is_open(after):
            yield self._told(Kind.ATTEMPT_FINISHED, after, group=group)
        if after.status in SKIPPED and (before is None or before.status is not after.status):
            yield self._told(Kind.STEP_SKIPPED, after)

    def _of_approval(
        self, before: Attempt, asked: Approval | None, after: Attempt, approval: Approval
    ) -> Iterator[Moment]:
        """What people answered and what that, or a rule, decided."""
        group = self.before.current
        if asked is None:
            if approval.automatic is not None:
                decision = Decision.APPROVED
                yield self._told(Kind.APPROVAL_DECIDED, after, group=group, decision=decision)
            return
        if not before.awaiting:
            return
        if len(approval.answers) > len(asked.answers):
            yield self._told(Kind.APPROVAL_RESPONDED, after, group=group)
        if not after.awaiting:
            decision = self._decision(after)
            yield self._told(Kind.APPROVAL_DECIDED, after, group=group, decision=decision)

    def _decision(self, after: Attempt) -> Decision:
        """How an approval that was open ended (section 8), whoever ended it."""
        if after.status in DECIDED:
            return DECIDED[after.status]
        if after.reason == "stale-plan":
            return Decision.STALE
        event = self._event
        answered = isinstance(event, events.ApprovalResponded) and event.step == after.step
        return Decision.REPLANNED if answered else Decision.WITHDRAWN

    # --- groups and the flow ---

    def _of_groups(self) -> Iterator[Moment]:
        """The groups that the flow went through, and the one that it is in now."""
        for group in range(self.before.current, self.after.current):
            yield from self._open(group)
            yield from self._close(group)
        if self.after.started and self.after.current < len(self.after.catalog.groups):
            yield from self._open(self.after.current)
            if self.after.outcome is not None:
                yield from self._close(self.after.current)

    def _open(self, group: int) -> Iterator[Moment]:
        if self.opened != group:
            self.opened = group
            yield self._told(Kind.GROUP_STARTED, group=group)

    def _close(self, group: int) -> Iterator[Moment]:
        self.opened = None
        yield self._told(Kind.GROUP_FINISHED, group=group)

    def _of_commands(self) -> Iterator[Moment]:
        """What was sent out, in this order."""
        for command in self._commands:
            match command:
                case commands.DispatchStep(attempt=attempt):
                    yield self._sent(Kind.ATTEMPT_STARTED, attempt)
                case commands.RequestApproval(attempt=attempt):
                    yield self._sent(Kind.APPROVAL_REQUESTED, attempt)
                case commands.FinishFlow():
                    yield self._told(Kind.FLOW_FINISHED)
                case _:
                    pass

    def _sent(self, kind: Kind, attempt: str) -> Moment:
        return self._told(kind, self.after.attempt(attempt), group=self.after.current)


DECIDED: Final = {
    AttemptStatus.SUCCESS: Decision.APPROVED,
    AttemptStatus.APPROVAL_DENIED: Decision.DENIED,
    AttemptStatus.APPROVAL_EXPIRED: Decision.EXPIRED,
    AttemptStatus.USER_SKIPPED: Decision.SKIPPED,
}
"""How an approval ended, where the status of its attempt tells it."""
