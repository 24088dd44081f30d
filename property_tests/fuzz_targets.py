"""What is promised of any bytes that claim to be a log, or a file or a record of ours.

Rule: a target is a function of bytes. It tells whether they were accepted, and raises
whatever breaks a promise: nothing but the documented errors may come of bytes, and what is
accepted can be written, read again, and is the same. It keeps nothing between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from io import BytesIO
from random import Random
from typing import Any, Final, TypeAlias

from conductor_adapters.cli.documents import Document, DocumentError, parse_document
from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    FlowState,
    GroupSpec,
    StepSpec,
    codec,
    events,
    initial_state,
    reduce,
)
from conductor_core.checking import claims
from conductor_core.digest import state_digest
from conductor_core.errors import FormatError, LogError, Problem, SpecError
from conductor_core.json_text import dumps, loads
from conductor_core.log import LONGEST_LINE, LogWriter, Replay, read_log, replay
from conductor_core.loglines import (
    Checkpoint,
    Entry,
    Header,
    Line,
    after_checkpoint,
    after_closing,
    after_entry,
    after_header,
)
from conductor_core.snapshot import restore, snapshot
from conductor_core.testing.arbitrary.plays import any_play, play_on
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.verdicts import Accepted

Target: TypeAlias = Callable[[bytes], bool]


# --- logs ---


def read_a_log(data: bytes) -> bool:
    """Bytes are a log that replays, and then it can be written again and gone on with."""
    try:
        for _ in read_log(lines_of(data)):
            pass
    except LogError:
        pass
    try:
        found = replay(lines_of(data))
    except LogError:
        return False
    whole = data[: found.size]
    again = written(read_log(lines_of(whole)))
    assert list(read_log(lines_of(again))) == list(read_log(lines_of(whole)))
    assert written(read_log(lines_of(again))) == again
    assert_same_end(found, replay(lines_of(again)))
    assert_can_go_on(found, whole)
    return True


def lines_of(data: bytes) -> Iterator[bytes]:
    """The lines as a host reads them from a file."""
    return iter(partial(BytesIO(data).readline, LONGEST_LINE + 1), b"")


def written(lines: Iterable[Line]) -> bytes:
    """The log that says the same, as it is written."""
    header, *rest = lines
    assert isinstance(header, Header), "a log begins with its header"
    state = initial_state(header.spec, header.flow_id)
    first, position = after_header(header, state)
    texts = [first]
    for line in rest:
        if isinstance(line, Entry):
            after = reduce(state, line.event)
            text, position = after_entry(position, line.event, after.verdict, after.commands)
            state = after.state
        else:
            mark = after_checkpoint if isinstance(line, Checkpoint) else after_closing
            text, position = mark(position, state)
        texts.append(text)
    return "".join(texts).encode()


def assert_same_end(one: Replay, other: Replay) -> None:
    """Demand that two logs lead to the same state under the same digest."""
    assert one.state == other.state
    assert state_digest(one.state) == state_digest(other.state)
    assert one.position == other.position


def assert_can_go_on(found: Replay, whole: bytes) -> None:
    """Demand that one more event can be written behind a log."""
    event = events.CancelRequested(at_ms=1, by="ana")
    after = reduce(found.state, event)
    writer = LogWriter.resume(found)
    longer = whole + writer.entry(event, after).encode()
    assert replay(lines_of(longer)).state == after.state


# --- flow files ---


def read_a_flow(data: bytes) -> bool:
    """Bytes are a flow file, in JSON or in YAML, and then a flow that can run."""
    documents = [_document(data, name) for name in ("flow.json", "flow.yaml")]
    assert_one_reading(data, *documents)
    decoded = [_decode_flow(document) for document in documents if document is not None]
    return any(decoded)


def _document(data: bytes, name: str) -> Document | None:
    try:
        return parse_document(data, name)
    except DocumentError as error:
        line = error.line
    assert line is None or 1 <= line <= lines_in(data) + 1
    return None


def lines_in(data: bytes) -> int:
    """How many lines people see, whatever they end with."""
    return len(data.splitlines())


def assert_one_reading(data: bytes, in_json: Document | None, in_yaml: Document | None) -> None:
    """Demand that JSON says the same to every reader that can read it."""
    if in_json is None:
        return
    text = dumps(in_json.data)
    assert in_yaml is None or dumps(in_yaml.data) == text
    try:
        value = loads(data)
    except FormatError:
        return
    assert dumps(value) == text


def _decode_flow(document: Document) -> bool:
    try:
        spec = codec.decode_flow(document.data)
    except (FormatError, SpecError) as error:
        assert_placed(document, error.problems)
        return False
    wire = assert_same_again(spec, codec.encode_spec, codec.decode_spec)
    assert codec.decode_flow({("flow" if k == "type" else k): v for k, v in wire.items()}) == spec
    reduce(initial_state(spec, flow_id="flow"), events.FlowStarted(at_ms=0))
    return True


def assert_placed(document: Document, problems: Iterable[Problem]) -> None:
    """Demand that problems can be told, each with a line of the document."""
    told = document.refused(problems)
    assert all(error.line is not None and error.problem for error in (told, *told.more))


def assert_same_again(
    value: Any, encode: Callable[[Any], Any], decode: Callable[[Any], Any]
) -> Any:
    """Demand that a value comes back from its wire form and from the text of that."""
    wire = encode(value)
    again = decode(loads(dumps(wire)))
    assert again == value
    assert dumps(encode(again)) == dumps(wire)
    return wire


# --- events, commands and verdicts ---


def read_an_event(data: bytes) -> bool:
    """Bytes are an event, a command or a verdict; and an event may come at any time."""
    try:
        value = loads(data)
    except FormatError:
        return False
    decoded = [_decode_event(value), *(_decode(value, *forms) for forms in OTHER_FORMS)]
    return any(decoded)


OTHER_FORMS: Final = (
    (codec.encode_command, codec.decode_command),
    (codec.encode_verdict, codec.decode_verdict),
)


def _decode_event(value: Any) -> bool:
    if not _decode(value, codec.encode_event, codec.decode_event):
        return False
    event = codec.decode_event(value)
    for state in states():
        after = reduce(state, event)
        assert (after.state is state) == (not isinstance(after.verdict, Accepted))
        assert after == reduce(state, event)
    return True


def _decode(value: Any, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> bool:
    """Whether a wire form is accepted; then it comes back the same."""
    try:
        found = decode(value)
    except FormatError:
        return False
    assert_same_again(found, encode, decode)
    return True


@cache
def states() -> tuple[FlowState, ...]:
    """Some states that flows come to, of all kinds."""
    plays = [any_play(Random(f"state {n}").randrange, 40) for n in range(6)]
    return tuple(state for play in plays for state in [*play.states()][::13])


# --- states ---


def read_a_state(data: bytes) -> bool:
    """Bytes are a state, or the snapshot of one, and a flow can go on from there."""
    return _decode_state(data) or _restore(data)


def _decode_state(data: bytes) -> bool:
    try:
        state = codec.decode_state(loads(data))
    except (FormatError, SpecError):
        return False
    assert_same_again(state, codec.encode_state, codec.decode_state)
    assert_same_snapshot(state)
    return True


def _restore(data: bytes) -> bool:
    try:
        state = restore(data)
    except LogError:
        return False
    assert_same_snapshot(state)
    return True


def assert_same_snapshot(state: FlowState) -> None:
    """Demand that a state comes back from its snapshot, and goes on as it would have."""
    text = snapshot(state)
    again = restore(text)
    assert again == state
    assert snapshot(restore(text.encode())) == text
    assert play_on(Random(text).randrange, again, 8) == play_on(Random(text).randrange, state, 8)


# --- scenarios ---


def read_a_scenario(data: bytes) -> bool:
    """Bytes are a file of scenarios."""
    documents = [_document(data, name) for name in ("a.scenario.json", "a.scenario.yaml")]
    decoded = [_decode_scenarios(document) for document in documents if document is not None]
    return any(decoded)


def _decode_scenarios(document: Document) -> bool:
    try:
        scenarios = decode_scenarios(document.data)
    except FormatError as error:
        assert_placed(document, error.problems)
        return False
    assert scenarios == decode_scenarios(document.data)
    return True


# --- checks files ---

CHECKED: Final = FlowSpec(
    groups=[
        GroupSpec(
            key="g",
            steps=[
                StepSpec(key="plan", approval=ApprovalSpec(required=2, stale_after_ms=1)),
                StepSpec(key="apply", needs=["plan"], skip_if_noop=True),
            ],
        )
    ],
)
"""The flow that checks files are about."""


def read_checks(data: bytes) -> bool:
    """Bytes are a checks file."""
    documents = [_document(data, name) for name in ("checks.json", "checks.yaml")]
    decoded = [_decode_checks(document) for document in documents if document is not None]
    return any(decoded)


def _decode_checks(document: Document) -> bool:
    try:
        checks = claims.decode_checks(document.data, spec=CHECKED)
    except FormatError as error:
        assert_placed(document, error.problems)
        return False
    alphabet = loads(dumps(checks.alphabet.as_data()))
    again = claims.decode_checks({"format": claims.FORMAT, "alphabet": alphabet}, spec=CHECKED)
    assert again.alphabet == checks.alphabet
    return True


TARGETS: Final[Mapping[str, Target]] = {
    "log": read_a_log,
    "flow": read_a_flow,
    "event": read_an_event,
    "state": read_a_state,
    "scenario": read_a_scenario,
    "checks": read_checks,
}
