"""`conductor scenario run`: play scenario files and hold what comes of them against them.

Rule: every file and every scenario gets its turn, whatever became of the one before. Exit
code 0 when all passed, 1 when one failed, 2 when a file cannot be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from attrs import frozen

from conductor_adapters.cli.console import say, say_json, warn
from conductor_adapters.cli.documents import DocumentError
from conductor_adapters.cli.scenario_file import BadScenarioFile, Entry, read_scenarios
from conductor_core.testing.scenarios import Difference


@frozen
class Played:
    """A scenario that was played; it passed when there is no difference."""

    entry: Entry
    differences: tuple[Difference, ...]


@frozen
class Report:
    """What became of a file."""

    file: str
    played: tuple[Played, ...] = ()
    errors: tuple[DocumentError, ...] = ()

    @property
    def failed(self) -> tuple[Played, ...]:
        """The scenarios that did not pass."""
        return tuple(played for played in self.played if played.differences)

    @property
    def passed(self) -> int:
        """How many scenarios passed."""
        return len(self.played) - len(self.failed)


@click.group()
def scenario() -> None:
    """Test flows with scenarios."""


@scenario.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "-k",
    "part",
    default="",
    metavar="TEXT",
    help="Only those with TEXT in their name, in any case.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON.")
@click.pass_context
def run(ctx: click.Context, files: tuple[Path, ...], part: str, as_json: bool) -> None:
    """Play the scenarios of each FILE and tell expected from got where they differ."""
    reports = []
    for file in files:
        report = _report(file, part)
        reports.append(report)
        for error in report.errors:
            warn(str(error))
        if not as_json:
            _tell(report)
    if as_json:
        say_json(_as_json(reports))
    else:
        say(_summary(reports))
    ctx.exit(_exit_code(reports, part))


def _report(file: Path, part: str) -> Report:
    """Play the scenarios of a file that are asked for."""
    try:
        entries = read_scenarios(file).entries()
    except BadScenarioFile as bad:
        return Report(str(file), errors=bad.errors)
    asked = (entry for entry in entries if part.casefold() in entry.scenario.name.casefold())
    return Report(str(file), tuple(Played(entry, entry.play()) for entry in asked))


def _tell(report: Report) -> None:
    """Write the failures of a file, and how many of its scenarios passed."""
    for played in report.failed:
        say(f"FAILED {report.file}:{played.entry.line}: {_title(played.entry)}")
        for line in played.entry.told(played.differences):
            say(f"  {line}")
    if report.played:
        say(f"{report.file}: {_counts(report.passed, len(report.failed))}")


def _title(entry: Entry) -> str:
    rules = entry.scenario.spec
    return f"{entry.scenario.name} ({rules})" if rules else entry.scenario.name


def _counts(passed: int, failed: int) -> str:
    return f"{passed} passed, {failed} failed"


def _summary(reports: list[Report]) -> str:
    """All that happened, in one line."""
    counts = _counts(
        sum(report.passed for report in reports), sum(len(report.failed) for report in reports)
    )
    bad = sum(bool(report.errors) for report in reports)
    return f"{counts}, {bad} bad {'file' if bad == 1 else 'files'}" if bad else counts


def _exit_code(reports: list[Report], part: str) -> int:
    """Say 2 for bad input, of which a text that selects nothing is one, or 1 for a failure."""
    if any(report.errors for report in reports):
        return 2
    if part and not any(report.played for report in reports):
        warn(f"no scenario has {part!r} in its name")
        return 2
    return 1 if any(report.failed for report in reports) else 0


def _as_json(reports: list[Report]) -> dict[str, Any]:
    return {
        "passed": sum(report.passed for report in reports),
        "failed": sum(len(report.failed) for report in reports),
        "files": [_file_as_json(report) for report in reports],
    }


def _file_as_json(report: Report) -> dict[str, Any]:
    return {
        "file": report.file,
        "errors": [
            {"line": error.line, "path": error.path, "problem": error.problem}
            for error in report.errors
        ],
        "scenarios": [_played_as_json(played) for played in report.played],
    }


def _played_as_json(played: Played) -> dict[str, Any]:
    entry = played.entry
    return {
        "name": entry.scenario.name,
        "spec": entry.scenario.spec,
        "line": entry.line,
        "passed": not played.differences,
        "differences": [
            {
                "where": difference.where,
                "line": entry.line_of(difference),
                "expected": difference.expected.value,
                "got": difference.got.value,
            }
            for difference in played.differences
        ],
    }
