"""What is measured on Temporal, by its names; nothing here needs Temporal itself."""

from __future__ import annotations

from typing import Final

FLOWS: Final = "flow"
BY_HAND: Final = "hand-written"
"""The two that are compared, and the task queues of their workers."""
SEQUENTIAL: Final = "sequential"
PARALLEL: Final = "parallel"
KINDS: Final = (SEQUENTIAL, PARALLEL)
GROUP_SIZE: Final = 100
"""So many steps are in each group of a large flow."""
CHILDREN: Final = "children"
"""Who runs the groups of a flow, where it is not the flow itself."""
WALL: Final = "wall"
PROCESSOR: Final = "processor"
TOTAL: Final = "total"
TASKS: Final = "tasks"
LOG: Final = "log"
