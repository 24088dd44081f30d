"""What a store raises on purpose; whoever gets one of these has lost nothing."""

from __future__ import annotations

from conductor_core.errors import ConductorError, shown


class StoreError(ConductorError):
    """A store that cannot be used, or could not keep what it was given."""


class UnknownFlow(StoreError):
    """No flow of the store has that id; `of` names the store, where several may be meant."""

    def __init__(self, flow_id: str, *, of: str | None = None) -> None:
        self.flow_id = flow_id
        self.of = of
        told = f"no flow is named {shown(flow_id)}"
        super().__init__(told if of is None else f"{of}: {told}")


class FlowExists(StoreError):
    """A flow of the store has that id already; `how` it differs from what came is told, too."""

    def __init__(self, flow_id: str, how: str = "") -> None:
        self.flow_id = flow_id
        self.how = how
        told = f"a flow is named {shown(flow_id)} already"
        super().__init__(f"{told}: {how}" if how else told)
