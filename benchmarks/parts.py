"""How a part of the benchmarks is called: alone, or as one of all.

Rule: a part is a function from a scale to rows; options, tables and exit codes are here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from attrs import evolve, frozen

from benchmarks.rows import HEADS, Row, Verdict, as_json, line, markdown
from benchmarks.scale import SCALES, Scale

STDOUT: Final = "-"
BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"

Measure: TypeAlias = Callable[[Scale], Iterator[Row]]


@frozen
class Part:
    """One of the benchmarks, and what it is about."""

    name: str
    about: str
    measure: Measure


def run(part: Part, arguments: list[str] | None = None) -> int:
    """Run one part as a command."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{part.name}")
    add_options(parser)
    return report([part], parser.parse_args(arguments))


def add_options(parser: argparse.ArgumentParser) -> None:
    """How much is measured, and where it goes."""
    parser.add_argument("--rounds", type=int, help="how often everything is played in turn")
    scale = parser.add_mutually_exclusive_group()
    for name, about in (("quick", "a look, in minutes"), ("tiny", "try the code, time nothing")):
        scale.add_argument(f"--{name}", dest="scale", action="store_const", const=name, help=about)
    parser.set_defaults(scale="full")
    add_outputs(parser)


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Where rows go."""
    for kind, about in (("json", "write"), ("markdown", "put between its marks")):
        parser.add_argument(
            f"--{kind}",
            nargs="?",
            const=STDOUT,
            metavar="FILE",
            help=f"print the rows as {kind} and nothing else, or {about} them in a file",
        )


def report(parts: Iterable[Part], options: argparse.Namespace) -> int:
    """Run parts and tell their rows; 1 when a goal is missed."""
    scale = SCALES[options.scale]
    if options.rounds:
        scale = evolve(scale, rounds=options.rounds)
    quiet = STDOUT in (options.json, options.markdown)
    rows = [row for part in parts for row in _told(part, scale, quiet=quiet)]
    if options.json:
        _write(options.json, json.dumps([as_json(row) for row in rows], indent=2) + "\n")
    if options.markdown:
        _write(options.markdown, _between_marks(options.markdown, markdown(rows)))
    if not quiet:
        for verdict in ("missed", "not measured"):
            print(*_summary(verdict, rows), sep="\n", end="")
    return 1 if any(row.verdict == "missed" for row in rows) else 0


def _summary(verdict: Verdict, rows: list[Row]) -> Iterator[str]:
    found = [row for row in rows if row.verdict == verdict]
    if found:
        yield f"\n{len(found)} {verdict}:"
        yield from (f"  {row.part}: {row.what}" for row in found)
        yield ""


def _told(part: Part, scale: Scale, *, quiet: bool) -> Iterator[Row]:
    if not quiet:
        print(f"\n{part.name}: {part.about}\n{line(HEADS)}", flush=True)
    for row in part.measure(scale):
        if not quiet:
            print(line(row.cells), flush=True)
        elif row.figure is None:
            print(f"not measured: {row.part}: {row.what} {row.note}", file=sys.stderr)
        yield row


def _between_marks(file: str, tables: str) -> str:
    """The text of a file with other tables between its marks."""
    if file == STDOUT:
        return tables
    before, mark, rest = Path(file).read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"{file} has no {BEGIN} and {END} to put tables between")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _write(file: str, text: str) -> None:
    if file == STDOUT:
        print(text, end="")
    else:
        Path(file).write_text(text, encoding="utf-8")
