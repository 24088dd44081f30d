"""The pytest plugin: every scenario of a `*.scenario.yaml` file is a test.

Rule: this module is imported by every pytest run where the distribution is installed, so
it imports nothing but pytest until a scenario file is collected.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from conductor_adapters.cli.scenario_file import Entry
    from conductor_core.testing.scenarios import Difference

SUFFIXES: Final = (".scenario.yaml", ".scenario.yml", ".scenario.json")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the files that are scenario files by their names."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    return ScenarioModule.from_parent(parent, path=file_path)


class ScenarioModule(pytest.File):
    """A scenario file; what is wrong with it is a collection error with its place."""

    def collect(self) -> Iterable[ScenarioItem]:
        """Read the file; each scenario is a test of its own."""
        try:
            # Imported here by the rule of this module.
            from conductor_adapters.cli.scenario_file import (  # noqa: PLC0415 - only for such files
                BadScenarioFile,
                read_scenarios,
            )
        except ModuleNotFoundError as error:
            needed = "scenario files need the cli extra: pip install 'conductor-core[cli]'"
            raise self.CollectError(f"{needed} ({error})") from None
        try:
            file = read_scenarios(self.path)
        except BadScenarioFile as error:
            raise self.CollectError(str(error)) from None
        for entry in file.entries():
            yield ScenarioItem.from_parent(self, name=entry.scenario.name, entry=entry)


class ScenarioItem(pytest.Item):
    """A scenario; it fails with what it expected against what it got."""

    def __init__(self, *, entry: Entry, **options: Any) -> None:
        super().__init__(**options)
        self.entry = entry

    def runtest(self) -> None:
        """Play the scenario."""
        differences = self.entry.play()
        if differences:
            raise ScenarioFailed(self.entry, differences)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what was expected against what was got; anything else as pytest does."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the scenario stands; lines count from 0 here."""
        return self.path, self.entry.line - 1, self.name


class ScenarioFailed(Exception):
    """A scenario that claims what is not true."""

    def __init__(self, entry: Entry, differences: tuple[Difference, ...]) -> None:
        rules = f" ({entry.scenario.spec})" if entry.scenario.spec else ""
        lines = [f"{entry.scenario.name}{rules}", *entry.told(differences)]
        super().__init__("\n".join(lines))
