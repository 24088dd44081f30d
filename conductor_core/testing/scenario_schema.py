"""The JSON Schema (draft 2020-12) of scenario files, made from what their readers are made of.

Rule: which keys there are comes from the tables of the readers, the fields of events from
their declarations, what a key means from `scenario_words`. A schema is never stricter than
the reader; what it cannot say is listed in its description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never, get_type_hints

import attrs

from conductor_core import closed as readers
from conductor_core import codec, schema_words
from conductor_core.attempt import AttemptStatus
from conductor_core.directives import Directive
from conductor_core.events import PolicyReport, StepError, StepFinished
from conductor_core.schema import (
    COUNT,
    DIALECT,
    MAPPING,
    NAME,
    NULL,
    TEXT,
    TRUTH,
    UNTOLD,
    Schema,
    choice,
    closed,
    default_of,
    described,
    either,
    flow_definitions,
    kind_schema,
    list_of,
    matching,
    record_schema,
    reference,
    summary,
    told,
    unjudged_groups,
    values_of,
)
from conductor_core.spec import FLOW_ID, MOST
from conductor_core.state import FLOW_STATUSES
from conductor_core.testing import scenario_words as words
from conductor_core.testing.action_format import CANCEL, FORMS, NAMES, Form
from conductor_core.testing.answer_format import OK, RESULT
from conductor_core.testing.expectation_format import (
    ATTEMPT_ID,
    GROUP_STATUSES,
    Absent,
    Each,
    One,
)
from conductor_core.testing.expectation_format import FORMS as TOPICS
from conductor_core.testing.scenarios import FORMAT, Scenario, Topic

UNJUDGED: Final = "delivered-"
"""Groups that are delivered or appended may be wrong on purpose: the flow gives the verdict."""

MORE_UNTOLD: Final = (
    "that names of scenarios are unique; that a step or group that is named exists; that only "
    "the first action may be `start: no`; that a chain of causes is short"
)

# --- answers ---

RECORDS: Final[Mapping[Any, str]] = {StepError: "error", PolicyReport: "policy"}
ATTEMPT: Final = matching(ATTEMPT_ID)
GROUPS: Final = list_of(reference(f"{UNJUDGED}group"))


def _answers() -> Schema:
    """The schemas of what work returns and generation delivers."""
    wait = {"minimum": 0, "maximum": MOST}
    limits = {"retry_after_ms": wait}
    return {
        "entry": told(
            words.ENTRY, {"anyOf": [choice("ok", "fail", "cancelled", "hold"), reference("result")]}
        ),
        "result": closed(_result_fields()),
        "error": record_schema(StepError, schema_words.ERROR, limits=limits, names=RECORDS),
        "policy": record_schema(PolicyReport, schema_words.POLICY, limits={}, names=RECORDS),
        "generate": {
            "anyOf": [
                GROUPS,
                _one_of({"partial": GROUPS, "fail": TEXT}, words.GENERATE),
            ]
        },
    }


def _result_fields() -> Schema:
    """The fields of step-finished that a file may give, with what they are when it does not."""
    kinds = get_type_hints(StepFinished)
    fields: Schema = {}
    for name in RESULT:
        schema = MAPPING if name == "metadata" else kind_schema(kinds[name], RECORDS)
        fields[name] = told(words.RESULT[name], schema, default=default_of(getattr(OK, name)))
    return fields


def _one_of(properties: Mapping[str, Schema], meanings: Mapping[str, str]) -> Schema:
    """A mapping with exactly one of these keys."""
    parts = {key: told(meanings[key], schema) for key, schema in properties.items()}
    return {**closed(parts), "minProperties": 1, "maxProperties": 1}


# --- actions ---


def _form(form: Form) -> Schema:
    """What an action that sends one event is written as."""
    fields = closed(dict(_form_fields(form)), form.required)
    if form.bare is None:
        return fields
    return {"anyOf": [TEXT, fields]} if form.named else TEXT


def _form_fields(form: Form) -> Iterator[tuple[str, Schema]]:
    """The fields that a mapping may give, with what they are when it does not."""
    kinds = get_type_hints(form.event)
    fields = attrs.fields_dict(form.event)
    for key, field in form.named.items():
        counted = field.reader is readers.count
        schema = COUNT if counted else kind_schema(kinds[field.of], {})
        default = form.given.get(field.of, fields[field.of].default)
        known = {} if default is attrs.NOTHING else {"default": default_of(default)}
        yield key, told(words.FIELD[key], schema, **known)


def _fields(properties: Mapping[str, Schema], *required: str) -> Schema:
    """A mapping of the fields of an action."""
    return closed({key: told(words.FIELD[key], it) for key, it in properties.items()}, required)


def _finish() -> Schema:
    """An attempt with its result."""
    return closed({"attempt": told(words.RESULT["attempt"], TEXT), **_result_fields()}, ["attempt"])


def _continue_as_new() -> Schema:
    fact = choice("suggest", "continued")
    return {"anyOf": [fact, _fields({"fact": fact, "incarnation": either(COUNT, NULL)}, "fact")]}


NOT_STARTED: Final = ("no", False)


def _deeds() -> Mapping[str, Schema]:
    """What each action is written as."""
    return {
        **{name: _form(form) for name, form in FORMS.items()},
        "cancel": {**_form(CANCEL), "not": {"required": ["group", "step"]}},
        "append": GROUPS,
        "start": choice("yes", True, *NOT_STARTED),
        "generated": {"anyOf": [GROUPS, _fields({"groups": GROUPS, "complete": TRUTH}, "groups")]},
        "generation-failed": TEXT,
        "finish": _finish(),
        "advance": COUNT,
        "continue-as-new": _continue_as_new(),
        "snapshot": closed({}),
    }


def _verdict() -> Schema:
    """A verdict as it is expected."""
    refusal = _one_of({"rejected": NAME, "ignored": NAME}, words.FIELD)
    return {"anyOf": [{"const": "accepted"}, refusal]}


def _action() -> Schema:
    """One action, with what is expected of it where it has a verdict."""
    deeds = _deeds()
    beside = {"expect": _verdict(), "check": reference("expectation")}
    properties = {
        **{name: told(words.ACTION[name], deeds[name]) for name in NAMES},
        **{name: told(words.BESIDE_ACTION[name], schema) for name, schema in beside.items()},
    }
    silent = {"properties": {"expect": False}}
    never_starts = {"properties": {"start": choice(*NOT_STARTED)}}
    return {
        **closed(properties),
        "oneOf": [{"required": [name]} for name in NAMES],
        "dependentSchemas": {
            "advance": silent,
            "snapshot": silent,
            "start": {"if": never_starts, "then": silent},
        },
    }


# --- expectations ---

CLAIMED: Final[Mapping[Topic, Schema]] = {
    "flow": choice(*FLOW_STATUSES),
    "reason": either(TEXT, NULL),
    "step": either(ATTEMPT, NULL),
    "message": either(TEXT, NULL),
    "retries_exhausted": TRUTH,
    "steps": choice(*(status.value for status in AttemptStatus)),
    "directives": choice(*(directive.value for directive in Directive), None),
    "groups": choice(*GROUP_STATUSES),
    "dispatched": list_of(ATTEMPT),
    "attempts": COUNT,
    "timers": list_of(TEXT),
    "approvals": list_of(ATTEMPT),
    "commands": COUNT,
    "absent": ATTEMPT,
    "inputs": MAPPING,
}
"""What may be claimed of each topic, or of each thing under it."""


def _expectation() -> Schema:
    """A mapping of topics to what is claimed."""
    return closed({topic: told(words.TOPIC[topic], _topic(topic)) for topic in TOPICS})


def _topic(topic: Topic) -> Schema:
    """What is written under a topic."""
    form, claimed = TOPICS[topic], CLAIMED[topic]
    match form:
        case One():
            return claimed
        case Absent():
            return list_of(claimed)
        case Each() if topic == "commands":
            return closed(dict.fromkeys(codec.COMMANDS, claimed))
        case Each(key=key):
            names = {"propertyNames": ATTEMPT} if key is not readers.text else {}
            return {**values_of(claimed), **names}
        case _:
            assert_never(form)


# --- scenarios ---


def _scenario() -> Schema:
    """One scenario."""
    parts: Mapping[str, Schema] = {
        "name": NAME,
        "spec": {**TEXT, "default": ""},
        "flow": reference("flow"),
        "flow_id": {**matching(FLOW_ID), "default": "flow"},
        "work": {**values_of(told(words.SCRIPT, list_of(reference("entry")))), "default": {}},
        "generate": reference("generate"),
        "ignores_cancel": {**list_of(TEXT), "default": []},
        "hold_continue_as_new": {**TRUTH, "default": False},
        "do": {**list_of(reference("action")), "default": []},
        "expect": {**reference("expectation"), "default": {}},
    }
    properties = {key: told(words.SCENARIO[key], schema) for key, schema in parts.items()}
    return {"description": summary(Scenario), **closed(properties, ("name", "flow"))}


def scenario_schema() -> Schema:
    """The schema of a scenario file."""
    parts: Mapping[str, Schema] = {
        "format": {"const": FORMAT},
        "scenarios": {**list_of(reference("scenario")), "minItems": 1},
    }
    properties = {key: told(words.FILE[key], schema) for key, schema in parts.items()}
    what = "A scenario file tests flows without running anything."
    return {
        "$schema": DIALECT,
        "title": "conductor scenario file",
        "description": described(what, f"{MORE_UNTOLD}; and of flows {UNTOLD}"),
        **closed(properties, parts),
        "$defs": {
            "scenario": _scenario(),
            "action": _action(),
            "expectation": _expectation(),
            **_answers(),
            **flow_definitions(),
            **unjudged_groups(UNJUDGED),
        },
    }
