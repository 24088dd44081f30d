"""What importing `conductor_core` adds to importing `attrs`.

Fresh interpreters import the one or the other, in turn; each tells the processor time of
its import. As after every first import all is compiled already. cattrs decodes what was
written, and may only be there when something is.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.children import figures
from benchmarks.parts import Part, run
from benchmarks.rows import Row
from benchmarks.scale import Scale

GOAL_MS: Final = 30.0


def measure(scale: Scale) -> Iterator[Row]:
    """How long both take, the difference, and whether cattrs came along."""
    alone, whole, cattrs = list[float](), list[float](), False
    with tempfile.TemporaryDirectory() as compiled:
        _imported("conductor_core", compiled)
        for _ in range(scale.imports):
            alone.append(_imported("attrs", compiled)["ms"])
            found = _imported("conductor_core", compiled)
            whole.append(found["ms"])
            cattrs = cattrs or found["cattrs"]
    base, full = statistics.median(alone), statistics.median(whole)
    yield Row(part="imports", what="import attrs", figure=base, unit="ms")
    yield Row(part="imports", what="import conductor_core", figure=full, unit="ms")
    yield Row(
        part="imports",
        what="conductor_core adds to attrs",
        figure=full - base,
        unit="ms",
        goal=GOAL_MS,
    )
    yield Row(
        part="imports", what="cattrs imported with it (0: no)", figure=int(cattrs), unit="", goal=0
    )


def _imported(module: str, compiled: str) -> dict[str, Any]:
    """What a fresh interpreter tells, which keeps what it compiles in a folder of ours."""
    kept = {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    return figures("benchmarks.importing", module, **kept)


PART: Final = Part("imports", "what importing the core costs", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
