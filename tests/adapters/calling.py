"""How the rigs here have their hosts call the worker of the conformance kit.

Rule: a handler asks the worker and says what it said; whatever a host makes of that is its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conductor_adapters.work import StepCancelled, StepContext, StepFailure, StepResult
from conductor_adapters.workers import GroupsOf, Handler
from conductor_core.commands import GenerateSteps, RequestApproval
from conductor_core.events import GenerationFailed, GroupsGenerated, StepError, StepFinished
from conductor_core.spec import GroupSpec
from conductor_core.testing.conformance import Rig, Worker


class CallingRig(Rig):
    """Has the worker called by coroutines, and takes note of what people are asked."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.hosts = 0
        self.asked_for: set[str] = set()

    async def asked(self) -> Collection[str] | None:
        """The attempts whose approval people were asked for."""
        return self.asked_for

    def ask(self, _flow_id: str, command: RequestApproval) -> None:
        """Take note of what people are asked."""
        self.asked_for.add(command.attempt)

    def handler(self) -> Handler:
        """The handler of every step."""

        async def work(context: StepContext) -> StepResult:
            fact = await self.worker.work(
                context.command, lambda: context.cancelled, metadata=context.metadata
            )
            return answer_of(fact)

        return work

    def generator(self) -> GroupsOf:
        """The generator of every type."""

        async def generate(command: GenerateSteps) -> Sequence[GroupSpec]:
            return groups_of(await self.worker.generate(command))

        return generate


class CallingInThreads(CallingRig):
    """The same with functions that run in threads."""

    def handler(self) -> Handler:
        """The handler of every step."""

        def work(context: StepContext) -> StepResult:
            fact = self.worker.work_in_thread(
                context.command, lambda: context.cancelled, metadata=context.metadata
            )
            return answer_of(fact)

        return work

    def generator(self) -> GroupsOf:
        """The generator of every type."""
        return lambda command: groups_of(self.worker.generate_in_thread(command))


def answer_of(fact: StepFinished) -> StepResult:
    """Return or raise what makes the host record this fact."""
    result = StepResult(
        output=fact.output,
        subject=fact.subject,
        noop=fact.noop,
        directive=fact.directive,
        policy=fact.policy,
        metadata=fact.metadata,
    )
    if fact.outcome == "cancelled":
        raise StepCancelled(fact.attempt)
    if fact.outcome == "failed":
        raise failure_of(fact.error or StepError(), result)
    return result


def groups_of(fact: GroupsGenerated | GenerationFailed) -> Sequence[GroupSpec]:
    """Return or raise what makes the host record this fact."""
    if isinstance(fact, GenerationFailed):
        raise failure_of(fact.error)
    return fact.groups


def failure_of(error: StepError, result: StepResult | None = None) -> StepFailure:
    """The exception that a host records as this error."""
    failure = StepFailure(
        error.message,
        type=error.type,
        non_retryable=error.non_retryable,
        terminal=error.terminal,
        retry_after_ms=error.retry_after_ms,
        details=error.details,
        result=result,
    )
    failure.__cause__ = None if error.cause is None else failure_of(error.cause)
    return failure
