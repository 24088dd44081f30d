"""Files of the project that documents link to: on the site they are pages too.

Rule: a link reads the same in the repository, where it leads to a file, and on the site, where it
leads to a page that shows the file. A link to what is not there stays as it is, so that the build
tells of it. Pages under `repository/` are no documents and stand in the menu only if it names them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from posixpath import dirname, join, normpath, relpath
from typing import Any, Final, Protocol

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = "docs"
SHOWN: Final = "repository"
"""The folder of the site for what stands outside of docs/."""
ALWAYS: Final = ("CHANGELOG.md", "CONTRIBUTING.md")
"""What the menu names."""
LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".jsonl": "json"}
_LINK: Final = re.compile(
    r"(?P<before>(?<!!)\[[^\]]*\]\()(?P<path>[^)#:\s]+)(?P<after>(#[^)]*)?\))"
)
_PICTURE: Final = re.compile(r'(?P<before>\bsrc(?:set)?=")(?P<path>[^":]+)(?P<after>")')
_INNER: Final = re.compile(r"^  (?=- )", re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]+`")
_FENCE: Final = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)


class Source(Protocol):
    """The file of a page."""

    src_uri: str


class Page(Protocol):
    """A page of the site."""

    file: Source


# --- what mkdocs asks ---


def on_files(files: Any, *, config: Any, **_: object) -> Any:
    """Add a page for every file outside of docs/ that something links to."""
    from mkdocs.structure.files import File, InclusionLevel  # noqa: PLC0415 - of a group

    documents = [file.src_uri for file in files.documentation_pages()]
    for path in linked(documents):
        level = InclusionLevel.INCLUDED if path in ALWAYS else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, uri_of(path), content=shown(path), inclusion=level))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Let links that leave docs/ lead to the pages of what they lead to."""
    uri = page.file.src_uri
    path = path_of(uri)
    folder = path if (ROOT / path).is_dir() else dirname(path)

    def led(link: re.Match[str]) -> str:
        target = normpath(join(folder, link["path"]))
        if _stays(path, target) or not (ROOT / target).exists():
            return link[0]
        return f"{link['before']}{relpath(uri_of(target), dirname(uri))}{link['after']}"

    return outside_fences(lambda text: spelled(_PICTURE.sub(led, _LINK.sub(led, text))), markdown)


def spelled(text: str) -> str:
    """A text as the Markdown of the site wants it, where that of a repository differs.

    A list in a list is four columns further in, and a bar within code ends no cell.
    """
    text = _INNER.sub("    ", text)
    return _CODE.sub(lambda code: code[0].replace("\\|", "|"), text)


# --- where things stand ---


def path_of(uri: str) -> str:
    """The file of the repository that a page is made from."""
    outside = uri.removeprefix(f"{SHOWN}/")
    if outside == uri:
        return f"{DOCS}/{uri}"
    # A page that shows what is no document has one ending more, or is the index of a folder.
    bare = outside.removesuffix("/index.md").removesuffix(".md")
    return bare if (ROOT / bare).exists() else outside


def uri_of(path: str) -> str:
    """The page on which a file of the repository is shown."""
    if path.startswith(f"{DOCS}/"):
        inside = path.removeprefix(f"{DOCS}/")
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    if (ROOT / path).is_dir():
        return f"{SHOWN}/{path}/index.md"
    return f"{SHOWN}/{path}" if path.endswith(".md") else f"{SHOWN}/{path}.md"


def _stays(path: str, target: str) -> bool:
    """Whether a link from one document to another is right as it is."""
    return path.startswith(f"{DOCS}/") and target.startswith(f"{DOCS}/")


# --- what is shown ---


def linked(documents: list[str]) -> list[str]:
    """The files outside of docs/ that documents lead to, and those that these lead to."""
    found: list[str] = []
    open_ends = [*(f"{DOCS}/{uri}" for uri in documents), *ALWAYS]
    while open_ends:
        path = open_ends.pop()
        if path in found:
            continue
        if not path.startswith(f"{DOCS}/"):
            found.append(path)
        targets = _targets(path)
        open_ends += [target for target in targets if not target.startswith(f"{DOCS}/")]
    return sorted(found)


def _targets(path: str) -> Iterator[str]:
    """What a file leads to; a folder leads to all that is in it."""
    if (ROOT / path).is_dir():
        yield from _inside(path)
    elif path.endswith(".md"):
        text = _FENCE.sub("", (ROOT / path).read_text(encoding="utf-8"))
        for link in _LINK.finditer(text):
            target = normpath(join(dirname(path), link["path"]))
            if not target.startswith("..") and (ROOT / target).exists():
                yield target


def _inside(folder: str) -> list[str]:
    """The files of a folder, and of those in it."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )


def shown(path: str) -> str:
    """The text of the page that shows a file or a folder."""
    if (ROOT / path).is_dir():
        rows = [f"- [{name}]({relpath(name, path)})" for name in _inside(path)]
        # The links are of the repository, and led on like all others.
        return "\n".join([f"# {path}", "", *rows, ""])
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    return f"# {path}\n\n````{LANGUAGES.get(PurePosixPath(path).suffix, 'text')}\n{text}````\n"


def outside_fences(change: Callable[[str], str], markdown: str) -> str:
    """A document that is changed where it is no block of code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join((*parts, change(markdown[end:])))
