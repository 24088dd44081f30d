"""What `mutation` tells is what was tried, and it changes what mutmut leaves alone."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path

import pytest

from tests.test_quality_doc import QUALITY, SCORE, number

pytest.importorskip("mutmut")
pytest.importorskip("libcst")

from mutmut.mutation.file_mutation import create_mutations

from property_tests import mutation
from property_tests.mutation import ROOT, Mutant, files_of, table_changes, told


def test_a_module_is_a_file_or_a_package() -> None:
    """Of a package every file is changed."""
    assert files_of("recovery") == ["conductor_core/recovery.py"]
    assert "conductor_core/facts/work.py" in files_of("facts")
    with pytest.raises(SystemExit, match="conductor_core has no module 'nowhere'"):
        files_of("nowhere")


def test_the_score_is_that_of_every_change() -> None:
    """What nobody noticed is shown, what ran out of time counts as noticed and is counted."""
    mutants = [
        Mutant("a.py", "a.x_f__mutmut_1", "", killed=True),
        Mutant("a.py", "a.x_f__mutmut_2", "", killed=True, timed_out=True),
        Mutant("a.py", "a.x_f__mutmut_3", "-return True\n+return False", killed=False),
        Mutant("b.py", "table 1", "", killed=True),
    ]
    lines = [" ".join(line.split()) for line in told(mutants)]
    assert lines == [
        "a.py 3 mutants 2 killed (1 by time) 66.67 %",
        "b.py 1 mutants 1 killed (0 by time) 100.00 %",
        "all 4 mutants 3 killed (1 by time) 75.00 %",
        "a.x_f__mutmut_3 -return True +return False",
    ]


def test_tables_are_changed_too() -> None:
    """Each change beside a function gives another module, which Python can read."""
    file = "conductor_core/facts/work.py"
    plain = (ROOT / file).read_text("utf-8")
    changed = list(table_changes(file))
    assert [number for number, _, _ in changed] == list(range(1, len(changed) + 1))
    assert '-"timeout"\n+"XXtimeoutXX"' in [change for _, change, _ in changed]
    for _, _, code in changed:
        assert ast.dump(ast.parse(code)) != ast.dump(ast.parse(plain))


def test_the_copy_holds_what_the_tests_need(tmp_path: Path) -> None:
    """Nothing that tools left behind is copied."""
    mutation.copy(tmp_path / "copy")
    assert (tmp_path / "copy" / "conductor_core" / "reducer.py").is_file()
    assert not list((tmp_path / "copy").rglob("__pycache__"))


def test_the_document_counts_the_changes_that_there_are() -> None:
    """docs/quality.md is about the core as it is."""
    told_of = {f"conductor_core/{row[0]}": number(row[1]) for row in SCORE.findall(QUALITY)}
    modules = ("directives", "legality", "facts", "rules", "recovery")
    with contextlib.chdir(ROOT):
        made = {
            file: len(create_mutations(file, (ROOT / file).read_text("utf-8"))[1])
            for module in modules
            for file in files_of(module)
        }
    assert told_of == made
