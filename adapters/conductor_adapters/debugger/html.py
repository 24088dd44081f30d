"""A page of one file, which asks nothing of any server.

Rule: what was recorded stands in it as data, in ASCII and without any mark of HTML, and nothing
runs or is styled in it but the texts whose hashes its policy names.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

from attrs import frozen

PACKAGE: Final = "conductor_adapters.debugger"
PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
"""What stands for a part in the template; what is put there is not looked at again."""
SHOWN: Final = 'show(JSON.parse($("data").textContent).views);\n'
"""What shows the views that stand in a page."""
NOT_IN_HTML: Final = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&'"}
"""JSON has these only within strings, where their escapes mean the same."""


@frozen
class Page:
    """A page as text, and what it may do, for who sends that along."""

    text: str
    policy: str


def page(views: Sequence[dict[str, Any]]) -> str:
    """A page of one view, or of two side by side."""
    return written(
        asset("page.html"),
        title=" and ".join(view["flow_id"] for view in views),
        style=asset("page.css"),
        scripts=[asset("base.js") + asset("page.js") + SHOWN],
        data={"views": list(views)},
        connect="'none'",
    ).text


def written(
    template: str, *, title: str, style: str, scripts: Sequence[str], data: object, connect: str
) -> Page:
    """A template with its places filled."""
    allowed = policy(style, scripts, connect)
    head = {"policy": escape(allowed), "title": escape(title), "style": style}
    parts = {
        "head": _filled(asset("head.html"), head),
        "symbols": asset("symbols.html"),
        "data": embedded(data),
        "scripts": "\n".join(f"<script>{text}</script>" for text in scripts),
    }
    return Page(_filled(template, parts), allowed)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return PLACE.sub(lambda found: parts[found[1]], template)


def policy(style: str, scripts: Sequence[str], connect: str) -> str:
    """The policy of a page: nothing is loaded, and nothing runs but what it was written with."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def embedded(value: object) -> str:
    """A value as JSON that no text in it can end, wherever in a page it stands."""
    return json.dumps(value, separators=(",", ":")).translate(NOT_IN_HTML)


def asset(name: str, package: str = PACKAGE) -> str:
    """A text that is shipped with a package, in its folder `page`."""
    return (files(package) / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
