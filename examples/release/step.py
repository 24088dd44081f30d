"""How a step talks to its flow: two JSON files, named by the environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn


def told() -> dict[str, Any]:
    """What the flow tells this step: its input, the outputs it needs, what was approved."""
    context: dict[str, Any] = json.loads(Path(os.environ["CONDUCTOR_CONTEXT"]).read_bytes())
    return context


def answer(**result: object) -> None:
    """What this step leaves behind: its output, say, and the subject of its approval."""
    Path(os.environ["CONDUCTOR_RESULT"]).write_text(json.dumps(result), encoding="utf-8")


def refuse(problem: str) -> NoReturn:
    """Fail for good: the flow stops, for no retry would mend this."""
    answer(directive="stop")
    sys.exit(problem)
