"""Pieces of Markdown."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

MADE: Final = "<!-- Made by `python -m docs.generating`; change what it is made from. -->"

DOCS: Final = Path(__file__).parents[1]
RULE: Final = re.compile(r"\bS(\d+)(?:\.\d+a?)?\b")
"""A number of a rule, as `S4` or `S6.19a`."""
_CODE: Final = re.compile(r"`[^`]*`")
_SECTION: Final = re.compile(r"^## ((\d+)\. .*)$", re.MULTILINE)


def page(title: str, *parts: str) -> str:
    """A page with a title."""
    return "\n\n".join([MADE, f"# {title}", *(part.strip("\n") for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing in a cell ends it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines)


def cell(text: str) -> str:
    """A text within one cell."""
    return " ".join(text.replace("|", "\\|").split())


def code(text: object) -> str:
    """A text as code."""
    return f"`{text}`"


def first_sentence(thing: object) -> str:
    """What a docstring says first."""
    return next(iter(paragraphs(thing)), "")


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def block(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def listed(words: Iterable[str]) -> str:
    """Words in a row, each as code."""
    return ", ".join(map(code, words))


def as_json(value: Any) -> str:
    """A value in one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def slug(title: str) -> str:
    """The anchor of a title."""
    return re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-")


def paragraphs(documented: object) -> list[str]:
    """The paragraphs of a docstring, each in one line."""
    text = inspect.cleandoc(getattr(documented, "__doc__", None) or "")
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def outside_code(change: Callable[[str], str], text: str) -> str:
    """A text that is changed where it is no code."""
    parts, end = [], 0
    for span in _CODE.finditer(text):
        parts += [change(text[end : span.start()]), span[0]]
        end = span.end()
    return "".join((*parts, change(text[end:])))


@cache
def _sections() -> dict[str, str]:
    """The anchor of each section of the rules, by its number."""
    rules = (DOCS / "semantics.md").read_text(encoding="utf-8")
    return {number: slug(title) for title, number in _SECTION.findall(rules)}


def _cited(rule: re.Match[str]) -> str:
    anchor = _sections().get(rule[1])
    return rule[0] if anchor is None else f"[{rule[0]}](../semantics.md#{anchor})"


def citing(text: str) -> str:
    """A text whose rules lead to where they stand."""
    return outside_code(lambda plain: RULE.sub(_cited, plain), text)
