"""Scenario files on disk: read, played, and told about as expected against got.

Rule: the command line and the pytest plugin both read and tell through this module, so
that a scenario passes, fails or is refused in the same words in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from conductor_adapters.cli.documents import Document, DocumentError, read_document
from conductor_core.errors import ConductorError, FormatError
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from conductor_core.testing.scenarios import Difference, Scenario


@frozen
class ScenarioFile:
    """The scenarios of a file, and the file's places."""

    document: Document
    scenarios: tuple[Scenario, ...]

    def entries(self) -> Iterator[Entry]:
        """The scenarios with their places, in the order of the file."""
        for index, scenario in enumerate(self.scenarios):
            yield Entry(self.document, f"scenarios[{index}]", scenario)


@frozen
class Entry:
    """One scenario of a file."""

    document: Document
    path: str
    scenario: Scenario

    @property
    def line(self) -> int:
        """The line where the scenario begins."""
        return self.document.line_of(self.path)

    def play(self) -> tuple[Difference, ...]:
        """Play the scenario."""
        return play_scenario(self.scenario)

    def line_of(self, difference: Difference) -> int:
        """The line of the claim that is not true."""
        return self.document.line_of(f"{self.path}.{difference.where}")

    def told(self, differences: tuple[Difference, ...]) -> Iterator[str]:
        """Tell what was expected against what was got, line by line."""
        for difference in differences:
            yield f"line {self.line_of(difference)}: {difference.where}"
            yield f"  expected: {difference.expected.text}"
            yield f"  got:      {difference.got.text}"


class BadScenarioFile(ConductorError):
    """A file that cannot be used, for whoever wrote it; each error has a place of its own."""

    def __init__(self, *errors: DocumentError) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


def read_scenarios(path: Path) -> ScenarioFile:
    """Read a scenario file; raise BadScenarioFile with everything that is wrong with it."""
    try:
        document = read_document(path)
    except DocumentError as error:
        raise BadScenarioFile(error) from None
    try:
        return ScenarioFile(document, decode_scenarios(document.data))
    except FormatError as error:
        errors = (document.error(place, problem) for place, problem in error.problems)
        raise BadScenarioFile(*errors) from None
