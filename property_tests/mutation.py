"""Small changes to the core, and which of them no test notices.

Rule: mutmut makes the changes inside functions and runs the tests that reach them; what it
leaves alone, the tables beside the functions, is changed here by its own operators, one run of
pytest each. All of it happens in a copy that is made anew. The score is that of every change that
was made: nothing is excluded, neither by a pattern nor by a comment.

    python -m property_tests.mutation directives legality facts rules recovery
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import libcst
from attrs import frozen
from mutmut.mutation.file_mutation import create_mutations

ROOT: Final = Path(__file__).parents[1]
CORE: Final = "conductor_core"
COPIED: Final = (CORE, "adapters", "tests", "property_tests", "examples", "docs")
FILES: Final = ("pyproject.toml", "README.md")
LEFT_BEHIND: Final = shutil.ignore_patterns("__pycache__", "*.egg-info", ".hypothesis")
TABLE: Final = "[tool.mutmut]\n"
FAILED: Final = 1
CRASHED: Final = 3
"""What pytest exits with where a test failed, or could not even be reported."""
OUT_OF_TIME: Final = frozenset({-24, 24, 152, 255, 36})
"""What mutmut writes down of a test that ran out of processor time."""
LONGEST_S: Final = 600.0


@frozen
class Mutant:
    """A change that was tried: where, what, and whether a test noticed."""

    module: str
    name: str
    change: str
    killed: bool
    timed_out: bool = False


def files_of(module: str) -> list[str]:
    """The files of a module of the core, or of a package of it, from the root."""
    package = ROOT / CORE / module
    found = sorted(package.glob("*.py")) if package.is_dir() else [package.with_suffix(".py")]
    if missing := [path for path in found if not path.is_file()] or not found:
        raise SystemExit(f"{CORE} has no module {module!r}: {missing}")
    return [str(path.relative_to(ROOT)) for path in found]


def copy(into: Path) -> None:
    """Copy what the tests of the core need."""
    into.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, into / name, ignore=LEFT_BEHIND)
    for name in FILES:
        shutil.copy(ROOT / name, into / name)


def environment(folder: Path) -> dict[str, str]:
    """The environment in which what stands in a folder is imported, not what is installed."""
    path = os.pathsep.join([str(folder), str(folder / "adapters")])
    return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


# --- inside functions: mutmut ---


def mutate_functions(folder: Path, files: Sequence[str], jobs: int) -> list[Mutant]:
    """Let mutmut change the functions of some files, and say what became of it."""
    copy(folder)
    declared = folder / "pyproject.toml"
    only = f"{TABLE}only_mutate = {json.dumps(list(files))}\n"
    declared.write_text(declared.read_text("utf-8").replace(TABLE, only), "utf-8")
    # Before Python starts: what is missing then is never looked for again.
    (folder / "mutants" / "adapters").mkdir(parents=True)
    _mutmut(folder, "run", "--max-children", str(jobs))
    return [mutant for file in files for mutant in _read(folder, file)]


def _mutmut(folder: Path, *arguments: str, quiet: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", *arguments],
        cwd=folder,
        env=environment(folder / "mutants"),
        check=False,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
    )
    if done.returncode != 0:
        raise SystemExit(f"mutmut {arguments[0]} failed with exit code {done.returncode}")
    return done.stdout or ""


def _read(folder: Path, file: str) -> Iterator[Mutant]:
    meta = folder / "mutants" / f"{file}.meta"
    if not meta.exists():
        return  # no function of the file can be changed
    codes: dict[str, int | None] = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
    for name, code in codes.items():
        timed_out = code in OUT_OF_TIME
        killed = timed_out or code in (FAILED, CRASHED)
        change = "" if killed else _changed_lines(_mutmut(folder, "show", name, quiet=True))
        yield Mutant(file, name, change, killed, timed_out)


def _changed_lines(diff: str) -> str:
    """What a diff takes away and adds, without its head."""
    lines = [line for line in diff.splitlines() if line[:1] in ("-", "+")]
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++"))


# --- beside functions: the same operators ---


def mutate_tables(files: Sequence[str], jobs: int) -> list[Mutant]:
    """Change what stands beside the functions of some files, one run of pytest for each."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy(folder)
        if not _tests_pass(folder):
            raise SystemExit("the tests do not pass where nothing is changed")
    changed = [(file, *change) for file in files for change in table_changes(file)]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda change: _try_table(*change), changed))


def table_changes(file: str) -> Iterator[tuple[int, str, str]]:
    """The number of each change, what is changed into what, and the file with the change."""
    with contextlib.chdir(ROOT):  # where mutmut is told what it may change
        module, mutations, _, _ = create_mutations(file, (ROOT / file).read_text("utf-8"))
    beside = [
        mutation
        for mutation in mutations
        if not isinstance(mutation.contained_by_top_level_function, libcst.FunctionDef)
    ]
    for number, mutation in enumerate(beside, 1):
        before = module.code_for_node(mutation.original_node)
        after = module.code_for_node(mutation.mutated_node)
        changed: Any = module.deep_replace(mutation.original_node, mutation.mutated_node)
        yield number, f"-{before}\n+{after}", changed.code


def _try_table(file: str, number: int, change: str, code: str) -> Mutant:
    """Run the tests on a copy with the change."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy(folder)
        (folder / file).write_text(code, "utf-8")
        passed = _tests_pass(folder)
    return Mutant(file, f"table {number}", change, killed=not passed, timed_out=passed is None)


def _tests_pass(folder: Path) -> bool | None:
    """Whether they pass; None when they do not end."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--rootdir=.", *_chosen_tests()],
            cwd=folder, env=environment(folder), check=False, timeout=LONGEST_S,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return done.returncode == 0


def _chosen_tests() -> list[str]:
    """The arguments that mutmut gives to pytest, too."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    chosen: dict[str, list[str]] = declared["tool"]["mutmut"]
    return [*chosen["pytest_add_cli_args"], *chosen["pytest_add_cli_args_test_selection"]]


# --- what came of it ---


def told(mutants: Sequence[Mutant]) -> Iterator[str]:
    """One line for each module, one for all, and every change that no test noticed."""
    for module in dict.fromkeys(mutant.module for mutant in mutants):
        yield _line(module, [mutant for mutant in mutants if mutant.module == module])
    yield _line("all", mutants)
    for mutant in mutants:
        if not mutant.killed:
            yield f"\n{mutant.name}\n{mutant.change}"


def score(mutants: Sequence[Mutant]) -> float:
    """How many of them were noticed, in percent."""
    return 100 * sum(mutant.killed for mutant in mutants) / len(mutants)


def _line(name: str, mutants: Sequence[Mutant]) -> str:
    killed = sum(mutant.killed for mutant in mutants)
    slow = sum(mutant.timed_out for mutant in mutants)
    counted = f"{len(mutants):5} mutants {killed:5} killed ({slow} by time)"
    return f"{name:44} {counted} {score(mutants):6.2f} %"


def main(arguments: Sequence[str]) -> int:
    """Print the score and what survived; 1 when too much did."""
    parser = argparse.ArgumentParser(description="Change the core and see which test notices.")
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--at-least", type=float, default=95.0, help="the score, in percent")
    options = parser.parse_args(arguments)
    files = [file for module in options.modules for file in files_of(module)]
    folder = ROOT / "build" / "mutation"
    shutil.rmtree(folder, ignore_errors=True)
    mutants = mutate_functions(folder, files, options.jobs)
    mutants += mutate_tables(files, options.jobs)
    print("\n".join(told(mutants)))
    return 0 if score(mutants) >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
