"""What docs/demo.md tells of the demo is what it does; `python -m` this to tell of it anew."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import pytest

from conductor_core.version import VERSION
from tests.documents import BLOCK, LINK, ROOT
from tests.test_examples import CONDUCTOR, copy_of_sources, make_release

PAGE: Final = ROOT / "docs" / "demo.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
STORY: Final = next(text for kind, text in BLOCK.findall(TEXT) if kind == "console")
# Versions, digests, flow ids, and numbers of every kind.
VARYING: Final = re.compile(
    r"\d+\.\d+\.\d+(?:\.dev\d+)?|[0-9a-f]{12,}|release-[0-9a-f-]+|[0-9][0-9,.]*"
)
# Of steps side by side any may be the last, with which the flow goes on.
SIDE_BY_SIDE: Final = re.compile(r"\b(?:wheel|sdist|contents|quickstart)(?=#1 succeeded)")


def masked(line: str) -> str:
    """A line without what differs from one release to the next."""
    return VARYING.sub("#", SIDE_BY_SIDE.sub("one", line)).strip()


def printed_by_the_demo(folder: Path) -> list[str]:
    """What a release prints, and the replay of its log after it, as the Makefile has them."""
    released = make_release(copy_of_sources(folder / "checkout"))
    replayed = released.checkout.run(*CONDUCTOR, "replay", "log.jsonl")
    return [*released.printed.splitlines(), *replayed.stdout.splitlines()]


def told_anew(printed: list[str]) -> tuple[list[str], list[str]]:
    """The story with the lines that were printed, and those of its lines that were not."""
    lines, unheard = [], []
    left = list(printed)
    for line in STORY.splitlines():
        same = next((now for now in left if masked(now) == masked(line)), None)
        if same is not None:
            left.remove(same)
        elif line.strip() not in ("...", "$ make demo"):
            unheard.append(line)
        lines.append(line if same is None else same)
    return lines, unheard


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the demo prints now."""
    return printed_by_the_demo(tmp_path_factory.mktemp("demo"))


def test_the_demo_goes_as_it_is_told(printed: list[str]) -> None:
    """Every line of its story is printed: times, sizes, digests and version aside."""
    lines, unheard = told_anew(printed)
    assert len(lines) > 20
    assert unheard == []


def test_the_story_ends_as_the_demo_does(printed: list[str]) -> None:
    """It is told to its end, which is that of the replay."""
    assert masked(STORY.splitlines()[-1]) == masked(printed[-1])


def test_the_demo_is_told_of_one_version() -> None:
    """Wherever the story names the version, it names the same one."""
    versions = set(re.findall(r"conductor[-_]core[- ](\d+\.\d+\.\d+)", STORY))
    assert versions == {VERSION.partition(".dev")[0]}


def test_the_commands_of_the_demo_are_as_told() -> None:
    """The Makefile gives the approval in advance, and keeps the log, as the page says."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for text in re.findall(r"`(--approve [^`]+|dist-local/\S+jsonl|make demo\S*)`", TEXT):
        said = f"\n{text.removeprefix('make ')}:" if text.startswith("make ") else text
        assert said in makefile, text


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    assert [link for link in LINK.findall(TEXT) if not (PAGE.parent / link).exists()] == []


def renew() -> None:
    """Put what is printed now into the page."""
    with tempfile.TemporaryDirectory() as folder:
        lines, unheard = told_anew(printed_by_the_demo(Path(folder)))
    for line in unheard:
        print(f"not printed: {line}")
    version = VERSION.partition(".dev")[0]
    story = "".join(f"{line.replace(VERSION, version)}\n" for line in lines)
    PAGE.write_text(TEXT.replace(STORY, story), encoding="utf-8")


if __name__ == "__main__":
    renew()
