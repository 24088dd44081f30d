"""The in-memory host: real coroutines, threads and cancellations, and time that tests move."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Iterable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from conductor_adapters.clock import VirtualClock
from conductor_adapters.journal import LogFile, NoJournal
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import (
    HostFailure,
    StepCancelled,
    StepContext,
    StepFailure,
    StepResult,
)
from conductor_adapters.workers import GroupsOf
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    initial_state,
    pending_commands,
    reduce,
)
from conductor_core.attempt import Attempt
from conductor_core.errors import ConductorError, FormatError, SpecError
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.verdicts import Accepted, Rejected

T = TypeVar("T")

PATIENCE_S = 20.0


def play(script: Coroutine[Any, Any, T]) -> T:
    """Run a script to its end, but not for ever."""
    return asyncio.run(asyncio.wait_for(script, PATIENCE_S))


def flow_of(*steps: StepSpec, **options: Any) -> FlowSpec:
    """A flow of one sequential group."""
    return FlowSpec(groups=(GroupSpec(key="g", steps=steps),), options=FlowOptions(**options))


async def fine(context: StepContext) -> str:
    """Work that succeeds."""
    return f"{context.step} is fine"


async def soon(context: StepContext) -> str:
    """Work that takes a turn of the loop."""
    await asyncio.sleep(0)
    return f"{context.step} is done"


async def forever(_context: StepContext) -> None:
    """Work that ends only when it is cancelled."""
    await asyncio.Event().wait()


def attempt_of(state: FlowState, attempt_id: str) -> Attempt:
    """An attempt that is there."""
    attempt = state.attempt(attempt_id)
    assert attempt is not None
    return attempt


async def ended(spec: FlowSpec, **handlers: Any) -> FlowState:
    """Run a flow that needs nobody to its end."""
    async with MemoryHost(handlers) as host:
        flow = await host.start(spec, flow_id="f")
        await flow.wait()
        return flow.state


# --- what handlers get and give ---


def test_a_handler_is_told_about_its_attempt() -> None:
    """A context holds the input, what earlier steps put out, what was approved, and the ids."""
    seen: dict[str, Any] = {}

    async def plan(_context: StepContext) -> StepResult:
        return StepResult(output={"add": 3}, subject="sha256:1")

    async def apply(context: StepContext) -> None:
        seen.update(
            flow_id=context.flow_id, attempt=context.attempt, step=context.step,
            work=context.work, input=context.input, needs=context.needs,
            subjects=context.subjects, key=context.idempotency_key, retry=context.retry,
            generation=context.generation, timeout_ms=context.timeout_ms,
            metadata=context.metadata, cancelled=context.cancelled,
        )  # fmt: skip

    spec = FlowSpec(
        groups=(
            GroupSpec(key="g", steps=(
                StepSpec(key="plan", approval=ApprovalSpec()),
                StepSpec(key="apply", work="do", input={"n": 1}, needs=("plan",), timeout_ms=9_000),
            )),
        ),
        options=FlowOptions(approval="approve-all"),
        metadata={"inputs": {"env": "prod"}},
    )  # fmt: skip
    state = play(ended(spec, plan=plan, do=apply))
    assert state.status == "success"
    assert seen == {
        "flow_id": "f", "attempt": "apply#1", "step": "apply", "work": "do",
        "input": {"n": 1}, "needs": {"plan": {"add": 3}}, "subjects": {"plan": "sha256:1"},
        "key": "f/apply#1", "retry": 0, "generation": 0, "timeout_ms": 9_000,
        "metadata": {"inputs": {"env": "prod"}}, "cancelled": False,
    }  # fmt: skip


def test_handlers_of_every_kind_are_called() -> None:
    """Coroutine functions, objects with one, functions, and those that return a coroutine."""

    class Polite:
        async def __call__(self, context: StepContext) -> str:
            return await fine(context)

    def in_thread(context: StepContext) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return f"{context.step} is fine"

    def promise(context: StepContext) -> Coroutine[Any, Any, str]:
        return fine(context)

    spec = flow_of(*(StepSpec(key=key) for key in ("one", "two", "three", "four")))
    state = play(ended(spec, one=fine, two=Polite(), three=in_thread, four=promise))
    outputs = [a.result.output.value for a in state.attempts() if a.result is not None]
    assert outputs == ["one is fine", "two is fine", "three is fine", "four is fine"]


def test_a_result_says_more_than_an_output() -> None:
    """No-op, directive, policy and metadata of a StepResult reach the attempt."""

    async def nothing_to_do(_context: StepContext) -> StepResult:
        return StepResult(noop=True, metadata={"took": "no time"})

    async def enough(_context: StepContext) -> StepResult:
        return StepResult(directive="skip-group")

    state = play(
        ended(
            flow_of(StepSpec(key="a"), StepSpec(key="b"), StepSpec(key="c")),
            a=nothing_to_do, b=enough, c=fine,
        )
    )  # fmt: skip
    assert attempt_of(state, "a#1").metadata.value == {"directive": "continue", "took": "no time"}
    assert [a.status.value for a in state.attempts()] == ["success", "success", "discarded"]


def test_a_failure_carries_its_flags_and_causes() -> None:
    """A StepFailure says itself whether a retry is pointless and what people may read (S6.21)."""

    async def work(_context: StepContext) -> None:
        try:
            raise StepFailure("the quota of 5 is used up", non_retryable=True, details={"n": 5})
        except StepFailure as error:
            raise RuntimeError("internal text") from error

    state = play(ended(flow_of(StepSpec(key="a")), a=work))
    assert state.outcome is not None
    assert state.outcome.message == "the quota of 5 is used up"
    error = attempt_of(state, "a#1").error
    assert error is not None
    assert error.cause is not None
    assert (error.type, error.message, error.non_retryable) == (
        "RuntimeError", "internal text", False,
    )  # fmt: skip
    assert error.cause.details.value == {"n": 5}


def test_what_a_failed_step_leaves_behind_counts() -> None:
    """A StepFailure may come with a result: here it asks to stop although retries are left."""

    async def work(_context: StepContext) -> None:
        raise StepFailure("no use", result=StepResult(directive="stop", output={"done": 2}))

    retry = RetryPolicy(max_auto_retries=3, backoff_ms=())
    state = play(ended(flow_of(StepSpec(key="a", retry=retry)), a=work))
    assert [a.id for a in state.attempts()] == ["a#1"]
    result = attempt_of(state, "a#1").result
    assert result is not None
    assert result.output.value == {"done": 2}


def test_the_text_of_an_exception_reaches_no_people(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is in the log and on the attempt, but not in the outcome."""

    def work(_context: StepContext) -> None:
        raise ValueError("password=1234")

    with caplog.at_level(logging.WARNING):
        state = play(ended(flow_of(StepSpec(key="a")), a=work))
    assert state.outcome is not None
    assert state.outcome.message == "Step failed"
    error = attempt_of(state, "a#1").error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "password=1234")
    assert "the work of a#1 raised" in caplog.text


class Silent(Exception):
    """An error that fails to describe itself."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (SystemExit(2), "SystemExit", "2"),
        (StopIteration("x"), "RuntimeError", "coroutine raised StopIteration"),
        (OSError("caf\udce9"), "OSError", "caf\\udce9"),
        (Silent(), "Silent", "an error that cannot be shown"),
    ],
)
def test_odd_exceptions_are_failures_too(error: BaseException, kind: str, message: str) -> None:
    """Whatever work raises ends its attempt and nothing else."""

    def work(_context: StepContext) -> None:
        raise error

    told = attempt_of(play(ended(flow_of(StepSpec(key="a")), a=work)), "a#1").error
    assert told is not None
    assert (told.type, told.message) == (kind, message)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({1, 2}, "not a JSON value"),
        (float("nan"), "not a JSON value"),
        (StepResult(subject="\ud800"), "subject"),
        (StepResult(directive=3), "directive"),  # type: ignore[arg-type]  # wrong on purpose
        (StepResult(noop="perhaps"), "noop"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_an_answer_that_cannot_be_recorded_is_a_failure(answer: object, problem: str) -> None:
    """A handler that returns what is no JSON, or fills in what is no result, has failed."""

    async def work(_context: StepContext) -> object:
        return answer

    error = attempt_of(play(ended(flow_of(StepSpec(key="a")), a=work)), "a#1").error
    assert error is not None
    assert error.type == "bad-result"
    assert problem in error.message


def test_flags_that_cannot_be_recorded_are_a_failure_of_their_own() -> None:
    """A StepFailure with a wait that is no number fails as a bad result."""

    async def work(_context: StepContext) -> None:
        raise StepFailure("later", retry_after_ms="soon")  # type: ignore[arg-type]  # on purpose

    error = attempt_of(play(ended(flow_of(StepSpec(key="a")), a=work)), "a#1").error
    assert error is not None
    assert error.type == "bad-result"


def test_metadata_of_a_result_is_a_mapping() -> None:
    """A list as metadata is refused where it is made."""
    with pytest.raises(TypeError, match="metadata is a mapping"):
        StepResult(metadata=[1])


def test_an_answer_that_no_log_takes_is_a_failure(tmp_path: Path) -> None:
    """What is nested too deeply for a log fails its attempt, and the flow goes on."""
    path = tmp_path / "log.jsonl"
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]

    async def work(_context: StepContext) -> object:
        return deep

    spec = flow_of(StepSpec(key="a", skip_on_failure=True), StepSpec(key="b"))

    async def script(log: LogFile) -> FlowState:
        async with MemoryHost({"a": work, "b": fine}) as host:
            flow = await host.start(spec, flow_id="f", journal=log)
            await flow.wait()
            return flow.state

    with LogFile.create(path, initial_state(spec, "f"), at_ms=0) as log:
        state = play(script(log))
    error = attempt_of(state, "a#1").error
    assert error is not None
    assert error.message.startswith("cannot be recorded: nested more than 96 levels deep")
    assert replayed(path) == state


# --- order ---


def test_a_parallel_group_runs_together_up_to_its_limit() -> None:
    """As many coroutines run at the same time as `max_parallel` says."""
    running = most = 0

    async def work(_context: StepContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    steps = tuple(StepSpec(key=f"s{n}", work="work") for n in range(7))
    spec = FlowSpec(groups=(GroupSpec(key="g", parallel=True, max_parallel=3, steps=steps),))
    assert play(ended(spec, work=work)).status == "success"
    assert most == 3


def test_threads_are_limited_by_the_host() -> None:
    """Functions wait for a thread, and are not said to run before they do."""
    lock, seen = threading.Lock(), []

    def work(context: StepContext) -> None:
        assert lock.acquire(blocking=False), "one at a time"
        time.sleep(0.01)
        lock.release()
        seen.append(context.step)

    async def script() -> list[str]:
        steps = tuple(StepSpec(key=f"s{n}", work="work") for n in range(4))
        spec = FlowSpec(groups=(GroupSpec(key="g", parallel=True, steps=steps),))
        order: list[str] = []

        def observe(event: events.Event, _transition: Transition) -> None:
            if isinstance(event, (events.StepStarted, events.StepFinished)):
                order.append(f"{type(event).__name__} {event.attempt}")

        async with MemoryHost({"work": work}, threads=1) as host:
            flow = await host.start(spec, flow_id="f", observe=observe)
            await flow.wait()
        return order

    order = play(script())
    assert len(seen) == 4
    assert order.index("StepFinished s0#1") < order.index("StepStarted s2#1")


def test_many_flows_run_side_by_side() -> None:
    """A host runs any number of flows, each with its own history."""

    async def script() -> list[str]:
        async with MemoryHost({"a": fine}) as host:
            spec = flow_of(StepSpec(key="a"))
            flows = [await host.start(spec, flow_id=f"f-{n}") for n in range(50)]
            return [(await flow.wait()).status for flow in flows]

    assert play(script()) == ["success"] * 50


def test_a_flow_id_is_taken_while_its_flow_runs() -> None:
    """The same flow cannot be started twice at a time, and can be again afterwards."""

    async def script() -> None:
        async with MemoryHost({"a": forever, "b": fine}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            with pytest.raises(ConductorError, match="'f' runs here already"):
                await host.start(flow_of(StepSpec(key="b")), flow_id="f")
            await flow.cancel(by="ana")
            await flow.wait()
            again = await host.start(flow_of(StepSpec(key="b")), flow_id="f")
            assert (await again.wait()).status == "success"

    play(script())


def test_a_flow_that_nobody_can_work_on_does_not_start() -> None:
    """Missing handlers and generators are told at once, with their places."""

    async def script() -> None:
        async with MemoryHost({"a": fine}) as host:
            with pytest.raises(SpecError) as told:
                await host.start(
                    flow_of(StepSpec(key="b"), StepSpec(key="c", work="d")), flow_id="f"
                )
            assert told.value.problems == (
                ("groups[0].steps[0].key", "no handler is named 'b' (known: a)"),
                ("groups[0].steps[1].work", "no handler is named 'd' (known: a)"),
            )
            with pytest.raises(SpecError, match="no generator makes those of 'deploy'"):
                await host.start(FlowSpec(type="deploy"), flow_id="f")

    play(script())


def test_work_that_was_appended_without_a_handler_fails() -> None:
    """A step that joins later and that nobody can work on is a failed attempt."""

    async def script() -> FlowState:
        async with MemoryHost({"a": fine}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            late = GroupSpec(key="late", steps=(StepSpec(key="b"),))
            assert await flow.append([late], by="ana") == Accepted()
            await flow.wait()
            return flow.state

    state = play(script())
    assert state.outcome is not None
    assert state.outcome.message == "no handler is named 'b' (known: a)"


# --- people ---


async def plan(_context: StepContext) -> StepResult:
    """Plan something that people are asked about."""
    return StepResult(output={"add": 1}, subject="sha256:1")


def test_approvals_are_requests_with_verdicts() -> None:
    """An approval is open in the state; what people answer gets a verdict and counts."""

    async def script() -> None:
        spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec(required=2)), StepSpec(key="a"))
        async with MemoryHost({"plan": plan, "a": fine}) as host:
            flow = await host.start(spec, flow_id="f")
            state = await flow.until(lambda state: bool(state.open_approvals()))
            assert state.status == "approval-awaiting"
            rejected = await flow.approve("plan", by="ana", subject="sha256:2")
            assert isinstance(rejected, Rejected)
            assert rejected.code == "subject-mismatch"
            assert await flow.approve("plan", by="ana", subject="sha256:1") == Accepted()
            twice = await flow.approve("plan", by="ana")
            assert str(twice) == "rejected(already-responded)"
            assert flow.state.status == "approval-awaiting"
            await flow.approve("plan", by="bo", note="looks good")
            assert (await flow.wait()).status == "success"

    play(script())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (MemoryFlow.deny, "error"),
        (MemoryFlow.skip_current, "success"),
        (MemoryFlow.skip_current_and_dependents, "error"),
    ],
)
def test_every_answer_ends_the_wait(answer: Any, status: str) -> None:
    """Denying, skipping, and skipping with the dependents each decide the flow."""

    async def script() -> str:
        spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec()), StepSpec(key="a"))
        async with MemoryHost({"plan": plan, "a": fine}) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: bool(state.open_approvals()))
            assert await answer(flow, "plan", by="ana", note="so be it") == Accepted()
            return (await flow.wait()).status

    assert play(script()) == status


def test_people_steer_a_flow_with_every_request() -> None:
    """Plan again, pause, resume, retry, skip, rerun, retry a group, approve all: all work."""
    tries: list[str] = []

    async def flaky(context: StepContext) -> None:
        tries.append(context.attempt)
        if len(tries) < 4:
            raise StepFailure("not yet")

    async def script() -> None:
        spec = FlowSpec(
            groups=(
                GroupSpec(key="g", steps=(StepSpec(key="plan", approval=ApprovalSpec()),)),
                GroupSpec(key="h", steps=(StepSpec(key="flaky"), StepSpec(key="last", work="bad"))),
            ),
            options=FlowOptions(on_failure="await-retry"),
        )

        async def bad(_context: StepContext) -> None:
            raise StepFailure("never")

        def parked(attempt: str) -> Any:
            return lambda state: attempt_of(state, attempt).parked

        async with MemoryHost({"plan": plan, "flaky": flaky, "bad": bad}) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: bool(state.open_approvals()))
            assert await flow.pause(by="ana") == Accepted()
            await flow.retry_plan("plan", by="ana")
            assert attempt_of(flow.state, "plan#2").status.value == "pending"
            assert await flow.resume(by="ana") == Accepted()
            await flow.until(lambda state: bool(state.open_approvals()))
            await flow.set_approval_option("approve-all", by="ana")
            await flow.until(parked("flaky#1"))
            await flow.retry("flaky", by="ana", request_id="r-1")
            assert str(await flow.retry("flaky", by="ana", request_id="r-1")) == (
                "ignored(duplicate-request)"
            )
            await flow.until(lambda s: s.attempt("flaky#2") is not None and parked("flaky#2")(s))
            await flow.rerun("flaky#2", by="ana", operation="retry-step")
            await flow.until(lambda s: s.attempt("flaky#3") is not None and parked("flaky#3")(s))
            await flow.retry_group("h", by="ana")
            await flow.until(lambda s: s.attempt("last#2") is not None and parked("last#2")(s))
            await flow.skip("last", by="ana")
            assert (await flow.wait()).status == "success"

    play(script())
    assert tries == ["flaky#1", "flaky#2", "flaky#3", "flaky#4"]


def test_a_finished_flow_can_be_rerun() -> None:
    """A rerun revives a flow on the same handle, which then waits for the new end."""
    fails = iter([True, False])

    async def once(_context: StepContext) -> None:
        if next(fails):
            raise StepFailure("this time")

    async def script() -> None:
        async with MemoryHost({"a": once}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            assert (await flow.wait()).status == "error"
            assert await flow.retry("a", by="ana") == Accepted()
            assert (await flow.wait()).status == "success"
            assert flow.state.run == 2

    play(script())


# --- cancellation ---


def test_a_cancel_reaches_running_coroutines() -> None:
    """Tasks are cancelled, may clean up, and their attempts end as cancelled."""
    cleaned: list[str] = []

    async def work(context: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(context.step)

    async def script() -> FlowState:
        spec = FlowSpec(
            groups=(GroupSpec(key="g", parallel=True, steps=(StepSpec(key="a", work="work"),
                                                             StepSpec(key="b", work="work"))),)
        )  # fmt: skip
        async with MemoryHost({"work": work}) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda s: all(a.status == "in-progress" for a in s.attempts()))
            await flow.cancel(by="ana", reason="enough")
            await flow.wait()
            return flow.state

    state = play(script())
    assert state.outcome == commands.Outcome(
        status="cancelled", reason="cancelled", message="enough"
    )
    assert [a.status.value for a in state.attempts()] == ["cancelled", "cancelled"]
    assert sorted(cleaned) == ["a", "b"]


def test_a_cancel_reaches_work_that_has_not_begun() -> None:
    """Work that is cancelled before its first line ran is answered for all the same."""

    async def script() -> FlowState:
        async with MemoryHost({"a": forever}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await flow.cancel(by="ana")
            await flow.wait()
            return flow.state

    assert attempt_of(play(script()), "a#1").status.value == "cancelled"


@pytest.mark.parametrize("way", ["checks", "waits"])
def test_a_cancel_is_seen_in_a_thread(way: str) -> None:
    """A function sees that it was asked to give up, and its own answer counts."""

    def work(context: StepContext) -> None:
        while way == "checks":
            context.check_cancellation()
            time.sleep(0.005)
        if context.cancellation.wait(PATIENCE_S):
            raise StepCancelled("as you wish")

    async def script() -> FlowState:
        async with MemoryHost({"a": work}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            await flow.cancel(by="ana")
            await flow.wait()
            return flow.state

    assert attempt_of(play(script()), "a#1").status.value == "cancelled"


def test_a_cancel_reaches_a_coroutine_that_a_function_returned() -> None:
    """A function may hand its work to a coroutine, which is cancelled like any other."""

    def promise(context: StepContext) -> Coroutine[Any, Any, None]:
        begun.append(context.attempt)
        return forever(context)

    async def script() -> FlowState:
        async with MemoryHost({"a": promise}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            while not begun:
                await asyncio.sleep(0.001)
            await flow.cancel(by="ana")
            await flow.wait()
            return flow.state

    begun: list[str] = []
    assert attempt_of(play(script()), "a#1").status.value == "cancelled"


def test_work_that_does_not_listen_is_given_up_after_the_grace() -> None:
    """A function that never returns holds a cancelled flow up no longer than its grace."""
    release = threading.Event()

    def deaf(_context: StepContext) -> None:
        release.wait(PATIENCE_S)

    async def script() -> FlowState:
        clock = VirtualClock()
        async with MemoryHost({"a": deaf}, clock=clock) as host:
            spec = flow_of(StepSpec(key="a"), cancel_grace_ms=30_000)
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            await flow.cancel(by="ana")
            clock.advance(29_999)
            assert flow.state.outcome is None
            clock.advance(1)
            await flow.wait()
            return flow.state

    state = play(script())
    release.set()
    assert state.outcome is not None
    assert state.outcome.message == "not acknowledged: a#1"


def test_work_that_is_done_before_it_hears_of_the_cancel_has_succeeded() -> None:
    """A coroutine that answers in spite of the cancel is taken at its word (S9.3)."""

    async def stubborn(_context: StepContext) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done all the same"
        return "never"

    async def script() -> FlowState:
        async with MemoryHost({"a": stubborn}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            await flow.cancel(by="ana")
            await flow.wait()
            return flow.state

    assert attempt_of(play(script()), "a#1").status.value == "success"


def test_work_that_cancels_itself_was_cancelled_by_nobody() -> None:
    """A handler may end as cancelled without a request: the flow stops (S6.1)."""

    async def work(_context: StepContext) -> None:
        raise asyncio.CancelledError

    state = play(ended(flow_of(StepSpec(key="a")), a=work))
    assert state.outcome is not None
    assert state.outcome.reason == "cancelled-externally"


def test_a_time_out_cancels_the_work() -> None:
    """A timer of the flow ends an attempt, and its task with it (S5.7)."""
    ends: list[str] = []

    async def work(_context: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def script() -> FlowState:
        clock = VirtualClock()
        async with MemoryHost({"a": work}, clock=clock) as host:
            spec = flow_of(StepSpec(key="a", timeout_ms=60_000))
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            clock.advance(60_000)
            await flow.wait()
            await asyncio.sleep(0)
            return flow.state

    state = play(script())
    assert state.outcome is not None
    assert (state.outcome.reason, ends) == ("timeout", ["cancelled"])


# --- time ---


def test_backoffs_pass_in_virtual_time() -> None:
    """A retry waits out its backoff by the clock of the host, to the millisecond."""
    seen: list[int] = []
    clock = VirtualClock()

    async def flaky(_context: StepContext) -> None:
        seen.append(clock.now_ms())
        if len(seen) < 3:
            raise StepFailure("again")

    async def script() -> str:
        retry = RetryPolicy(max_auto_retries=2, backoff_ms=(30_000, 86_400_000), jitter=False)
        async with MemoryHost({"a": flaky}, clock=clock) as host:
            flow = await host.start(flow_of(StepSpec(key="a", retry=retry)), flow_id="f")
            for wait_ms in (30_000, 86_400_000):
                await flow.until(lambda state: bool(state.timers()))
                clock.advance(wait_ms - 1)
                assert flow.state.waiting
                clock.advance(1)
            return (await flow.wait()).status

    assert play(script()) == "success"
    assert seen == [0, 30_000, 86_430_000]


def test_a_backoff_can_be_cut_short() -> None:
    """A person who retries now need not wait, and the timer is forgotten."""
    tries: list[str] = []
    clock = VirtualClock()

    async def flaky(context: StepContext) -> None:
        tries.append(context.attempt)
        if len(tries) < 2:
            raise StepFailure("again")

    async def script() -> None:
        retry = RetryPolicy(max_auto_retries=1)
        async with MemoryHost({"a": flaky}, clock=clock) as host:
            flow = await host.start(flow_of(StepSpec(key="a", retry=retry)), flow_id="f")
            await flow.until(lambda state: bool(state.timers()))
            assert await flow.retry_now("a", by="ana") == Accepted()
            await flow.wait()
            clock.advance(10**9)

    play(script())
    assert tries == ["a#1", "a#2"]


def test_an_approval_expires() -> None:
    """An approval that nobody gives in time ends the flow, three days later in no time."""

    async def script() -> str | None:
        clock = VirtualClock()
        three_days = 3 * 86_400_000
        spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=three_days)))
        async with MemoryHost({"plan": plan}, clock=clock) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: bool(state.open_approvals()))
            clock.advance(three_days)
            return (await flow.wait()).reason

    assert play(script()) == "approval-expired"


# --- generation and continuation ---


def test_groups_are_generated_by_the_type_of_the_flow() -> None:
    """A generator, of either kind, is told of the flow and makes its groups."""

    async def made(command: commands.GenerateSteps) -> list[GroupSpec]:
        return [
            GroupSpec(key=key, steps=(StepSpec(key=f"{key}-a", work="a"),))
            for key in command.metadata.value["regions"]
        ]

    def made_in_thread(_command: commands.GenerateSteps) -> Iterable[GroupSpec]:
        assert threading.current_thread() is not threading.main_thread()
        yield GroupSpec(key="only", steps=(StepSpec(key="a"),))

    async def script() -> list[list[str]]:
        generators: dict[str, GroupsOf] = {"regions": made, "single": made_in_thread}
        keys = []
        async with MemoryHost({"a": fine}, generators=generators) as host:
            for kind in generators:
                spec = FlowSpec(type=kind, metadata={"regions": ["eu", "us"]})
                flow = await host.start(spec, flow_id=kind)
                assert (await flow.wait()).status == "success"
                keys.append([group.key for group in flow.state.catalog.groups])
        return keys

    assert play(script()) == [["eu", "us"], ["only"]]


@pytest.mark.parametrize(
    ("generator", "kind"),
    [
        (lambda _command: 5, "TypeError"),
        (lambda _command: ["group"], "TypeError"),
        (lambda _command: 1 / 0, "ZeroDivisionError"),
        (lambda _command: [GroupSpec(key=cast("str", 5))], "FormatError"),
        (lambda _command: [GroupSpec(key="g g")], "SpecError"),
    ],
)
def test_a_generator_that_fails_fails_the_flow(generator: Any, kind: str) -> None:
    """What is no list of groups, and what raises, is a failed generation."""
    errors: list[str] = []

    def observe(event: events.Event, _transition: Transition) -> None:
        if isinstance(event, events.GenerationFailed):
            errors.append(event.error.type)

    async def script() -> str | None:
        async with MemoryHost({}, generators={"g": generator}) as host:
            flow = await host.start(FlowSpec(type="g"), flow_id="f", observe=observe)
            return (await flow.wait()).reason

    assert play(script()) == "generation-failed"
    assert errors == [kind]


def test_a_flow_is_not_taken_up_where_nobody_does_what_is_left_of_it() -> None:
    """A missing handler or generator is told, with its place, before anything happens."""
    no_groups = reduce(initial_state(FlowSpec(type="g"), "f"), events.FlowStarted(at_ms=0)).state
    left = reduce(initial_state(flow_of(StepSpec(key="a"), StepSpec(key="b")), "f"), STARTED).state
    left = reduce(left, events.StepFinished(at_ms=0, attempt="a#1", outcome="succeeded")).state

    async def script() -> None:
        async with MemoryHost({"b": fine}) as host:
            with pytest.raises(SpecError, match="groups: there are none, and no generator"):
                await host.recover(no_groups)
            await (await host.recover(left)).wait()

    play(script())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), pytest.fail.Exception("odd")])
def test_a_generator_that_ends_oddly_fails_the_flow_too(error: BaseException) -> None:
    """Whatever ends it, the flow does not wait for ever."""

    async def generator(_command: commands.GenerateSteps) -> list[GroupSpec]:
        raise error

    async def script() -> str | None:
        async with MemoryHost({}, generators={"g": generator}) as host:
            return (await (await host.start(FlowSpec(type="g"), flow_id="f")).wait()).reason

    assert play(script()) == "generation-failed"


def test_a_cancelled_flow_lets_its_generator_go() -> None:
    """A generator that is still at it when the flow ends is cancelled."""
    ends: list[str] = []

    async def slow(_command: commands.GenerateSteps) -> list[GroupSpec]:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("let go")
        return []

    async def script() -> None:
        async with MemoryHost({}, generators={"g": slow}) as host:
            flow = await host.start(FlowSpec(type="g"), flow_id="f")
            await asyncio.sleep(0)
            await flow.cancel(by="ana")
            assert (await flow.wait()).status == "cancelled"
            await asyncio.sleep(0)

    play(script())
    assert ends == ["let go"]


def test_continue_as_new_is_answered_at_once() -> None:
    """A flow that asks for a fresh history gets one, and ends as if it had not (S13.4)."""
    groups = tuple(
        GroupSpec(key=f"g{n}", steps=(StepSpec(key=f"s{n}", work="a"),)) for n in range(5)
    )

    async def script() -> FlowState:
        spec = FlowSpec(groups=groups, options=FlowOptions(continue_as_new_every=2))
        async with MemoryHost({"a": fine}) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.wait()
            return flow.state

    state = play(script())
    assert (state.status, state.incarnation) == ("success", 2)


# --- journal, crash and recovery ---


async def journaled(path: Path, spec: FlowSpec, handlers: Any, crash: Any) -> None:
    """Run a flow under a log until something holds of its state, then let go of it."""
    with LogFile.create(path, initial_state(spec, "f"), at_ms=0) as log:
        async with MemoryHost(handlers) as host:
            flow = await host.start(spec, flow_id="f", journal=log)
            await flow.until(crash)


def replayed(path: Path) -> FlowState:
    """The state that a log leads to."""
    with path.open("rb") as file:
        return replay(file).state


def test_a_closed_host_ends_work_without_a_fact(tmp_path: Path) -> None:
    """Work that ends because its host does is no fact: the log says that it still runs."""
    log = tmp_path / "log.jsonl"
    ends: list[str] = []

    async def work(_context: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cleaned up")

    def running(state: FlowState) -> bool:
        return attempt_of(state, "a#1").status == "in-progress"

    play(journaled(log, flow_of(StepSpec(key="a")), {"a": work}, running))
    assert ends == ["cleaned up"]
    assert attempt_of(replayed(log), "a#1").status.value == "in-progress"


def test_what_succeeds_while_the_host_closes_is_recorded(tmp_path: Path) -> None:
    """Work that comes to its end in the grace of a closing host need not be done again."""
    log = tmp_path / "log.jsonl"

    async def stubborn(_context: StepContext) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "done"

    def running(state: FlowState) -> bool:
        return attempt_of(state, "a#1").status == "in-progress"

    spec = flow_of(StepSpec(key="a"), StepSpec(key="b"))
    play(journaled(log, spec, {"a": stubborn, "b": fine}, running))
    state = replayed(log)
    assert [a.status.value for a in state.attempts()] == ["success", "queued"]


def test_a_torn_down_loop_ends_work_without_a_fact(tmp_path: Path) -> None:
    """Nor is it a fact that work ended because the loop under it closed."""
    log = tmp_path / "log.jsonl"
    spec = flow_of(StepSpec(key="a"))

    async def script(journal: LogFile) -> None:
        host = MemoryHost({"a": forever})
        flow = await host.start(spec, flow_id="f", journal=journal)
        await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")

    with LogFile.create(log, initial_state(spec, "f"), at_ms=0) as journal:
        play(script(journal))
    assert attempt_of(replayed(log), "a#1").status.value == "in-progress"


def test_a_recovered_flow_finishes(tmp_path: Path) -> None:
    """A new host takes a flow up where its log ends: ended work stays, begun work runs again."""
    log = tmp_path / "log.jsonl"
    calls: list[str] = []

    async def first(context: StepContext) -> str:
        calls.append(context.attempt)
        return "once"

    async def second(context: StepContext) -> str:
        calls.append(context.attempt)
        if calls.count(context.attempt) == 1:
            await asyncio.Event().wait()
        return f"after {context.needs['a']}"

    def running(state: FlowState) -> bool:
        return attempt_of(state, "b#1").status == "in-progress"

    async def go_on() -> FlowState:
        async with MemoryHost({"a": first, "b": second}) as host:
            flow = await host.recover(replayed(log))
            await flow.wait()
            return flow.state

    spec = flow_of(StepSpec(key="a"), StepSpec(key="b", needs=("a",)))
    play(journaled(log, spec, {"a": first, "b": second}, running))
    state = play(go_on())
    assert calls == ["a#1", "b#1", "b#1"]
    assert state.status == "success"


def test_a_recovered_cancel_is_acknowledged_for_work_that_went_down() -> None:
    """What was asked to give up before a crash has given up, and the flow ends at once."""
    state = initial_state(flow_of(StepSpec(key="a")), "f")
    for event in (
        events.FlowStarted(at_ms=0),
        events.StepStarted(at_ms=1, attempt="a#1"),
        events.CancelRequested(at_ms=2, by="ana"),
    ):
        state = reduce(state, event).state

    async def script() -> FlowState:
        async with MemoryHost({"a": forever}) as host:
            flow = await host.recover(state)
            await flow.wait()
            return flow.state

    assert attempt_of(play(script()), "a#1").status.value == "cancelled"


def test_a_recovered_timer_keeps_its_time() -> None:
    """A backoff goes on after a crash with what is left of it."""
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=(60_000,), jitter=False)
    state = initial_state(flow_of(StepSpec(key="a", retry=retry)), "f")
    for event in (
        events.FlowStarted(at_ms=0),
        events.StepFinished(at_ms=1_000, attempt="a#1", outcome="failed"),
    ):
        state = reduce(state, event).state

    async def script() -> str:
        clock = VirtualClock(now_ms=40_000)
        async with MemoryHost({"a": fine}, clock=clock) as host:
            flow = await host.recover(state)
            clock.advance(20_999)
            assert flow.state.waiting
            clock.advance(1)
            return (await flow.wait()).status

    assert play(script()) == "success"


class FullDisk:
    """A journal that takes so many entries and no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def append(self, event: events.Event, transition: Transition) -> None:
        """Take an entry while there is room."""
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")


def test_a_full_disk_stops_the_flow_where_its_log_ends() -> None:
    """Whoever waits for the flow gets the journal's error; the state is that of the journal."""

    async def script() -> None:
        spec = FlowSpec(
            groups=(
                GroupSpec(key="g", parallel=True, steps=(StepSpec(key="a"), StepSpec(key="b"))),
            )
        )
        async with MemoryHost({"a": soon, "b": forever}) as host:
            flow = await host.start(spec, flow_id="f", journal=FullDisk(room=3))
            with pytest.raises(OSError, match="No space left"):
                await flow.wait()
            with pytest.raises(OSError, match="No space left"):
                await flow.cancel(by="ana")
            statuses = [attempt.status.value for attempt in flow.state.attempts()]
            assert statuses == ["in-progress", "in-progress"]

    play(script())


def test_a_full_disk_stops_a_recovery_too() -> None:
    """A flow whose recovery cannot be recorded is not taken up."""
    step = StepSpec(key="a", on_recovery="fail")
    state = reduce(initial_state(flow_of(step), "f"), events.FlowStarted(at_ms=0)).state

    async def script() -> None:
        async with MemoryHost({"a": fine}) as host:
            with pytest.raises(OSError, match="No space left"):
                await host.recover(state, journal=FullDisk(room=0))

    play(script())


def test_a_request_that_is_none_does_no_harm() -> None:
    """A request that lacks what it needs is the caller's mistake, and the flow goes on."""

    async def script() -> None:
        async with MemoryHost({"a": forever}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            with pytest.raises(TypeError):
                await flow.send(events.PauseRequested)  # type: ignore[arg-type]  # on purpose
            assert await flow.pause(by="ana") == Accepted()

    play(script())


def test_a_journal_that_takes_nothing_lets_nothing_start() -> None:
    """A flow whose start cannot be recorded is not started."""
    called: list[str] = []

    async def work(_context: StepContext) -> None:
        called.append("a")

    async def script() -> None:
        async with MemoryHost({"a": work}) as host:
            with pytest.raises(OSError, match="No space left"):
                await host.start(flow_of(StepSpec(key="a")), flow_id="f", journal=FullDisk(room=0))
            await asyncio.sleep(0.01)

    play(script())
    assert called == []


def test_a_request_that_cannot_be_recorded_does_no_harm(tmp_path: Path) -> None:
    """A name that is no text is refused; the flow goes on and its log stays whole."""
    path = tmp_path / "log.jsonl"
    spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec()))

    async def script(log: LogFile) -> None:
        async with MemoryHost({"plan": plan}) as host:
            flow = await host.start(spec, flow_id="f", journal=log)
            await flow.until(lambda state: bool(state.open_approvals()))
            with pytest.raises(FormatError, match="surrogate"):
                await flow.approve("plan", by="\udcff")
            await flow.approve("plan", by="ana")
            assert (await flow.wait()).status == "success"

    with LogFile.create(path, initial_state(spec, "f"), at_ms=0) as log:
        play(script(log))
    assert replayed(path).status == "success"


def test_a_closed_host_says_so() -> None:
    """Who waits for a flow, or asks something of it, learns that its host is gone."""

    async def script() -> None:
        host = MemoryHost({"a": forever})
        flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
        waiting = asyncio.ensure_future(flow.wait())
        await asyncio.sleep(0)
        await host.close()
        with pytest.raises(ConductorError, match="the host of flow 'f' closed"):
            await waiting
        with pytest.raises(ConductorError, match="the host of flow 'f' closed"):
            await flow.pause(by="ana")

    play(script())


def test_a_host_does_not_close_for_ever() -> None:
    """Work that swallows its cancellation holds a closing host up no longer than the grace."""

    async def script() -> None:
        release = asyncio.Event()

        async def deaf(_context: StepContext) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        host = MemoryHost({"a": deaf})
        flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
        await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
        await host.close(grace_s=0.05)
        release.set()
        await asyncio.sleep(0)

    play(script())


def test_a_log_of_the_host_replays(tmp_path: Path) -> None:
    """The log of a run with approvals, retries and parallel work verifies and is closed."""
    path = tmp_path / "log.jsonl"
    tries = iter([1, 0, 0])

    def flaky(_context: StepContext) -> int:
        return 1 // (1 - next(tries))

    spec = FlowSpec(
        groups=(
            GroupSpec(key="g", steps=(StepSpec(key="plan", approval=ApprovalSpec()),)),
            GroupSpec(
                key="h",
                parallel=True,
                steps=(
                    StepSpec(
                        key="x", work="flaky", retry=RetryPolicy(max_auto_retries=1, backoff_ms=())
                    ),
                    StepSpec(key="y", work="fine", needs=("plan",)),
                ),
            ),
        )
    )

    async def script(log: LogFile) -> FlowState:
        async with MemoryHost({"plan": plan, "flaky": flaky, "fine": fine}) as host:
            flow = await host.start(spec, flow_id="f", journal=log)
            await flow.until(lambda state: bool(state.open_approvals()))
            await flow.approve("plan", by="ana", note="ok")
            await flow.wait()
            return flow.state

    with LogFile.create(path, initial_state(spec, "f"), at_ms=0) as log:
        state = play(script(log))
    with path.open("rb") as file:
        again = replay(file)
    assert again.state == state
    assert again.closed
    assert again.truncated is None


def test_a_host_that_fails_its_work_stops_the_flow_without_a_fact() -> None:
    """Whoever waits for the flow is told; the work begins again under the next host."""

    async def no_room(context: StepContext) -> None:
        raise HostFailure(f"{context.attempt}: no room")

    async def script() -> list[str]:
        async with MemoryHost({"a": no_room, "b": forever}) as host:
            group = GroupSpec(key="g", parallel=True, steps=[StepSpec(key="a"), StepSpec(key="b")])
            flow = await host.start(FlowSpec(groups=[group]), flow_id="f")
            with pytest.raises(HostFailure, match="a#1: no room"):
                await flow.wait()
        return [command.attempt for command in dispatches(flow.state)]

    assert play(script()) == ["a#1", "b#1"]


def test_a_host_that_fails_a_generator_stops_the_flow_without_a_fact() -> None:
    """Whoever waits for the flow is told; the groups are made under the next host."""

    async def no_room(_command: commands.GenerateSteps) -> list[GroupSpec]:
        raise HostFailure("no room")

    async def script() -> list[str]:
        async with MemoryHost({}, generators={"g": no_room}) as host:
            flow = await host.start(FlowSpec(type="g"), flow_id="f")
            with pytest.raises(HostFailure, match="no room"):
                await flow.wait()
        assert flow.state.outcome is None
        return [type(command).__name__ for command in pending_commands(flow.state, at_ms=0)]

    assert play(script()) == ["GenerateSteps"]


STARTED = events.FlowStarted(at_ms=0)


@pytest.mark.parametrize("in_thread", [False, True])
def test_exceptions_that_are_none_are_failures_of_the_work(in_thread: bool) -> None:
    """Whatever a handler raises, it was no cancel, and it may be retried."""
    tries = iter([True, False, False])

    def odd(_context: StepContext) -> None:
        if next(tries):
            pytest.fail("odd")

    async def odd_coroutine(context: StepContext) -> None:
        odd(context)

    retry = RetryPolicy(max_auto_retries=1, backoff_ms=())
    handler = odd if in_thread else odd_coroutine
    state = play(ended(flow_of(StepSpec(key="a", retry=retry)), a=handler))
    assert [attempt.status.value for attempt in state.attempts()] == ["error", "success"]


def test_a_keyboard_interrupt_is_no_fact_about_the_work(tmp_path: Path) -> None:
    """It ends the loop; the flow is as it was, and can be taken up."""
    path = tmp_path / "log.jsonl"

    async def interrupted(_context: StepContext) -> None:
        raise KeyboardInterrupt

    async def script() -> None:
        spec = flow_of(StepSpec(key="a"))
        with LogFile.create(path, initial_state(spec, "f"), at_ms=0) as log:
            async with MemoryHost({"a": interrupted}) as host:
                await (await host.start(spec, flow_id="f", journal=log)).wait()

    with pytest.raises(KeyboardInterrupt):
        play(script())
    with path.open("rb") as file:
        assert replay(file).state.status == "in-progress"


def test_a_thread_that_does_not_listen_holds_nobody_else_up() -> None:
    """Once it was asked to give up it counts no longer among those that may run."""
    go = threading.Event()

    def deaf(_context: StepContext) -> None:
        go.wait()

    def quick(_context: StepContext) -> None:
        return

    async def script() -> str:
        stuck = StepSpec(key="a", timeout_ms=10, skip_on_failure=True)
        async with MemoryHost({"a": deaf, "b": quick}, threads=1) as host:
            flow = await host.start(flow_of(stuck, StepSpec(key="b")), flow_id="f")
            try:
                return (await flow.wait()).status
            finally:
                go.set()

    assert play(script()) == "success"


def test_draining_begins_nothing_that_waits_for_its_turn() -> None:
    """Work that found no thread free is as if it had not been dispatched."""
    go, begun = threading.Event(), list[str]()

    def work(context: StepContext) -> None:
        begun.append(context.attempt)
        go.wait()

    async def script() -> list[str]:
        steps = tuple(StepSpec(key=key, work="work") for key in "abc")
        spec = FlowSpec(groups=(GroupSpec(key="g", parallel=True, steps=steps),))
        async with MemoryHost({"work": work}, threads=1) as host:
            flow = await host.start(spec, flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            asyncio.get_running_loop().call_later(0.05, go.set)
            await host.drain()
        return [attempt.status.value for attempt in flow.state.attempts()]

    assert play(script()) == ["success", "queued", "queued"]
    assert begun == ["a#1"]


def test_closing_waits_for_threads_that_listen(tmp_path: Path) -> None:
    """What a thread achieves in the grace is recorded."""

    def listens(context: StepContext) -> str:
        context.cancellation.wait(PATIENCE_S)
        return "committed"

    async def script() -> str:
        async with MemoryHost({"a": listens}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
        return attempt_of(flow.state, "a#1").status

    assert play(script()) == "success"


def test_closing_waits_for_the_work_of_flows_that_have_finished() -> None:
    """A flow may go on without work that takes its time to end; its host does not."""
    let_go = list[str]()

    async def slow_to_end(context: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            let_go.append(context.attempt)

    async def script() -> None:
        async with MemoryHost({"a": slow_to_end}) as host:
            flow = await host.start(flow_of(StepSpec(key="a"), cancel_grace_ms=1), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            await flow.cancel(by="ana")
            await flow.wait()
            assert let_go == []

    play(script())
    assert let_go == ["a#1"]


def test_what_fell_due_while_no_host_was_there_fires_first() -> None:
    """Nobody approves what has expired, and work whose time is over does not begin again."""
    begun = list[str]()

    async def work(context: StepContext) -> None:
        begun.append(context.attempt)
        await asyncio.Event().wait()

    spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=10)))
    planned = reduce(initial_state(spec, "f"), STARTED).state
    done = events.StepFinished(at_ms=0, attempt="plan#1", outcome="succeeded")
    planned = reduce(planned, done).state
    working = reduce(initial_state(flow_of(StepSpec(key="a", timeout_ms=10)), "g"), STARTED).state

    async def script() -> list[str | None]:
        async with MemoryHost({"plan": fine, "a": work}, clock=VirtualClock(11)) as host:
            late = await host.recover(planned)
            verdict = await late.approve("plan", by="ana")
            assert str(verdict).startswith("rejected(flow-finished")
            return [(await flow.wait()).reason for flow in (late, await host.recover(working))]

    assert play(script()) == ["approval-expired", "timeout"]
    assert begun == []


def test_an_observer_that_feeds_the_flow_comes_after_what_it_saw() -> None:
    """Commands leave in the order of their events, and all observers see entries in it."""
    seen = list[str]()
    begun = list[str]()

    async def work(context: StepContext) -> None:
        begun.append(context.attempt)

    async def script() -> str:
        def cancels(event: events.Event, _transition: Transition) -> None:
            if isinstance(event, events.FlowStarted):
                flows[0].report(partial(events.CancelRequested, by="ana"))

        def watches(event: events.Event, _transition: Transition) -> None:
            seen.append(type(event).__name__)

        flows = list[MemoryFlow]()
        async with MemoryHost({"a": work}, observe=cancels) as host:
            state = initial_state(flow_of(StepSpec(key="a")), "f")
            flow = MemoryFlow(host, state, NoJournal(), watches)
            flows.append(flow)
            flow.tell(events.FlowStarted)
            return (await flow.wait()).status

    assert play(script()) == "cancelled"
    assert seen[:2] == ["FlowStarted", "CancelRequested"]
    assert begun == []


def test_flows_of_one_name_do_not_get_into_each_other_s_way() -> None:
    """An old one neither takes the place of a new one nor is revived beside it."""

    async def script() -> None:
        async with MemoryHost({"a": fine, "b": forever}) as host:
            old = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await old.wait()
            new = await host.start(flow_of(StepSpec(key="b")), flow_id="f")
            await new.until(lambda state: attempt_of(state, "b#1").status == "in-progress")
            old.report(partial(events.StepStarted, attempt="a#1"))
            with pytest.raises(ConductorError, match="flow 'f' runs here already"):
                await old.retry("a", by="ana")
            waiting = asyncio.ensure_future(new.wait())
        with pytest.raises(ConductorError, match="the host of flow 'f' closed"):
            await waiting

    play(script())


def test_a_flow_whose_log_failed_can_be_taken_up_here() -> None:
    """It does not run here any more."""

    async def script() -> str:
        async with MemoryHost({"a": fine}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f", journal=FullDisk(2))
            with pytest.raises(OSError, match="No space left"):
                await flow.wait()
            return (await (await host.recover(flow.state)).wait()).status

    assert play(script()) == "success"


@pytest.mark.parametrize("step", [["plan"], "\ud800"])
def test_a_request_that_no_log_can_hold_breaks_nothing(step: Any) -> None:
    """Whoever sends it is told, and the flow goes on."""

    async def script() -> str:
        async with MemoryHost({"plan": fine}) as host:
            spec = flow_of(StepSpec(key="plan", approval=ApprovalSpec()))
            flow = await host.start(spec, flow_id="f")
            with pytest.raises(FormatError, match="step"):
                await flow.approve(step, by="ana")
            await flow.until(lambda state: bool(state.open_approvals()))
            await flow.approve("plan", by="ana")
            return (await flow.wait()).status

    assert play(script()) == "success"


def test_a_flow_is_asked_on_its_own_loop_only() -> None:
    """From elsewhere nothing would wake it."""

    async def script() -> None:
        async with MemoryHost({"a": forever}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            with pytest.raises(ConductorError, match="flow 'f' belongs to another loop"):
                await asyncio.to_thread(asyncio.run, flow.cancel(by="ana"))

    play(script())


# --- stopping in good order ---


def test_a_host_that_drains_records_what_ends_and_starts_nothing() -> None:
    """What follows from it is pending, for the next host to carry out."""

    async def script() -> list[str]:
        go = asyncio.Event()
        begun: list[str] = []

        async def work(context: StepContext) -> None:
            begun.append(context.attempt)
            await go.wait()

        async with MemoryHost({"a": work, "b": work}) as host:
            flow = await host.start(flow_of(StepSpec(key="a"), StepSpec(key="b")), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            asyncio.get_running_loop().call_soon(go.set)
            await host.drain()
            state = flow.state
        assert [command.attempt for command in dispatches(state)] == ["b#1"]
        async with MemoryHost({"a": work, "b": work}) as host:
            await (await host.recover(state)).wait()
        return begun

    assert play(script()) == ["a#1", "b#1"]


def dispatches(state: FlowState) -> list[commands.DispatchStep]:
    """The dispatches that are pending in a state."""
    pending = pending_commands(state, at_ms=0)
    return [command for command in pending if isinstance(command, commands.DispatchStep)]


def test_a_host_does_not_drain_for_ever() -> None:
    """Work that takes longer than the grace is ended by closing, and nothing is recorded of it."""

    async def script() -> str:
        async with MemoryHost({"a": forever}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            await flow.until(lambda state: attempt_of(state, "a#1").status == "in-progress")
            await host.drain(grace_s=0.01)
        return attempt_of(flow.state, "a#1").status

    assert play(script()) == "in-progress"


def test_a_flow_that_had_only_its_header_is_started() -> None:
    """A host that died before the first entry left a flow to which nothing has happened."""

    async def script() -> str:
        async with MemoryHost({"a": fine}) as host:
            state = initial_state(flow_of(StepSpec(key="a")), "f")
            return (await (await host.recover(state)).wait()).status

    assert play(script()) == "success"


def test_whoever_waits_for_what_raises_gets_the_exception() -> None:
    """A question that cannot be asked of a state is the asker's error and breaks no flow."""

    async def script() -> str:
        def odd(state: FlowState) -> bool:
            return state.outcome is not None and 1 / 0 > 0

        async with MemoryHost({"a": soon}) as host:
            flow = await host.start(flow_of(StepSpec(key="a")), flow_id="f")
            waiting = asyncio.ensure_future(flow.until(odd))
            with pytest.raises(ZeroDivisionError):
                await waiting
            return (await flow.wait()).status

    assert play(script()) == "success"


def test_what_work_leaves_in_its_context_variables_is_not_for_the_next() -> None:
    """Every attempt begins in the surroundings in which its flow began."""
    variable: ContextVar[str] = ContextVar("variable")

    async def work(context: StepContext) -> str:
        seen = variable.get()
        variable.set(context.step)
        return seen

    async def script() -> list[Any]:
        variable.set("outside")
        async with MemoryHost({"a": work, "b": work}) as host:
            flow = await host.start(flow_of(StepSpec(key="a"), StepSpec(key="b")), flow_id="f")
            await flow.wait()
        results = (attempt.result for attempt in flow.state.attempts())
        return [result.output.value for result in results if result is not None]

    assert play(script()) == ["outside", "outside"]
