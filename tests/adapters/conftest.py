"""What tests of files share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a store that is not there yet."""
    return tmp_path / "flows.db"
