"""How hard the property tests try: CONDUCTOR_PROFILE is `dev` (the default), `ci` or `thorough`.

Rule: a profile says how much is tried, never what is demanded. `dev` takes about a minute for the
whole folder, `ci` some minutes, `thorough` hours: it is the only one that searches every small flow
to the end (`every_flow`) and lets a fuzzer look for bytes of its own (`fuzz`). No example has a
deadline: nothing here is about time.
"""

from __future__ import annotations

import os
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

PROFILE: Final = os.environ.get("CONDUCTOR_PROFILE", "dev")

COMMON: Final = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def by_profile(*, dev: T, ci: T, thorough: T) -> T:
    """What the profile in force asks for."""
    return {"dev": dev, "ci": ci, "thorough": thorough}[PROFILE]


def load() -> None:
    """Make the profile in force that of every Hypothesis test."""
    settings.register_profile("dev", COMMON, max_examples=60, stateful_step_count=30)
    settings.register_profile("ci", COMMON, max_examples=600, stateful_step_count=60)
    settings.register_profile("thorough", COMMON, max_examples=20_000, stateful_step_count=100)
    settings.load_profile(PROFILE)
