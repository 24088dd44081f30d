"""Links to files of the project that are no pages: on the site they are names, not links.

Rule: a link that leaves docs/ leads to a file of the repository, which a built site does not have.
"""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import Final, Protocol

_LINK: Final = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#:\s]+)(?:#[^)]*)?\)")
_FENCE: Final = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)


class Source(Protocol):
    """The file of a page."""

    src_uri: str


class Page(Protocol):
    """A page of the site."""

    file: Source


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Name the file that a link leaves docs/ for."""
    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else named(part, page) for part in parts)


def named(text: str, page: Page) -> str:
    """A text without links that leave docs/."""

    def name(link: re.Match[str]) -> str:
        target = normpath(join(dirname(page.file.src_uri), link["target"]))
        if not target.startswith("../"):
            return link[0]
        path = target.removeprefix("../")
        label = link["text"].strip("`")
        return f"`{path}`" if label in (path, path.rpartition("/")[2]) else f"{label} (`{path}`)"

    return _LINK.sub(name, text)
