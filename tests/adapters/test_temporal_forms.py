"""What travels through histories, and the small parts of the Temporal host, without a server."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import (
    DoUpdate,
    FireTimer,
    InitializeWorkflow,
    ResolveActivity,
    SignalWorkflow,
    WorkflowActivationJob,
)
from temporalio.converter import PayloadConverter
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutError,  # noqa: A004 - Temporal's own
    TimeoutType,
)

from conductor_adapters.temporal import Options, Settings
from conductor_adapters.temporal.carried import (
    Standing,
    decode_carried,
    fresh,
    going_on,
    left,
    standing_left,
)
from conductor_adapters.temporal.failures import said_by_worker, told_of
from conductor_adapters.temporal.gate import MOST_BYTES, Gate
from conductor_adapters.temporal.history import decided
from conductor_adapters.temporal.options import (
    OptionsOf,
    decode_settings,
    encode_settings,
    said_of_options,
)
from conductor_adapters.temporal.packing import HOPELESS, TooLarge, packed, unpacked, wire_size
from conductor_adapters.temporal.runner import split
from conductor_adapters.temporal_urls import place_of
from conductor_core import events, initial_state, reduce
from conductor_core.codec import encode_event
from conductor_core.errors import ConductorError, FormatError
from conductor_core.log import LogWriter
from conductor_core.loglines import Position
from conductor_core.payload import freeze
from conductor_core.testing.brief import flow, group

SPEC = flow(group("g", "a", "b"))
SETTINGS = Settings(
    default=Options(queue="q"), of_handlers={"a": Options(priority=1)}, max_in_flight=3, asks=True
)


# --- packing ---


@pytest.mark.parametrize("size", [0, 1_024, 1_026, 100_000])
def test_what_is_packed_is_unpacked(size: int) -> None:
    """Short texts stay readable, long ones become shorter."""
    text = "é" * (size // 2)
    form = packed("it", text)
    assert unpacked(form) == text
    assert form.startswith("plain:" if size <= 1_024 else "zlib:")
    assert len(form) < size // 2 + 100


@pytest.mark.parametrize(
    "form", ["", "text", "zlib:no", "zlib:!!!", packed("it", "x" * 5_000)[:-9]]
)
def test_what_never_was_packed_is_refused(form: str) -> None:
    """With what it is instead."""
    with pytest.raises(FormatError, match="packed text"):
        unpacked(form)


def test_what_is_too_large_is_told_before_it_is_written() -> None:
    """With its size, and what to do."""
    with pytest.raises(
        TooLarge, match=r"flow 'f' is too large for Temporal: \d,\d+,\d+ bytes of at most 1,900,000"
    ):
        packed("flow 'f'", "".join(f"{hash((n, 1)):x}" for n in range(400_000)))
    with pytest.raises(TooLarge, match="15,200,001 bytes of at most 1,900,000"):
        packed("flow 'f'", "x" * (HOPELESS + 1))


@pytest.mark.parametrize("text", ["", "plain", "é", "Жя", "\U0001f600", "a Ж \U0001f600"])
def test_a_size_is_that_on_the_wire(text: str) -> None:
    """Temporal's own converter escapes all that is not ASCII."""
    (payload,) = PayloadConverter.default.to_payloads([text])
    assert wire_size(f'"{text}"') == len(payload.data)


# --- what is carried ---


def standing() -> Standing:
    """A flow that has started."""
    state = initial_state(SPEC, "f")
    transition = reduce(state, events.FlowStarted(at_ms=1))
    return Standing(
        state=transition.state,
        position=Position(digest="sha256:0", entries=1, since=1),
        began_ms=1,
        latest_ms=2,
    )


@pytest.mark.parametrize("steps", [2, 500], ids=["readable", "packed"])
def test_a_fresh_flow_is_carried(steps: int) -> None:
    """With the settings of who starts it; a large spec is packed."""
    spec = flow(group("g", *(f"step-with-a-long-name-{n}" for n in range(steps))))
    told = fresh(spec, "f", SETTINGS)
    assert isinstance(told["spec"], str) is (steps == 500)
    carried = decode_carried(told)
    assert (carried.state, carried.settings) == (initial_state(spec, "f"), SETTINGS)
    assert (carried.standing, carried.previous, carried.request) == (None, None, None)


def test_a_flow_that_goes_on_is_carried() -> None:
    """Its state, where its log stands, the run before, and the request that revives it."""
    request = events.PauseRequested(at_ms=3, by="ann")
    told = going_on(standing(), SETTINGS, previous="run-1", request=request)
    carried = decode_carried(told)
    assert carried.standing == standing()
    assert (carried.previous, carried.request) == ("run-1", request)


def test_a_flow_that_has_ended_is_left() -> None:
    """What its last run leaves is where the next one begins."""
    here = standing()
    state = reduce(here.state, events.CancelRequested(at_ms=2, by="ann")).state
    state = reduce(state, events.StepFinished(at_ms=3, attempt="a#1", outcome="cancelled")).state
    ended = Standing(state=state, position=here.position, began_ms=1, latest_ms=3)
    told = left(ended, "run-1")
    assert told["outcome"]["status"] == "cancelled"
    assert standing_left(told) == ended


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"semantics": 2}, "semantics: expected 1, got 2"),
        ({"conductor": 9}, "conductor: expected 1, got 9"),
    ],
)
def test_what_another_release_wrote_is_refused(change: dict[str, Any], problem: str) -> None:
    """The task of its workflow fails, until a worker comes that knows it."""
    with pytest.raises(FormatError) as caught:
        decode_carried(fresh(SPEC, "f", SETTINGS) | change)
    assert problem in str(caught.value)


def test_what_is_no_input_is_refused() -> None:
    """Somebody may start a workflow by hand."""
    with pytest.raises(FormatError, match="expected the input of a flow, got 'hello'"):
        decode_carried("hello")


# --- options ---


def test_settings_travel() -> None:
    """As they were."""
    assert decode_settings(encode_settings(SETTINGS)) == SETTINGS
    assert decode_settings(encode_settings(Settings())) == Settings()


def test_what_is_said_wrongly_is_not_said() -> None:
    """A flow that is generated may say anything; it runs all the same."""
    said = {"host": {"queue": 7, "temporal": {"local": "yes", "priority": 2, "colour": 1}}}
    assert said_of_options(freeze(said)) == Options(priority=2)
    assert said_of_options(freeze({"host": 3})) == Options()


def test_the_nearest_word_counts() -> None:
    """Handlers before everything; what nobody says is as usual."""
    options = OptionsOf(SETTINGS)
    state = initial_state(SPEC, "f")
    assert (options.step(0, "a", state).queue, options.step(0, "a", state).priority) == ("q", 1)
    assert options.step(1, "b", state).priority is None
    assert options.flow("other", state).max_deliveries == 8


# --- the gate ---


def test_so_much_is_let_in_at_a_time_in_its_order() -> None:
    """What leaves makes room; what is withdrawn never begins."""
    begun: list[str] = []
    gate = Gate(2, later=lambda: begun.append("later"))
    for name in "abcd":
        gate.let_in(name, 1, partial(begun.append, name), turn=1)
    assert begun == ["a", "b"]
    assert gate.has("c")
    assert gate.withdraw("c")
    assert not gate.withdraw("a")
    gate.left("a", turn=2)
    assert begun == ["a", "b", "d"]
    gate.let_in("e", 1, lambda: begun.append("e"), turn=2)
    gate.close()
    gate.left("b", turn=3)
    assert begun == ["a", "b", "d"]


def test_a_task_hands_over_so_many_bytes() -> None:
    """The rest is begun in another task, which is asked for once."""
    begun: list[str] = []
    gate = Gate(9, later=lambda: begun.append("later"))
    for name in "abc":
        gate.let_in(name, MOST_BYTES // 2 + 1, partial(begun.append, name), turn=1)
    assert begun == ["a", "later"]
    gate.look(2)
    assert begun == ["a", "later", "b", "later"]
    gate.look(3)
    assert begun == ["a", "later", "b", "later", "c"]


# --- failures ---


def failure(cause: BaseException) -> ActivityError:
    """The failure of an activity, as a workflow gets it."""
    error = ActivityError(
        "failed", scheduled_event_id=1, started_event_id=2, identity="w", activity_type="a",
        activity_id="a#1", retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )  # fmt: skip
    error.__cause__ = cause
    return error


def timed_out(kind: TimeoutType) -> ActivityError:
    """A time that ran out."""
    return failure(TimeoutError("late", type=kind, last_heartbeat_details=[]))


@pytest.mark.parametrize(
    ("error", "runs_once", "kind"),
    [
        (timed_out(TimeoutType.HEARTBEAT), False, "lost"),
        (timed_out(TimeoutType.HEARTBEAT), True, "interrupted"),
        (timed_out(TimeoutType.SCHEDULE_TO_START), True, "no-worker"),
        (timed_out(TimeoutType.START_TO_CLOSE), False, "timeout"),
        (timed_out(TimeoutType.SCHEDULE_TO_CLOSE), False, "timeout"),
        (failure(ApplicationError("ends", type="WorkerShutdown")), True, "interrupted"),
        (failure(ApplicationError("full", type="HostFailure")), False, "lost"),
        (failure(ApplicationError("odd", type="Odd")), False, "Odd"),
        (failure(ValueError("odd")), False, "ValueError"),
    ],
)
def test_what_no_worker_told_is_what_temporal_saw(
    error: ActivityError, runs_once: bool, kind: str
) -> None:
    """Workers that die, times that run out, and what never reached our code."""
    finished = told_of("a#1", error, asked=False, runs_once=runs_once)
    assert finished.outcome == "failed"
    assert finished.error is not None
    assert finished.error.type == kind
    assert told_of("a#1", error, asked=True, runs_once=runs_once).outcome == "cancelled"


def test_work_that_was_cancelled_gave_up() -> None:
    """Also where nobody of us asked it to."""
    assert told_of("a#1", failure(CancelledError()), asked=False, runs_once=False).outcome == (
        "cancelled"
    )


def test_what_a_worker_told_is_the_fact() -> None:
    """It comes along with the failure; anything else there is nobody's fact."""
    event = events.StepFinished(at_ms=1, attempt="a#1", outcome="failed")
    assert said_by_worker(failure(ApplicationError("x", encode_event(event)))) == event
    assert said_by_worker(failure(ApplicationError("x", {"more": 1}))) is None
    assert said_by_worker(failure(ApplicationError("x"))) is None


# --- activations and histories ---


def test_activations_are_split_in_their_order() -> None:
    """The beginning first, updates last, signals and all else as they came."""
    start = WorkflowActivationJob(initialize_workflow=InitializeWorkflow())
    signal = WorkflowActivationJob(signal_workflow=SignalWorkflow())
    timer = WorkflowActivationJob(fire_timer=FireTimer(seq=1))
    activity = WorkflowActivationJob(resolve_activity=ResolveActivity(seq=2))
    first = WorkflowActivationJob(do_update=DoUpdate(id="1"))
    second = WorkflowActivationJob(do_update=DoUpdate(id="2"))
    given = [signal, start, first, timer, activity, signal, second]
    parts = [[start], [signal], [timer, activity], [signal], [first], [second]]
    assert split(given) == parts
    assert split([timer, activity]) == [[timer, activity]]


def test_only_what_was_decided_of_a_history_has_an_order() -> None:
    """What came in after the last task is left aside, and so is an end by force."""
    kinds = [
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    ]
    history = [HistoryEvent(event_id=n, event_type=kind) for n, kind in enumerate(kinds, 1)]
    assert [event.event_id for event in decided(history)] == [1, 2, 3, 4, 5, 6]
    assert [*decided(history[:3])] == []


# --- urls ---


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("temporal://", "temporal://localhost:7233/default"),
        ("temporal://h:1", "temporal://h:1/default"),
        ("temporal://h:1/n?queue=q", "temporal://h:1/n?queue=q"),
        ("temporal://h:1/n?queue=conductor", "temporal://h:1/n"),
    ],
)
def test_a_url_names_a_place(monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    """What is left out is as usual."""
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    monkeypatch.delenv("TEMPORAL_NAMESPACE", raising=False)
    assert str(place_of(url)) == shown


@pytest.mark.parametrize(
    "url", ["temporal:", "temporal://h?queue=", "temporal://h?queue=a&queue=b"]
)
def test_other_urls_are_refused(url: str) -> None:
    """With what was expected."""
    with pytest.raises(ConductorError, match="expected temporal://HOST:PORT/NAMESPACE"):
        place_of(url)


def test_a_log_of_accepted_events_says_so() -> None:
    """Its header does; what was refused is nowhere in a history."""
    assert (
        '"accepted_only":true'
        in LogWriter(initial_state(SPEC, "f"), at_ms=0, accepted_only=True).header()
    )
