"""The parent's half of a group that a child runs: it hands the group over, and keeps in step.

Rule: as long as a child has a group, nothing reaches the flow but in the order in which the child
took it in (`delegation`). What concerns the group is relayed, one at a time; the answer brings all
that the child has accepted since it last reported, and is reduced here before anything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from attrs import define
from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ChildWorkflowHandle

from conductor_adapters.temporal import names
from conductor_adapters.temporal.carried import (
    Carried,
    Handed,
    Reported,
    decode_report,
    encode_handed,
    encode_relay,
)
from conductor_adapters.temporal.delegation import cut, is_over, relayed
from conductor_adapters.temporal.hosting import Hosting, at
from conductor_adapters.temporal.options import Settings
from conductor_adapters.temporal.packing import TooLarge
from conductor_adapters.temporal.performer import TemporalPerformer
from conductor_core.commands import (
    CancelFutures,
    CancelTimer,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

AGAIN: Final = timedelta(seconds=1)
"""So long is waited before a group is handed to another child, whose last one is gone."""


class DelegatingPerformer(TemporalPerformer):
    """Hands groups over that are to be run by a child, and leaves to it what concerns them.

    `hand_over` is told the key of such a group, and says whether a child has it now. `deliver`
    takes what the flow's own generator made, which may concern a child.
    """

    hand_over: Callable[[str], bool]
    deliver: Callable[[Event], None]

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._group: str | None = None
        self._kept: str | None = None

    @property
    def delegated(self) -> str | None:
        """The key of the group that a child has, until it is over."""
        group = self._group
        return None if group is None or is_over(self._state(), group) else group

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, or have its group begun."""
        if self.delegated is not None:
            return
        state = self._state()
        if not (self._options.group(state).child and self._hands_over(state.place.group.key)):
            super().dispatch_step(command)

    def _hands_over(self, group: str) -> bool:
        """Hand a group over, unless it was too large for that, which it is still."""
        if group == self._kept:
            return False
        if not self.hand_over(group):
            self._kept = group
            return False
        self._group = group
        for timer in tuple(self._timers):
            self._forget(timer)
        return True

    def take_back(self, group: str) -> None:
        """Run a group here that no child can have any more."""
        self._group, self._kept = None, group

    def _made(self, event: Event) -> None:
        self.deliver(event)

    def request_approval(self, command: RequestApproval) -> None:
        """Tell who wants to know, unless a child does."""
        if self.delegated is None:
            super().request_approval(command)

    def cancel_futures(self, command: CancelFutures) -> None:
        """Tell work to give up, unless it is that of a child."""
        if self.delegated is None:
            super().cancel_futures(command)

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Set a timer, unless a child does."""
        if self.delegated is None:
            super().schedule_timer(command)

    def cancel_timer(self, command: CancelTimer) -> None:
        """Forget a timer; those of a child are not here."""
        if self.delegated is None:
            super().cancel_timer(command)

    def continue_as_new(self, command: ContinueAsNew) -> None:
        """Leave for a fresh history, unless it is that of a child."""
        if self.delegated is None:
            super().continue_as_new(command)

    def finish_flow(self, command: FinishFlow) -> None:
        """Give up on what still runs."""
        self._group = None
        super().finish_flow(command)


@define
class _Child:
    """A child that has a group."""

    id: str
    group: str
    task: asyncio.Task[None] | None = None
    handle: ChildWorkflowHandle[Any, Any] | None = None
    gone: bool = False


class Delegate:
    """What a flow does for the groups that children run."""

    def __init__(
        self,
        hosting: Hosting,
        performer: DelegatingPerformer,
        settings: Settings,
    ) -> None:
        self._hosting = hosting
        self._performer = performer
        self._settings = settings
        self._child: _Child | None = None
        self._order = asyncio.Lock()
        self._relays = 0
        self._relayed: dict[int, Event] = {}
        self._answers: dict[int, Verdict] = {}
        self._deliveries: set[asyncio.Task[Verdict]] = set()
        self.failure: BaseException | None = None
        performer.hand_over = self._hand_over
        performer.deliver = self._deliver

    @property
    def _state(self) -> FlowState:
        return self._hosting.state

    @property
    def is_at_rest(self) -> bool:
        """Whether no child has anything, and nobody waits for one."""
        return self._performer.delegated is None and not self._order.locked()

    # --- children ---

    def _hand_over(self, group: str, *, recovers: bool = False) -> bool:
        """Start a child for a group; tells whether that can be."""
        info = workflow.info()
        # The same in every replay, also of a run that was reset, and another after the reset.
        name = f"{info.workflow_id}:{group}@{workflow.random().getrandbits(64):016x}"
        handed = Handed(
            carried=Carried(state=cut(self._state, group), settings=self._settings),
            group=group,
            parent=info.workflow_id,
            latest_ms=self._hosting.now_ms(),
            recovers=recovers,
        )
        try:
            told = encode_handed(handed)
        except TooLarge as error:
            workflow.logger.warning("the group is not handed to a child: %s", error)
            return False
        self._hosting.traced()
        self._child = child = _Child(name, group)
        child.task = asyncio.create_task(self._run(child, told))
        child.task.add_done_callback(self._ran)
        return True

    def _ran(self, task: asyncio.Task[None]) -> None:
        """Keep what went wrong with a child and was foreseen by nobody."""
        if not task.cancelled() and self.failure is None:
            self.failure = task.exception()

    async def _run(self, child: _Child, told: Mapping[str, Any]) -> None:
        """Have a child run a group to its end."""
        try:
            child.handle = await workflow.start_child_workflow(
                names.GROUP,
                told,
                id=child.id,
                task_timeout=workflow.info().task_timeout,
                static_summary=f"group {child.group} of {self._state.flow_id}"[:200],
            )
            self._take(decode_report(await child.handle).entries)
        except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
            workflow.logger.warning("the child of group %s is gone: %s", child.group, error)
        child.gone = True
        # What it reported last may command nothing.
        self._hosting.leave_trace()
        if self._performer.delegated == child.group and self._child is child:
            await workflow.sleep(AGAIN)
            if self._performer.delegated == child.group:
                self._replace(child.group)

    def _replace(self, group: str) -> None:
        """Have a group go on whose child is gone: in another child, or here."""
        if not self._hand_over(group, recovers=True):
            self._performer.take_back(group)
            self._hosting.loop.recover()

    # --- what children report ---

    def hear(self, report: object) -> None:
        """Take in what a child reports before its end."""
        self._hosting.leave_trace()
        try:
            told = decode_report(report)
        except ConductorError as error:
            workflow.logger.warning("a signal that is no report is dropped: %s", error)
            return
        if self._child is not None and self._child.id == told.child and not self._child.gone:
            self._take(told.entries)

    def _take(self, entries: Sequence[Reported]) -> None:
        """Reduce what a child has accepted, in its order and at its times."""
        for entry in entries:
            if entry.relay is None:
                assert entry.event is not None, "an entry is an event, or the number of one"
                self._hosting.feed(entry.event, at_ms=entry.at_ms)
            elif (event := self._relayed.get(entry.relay)) is not None:
                self._answers[entry.relay] = self._hosting.feed(event, at_ms=entry.at_ms)

    # --- what children are told ---

    def _deliver(self, event: Event) -> None:
        """Feed what the flow's own generator made."""
        if self.is_at_rest:
            self._hosting.report(event)
            return
        self._hosting.leave_trace()
        task = asyncio.create_task(self.take_in(event))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def take_in(self, event: Event) -> Verdict:
        """Feed an event when its turn has come: by way of the child, if it concerns it."""
        async with self._order:
            while True:
                await workflow.wait_condition(self._has_child_or_needs_none)
                event = at(event, self._hosting.now_ms())
                group = self._performer.delegated
                form = None if group is None else relayed(self._state, event)
                if form is None:
                    return self._hosting.feed(event, at_ms=event.at_ms)
                verdict = await self._relay(event, form)
                if verdict is not None:
                    return verdict

    def _has_child_or_needs_none(self) -> bool:
        """Whether no group is between two children."""
        here = self._child is not None and not self._child.gone
        return here or self._performer.delegated is None

    async def _relay(self, event: Event, form: Event) -> Verdict | None:
        """Tell the child; None where it is gone, and has not answered."""
        child = self._child
        assert child is not None, "a child has the group"
        self._relays += 1
        number = self._relays
        self._relayed[number] = event
        await workflow.wait_condition(lambda: child.handle is not None or child.gone)
        if child.handle is not None:
            try:
                await child.handle.signal(names.RELAY, encode_relay(number, event, form))
            except ApplicationError:
                # It has ended meanwhile; what it left says whether it heard.
                await workflow.wait_condition(lambda: child.gone)
        await workflow.wait_condition(lambda: number in self._answers or child.gone)
        del self._relayed[number]
        return self._answers.pop(number, None)
