"""Hypothesis runs as the profile in force says (see `profiles`), and there are servers to use."""

from __future__ import annotations

import pytest

from property_tests import profiles

profiles.load()


def pytest_configure(config: pytest.Config) -> None:
    """Take what tests/ has for all tests; who runs this folder alone has not yet done so."""
    config.pluginmanager.import_plugin("tests.measuring")
    config.pluginmanager.import_plugin("tests.services.fixtures")
