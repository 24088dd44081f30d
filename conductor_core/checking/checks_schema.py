"""The JSON Schema (draft 2020-12) of checks files, made from what their readers are made of.

Rule: as for the other files: which words there are comes from the readers' tables, and a
schema is never stricter than the reader; what it cannot say is listed in its description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_type_hints

from attrs import fields

from conductor_core import schema_words
from conductor_core.checking.alphabet import (
    ALL_OPERATIONS,
    BY_NAME,
    OPTIONS,
    RESPONSES,
    Alphabet,
    Ending,
)
from conductor_core.checking.claims import FORMAT, KINDS, STEP_STATUSES
from conductor_core.checking.conditions import REASONS
from conductor_core.events import PolicyReport, StepError
from conductor_core.schema import (
    COUNT,
    DIALECT,
    NAME,
    TRUTH,
    Schema,
    choice,
    closed,
    described,
    kind_schema,
    list_of,
    matching,
    record_schema,
    reference,
    told,
    unjudged_groups,
)
from conductor_core.spec import KEY, MOST
from conductor_core.state import FLOW_STATUSES

UNTOLD: Final = (
    "that a step exists and has an approval that can be asked about; that the names of claims and "
    "endings are unique; that groups fit the flow"
)
CONDITION: Final = reference("condition")
RECORDS: Final[Mapping[Any, str]] = {StepError: "error", PolicyReport: "policy"}


def checks_schema() -> Schema:
    """The schema of a checks file."""
    file = closed(
        {
            "format": {"const": FORMAT},
            "alphabet": told("what may happen; what is left out suits the flow", _alphabet()),
            "claims": told("what is claimed of the flow", list_of(_claim())),
        },
        ("format",),
    )
    what = "A checks file says what may happen to a flow, and what is claimed of it."
    return {
        "$schema": DIALECT,
        "title": "conductor checks file",
        **file,
        "description": described(what, UNTOLD),
        "$defs": {
            "condition": _condition(),
            "ending": _ending(),
            "error": record_schema(
                StepError,
                schema_words.ERROR,
                limits={"retry_after_ms": {"minimum": 0, "maximum": MOST}},
                names=RECORDS,
            ),
            "policy": record_schema(PolicyReport, schema_words.POLICY, limits={}, names=RECORDS),
            **unjudged_groups(""),
        },
    }


def _alphabet() -> Schema:
    """The fields of an alphabet."""
    lists: Mapping[str, Schema] = {
        "endings": {**list_of(reference("ending")), "minItems": 1},
        "answers": _words(RESPONSES),
        "options": _words(OPTIONS),
        "operations": _words(ALL_OPERATIONS),
        "generated": list_of(reference("group")),
        "appended": list_of(reference("group")),
    }
    kinds = get_type_hints(Alphabet)
    plain = {bool: TRUTH, int: COUNT}
    return closed({f.name: lists.get(f.name) or plain[kinds[f.name]] for f in fields(Alphabet)})


def _words(words: Iterable[str]) -> Schema:
    return {**list_of(choice(*words)), "uniqueItems": True}


def _ending() -> Schema:
    """An ending by its name, or by its particulars."""
    kinds = get_type_hints(Ending)
    particulars = {
        f.name: NAME if f.name == "name" else kind_schema(kinds[f.name], RECORDS)
        for f in fields(Ending)
    }
    return {"anyOf": [choice(*BY_NAME), closed(particulars, ("name",))]}


def _claim() -> Schema:
    """A claim: a name, if it has one, and one of the kinds."""
    way = closed({"from": CONDITION, "to": CONDITION}, ("from", "to"))
    kinds = {kind: way if kind == "leads-to" else CONDITION for kind in KINDS}
    return {
        **closed({"name": NAME, **kinds}),
        "oneOf": [{"required": [kind]} for kind in KINDS],
    }


def _condition() -> Schema:
    """A condition: a mapping of which every key must hold."""
    some: Schema = {**list_of(CONDITION), "minItems": 1}
    keys = {
        "step": _one_or_more(matching(KEY)),
        "status": _one_or_more(choice(*STEP_STATUSES)),
        "approved": TRUTH,
        "flow": _one_or_more(choice(*FLOW_STATUSES)),
        "reason": _one_or_more(choice(*REASONS)),
        "before": CONDITION,
        "after": CONDITION,
        "all": some,
        "any": some,
        "not": CONDITION,
    }
    return {
        **closed(keys),
        "minProperties": 1,
        "dependentRequired": {"status": ["step"], "approved": ["step"]},
        "dependentSchemas": {
            "step": {"anyOf": [{"required": ["status"]}, {"required": ["approved"]}]}
        },
    }


def _one_or_more(word: Schema) -> Schema:
    """A word, or a list of at least one."""
    return {"anyOf": [word, {**list_of(word), "minItems": 1, "uniqueItems": True}]}
