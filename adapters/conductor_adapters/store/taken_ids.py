"""What is told where the id of a flow is taken: how what is there differs from what came.

Rule: nothing is judged and nothing is changed; the first differences are told, the others counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import Any, Final

from conductor_adapters.store.kept import event_of
from conductor_core.codec import encode_spec
from conductor_core.differences import differences
from conductor_core.errors import LogError
from conductor_core.json_text import loads
from conductor_core.lines import described
from conductor_core.spec import FlowSpec

TOLD: Final = 3
"""So many places are told."""
SIDES: Final = ("there", "here")


def of_flows(kept: FlowSpec, given: FlowSpec) -> str:
    """How a flow that is in the store differs from one that was to begin under its id."""
    return f"it declares otherwise: {_places(encode_spec(kept), encode_spec(given))}"


def of_logs(kept: Iterable[str], given: Iterable[str]) -> str:
    """How the log of a flow in the store differs from one that was to be taken in."""
    ours, theirs = _entries(kept), _entries(given)
    for seq, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one is None:
            return f"its log ends at entry {seq - 1:,}, and this one at entry {len(theirs) - 1:,}"
        if other is None:
            more = f"its log has these {seq - 1:,} entries, and {len(ours) - seq:,} more"
            return f"it went on: {more}"
        if one != other and (differ := _differ(seq, one, other)):
            return differ
    return "this very log is there"


def _entries(lines: Iterable[str]) -> Sequence[str]:
    """The header and the entries; what else stands in a log follows from them."""
    header, *others = lines
    return [header, *(line for line in others if "seq" in loads(line))]


def _differ(seq: int, one: str, other: str) -> str:
    """How two lines differ; nothing where they are but written differently."""
    ours, theirs = loads(one), loads(other)
    # The digest differs because something else does.
    places = _places({**ours, "digest": None}, {**theirs, "digest": None})
    if not places:
        return ""
    if seq == 0:
        return f"it began otherwise: {places}"
    return f"the logs part at entry {seq:,}: {_events(one, other) or places}"


def _events(one: str, other: str) -> str:
    """What came on each side, if people see a difference in that."""
    try:
        there, here = described(event_of(one)), described(event_of(other))
    except LogError:
        return ""
    return "" if there == here else f"there {there}, here {here}"


def _places(kept: Any, given: Any) -> str:
    found = differences(kept, given, words=SIDES)
    first = "; ".join(islice(found, TOLD))
    more = sum(1 for _ in found)
    return f"{first}; and {more:,} more" if more else first
