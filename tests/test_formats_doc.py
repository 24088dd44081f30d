"""What `docs/formats.md` shows is what happens, and what it lists is all there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from conductor_adapters.cli.documents import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_document
from conductor_adapters.cli.pytest_plugin import SUFFIXES
from conductor_core.codec import decode_flow
from conductor_core.events import PolicyReport, StepError, StepFinished
from conductor_core.flowfile import SHELL_KEYS
from conductor_core.payload import Payload
from conductor_core.schema_words import SHELL_WORDS, WORDS
from conductor_core.spec import (
    FLOW_ID,
    KEY,
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.testing import (
    action_format,
    answer_format,
    expectation_format,
    scenario_words,
)
from conductor_core.testing.scenario_schema import scenario_schema
from conductor_core.testing.scenario_world import MOST_EVENTS
from conductor_core.testing.scenarios import Scenario

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = {
    text.partition("\n")[0].removeprefix("# "): text for kind, text in BLOCKS if kind == "yaml"
}
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]


def rows(title: str) -> dict[str, list[str]]:
    """The keys of the first table after a title, and what stands in its other columns."""
    after = TEXT.partition(f"\n{title}")[2]
    lines = after[after.index("\n|") + 1 :].partition("\n\n")[0].splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines[2:]]
    return {first.strip("`"): others for first, *others in cells}


def table(title: str) -> dict[str, str]:
    """The keys of the first table after a title, and what stands in its second column."""
    return {key: second.strip("`") for key, (second, *_) in rows(title).items()}


def meanings(title: str) -> dict[str, str]:
    """The keys of the first table after a title, and what they mean."""
    return {key: others[-1] for key, others in rows(title).items()}


def default_of(field: attrs.Attribute[Any]) -> str:
    """The default of a field as a file would write it."""
    value = field.default
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, Payload):
        return value.text
    if attrs.has(type(value)):
        return "{}"
    return value if isinstance(value, str) else json.dumps(value)


def defaults(record: type[Any]) -> dict[str, str]:
    """The fields of a record with their defaults."""
    return {field.name: default_of(field) for field in attrs.fields(record)}


def test_the_flow_file_is_one() -> None:
    """The example is a flow with everything that it says."""
    spec = decode_flow(parse_document(FILES["deploy.yaml"].encode(), "deploy.yaml").data)
    assert spec.type == "deploy"
    plan = spec.groups[0].steps[0]
    assert plan.approval == ApprovalSpec(
        required=2, approvers=["ana", "bo", "cy"], timeout_ms=86_400_000
    )
    assert (plan.work, plan.input.value) == ("shell", {"run": "terraform plan -out=tf.plan"})


@pytest.mark.parametrize("block", CONSOLE)
def test_the_commands_print_what_they_say(tmp_path: Path, block: str) -> None:
    """Each command prints what stands below it, and ends with the code of its table."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command, _, expected = block.removeprefix("$ conductor ").partition("\n")
    code = "from conductor_adapters.cli.main import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.stdout == expected
    assert run.returncode == (2 if "bad file" in expected else int("FAILED" in expected))


def test_every_file_is_shown_at_work() -> None:
    """A scenario file that is shown is one that a command plays."""
    played = {block.split()[4] for block in CONSOLE if " scenario run " in block}
    assert played == FILES.keys() - {"deploy.yaml"}


@pytest.mark.parametrize(
    ("title", "record", "differences"),
    [
        ("**`options`**", FlowOptions, {}),
        ("**A group**", GroupSpec, {"steps": "required"}),
        ("**A step**", StepSpec, dict.fromkeys(SHELL_KEYS, "none")),
        ("**`retry`**", RetryPolicy, {}),
        ("**`approval`**", ApprovalSpec, {}),
    ],
)
def test_every_key_of_a_flow_is_listed_with_its_default(
    title: str, record: type[Any], differences: dict[str, str]
) -> None:
    """A table has every key that may be given, and no other."""
    assert table(title) == {**defaults(record), **differences}


def test_every_key_of_the_flow_itself_is_listed() -> None:
    """The flow's type stands under `flow`."""
    fields = {"flow" if name == "type" else name: it for name, it in defaults(FlowSpec).items()}
    assert table("**The flow**") == {**fields}


def test_every_key_of_a_scenario_is_listed() -> None:
    """A scenario has the keys of the table, and no other."""
    assert table("**A scenario**").keys() == attrs.fields_dict(Scenario).keys()


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("**`options`**", WORDS[FlowOptions]),
        ("**A group**", WORDS[GroupSpec]),
        ("**A step**", {**WORDS[StepSpec], **SHELL_WORDS}),
        ("**`retry`**", WORDS[RetryPolicy]),
        ("**`approval`**", WORDS[ApprovalSpec]),
        ("**A scenario**", scenario_words.SCENARIO),
        ("### Actions", scenario_words.ACTION),
        ("### Expectations", scenario_words.TOPIC),
    ],
)
def test_a_key_means_what_an_editor_shows(title: str, words: Mapping[str, str]) -> None:
    """The tables have the words that the schemas carry into editors."""
    assert meanings(title) == words


def test_keys_that_are_renamed_or_left_out_mean_the_same_too() -> None:
    """The flow's type stands under `flow`; a result of work names no attempt."""
    flow, result = meanings("**The flow**"), meanings("### `work` and `generate`")
    assert flow == {("flow" if key == "type" else key): it for key, it in WORDS[FlowSpec].items()}
    assert result == {name: scenario_words.RESULT[name] for name in answer_format.RESULT}


@pytest.mark.parametrize(
    ("title", "part"), [("**A scenario**", "scenario"), ("### `work` and `generate`", "result")]
)
def test_the_defaults_are_those_of_the_schema(title: str, part: str) -> None:
    """What is left out has the same default in the table and in an editor."""
    schema = scenario_schema()["$defs"][part]
    defaults = {key: json.dumps(it.get("default")) for key, it in schema["properties"].items()}
    required = dict.fromkeys(schema.get("required", ()), '"required"')
    listed = {key: "null" if it == "none" else it.strip('"') for key, it in table(title).items()}
    assert {key: it.strip('"') for key, it in {**defaults, **required}.items()} == listed


def test_every_field_of_a_result_is_listed_with_its_default() -> None:
    """A result may say whatever step-finished does, and succeeds unless it says otherwise."""
    listed = table("### `work` and `generate`")
    known = {**defaults(StepFinished), "outcome": "succeeded"}
    assert listed == {name: known[name] for name in answer_format.RESULT}
    for record in (StepError, PolicyReport):
        assert f"`{{{', '.join(attrs.fields_dict(record))}}}`" in TEXT


def test_every_action_is_listed() -> None:
    """The table of actions has all of them, and no other."""
    assert set(table("### Actions")) == set(action_format.NAMES)


def test_every_field_of_an_action_is_listed() -> None:
    """Whatever an action may be given is named in its row."""
    rows = {
        name: line
        for line in TEXT.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    for name in ("approve", "respond", "rerun", "pause", "resume"):
        for field in action_format.FORMS[name].named:
            assert re.search(rf"\b{field}\b", rows[name]), (name, field)
    for field in action_format.CANCEL.named:
        assert re.search(rf"\b{field}\b", rows["cancel"]), field


def test_every_expectation_is_listed() -> None:
    """The table of expectations has all of them, and no other."""
    assert table("### Expectations").keys() == expectation_format.FORMS.keys()


def test_the_limits_are_those_that_hold() -> None:
    """Every number and pattern in the text is the one in the code."""
    for limit in (MAX_BYTES, MAX_NODES, MAX_DEPTH, MOST_EVENTS):
        assert re.search(rf"\b{limit:,}\b", TEXT)
    for pattern in (KEY, FLOW_ID):
        assert f"`{pattern.pattern}`" in TEXT
    for suffix in SUFFIXES:
        assert f"`*{suffix}`" in TEXT


def test_the_settings_of_an_editor_name_what_the_commands_write() -> None:
    """The schemas that an editor is pointed at are the files that are written above."""
    [settings] = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    named = {*settings["yaml.schemas"], *(it["url"] for it in settings["json.schemas"])}
    written = {block.split()[-1] for block in CONSOLE if " schema " in block}
    assert {name.removeprefix("./") for name in named} == written
    assert all(name in written for name in re.findall(r"\$schema=(\S+)", TEXT))


def test_links_lead_somewhere() -> None:
    """A link leads to a document that exists."""
    assert [name for name in re.findall(r"\]\(([^)#]+)", TEXT) if not (DOCS / name).exists()] == []
