"""How large and how often: everything, a quick look, or so little that only the code is tried."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class Scale:
    """The sizes at which the parts measure, and how many rounds they take.

    `events`: at least so many are played in one timing. A peer is not played at a size at
    which one flow takes it longer than `peer_ms`; `play_ms` is about what it plays in one
    timing. `flat` and `sweeps` name the sizes that are compared, the first with each other
    one. `entries` are the lengths of the logs whose replay is timed, `remembered` those of the
    logs whose replay is weighed. `folder_logs`: so many are verified as one folder.
    `temporal_groups` are the groups of the large flow on Temporal, `temporal_handed` those of
    the one whose groups are run by children, and the steps of each.
    """

    rounds: int
    events: int
    peer_steps: tuple[int, ...]
    peer_goal_at: int
    peer_ms: int
    play_ms: int
    flat: tuple[int, ...]
    sweeps: tuple[int, ...]
    entries: tuple[int, ...]
    remembered: tuple[int, ...]
    folder_logs: int
    live_steps: int
    imports: int
    host_steps: int
    durable_steps: int
    waiting_flows: int
    celery_steps: tuple[int, ...]
    temporal_steps: tuple[int, ...]
    temporal_groups: int
    temporal_handed: tuple[int, int]
    temporal_replayed: int


FULL: Final = Scale(
    rounds=5,
    events=20_000,
    peer_steps=(10, 100, 1_000, 10_000),
    peer_goal_at=1_000,
    peer_ms=4_000,
    play_ms=200,
    flat=(10, 100_000, 1_000_000),
    sweeps=(10_000, 100_000),
    entries=(100_000, 1_000_000),
    remembered=(100_000, 1_000_000),
    folder_logs=1_000,
    live_steps=100_000,
    imports=15,
    host_steps=10_000,
    durable_steps=2_000,
    waiting_flows=10_000,
    celery_steps=(20, 200, 2_000),
    temporal_steps=(20, 200, 2_000),
    temporal_groups=200,
    temporal_handed=(100, 1_000),
    temporal_replayed=2_000,
)
QUICK: Final = Scale(
    rounds=3,
    events=5_000,
    peer_steps=(10, 1_000),
    peer_goal_at=1_000,
    peer_ms=1_500,
    play_ms=100,
    flat=(10, 20_000),
    sweeps=(2_000, 20_000),
    entries=(20_000,),
    remembered=(10_000, 20_000),
    folder_logs=1_000,
    live_steps=20_000,
    imports=7,
    host_steps=2_000,
    durable_steps=500,
    waiting_flows=1_000,
    celery_steps=(20, 200),
    temporal_steps=(20,),
    temporal_groups=4,
    temporal_handed=(2, 100),
    temporal_replayed=100,
)
TINY: Final = Scale(
    rounds=1,
    events=1,
    peer_steps=(20,),
    peer_goal_at=20,
    peer_ms=2_000,
    play_ms=1,
    flat=(10, 50),
    sweeps=(10, 50),
    entries=(50,),
    remembered=(20, 50),
    folder_logs=4,
    live_steps=50,
    imports=1,
    host_steps=20,
    durable_steps=20,
    waiting_flows=20,
    celery_steps=(20,),
    temporal_steps=(20,),
    temporal_groups=1,
    temporal_handed=(1, 20),
    temporal_replayed=20,
)
SCALES: Final = {"full": FULL, "quick": QUICK, "tiny": TINY}
