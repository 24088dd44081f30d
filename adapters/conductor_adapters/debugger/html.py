"""A page of one file, which asks nothing of any server.

Rule: what was recorded stands in it as data, in ASCII and without any mark of HTML, and nothing
runs or is styled in it but the texts whose hashes its policy names.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

PACKAGE: Final = "conductor_adapters.debugger"
PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
"""What stands for a part in the template; what is put there is not looked at again."""
NOT_IN_HTML: Final = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&'"}
"""JSON has these only within strings, where their escapes mean the same."""


def page(views: Sequence[dict[str, Any]], *, connect: str = "'none'", script: str = "") -> str:
    """A page of one view, or of two side by side.

    `connect` is what it may ask for more, and `script` the text that does so, when somebody
    serves it: it finds `window.conductor`.
    """
    style, code = asset("page.css"), asset("page.js")
    scripts = [text for text in (code, script) if text]
    parts = {
        "policy": escape(policy(style, scripts, connect)),
        "title": escape(" and ".join(view["flow_id"] for view in views)),
        "style": style,
        "data": embedded({"views": list(views)}),
        "scripts": "\n".join(f"<script>{text}</script>" for text in scripts),
    }
    return PLACE.sub(lambda found: parts[found[1]], asset("page.html"))


def policy(style: str, scripts: Sequence[str], connect: str = "'none'") -> str:
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


def asset(name: str) -> str:
    """A text that is shipped with this package."""
    return (files(PACKAGE) / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
