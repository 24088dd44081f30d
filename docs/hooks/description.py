"""The README as an index of packages shows it: without what leads only within the repository.

Rule: pictures and links to files of the project are left out, as the index has no such files;
the words of a link stay, and links to other sites stay links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_COMMENT: Final = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_PICTURE: Final = re.compile(r"<picture>.*?</picture>\n*", re.DOTALL)
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
_LINK: Final = re.compile(r"\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:)[^)]*\)")
_LOOKS: Final = re.compile(r"^## What it looks like\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
"""A section of pictures."""
_NOTE: Final = "*Pictures, and the pages that are named here, are in the source distribution.*"


class CustomMetadataHook(MetadataHookInterface):
    """Gives the distribution its description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Take the README for the description."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": described(readme)}


def described(readme: str) -> str:
    """A README without what leads nowhere elsewhere."""
    for left_out in (_LOOKS, _COMMENT, _PICTURE, _IMAGE):
        readme = left_out.sub("", readme)
    title, _, rest = _LINK.sub(r"\g<words>", readme).partition("\n\n")
    return f"{title}\n\n{_NOTE}\n\n{rest}"
