"""The log: written as a run goes, verified to the byte when it is replayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from attrs import evolve

from conductor_core import FlowOptions, FlowSpec, FlowState, events, initial_state, reduce
from conductor_core.codec import encode_event
from conductor_core.digest import chain, digest_of, state_digest
from conductor_core.errors import FormatError, LogError, LogTruncated, ReplayDivergence
from conductor_core.events import Event
from conductor_core.log import (
    LONGEST_LINE,
    Checkpoint,
    Closed,
    Entry,
    Header,
    LogWriter,
    read_log,
    replay,
)
from conductor_core.loglines import header_line, new_header
from conductor_core.payload import Payload, canonical_text
from conductor_core.spec import ApprovalSpec, StepSpec
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    flow,
    group,
    retried,
    succeeded,
)
from conductor_core.verdicts import Accepted, Ignored, Rejected
from conductor_core.version import VERSION

PLAN = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=1000))
SPEC = flow(group("g1", PLAN, "apply"), group("g2", "smoke"))
STORY: tuple[Event, ...] = (
    START,
    succeeded("plan#1", output={"é": [1.0]}, at_ms=1),
    answered("plan", at_ms=2),
    answered("plan", at_ms=3),
    START,
    failed("apply#1", at_ms=4),
)
RERUN: tuple[Event, ...] = (retried("apply", at_ms=5), succeeded("apply#2"), succeeded("smoke#1"))


class Recorder:
    """A host that does nothing but write its log."""

    def __init__(self, spec: FlowSpec = SPEC, *, accepted_only: bool = False) -> None:
        self.state = initial_state(spec, "flow")
        self.writer = LogWriter(self.state, at_ms=7, accepted_only=accepted_only)
        self.text = self.writer.header()

    def play(self, *story: Event) -> Recorder:
        """Reduce events and log what became of them."""
        for event in story:
            transition = reduce(self.state, event)
            self.text += self.writer.entry(event, transition)
            self.state = transition.state
        return self

    def close(self) -> Recorder:
        """End the log."""
        self.text += self.writer.close(self.state)
        return self

    @property
    def lines(self) -> list[bytes]:
        """The log as a file gives it."""
        return self.text.encode().splitlines(keepends=True)


LOG = Recorder().play(*STORY).close()


def relinked(lines: Iterable[bytes], change: Callable[[int, dict[str, Any]], None]) -> list[bytes]:
    """A log that was changed by somebody who can compute digests."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    digest = ""
    for number, row in enumerate(rows):
        change(number, row)
        pinned = {key: row[key] for key in row if key not in ("seq", "digest")}
        digest = chain(digest, canonical_text(pinned)) if number else digest_of(canonical_text(row))
        if number:
            row["digest"] = digest
    return [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows]


# --- what is written ---


def test_a_log_has_its_golden_form() -> None:
    """The bytes of a log are the same everywhere and for ever."""
    recorder = Recorder(flow(group("g", "a"))).play(START, START, succeeded("a#1"), START).close()
    dispatch = (
        '{"type":"dispatch-step","attempt":"a#1","work":"a","input":{},"outputs":{},'
        '"subjects":{},"idempotency_key":"flow/a#1","retry":0,"generation":0,"timeout_ms":null}'
    )
    lines = [
        (
            f'{{"log":"conductor-log/1","flow_id":"flow","semantics":1,"core":"{VERSION}",'
            '"spec":{"groups":[{"key":"g","steps":[{"key":"a"}]}]},"at_ms":7}'
        ),
        (
            '{"seq":1,"event":{"type":"flow-started","at_ms":0},"verdict":"accepted",'
            f'"commands":[{dispatch}],"digest":"?"}}'
        ),
        (
            '{"seq":2,"event":{"type":"flow-started","at_ms":0},'
            '"verdict":{"ignored":"already-started"},"commands":[],"digest":"?"}'
        ),
        (
            '{"seq":3,"event":{"type":"step-finished","at_ms":0,"attempt":"a#1",'
            '"outcome":"succeeded"},"verdict":"accepted","commands":['
            '{"type":"finish-flow","outcome":{"status":"success"},"run":1}],"digest":"?"}'
        ),
        (
            '{"seq":4,"event":{"type":"flow-started","at_ms":0},'
            '"verdict":{"ignored":"already-started"},"commands":[],"digest":"?"}'
        ),
        f'{{"closed":4,"state":"{state_digest(recorder.state)}","digest":"?"}}',
    ]
    written = [json.loads(line) for line in recorder.lines]
    found = [row.get("digest", "?") for row in written]
    assert recorder.text == "".join(
        f"{line}\n".replace('"?"', f'"{digest}"') for line, digest in zip(lines, found, strict=True)
    )


def test_the_digests_can_be_computed_by_anybody() -> None:
    """Each is over the one before and the line's canonical JSON without `seq` and `digest`."""
    assert relinked(LOG.lines, lambda _number, _row: None) != LOG.lines, "laid out otherwise"
    again = relinked(LOG.lines, lambda _number, _row: None)
    assert [json.loads(line) for line in again] == [json.loads(line) for line in LOG.lines]


def test_a_rejection_is_pinned_by_its_code() -> None:
    """The message is for people: it is not logged, and may be worded better one day."""
    recorder = Recorder().play(retried("plan"))
    entry = json.loads(recorder.lines[1])
    assert entry["verdict"] == {"rejected": "not-failed"}


def test_a_log_begins_with_the_beginning() -> None:
    """A state to which something has happened cannot be the first of a log."""
    with pytest.raises(LogError, match="to which nothing has happened"):
        LogWriter(LOG.state, at_ms=0)


def test_what_cannot_be_read_is_not_written() -> None:
    """A wrong type or a bottomless payload is refused, and the log goes on as if nothing was."""
    recorder = Recorder().play(START)
    before = recorder.text
    deep = Payload("[" * 200 + "]" * 200)
    wrong_time = succeeded("plan#1", at_ms=1.5)  # type: ignore[arg-type]  # wrong on purpose
    for event in (wrong_time, succeeded("plan#1", output=deep)):
        with pytest.raises(FormatError):
            recorder.writer.entry(event, reduce(recorder.state, event))
    recorder.play(succeeded("plan#1"))
    assert recorder.text.startswith(before)
    assert replay(recorder.lines).state == recorder.state
    with pytest.raises(FormatError, match=r"^at_ms: expected an integer, got 0\.5"):
        LogWriter(initial_state(SPEC, "flow"), at_ms=0.5)  # type: ignore[arg-type]


def test_a_header_that_cannot_be_encoded_is_not_written() -> None:
    """With the place of what is no text."""
    header = new_header(initial_state(flow(group("g", "a")), "f"), at_ms=0)
    with pytest.raises(FormatError, match=r"^core: "):
        header_line(evolve(header, core="\ud800"))


def test_a_line_that_is_too_long_is_not_written() -> None:
    """What a reader would refuse for its length is refused when it is written."""
    recorder = Recorder().play(START)
    event = succeeded("plan#1", output="ä" * (LONGEST_LINE // 2))
    with pytest.raises(LogError, match="is longer than 67108864"):
        recorder.writer.entry(event, reduce(recorder.state, event))


# --- replay ---


def test_a_log_leads_to_its_state() -> None:
    """Replay verifies every entry and comes to the state of the run (law 12)."""
    result = replay(LOG.lines)
    assert result.state == LOG.state
    assert result.entries == len(STORY)
    assert result.closed
    assert result.truncated is None
    assert result.size == len(LOG.text.encode())
    assert result.digest == json.loads(LOG.lines[-1])["digest"]
    assert result.header.flow_id == "flow"
    assert result.header.at_ms == 7


def test_a_header_alone_is_a_log() -> None:
    """A run to which nothing has happened yet is pending."""
    result = replay(Recorder().lines)
    assert result.state == initial_state(SPEC, "flow")
    assert (result.entries, result.closed) == (0, False)


@pytest.mark.parametrize(
    "lines",
    [
        LOG.text.splitlines(keepends=True),
        LOG.text.splitlines(),
        [line.replace(b"\n", b"\r\n") for line in LOG.lines],
        [line.replace(b'","', b'", "') for line in LOG.lines],
        relinked(LOG.lines, lambda _number, _row: None),
    ],
    ids=["text", "no newlines", "other newlines", "spaces", "another writer"],
)
def test_the_layout_of_a_log_does_not_matter(lines: list[bytes | str]) -> None:
    """A log that went through other tools says the same."""
    assert replay(lines).state == LOG.state


def test_defaults_that_are_written_out_do_not_matter() -> None:
    """A line of a writer that leaves nothing out is the same line."""
    lines = LOG.lines
    lines[1] = (
        lines[1].replace(b'"outputs":{},', b"").replace(b'"input":{},', b'"input":{},"outputs":{},')
    )
    lines[2] = lines[2].replace(b'"outcome":"succeeded"', b'"outcome":"succeeded","error":null')
    assert replay(lines).state == LOG.state


def test_the_flow_can_be_expected() -> None:
    """Another flow's log is refused."""
    assert replay(LOG.lines, flow_id="flow").entries == len(STORY)
    with pytest.raises(LogError, match="line 1: the log of flow 'flow', expected 'deploy-42'"):
        replay(LOG.lines, flow_id="deploy-42")


def test_replay_streams() -> None:
    """A line is read when it is its turn, and not before."""
    read: list[int] = []

    def lines() -> Iterable[bytes]:
        for number, line in enumerate(LOG.lines):
            read.append(number)
            yield line.replace(b"plan#1", b"plan#2") if number == 2 else line

    with pytest.raises(LogError, match="line 3"):
        replay(lines())
    assert read == [0, 1, 2]


# --- what differs ---


def test_a_divergence_names_the_first_entry_and_every_difference() -> None:
    """Other verdicts or commands than those of the log are told place by place."""

    def change(number: int, row: dict[str, Any]) -> None:
        if number == 2:
            row["verdict"] = {"rejected": "not-failed", "message": "no"}
            del row["commands"][1]
            row["commands"][0]["required"] = 2
        if number == 3:
            row["verdict"] = {"ignored": "no-change"}

    with pytest.raises(ReplayDivergence) as caught:
        replay(relinked(LOG.lines, change))
    assert (caught.value.line, caught.value.entry) == (3, 2)
    assert str(caught.value).splitlines() == [
        "line 3: entry 2 diverges:",
        "  on step-finished at 1 ms",
        "  verdict: expected {'message': 'no', 'rejected': 'not-failed'}, got 'accepted'",
        "  commands[0].required: expected 2, got 1",
        (
            "  commands[1]: expected nothing, got "
            "{'delay_ms': 1000, 'due_at_ms': 1001, 'timer': 'approval:plan#1', 'type': 'sc..."
        ),
    ]


def test_a_divergence_carries_both_sides() -> None:
    """Tools get what the log says and what the reducer says as data."""

    def change(number: int, row: dict[str, Any]) -> None:
        if number == 1:
            row["commands"] = []

    with pytest.raises(ReplayDivergence) as caught:
        replay(relinked(LOG.lines, change))
    expected: Any = caught.value.expected
    actual: Any = caught.value.actual
    assert expected["commands"] == []
    assert actual["commands"][0]["attempt"] == "plan#1"
    assert expected["event"] == actual["event"] == encode_event(START)


def test_a_divergence_stays_readable() -> None:
    """Of very many differences the first are told."""
    spec = flow(group("g", *(f"s{number}" for number in range(50)), parallel=True))

    def change(number: int, row: dict[str, Any]) -> None:
        if number == 1:
            row["commands"] = []

    with pytest.raises(ReplayDivergence) as caught:
        replay(relinked(Recorder(spec).play(START).lines, change))
    assert len(str(caught.value).splitlines()) == 23
    assert str(caught.value).endswith("\n  and more")


@pytest.mark.parametrize("kind", ["checkpoint", "closed"])
def test_a_pinned_state_that_differs_is_a_divergence(kind: str) -> None:
    """A checkpoint, or the end, tells when the state is another than it was."""

    def change(number: int, row: dict[str, Any]) -> None:
        if number == len(STORY) + 1:
            row.clear()
            row[kind] = len(STORY)
            row["state"] = digest_of("another state")

    with pytest.raises(ReplayDivergence, match=f"line 8: entry {len(STORY)} diverges:\n  state: "):
        replay(relinked(LOG.lines, change))


@pytest.mark.parametrize("number", range(1, len(STORY) + 2))
def test_every_line_is_pinned_by_its_digest(number: int) -> None:
    """A digest that was changed by accident is found in its own line, or in the next."""
    lines = LOG.lines
    lines[number] = lines[number].replace(b'"sha256:', b'"sha256:0')
    header = ", or the header before it" if number == 1 else ""
    problem = f"line {number + 1}: broken digest chain: the line was changed{header}$"
    with pytest.raises(LogError, match=problem):
        replay(lines)


@pytest.mark.parametrize("number", [0, 999, 1000, 1499])
def test_a_long_header_is_pinned_wherever_it_is_changed(number: int) -> None:
    """It is read and compared in pieces, and every one of them counts."""
    spec = flow(group("g", *(f"step-{n:04}" for n in range(1500)), parallel=True))
    lines = Recorder(spec).play(START).lines
    key = b"step-%04d" % number
    lines[0] = lines[0].replace(key, key.upper())
    with pytest.raises(ReplayDivergence, match=rf"expected 'step-{number:04}"):
        replay([lines[0], *relinked(lines, lambda _number, _row: None)[1:]])
    with pytest.raises(LogError, match="line 2: broken digest chain"):
        replay(lines)


def test_the_header_is_pinned_by_the_first_entry() -> None:
    """A header that was changed by accident is found."""
    lines = LOG.lines
    lines[0] = lines[0].replace(b'"at_ms":7', b'"at_ms":8')
    told = "line 2: broken digest chain: the line was changed, or the header before it"
    with pytest.raises(LogError, match=told):
        replay(lines)


# --- what cannot be read ---

HEADER, ENTRY = LOG.lines[0], LOG.lines[1]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "the log is empty"),
        ([b"\n"], "line 1: the line is blank"),
        ([b"{}\n"], "line 1: no header, expected a log of format 'conductor-log/1'"),
        ([ENTRY], "line 1: no header"),
        ([b"[1]\n"], r"line 1: expected a mapping, got \[1\]"),
        (
            [HEADER.replace(b"log/1", b"log/2")],
            "line 1: unknown format 'conductor-log/2', expected",
        ),
        ([b'{"log":["conductor-log/1"]}\n'], r"line 1: unknown format \['conductor-log/1'\]"),
        (
            [HEADER.replace(b'"semantics":1', b'"semantics":2')],
            "line 1: unknown semantics 2, expected 1",
        ),
        (
            [HEADER.replace(b'"semantics":1', b'"semantics":true')],
            "line 1: semantics: expected an integer, got True",
        ),
        ([HEADER.replace(b'"semantics":1,', b"")], "line 1: unknown semantics None, expected 1"),
        ([HEADER.replace(b'"flow_id":"flow"', b'"flow_id":"a b"')], "line 1: .*flow_id: 'a b'"),
        ([HEADER.replace(b'"key":"g1"', b'"key":"g2"')], r"line 1: spec\.groups\[1\]\.key: 'g2'"),
        ([HEADER.replace(b'"core"', b'"cor"')], "line 1: missing key 'core'; cor: unknown key"),
        ([HEADER, HEADER], "line 2: expected a line with one of seq, checkpoint, closed"),
        ([HEADER, b"\n", ENTRY], "line 2: the line is blank"),
        ([HEADER, b"   \n", ENTRY], "line 2: the line is blank"),
        ([HEADER, b"nonsense\n", ENTRY], "line 2: not JSON: expecting value at character 1"),
        ([HEADER, ENTRY[:-40] + b"\n"], "line 2: not JSON: invalid control character"),
        ([HEADER, ENTRY[:-40], ENTRY], "line 2: not JSON: unterminated string"),
        ([HEADER, b"[" * 100_000 + b"\n"], "line 2: nested more than 128 levels deep"),
        ([HEADER, b'{"seq":1,"seq":2}\n'], "line 2: duplicate key 'seq'"),
        ([HEADER, b'{"seq":NaN}\n'], "line 2: NaN is no JSON value"),
        ([HEADER, b'{"seq":"\xff"}\n'], "line 2: invalid UTF-8 at byte 9"),
        ([HEADER, b'{"seq":1}\n'], "line 2: missing key 'event'"),
        ([HEADER, b'{"seq":1,"event":{}}\n'], "line 2: event: missing key 'type'"),
        ([HEADER, ENTRY.replace(b'"at_ms":0', b'"at_ms":"0"')], "line 2: event.at_ms: expected an"),
        ([HEADER, ENTRY.replace(b'"verdict":"accepted"', b'"verdict":"ok"')], "line 2: verdict: "),
        (
            [HEADER, ENTRY.replace(b'"attempt":"plan#1",', b"")],
            r"line 2: commands\[0\]: missing key 'attempt'",
        ),
        ([HEADER, ENTRY.replace(b'"seq":1', b'"seq":2')], "line 2: seq is 2, expected 1"),
        ([HEADER, ENTRY.replace(b'"seq":1', b'"seq":1.0')], "line 2: seq: expected an integer"),
        ([HEADER, ENTRY.replace(b'"digest":', b'"digset":')], "line 2: .*'digest'"),
        ([HEADER, ENTRY.replace(b'"digest":"', b'"x":1,"digest":"')], "line 2: x: unknown key 'x'"),
        ([HEADER, ENTRY, ENTRY], "line 3: seq is 1, expected 2"),
        ([HEADER, LOG.lines[2]], "line 2: seq is 2, expected 1"),
        ([*LOG.lines[:2], *LOG.lines[3:]], "line 3: seq is 3, expected 2"),
        ([HEADER, b'{"checkpoint":1,"state":"x","digest":"y"}\n'], "line 2: checkpoint is 1, exp"),
        ([HEADER, b'{"checkpoint":0,"digest":"y"}\n'], "line 2: missing key 'state'"),
        ([HEADER, b'{"closed":0,"state":"x","digest":"y"}\n'], "line 2: the log is closed, but"),
    ],
)
def test_anything_else_is_an_error_with_its_line(lines: list[bytes], problem: str) -> None:
    """One clear error for each way in which a file can be no log."""
    with pytest.raises(LogError, match=problem) as caught:
        replay(lines)
    assert not isinstance(caught.value, LogTruncated)


def test_a_line_that_is_too_long_is_not_looked_at() -> None:
    """A file of another kind does no harm but its first piece."""
    with pytest.raises(LogError, match="line 2: the line is longer than 67108864 bytes"):
        replay([HEADER, b" " * (LONGEST_LINE + 1)])


# --- the last line ---


@pytest.mark.parametrize("missing", range(2, 60))
def test_a_last_line_that_was_cut_off_is_reported(missing: int) -> None:
    """A crash while writing costs the entry that was being written and no other."""
    text = Recorder().play(*STORY[:2]).text.encode()
    whole = Recorder().play(*STORY[:1])
    result = replay(text[:-missing].splitlines(keepends=True))
    assert isinstance(result.truncated, LogTruncated)
    assert result.truncated.line == 3
    assert result.state == whole.state
    assert result.size == len(whole.text.encode())


def test_a_last_line_may_be_cut_in_the_middle_of_a_character() -> None:
    """Half a character, or the zeros of a crashed file system, are no worse than half a line."""
    whole = Recorder().play(*STORY[:1])
    line = Recorder().play(*STORY[:2]).lines[2]
    half = line[: line.index("é".encode()) + 1]
    for tail in (half, b"\x00" * 512, b"{", b" "):
        result = replay([*whole.lines, tail])
        assert result.truncated is not None
        assert result.state == whole.state


def test_a_header_that_was_cut_off_is_no_log() -> None:
    """Without a header there is nothing to go on from."""
    with pytest.raises(LogTruncated, match="line 1: the last line is cut off"):
        replay([HEADER[:-10]])


def test_a_last_line_that_only_lacks_its_newline_counts() -> None:
    """It is whole, so it is verified; who writes on begins a new line first."""
    recorder = Recorder().play(*STORY[:2])
    result = replay(recorder.text.encode()[:-1].splitlines(keepends=True))
    assert result.truncated is None
    assert result.state == recorder.state
    writer = LogWriter.resume(result)
    more = writer.entry(STORY[2], reduce(result.state, STORY[2]))
    assert replay((recorder.text[:-1] + more).encode().splitlines(keepends=True)).entries == 3
    assert more.startswith("\n{")


# --- going on ---


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_a_writer_that_resumes_writes_the_same_bytes(cut: int) -> None:
    """A log that was interrupted anywhere ends as one that never was."""
    recorder = Recorder().play(*STORY[:cut])
    result = replay(recorder.lines)
    recorder.writer = LogWriter.resume(result)
    recorder.state = result.state
    assert recorder.play(*STORY[cut:]).close().text == LOG.text


def test_a_torn_log_is_cut_and_goes_on() -> None:
    """A file is cut to the size that replay gives, and written on."""
    torn = LOG.text.encode()[:-200]
    result = replay(torn.splitlines(keepends=True))
    writer = LogWriter.resume(result)
    more = writer.entry(STORY[-1], reduce(result.state, STORY[-1])) + writer.close(LOG.state)
    assert torn[: result.size] + more.encode() == LOG.text.encode()


# --- the end ---


def test_only_the_log_of_a_finished_flow_is_closed() -> None:
    """Closing says that nothing more will come, which only a finished flow can say."""
    with pytest.raises(LogError, match="only the log of a finished flow can be closed"):
        Recorder().play(START).close()


def test_closing_twice_is_closing_once() -> None:
    """A host that closes again after a restart writes nothing."""
    recorder = Recorder().play(*STORY).close()
    assert recorder.writer.close(recorder.state) == ""
    assert LogWriter.resume(replay(recorder.lines)).close(recorder.state) == ""


def test_what_changes_nothing_leaves_no_line_after_the_end() -> None:
    """Late facts and requests do not open a log that was closed."""
    recorder = Recorder().play(*STORY).close()
    before = recorder.text
    assert recorder.play(START, succeeded("apply#1"), answered("plan")).text == before


def test_a_rerun_opens_the_log_again() -> None:
    """A flow that is revived goes on in the same log, which may end a second time (S10.5)."""
    recorder = Recorder().play(*STORY).close().play(*RERUN, START)
    open_again = replay(recorder.lines)
    assert not open_again.closed
    assert open_again.state == recorder.state
    assert recorder.state.run == 2
    closed_again = replay(recorder.close().lines)
    assert closed_again.closed
    assert closed_again.entries == len(STORY) + len(RERUN) + 1


def test_nothing_but_a_rerun_follows_the_end() -> None:
    """What a writer would not have written after the end is refused."""
    late = Recorder().play(*STORY, START).lines[len(STORY) + 1]

    def nothing(_number: int, _row: dict[str, Any]) -> None:
        pass

    for line in (late, LOG.lines[-1], LOG.lines[-1].replace(b"closed", b"checkpoint")):
        with pytest.raises(LogError, match="line 9: only a rerun may follow the end of the log"):
            replay(relinked([*LOG.lines, line], nothing))


# --- checkpoints ---


def kinds(recorder: Recorder) -> list[str]:
    """The first key of every line."""
    return [line[2 : line.index(b'"', 2)].decode() for line in recorder.lines]


def test_a_checkpoint_comes_every_thousand_entries() -> None:
    """In a small flow the whole state is pinned after 1,000 entries, and again."""
    recorder = Recorder().play(START, *[START] * 2499)
    assert [number for number, kind in enumerate(kinds(recorder)) if kind == "checkpoint"] == [
        1001,
        2002,
    ]
    result = replay(recorder.lines)
    assert result.entries == 2500
    checkpoint = json.loads(recorder.lines[1001])
    assert checkpoint["checkpoint"] == 1000
    assert checkpoint["state"] == state_digest(recorder.state)


def test_a_large_flow_is_pinned_less_often() -> None:
    """As many entries pass as there are attempts, so that the cost of pinning stays linear."""
    spec = flow(group("g", *(f"s{number}" for number in range(1500)), parallel=True))
    recorder = Recorder(spec).play(START, *[START] * 1499)
    assert kinds(recorder).index("checkpoint") == 1501


def test_a_flow_that_grows_is_counted_anew() -> None:
    """Attempts that came later put the checkpoint off, and it comes all the same."""
    more = group("more", *(f"s{number}" for number in range(1200)))
    append = events.AppendRequested(at_ms=1, by="ann", groups=(more,))
    recorder = Recorder().play(START, append, *[START] * 2500)
    assert kinds(recorder).index("checkpoint") == 2001


@pytest.mark.parametrize("cut", [999, 1000, 1001, 1500])
def test_checkpoints_stay_in_step_when_a_writer_resumes(cut: int) -> None:
    """Where the next checkpoint stands does not depend on interruptions, nor on lost ones."""
    whole = Recorder().play(*[START] * 2200)
    recorder = Recorder().play(*[START] * cut)
    result = replay(recorder.lines)
    recorder.writer, recorder.state = LogWriter.resume(result), result.state
    assert recorder.play(*[START] * (2200 - cut)).text == whole.text
    lost = replay(whole.lines[:1001])
    event = whole.lines[1001 + 1]
    assert event.startswith(b'{"seq":1001')
    late = LogWriter.resume(lost).entry(START, reduce(lost.state, START))
    assert late.splitlines()[1].startswith('{"checkpoint":1001')


# --- a log of accepted events ---


def test_a_log_may_hold_accepted_events_only() -> None:
    """A log that is rebuilt from another engine's history says so in its header."""
    recorder = Recorder(accepted_only=True).play(*STORY).close()
    verdicts = [json.loads(line).get("verdict") for line in recorder.lines[1:-1]]
    assert verdicts == ["accepted"] * 4
    result = replay(recorder.lines)
    assert result.header.accepted_only
    assert result.state == LOG.state


def test_a_log_of_accepted_events_holds_no_others() -> None:
    """What the header rules out is refused."""

    def change(number: int, row: dict[str, Any]) -> None:
        if number == 0:
            row["accepted_only"] = True

    with pytest.raises(LogError, match="line 5: the header says that only accepted events"):
        replay(relinked(LOG.lines, change))


# --- reading without replay ---


def test_a_log_can_be_read_without_replay() -> None:
    """Every line comes as a record, and nothing is reduced."""
    header, *lines, closed = list(read_log(LOG.lines))
    assert isinstance(header, Header)
    assert header.spec == SPEC
    entries = [line for line in lines if isinstance(line, Entry)]
    assert tuple(entry.event for entry in entries) == STORY
    assert [entry.verdict for entry in entries] == [
        Accepted(),
        Accepted(),
        Accepted(),
        Rejected("not-awaiting-approval"),
        Ignored("already-started"),
        Accepted(),
    ]
    assert isinstance(closed, Closed)
    assert closed.closed == len(STORY)


def test_reading_finds_what_is_no_log() -> None:
    """Malformed lines are errors here too; a cut-off end comes after all that is whole."""
    with pytest.raises(LogError, match="line 2: event: missing key 'type'"):
        list(read_log([HEADER, ENTRY.replace(b'"type":"flow-started",', b"")]))
    with pytest.raises(LogError, match="line 2: expected a line with one of"):
        list(read_log([HEADER, b"{}\n"]))
    lines = read_log([HEADER, ENTRY, ENTRY[:50]])
    assert [type(next(lines)) for _ in range(2)] == [Header, Entry]
    with pytest.raises(LogTruncated, match="line 3"):
        next(lines)
    checkpoint = b'{"checkpoint":1,"state":"x","digest":"y"}\n'
    assert list(read_log([HEADER, checkpoint]))[1] == Checkpoint(
        checkpoint=1, state="x", digest="y"
    )


# --- the whole of it ---


def finished(state: FlowState) -> bool:
    """Whether a run is over."""
    return state.outcome is not None


def test_a_cancelled_flow_and_one_with_many_runs_replay() -> None:
    """Logs of other endings are logs like any other."""
    options = FlowOptions(on_failure="await-retry")
    spec = flow(group("g", "a", "b"), options=options)
    stopped = Recorder(spec).play(START, failed("a#1"), retried("a"), cancelled(reason="late"))
    stopped.play(events.StepFinished(at_ms=9, attempt="a#2", outcome="cancelled")).close()
    assert finished(replay(stopped.lines).state)
    revived = Recorder().play(*STORY, *RERUN).close()
    assert replay(revived.lines).state.run == 2
