"""Where a worker works.

Rule: commands run there, and handlers are imported from there.
"""

from __future__ import annotations

import os
from pathlib import Path

from conductor_core.errors import ConductorError


def go_to(directory: Path | None) -> None:
    """Make a directory the current one; raises ConductorError."""
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise ConductorError(f"--directory: {directory}: {error.strerror}") from None
