"""What the README shows is what happens; `python -m` this to renew its figures.

They are those that docs/performance.md records, so that a reader is told one number in both.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from benchmarks.parts import BEGIN, END
from tests.documents import BLOCK, LINK, ROOT
from tests.pages import FENCE, check

PAGE: Final = ROOT / "README.md"
README: Final = PAGE.read_text(encoding="utf-8")
PERFORMANCE: Final = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
DOCUMENTS: Final = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
# Rows of its table: what is told, of us and of others, and the figures in it by their names.
TOLD: Final = (
    (
        (
            "an event of a flow of 1,000 steps | {} | transitions {}, eventsourcing {}, "
            "python-statemachine {}, langgraph {}, dbos (on disk) {}"
        ),
        "conductor-core, sequential, 1,000 steps",
        "transitions, 1,000 steps",
        "eventsourcing, 1,000 steps",
        "python-statemachine, 1,000 steps",
        "langgraph, 1,000 steps",
        "dbos, 1,000 steps",
    ),
    (
        "an event of a flow of 1,000,000 steps | {} one of 10 steps | |",
        "sequential, 1,000,000 steps against 10",
    ),
    (
        "entries of a log, read and verified | {} | eventsourcing, which verifies nothing: {}",
        "standard library alone, 100,000 entries",
        "eventsourcing, stored replay, 100,000 events",
    ),
    (
        "state of a flow of 100,000 steps that is over | {} | |",
        "sequential, finished, 100,000 steps: live state",
    ),
    (
        (
            "steps a second on SQLite, each to the disk | {} those of DBOS | "
            "{} the events of a bare loop that writes the same rows"
        ),
        "FULL, one by one, 2,000 steps: steps, of DBOS",
        "FULL, one by one, 2,000 steps: events, of a bare loop",
    ),
    (
        (
            "time of a step on Celery and SQLite | {} that of a chain of 20 tasks | "
            "{} that of a chain of 2,000"
        ),
        "sequential flow on SQLite, 20 steps: of chain",
        "sequential flow on SQLite, 2,000 steps: of chain",
    ),
    (
        "time of a step on Temporal | {} that of 20 steps in a workflow by hand | {} that of 2,000",
        "sequential flow, 20 steps: of hand-written",
        "sequential flow, 2,000 steps: of hand-written",
    ),
)


def figure(name: str) -> str:
    """A figure of docs/performance.md, by the name of its row."""
    row = rf"^\| {re.escape(name)} \| ([^|]+) \|"
    found: list[str] = re.findall(row, PERFORMANCE, re.MULTILINE)
    assert len(found) == 1, name
    # What is measured an event is said once, in the row's name.
    return found[0].removesuffix(" an event")


def figures() -> str:
    """The table of figures, as docs/performance.md has them today."""
    (machine,) = re.findall(r"^(Measured on .*)$", PERFORMANCE, re.MULTILINE)
    judged = re.findall(r"\| (✓+|✗ missed) \|", PERFORMANCE)
    missed = judged.count("✗ missed")
    rows = (f"| {told.format(*map(figure, names)).removesuffix(' |')} |" for told, *names in TOLD)
    table = "\n".join(["| | conductor-core | beside it |", "|---|---|---|", *rows])
    goals = f"Of the {len(judged)} goals in that run, {missed} were missed."
    return f"\n{machine} {goals}\n\n{table}\n\n"


def renewed() -> str:
    """The README with the figures of today."""
    before, _, rest = README.partition(BEGIN)
    return f"{before}{BEGIN}\n{figures()}{END}{rest.partition(END)[2]}"


def blocks(language: str) -> list[str]:
    """The code blocks in a language, in order."""
    return [text for kind, text in BLOCK.findall(README) if kind == language]


def test_the_readme_goes_as_shown(tmp_path: Path) -> None:
    """Whoever does all that it shows, from its top, sees what it shows."""
    pytest.importorskip("click")
    check(PAGE, tmp_path)


def test_the_first_example_takes_twenty_lines() -> None:
    """It begins within the first 25 lines, and what it prints stands behind it."""
    example = blocks("python")[0]
    assert len(example.splitlines()) <= 20
    assert README[: README.index("```python")].count("\n") < 25
    assert README.index("```python") < README.index("```text")


def test_the_readme_is_read_to_its_end() -> None:
    """It has 190 lines at most; what is longer stands on a page of its own."""
    assert len(README.splitlines()) <= 190


def test_the_figures_are_those_that_were_measured() -> None:
    """The table says what docs/performance.md says, and of which machine."""
    assert renewed() == README


def test_every_extra_that_is_named_exists() -> None:
    """What is to be installed is an extra of the distribution."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    named = {
        *re.findall(r"conductor-core\[(\w+)\]", README),
        *re.findall(r"`(\w+)`", *re.findall(r"(?:`\w+`,? )+and more are \[extras", README)),
    }
    assert len(named) > 3
    assert named - extras.keys() == set()


def test_every_make_target_that_is_named_exists() -> None:
    """A target that the documents name is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for name in DOCUMENTS
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", (ROOT / name).read_text("utf-8"))
    }
    assert {"demo", "test", "bench"} <= named
    assert named - targets == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(FENCE.sub("", (ROOT / name).read_text(encoding="utf-8")))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_pictures_are_there() -> None:
    """Every picture exists, in light and in dark where there are two, and is told in words."""
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"|!\[\w[^]]+\]\(([^)]+)\)', README)
    paths = [path for pair in pictures for path in pair if path]
    assert len(paths) == 5
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    assert re.findall(r'!\[\]|<img (?!alt="\w)', README) == []


if __name__ == "__main__":
    PAGE.write_text(renewed(), encoding="utf-8")
