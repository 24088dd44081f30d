"""The references are what the code is, and what they show is so."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest
from attrs import evolve
from click.testing import CliRunner

from conductor_adapters.cli.main import COMMANDS, conductor
from conductor_core import codec, events, initial_state, reduce
from conductor_core.attempt import AttemptStatus
from conductor_core.log import LogWriter
from conductor_core.verdicts import Accepted
from docs.generating.command_line import commands_of
from docs.generating.exits import EXITS
from docs.generating.files import EXAMPLES
from docs.generating.markdown import RULE
from docs.generating.pages import FOLDER, made
from docs.generating.stories import STORIES, played
from docs.generating.transitions import transitions
from tests.documents import BLOCK, LINK, ROOT, sh

SEMANTICS: Final = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")


MADE: Final = made()
PAGES: Final = sorted(name for name in MADE if name.endswith(".md"))


def text_of(name: str) -> str:
    """A reference as it is committed."""
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MADE)
def test_a_page_is_what_the_code_makes_of_it(name: str) -> None:
    """Whoever changed what a page is made from ran `python -m docs.generating`."""
    if name == "python.md" and sys.version_info[:2] != (3, 11):
        pytest.skip("signatures read otherwise on other Pythons")
    assert MADE[name] == text_of(name)


def test_no_other_pages_are_there() -> None:
    """A reference that nobody makes any more is gone."""
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """A link of a reference leads to a file that exists."""
    assert [link for link in LINK.findall(text_of(name)) if not (FOLDER / link).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_rule_that_is_cited_is_one(name: str) -> None:
    """A reference cites only rules that docs/semantics.md has."""
    rules = {match[0] for match in RULE.finditer(SEMANTICS)}
    chapters = {f"S{number}" for number in re.findall(r"^## (\d+)\.", SEMANTICS, re.MULTILINE)}
    assert {match[0] for match in RULE.finditer(text_of(name))} <= rules | chapters


def test_every_status_of_an_attempt_is_come_to() -> None:
    """The flows that are searched for the diagrams lead everywhere."""
    seen = {status for pair in transitions()["attempt"] for status in pair}
    assert seen >= {str(status) for status in AttemptStatus}


# --- events and commands ---


def shown(name: str) -> list[dict[str, Any]]:
    """The examples of a page."""
    return [json.loads(text) for language, text in BLOCK.findall(text_of(name)) if language]


def test_every_event_has_an_example_that_is_read_and_written() -> None:
    """The example of an event is what its codec writes of what it reads."""
    examples = shown("events.md")
    assert [it["type"] for it in examples] == list(codec.EVENTS)
    assert [codec.encode_event(codec.decode_event(it)) for it in examples] == examples


def test_every_command_has_an_example_that_is_read_and_written() -> None:
    """The example of a command is what its codec writes of what it reads."""
    examples = shown("commands.md")
    assert [it["type"] for it in examples] == list(codec.COMMANDS)
    assert [codec.encode_command(codec.decode_command(it)) for it in examples] == examples


def test_every_example_of_an_event_counts() -> None:
    """The stories that the examples are from have no event that is ignored or rejected."""
    for story in STORIES:
        for event, transition in played(story):
            assert transition.verdict == Accepted(), event


# --- files ---


def test_the_examples_of_files_are_such(tmp_path: Path) -> None:
    """The flow can run, the scenario passes, and what is claimed of the flow holds."""
    for name, text in EXAMPLES.items():
        (tmp_path / name.replace("-files.md", ".yaml")).write_text(text, encoding="utf-8")
    for command in (
        "conductor explain flow.yaml",
        "conductor scenario run scenario.yaml",
        "conductor check flow.yaml --checks checks.yaml",
    ):
        done = sh(tmp_path, command)
        assert done.returncode == 0, done.stdout


# --- the command line ---

GROUPS: Final = "groups: [{{key: g, steps: [{{key: a, {}}}]}}]"
FILES: Final[Mapping[str, str]] = {
    "good.yaml": GROUPS.format("run: 'true'"),
    "bad.yaml": GROUPS.format("run: 'false'"),
    "asks.yaml": GROUPS.format("run: 'true', approval: true"),
    "unknown.yaml": GROUPS.format("work: unheard-of"),
    "more.yaml": "groups: [{key: h, steps: [{key: b, run: 'true'}]}]",
    "right.scenario.yaml": """\
format: conductor-scenario/1
scenarios: [{name: right, flow: {groups: [{key: g, steps: [{key: a}]}]}, expect: {flow: success}}]
""",
    "wrong.scenario.yaml": """\
format: conductor-scenario/1
scenarios: [{name: wrong, flow: {groups: [{key: g, steps: [{key: a}]}]}, expect: {flow: error}}]
""",
    "wrong.checks.yaml": "{format: conductor-checks/1, claims: [{always: {flow: success}}]}",
}
PAUSE: Final = """--event '{"type": "pause-requested", "by": "ana"}'"""
STORY: Final[tuple[tuple[str, int], ...]] = (
    ("init first.yaml", 0),
    ("schema", 0),
    ("completion bash", 0),
    ("scenario run right.scenario.yaml", 0),
    ("scenario run wrong.scenario.yaml", 1),
    ("check good.yaml --processes 1", 0),
    ("check good.yaml --processes 1 --checks wrong.checks.yaml", 1),
    # Logs.
    ("run good.yaml --log good.jsonl --flow-id good", 0),
    ("run bad.yaml --log bad.jsonl --flow-id bad", 1),
    ("run asks.yaml --log asks.jsonl --flow-id asks", 3),
    ("explain good.jsonl", 0),
    ("graph good.jsonl", 0),
    ("html good.jsonl -o good.html", 0),
    ("export good.jsonl --format otlp-json", 0),
    ("replay good.jsonl", 0),
    ("diff good.jsonl good.jsonl", 0),
    ("diff good.jsonl bad.jsonl", 1),
    ("shrink bad.jsonl --keep status:error", 0),
    ("shrink good.jsonl --keep status:error", 1),
    (f"what-if good.jsonl --at 1 {PAUSE}", 0),
    (f"what-if asks.jsonl --at 2 {PAUSE}", 3),
    ("explain forged.jsonl", 1),
    ("graph forged.jsonl", 1),
    ("html forged.jsonl -o forged.html", 1),
    ("export forged.jsonl --format otlp-json", 1),
    ("replay forged.jsonl", 1),
    (f"what-if forged.jsonl --at 1 {PAUSE}", 1),
    # A store.
    ("start good.yaml --store flows.db --flow-id good", 0),
    ("worker --store flows.db --until-idle", 0),
    ("import bad.jsonl --store flows.db", 0),
    ("start asks.yaml --store flows.db --flow-id asks", 0),
    ("worker --store flows.db --until-idle", 3),
    ("list --store flows.db", 0),
    ("log good --store flows.db", 0),
    ("backup copy.db --store flows.db", 0),
    *((f"{look} good --store flows.db", 0) for look in ("status", "wait", "watch")),
    *((f"{look} bad --store flows.db", 1) for look in ("status", "wait", "watch")),
    ("status asks --store flows.db", 3),
    ("wait asks --store flows.db --no-people", 3),
    # Requests.
    ("pause asks --store flows.db", 0),
    ("resume asks --store flows.db", 0),
    ("approval-option asks prompt --store flows.db", 0),
    ("append asks more.yaml --store flows.db", 0),
    ("retry-plan asks a --store flows.db", 0),
    ("worker --store flows.db --until-idle", 3),
    ("approve asks --store flows.db", 0),
    ("start asks.yaml --store flows.db --flow-id denied", 0),
    ("start asks.yaml --store flows.db --flow-id skipped", 0),
    ("worker --store flows.db --until-idle", 3),
    ("skip-current skipped --store flows.db", 0),
    ("deny denied --store flows.db", 0),
    ("retry denied a --store flows.db", 0),
    ("worker --store flows.db --until-idle", 3),
    ("deny denied --store flows.db", 0),
    ("skip denied a --store flows.db", 0),
    ("rerun bad a --store flows.db", 0),
    ("worker --store flows.db --until-idle", 0),
    ("retry-group bad g --store flows.db", 0),
    ("import waits.jsonl --store flows.db", 0),
    ("retry-now waits apply --store flows.db", 0),
    ("cancel waits --store flows.db", 0),
    *(
        (f"{request} --store flows.db", 1)
        for request in (
            *("pause good", "resume good", "cancel good", "approval-option good prompt"),
            *("append good more.yaml", "retry good a", "skip good a", "rerun good a"),
            *("retry-group good g", "retry-now good a", "approve good a", "deny good a"),
            *("skip-current good a", "retry-plan good a"),
        )
    ),
    ("start unknown.yaml --store flows.db --flow-id unknown", 0),
    ("worker --store flows.db --until-idle", 1),
    ("vacuum --store flows.db --older-than 30d", 0),
)
"""Commands that are given one after another, and what each of them ends with."""
UNTRIED: Final = frozenset({("celery relay", 0), ("temporal worker", 0), ("ui", 0)})
"""What only whoever watches a server could end; other tests do."""


def names() -> list[str]:
    """The names of all commands, those of groups with theirs."""
    return [name for top in COMMANDS for name, _ in commands_of(top)]


def name_of(command: str) -> str:
    """The name of the command in a line."""
    words = shlex.split(command)
    return " ".join(words[:2]) if " ".join(words[:2]) in names() else words[0]


LATE_MS: Final = 4_102_444_800_000
"""A time that no clock of a test shows, so that no timer is due."""


def log_of(flow_id: str, history: Iterable[events.Event], *, silent: bool = False) -> str:
    """The log of a flow, or of a reducer that commands nothing, so that it diverges."""
    state = initial_state(STORIES[0][0], flow_id)
    writer = LogWriter(state, at_ms=0)
    text = writer.header()
    for told in history:
        event = evolve(told, at_ms=told.at_ms + LATE_MS)
        transition = reduce(state, event)
        text += writer.entry(event, evolve(transition, commands=()) if silent else transition)
        state = transition.state
    return text


LOGS: Final = {
    "forged.jsonl": log_of("forged", [events.FlowStarted(at_ms=0)], silent=True),
    "waits.jsonl": log_of("waits", STORIES[1][2][:5]),
}
"""One that diverges, and one of a flow that waits out a backoff."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")
def test_every_exit_code_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end with the codes that are told of them, and each of these is met."""
    monkeypatch.chdir(tmp_path)
    for file, text in {**FILES, **LOGS}.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    met = set()
    for command, code in STORY:
        done = CliRunner().invoke(conductor, shlex.split(command))
        assert done.exit_code == code, (command, done.output)
        met.add((name_of(command), code))
    told = {(name, code) for name, codes in EXITS.items() for code in codes}
    assert told - met - UNTRIED == {(name, code) for name, code in told if code in (2, 130)}
    assert met <= told


@pytest.mark.parametrize("name", names())
def test_what_cannot_be_used_is_told_with_the_same_code(name: str) -> None:
    """An option that is none ends every command with exit code 2, which is told of all."""
    done = CliRunner().invoke(conductor, [*name.split(), "--no-such-option"])
    assert (done.exit_code, 2 in EXITS[name]) == (2, True)


def test_every_option_is_told() -> None:
    """Whatever a command takes stands in its section."""
    sections = text_of("command-line.md").split("\n### conductor ")[1:]
    told = {section.partition("\n")[0]: section for section in sections}
    assert sorted(told) == sorted(names()) == sorted(EXITS)
    for top in COMMANDS:
        for name, context in commands_of(top):
            for option in (it for it in context.command.params if isinstance(it, click.Option)):
                assert all(word in told[name] for word in (*option.opts, *option.secondary_opts))
