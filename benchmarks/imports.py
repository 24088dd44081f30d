"""What importing `conductor_core` adds to importing `attrs`.

Fresh interpreters import the one or the other, in turn; each tells the processor time of
its import. cattrs decodes what was written, and may only be there when something is.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.children import figures
from benchmarks.parts import Part, run
from benchmarks.rows import Row
from benchmarks.scale import Scale

GOAL_MS: Final = 30.0


def measure(scale: Scale) -> Iterator[Row]:
    """How long both take, the difference, and whether cattrs came along."""
    alone, whole, cattrs = list[float](), list[float](), False
    for _ in range(scale.imports):
        alone.append(figures("benchmarks.importing", "attrs")["ms"])
        found = figures("benchmarks.importing", "conductor_core")
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


PART: Final = Part("imports", "what importing the core costs", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
