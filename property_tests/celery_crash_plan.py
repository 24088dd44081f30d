"""What the processes of a trial on Celery are told: where everything is, and what goes wrong.

Rule: it is told by the environment, since it is Celery that begins them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final, Self

from attrs import asdict, field, frozen

VARIABLE: Final = "CONDUCTOR_CELERY_TRIAL"


@frozen(kw_only=True)
class Plan:
    """A trial: its servers, its folder, and how hard it is on them.

    `dies`: so likely a process kills itself at each of the points where it may; `copies`: so
    often a message is sent at most, each time late by up to `late_s`; `flows`: which ones are
    run, `deadly` or `quick` ones. `owner` is the process of the trial, which nobody shall outlive.
    """

    broker: str
    store: str
    folder: str
    flows: str = "deadly"
    seed: int = 0
    lease_s: float = 2.0
    dies: float = 0.0
    copies: int = 1
    late_s: float = 0.0
    owner: int = field(factory=os.getpid)

    @property
    def place(self) -> Path:
        """Where everybody writes down what happens."""
        return Path(self.folder)

    @classmethod
    def here(cls) -> Self:
        """What this process was told."""
        told: dict[str, object] = json.loads(os.environ[VARIABLE])
        return cls(**told)  # type: ignore[arg-type] # it was written by `environment`

    def environment(self) -> dict[str, str]:
        """What a process is told that shall do this."""
        return {**os.environ, VARIABLE: json.dumps(asdict(self))}
