"""What the tests of `conductor replay` share."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor

CONDUCTOR: Final = (
    *(sys.executable, "-c"),
    "from conductor_adapters.cli.main import main; main()",
)
"""The command, for a process of its own."""


def run(*arguments: str, code: int = 0) -> Result:
    """Run the command; nothing but this exit may come out of it."""
    result = CliRunner().invoke(conductor, ["replay", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def data_of(*arguments: str, code: int = 0) -> dict[str, Any]:
    """What programs are told."""
    data: dict[str, Any] = json.loads(run(*arguments, "--json", code=code).stdout)
    return data
