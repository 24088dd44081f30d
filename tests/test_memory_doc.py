"""What docs/memory.md shows is what happens."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from conductor_adapters import metrics, observing
from conductor_adapters.handle import FlowHandle
from conductor_adapters.memory import MemoryHost
from conductor_adapters.waiting import CLOSE_GRACE_S
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import FlowSpec, events, initial_state, reduce
from conductor_core.commands import GenerateSteps, RequestApproval
from tests.documents import LINK, ROOT, check_prints, first_column, public

MEMORY_PATH = ROOT / "docs" / "memory.md"
MEMORY = MEMORY_PATH.read_text(encoding="utf-8")
WORD = re.compile(r"`([\w.]+)[`(=]")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger that the last block listens to, as it was before."""
    level, handlers = observing.LOGGER.level, observing.LOGGER.handlers[:]
    yield observing.LOGGER
    observing.LOGGER.setLevel(level)
    observing.LOGGER.handlers[:] = handlers


@pytest.mark.usefixtures("logger")
def test_the_code_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks run one after another, and print the blocks of text below them."""
    pytest.importorskip("fcntl")
    monkeypatch.chdir(tmp_path)
    check_prints(MEMORY_PATH)


def test_all_that_a_handler_may_ask_of_its_context_is_listed() -> None:
    """The table has every attribute but the command, which holds what others hold, and whole."""
    asked = public(StepContext) - {"command", "flow_metadata", "cancellation"}
    assert first_column(MEMORY, "`StepContext`", WORD) - {"cancellation.wait"} == asked


def test_the_flags_of_a_failure_are_those_that_are_listed() -> None:
    """The table has every argument of a StepFailure but its message."""
    flags = inspect.signature(StepFailure).parameters.keys() - {"message"}
    assert first_column(MEMORY, "flag", WORD) == flags


def test_every_verb_is_listed() -> None:
    """The table has every verb of a handle; `send` is what they are made of."""
    assert first_column(MEMORY, "verb", WORD) == public(FlowHandle) - {"send"}


def test_every_verb_takes_who_asks_and_an_id() -> None:
    """What the text says of all verbs is true of each."""
    for verb in public(FlowHandle) - {"send"}:
        assert inspect.signature(getattr(FlowHandle, verb)).parameters.keys() > {"by", "request_id"}


def test_every_code_and_rule_is_one_of_the_semantics() -> None:
    """A code or a number of a rule that is named stands in docs/semantics.md."""
    semantics = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
    rows = MEMORY.partition("\n| verb | ")[2].partition("\n\n## ")[0]
    codes = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", rows))
    assert len(codes) > 10
    assert [code for code in codes if f"`{code}`" not in semantics] == []
    rules = re.findall(r"\bS\d+\.\d+\b", MEMORY)
    assert [rule for rule in rules if not re.search(rf"\b{rule}\b", semantics)] == []


@pytest.mark.parametrize("record", [StepResult, GenerateSteps, RequestApproval])
def test_every_field_of_a_record_is_named(record: type) -> None:
    """Where a record is explained, each of its fields is."""
    text = MEMORY.partition(f"`{record.__name__}`")[2].partition("\n\n")[0]
    fields = [field.name for field in attrs.fields(record)]
    assert [name for name in fields if f"`{name}`" not in text] == []


def test_the_measures_are_those_of_the_code() -> None:
    """The table is the one in the code, row for row."""
    assert metrics.__doc__ is not None
    rows = [row for row in metrics.__doc__.splitlines() if row.startswith("|")]
    assert "\n".join(rows) in MEMORY


def test_the_fields_of_a_record_are_those_that_are_listed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A log record has each field that is named, beside those that every record has."""
    caplog.set_level(logging.INFO, observing.LOGGER.name)
    event = events.FlowStarted(at_ms=0)
    observing.log_entry(event, reduce(initial_state(FlowSpec(), "f"), event))
    (record,) = caplog.records
    usual = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}
    (listed,) = re.findall(r"The records have fields: (.*?)\.", MEMORY)
    assert record.__dict__.keys() - usual == set(WORD.findall(listed))


def test_the_defaults_are_those_that_hold() -> None:
    """The number of threads and the grace of a host that closes."""
    threads = inspect.signature(MemoryHost).parameters["threads"].default
    assert f"MemoryHost(threads={threads})" in MEMORY
    assert f"with {CLOSE_GRACE_S:g} seconds of grace" in MEMORY


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(MEMORY)
    assert [link for link in links if not Path(ROOT / "docs" / link).exists()] == []
