"""Pieces of Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Final

MADE: Final = "<!-- Made by `python -m docs.generating`; change what it is made from. -->"


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


def document_of(thing: object) -> str:
    """The docstring of a thing, its first sentence first."""
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "")


def first_sentence(thing: object) -> str:
    """What a docstring says first."""
    return document_of(thing).partition("\n\n")[0].replace("\n", " ")
