"""The catalogues of events and commands, from their docstrings, fields and codecs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, get_args

from conductor_core import codec
from conductor_core.commands import Outcome
from conductor_core.events import Fact, PolicyReport, Request, StepError
from conductor_core.schema import record_schema
from conductor_core.schema_words import ERROR, POLICY
from conductor_core.spec import GroupSpec
from docs.generating.kinds import default_of, kind_of
from docs.generating.markdown import (
    block,
    citing,
    code,
    page,
    paragraphs,
    table,
)
from docs.generating.stories import examples

NAMES: Final[Mapping[Any, str]] = {
    StepError: "error",
    PolicyReport: "policy",
    Outcome: "outcome",
    GroupSpec: "group",
}
LINKS: Final[Mapping[str, str]] = {
    "error": "[error](events.md#error)",
    "policy": "[policy report](events.md#policy-report)",
    "outcome": "[outcome](commands.md#outcome)",
    "group": "[group](flow-files.md#group)",
}
_PAGES: Final = {
    **dict.fromkeys(codec.EVENTS, "events.md"),
    **dict.fromkeys(codec.COMMANDS, "commands.md"),
}
_TAG: Final = re.compile(rf"`?\b({'|'.join(sorted(_PAGES, key=len, reverse=True))})\b`?")
_EVENTS_TOLD: Final = (
    "What can happen to a flow. Every event has `at_ms`, the host's clock in milliseconds; "
    "`type` is the tag that a log has. A fact comes from the host and is accepted or ignored, a "
    "request comes from a person and may be rejected (S4.2, S4.3); one with a `request_id` "
    "counts once (S4.5). What the phase of a flow alone decides stands in the "
    "[tables](tables.md#verdicts)."
)
_COMMANDS_TOLD: Final = (
    "What a host must do, at least once: the ids in a command make a second time harmless. A "
    "command is answered by an event, and `pending_commands` gives again what is not answered "
    "(S14.2). What is asked of a host stands in [the contract](../hosts.md#the-contract)."
)


def events() -> str:
    """The page of events."""
    facts, requests = (
        {tag: cls for tag, cls in codec.EVENTS.items() if cls in get_args(kind)}
        for kind in (Fact, Request)
    )
    return page(
        "Events",
        citing(_EVENTS_TOLD),
        "## Facts",
        *(_event(tag, cls, "the host") for tag, cls in facts.items()),
        "## Requests",
        *(_event(tag, cls, "a person") for tag, cls in requests.items()),
        "## Records in events",
        "### error",
        *_record(StepError, ERROR),
        "### policy report",
        *_record(PolicyReport, POLICY),
    )


def commands() -> str:
    """The page of commands."""
    return page(
        "Commands",
        citing(_COMMANDS_TOLD),
        *(_command(tag, cls) for tag, cls in codec.COMMANDS.items()),
        "## outcome",
        *_record(Outcome),
    )


def _event(tag: str, cls: type[Any], sender: str) -> str:
    parts = _told(cls, _by_tag_but(tag))
    return _entry("###", tag, (f"`events.{cls.__name__}`, sent by {sender}.", *parts), cls)


def _command(tag: str, cls: type[Any]) -> str:
    parts = _told(cls, _by_tag_but(tag))
    return _entry("##", tag, (f"`commands.{cls.__name__}`", *parts), cls)


def _entry(mark: str, tag: str, told: Iterable[str], cls: type[Any]) -> str:
    shown = block("json", json.dumps(examples()[cls], ensure_ascii=False, indent=2))
    return "\n\n".join((f"{mark} {tag}", *told, _fields(cls, {}), shown))


def _record(cls: type[Any], words: Mapping[str, str] | None = None) -> list[str]:
    return [f"`{cls.__name__}`", *_told(cls, _by_tag_but("")), _fields(cls, words or {})]


def _told(cls: type[Any], linked: Any) -> list[str]:
    return [citing(linked(part)) for part in paragraphs(cls)]


def _by_tag_but(own: str) -> Any:
    """Leads from every tag but one to where it is told."""

    def link(tag: re.Match[str]) -> str:
        name = tag[1]
        return tag[0] if name == own else f"[`{name}`]({_PAGES[name]}#{name})"

    return partial(_TAG.sub, link)


def _fields(cls: type[Any], words: Mapping[str, str]) -> str:
    """The fields of a record, with what they take and what holds without them."""
    names = dict.fromkeys(cls.__annotations__, "")
    schema = record_schema(cls, {**names, **words}, limits={}, names=NAMES)
    required = schema.get("required", ())
    rows = [
        (
            code(key),
            kind_of(it, LINKS.__getitem__),
            default_of(it, required=key in required),
            *([citing(words[key])] if words else ()),
        )
        for key, it in schema["properties"].items()
    ]
    return table(("field", "value", "default", *(("meaning",) if words else ())), rows)
