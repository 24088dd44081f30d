"""What docs/quality.md lists of the changes that no test notices is about code that there is."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.documents import ROOT

QUALITY = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
SCORE = re.compile(r"^\| `(\S+\.py)` \| ([\d,]+) \| ([\d,]+) \| (\d+\.\d\d) % \|$", re.MULTILINE)
ALL = re.compile(r"^\| all \| ([\d,]+) \| ([\d,]+) \| (\d+\.\d\d) % \|$", re.MULTILINE)
SURVIVOR = re.compile(r"^\| `(\S+\.py)` \| `(\w+)` \| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)


def number(text: str) -> int:
    """A number with its thousands set apart."""
    return int(text.replace(",", ""))


@cache
def names(file: str) -> set[str]:
    """The functions, classes and constants of a file of the core."""
    tree = ast.parse((ROOT / "conductor_core" / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    constants = {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return constants | {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_a_survivor_stands_where_the_list_says() -> None:
    """Each is of a function, a class or a constant that exists, and its argument is given."""
    rows = SURVIVOR.findall(QUALITY)
    assert rows
    for file, name, _, change, why in rows:
        assert name in names(file), f"{file} has no {name}"
        assert change.strip()
        assert why.strip()


def test_every_survivor_is_listed() -> None:
    """As many as the scores say, file by file."""
    listed: dict[str, int] = {}
    for file, _, count, _, _ in SURVIVOR.findall(QUALITY):
        listed[file] = listed.get(file, 0) + int(count)
    for file, made, killed, score in SCORE.findall(QUALITY):
        assert listed.pop(file, 0) == number(made) - number(killed), file
        assert f"{100 * number(killed) / number(made):.2f}" == score
    assert listed == {}


def test_the_sum_is_that_of_the_files() -> None:
    """Nothing is left out of the score that counts."""
    scores = SCORE.findall(QUALITY)
    made, killed = (sum(number(row[column]) for row in scores) for column in (1, 2))
    ((all_made, all_killed, score),) = ALL.findall(QUALITY)
    assert (number(all_made), number(all_killed)) == (made, killed)
    assert f"{100 * killed / made:.2f}" == score
