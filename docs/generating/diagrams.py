"""State diagrams as SVG: boxes where this file puts them, arrows as they were seen.

Rule: which arrows there are is asked of `transitions`; here stands only where a status is drawn,
and a status without a place is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import hypot
from typing import Final, TypeAlias

from conductor_core.codec import EVENTS
from docs.generating.transitions import NONE, Seen

Place: TypeAlias = tuple[float, float]

_PLACES: Final[Mapping[str, Mapping[str, Place]]] = {
    "attempt": {
        NONE: (0, 1.5),
        "pending": (1, 0.5),
        "waiting-to-retry": (1, 2.5),
        "queued": (2, 1),
        "in-progress": (2, 2.2),
        "approval-awaiting": (3, 0),
        "error": (3, 3),
        "success": (4, 1),
        "auto-skipped": (3, 1.5),
        "approval-denied": (4, 0),
        "approval-expired": (4, -0.8),
        "cancelled": (4, 2.2),
        "discarded": (5, 0.6),
        "user-skipped": (5, 1.8),
        "not-attempted": (5, -0.8),
    },
    "group": {
        NONE: (0, 1),
        "pending": (1, 1),
        "in-progress": (2, 1),
        "approval-awaiting": (3, 0),
        "failed-pending-retry": (3, 2),
        "success": (4, 1),
        "error": (4, 2),
        "cancelled": (4, 3),
        "discarded": (4, 0),
    },
    "flow": {
        "pending": (0, 1),
        "in-progress": (1, 1),
        "paused": (2, 1),
        "approval-awaiting": (2, 0),
        "failed-pending-retry": (2, 2),
        "cancelling": (3, 2),
        "success": (4, 0),
        "error": (4, 1),
        "cancelled": (4, 2),
    },
}
_COLUMN: Final = 190
_ROW: Final = 120
_WIDTH: Final = 150
_HEIGHT: Final = 34
_MARGIN: Final = 30
_PEOPLE: Final = frozenset(tag for tag, kind in EVENTS.items() if hasattr(kind, "request_id"))
_STYLE: Final = (
    "<style>"
    "text{font:13px sans-serif;fill:#1f2937;text-anchor:middle;dominant-baseline:central}"
    "rect.box{fill:#f8fafc;stroke:#64748b}"
    "path{fill:none;stroke:#0f766e;stroke-width:1.2;marker-end:url(#tip)}"
    "path.people{stroke:#b45309;stroke-dasharray:5 3}"
    "</style>"
)
_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z" style="fill:#475569;stroke:none;marker-end:none"/>'
    "</marker></defs>"
)


def diagram(kind: str, seen: Seen) -> str:
    """The diagram of a kind: hosts lead along solid arrows, people along dashed ones."""
    places = _PLACES[kind]
    named = {status for pair in seen for status in pair}
    assert named == set(places), f"{kind}: drawn {sorted(places)}, seen {sorted(named)}"
    centres = {status: _centre(place, places.values()) for status, place in places.items()}
    width = max(x for x, _ in centres.values()) + _WIDTH / 2 + _MARGIN
    height = max(y for _, y in centres.values()) + _HEIGHT / 2 + _MARGIN
    return "\n".join(
        [
            _opening(kind, width, height),
            _STYLE,
            _TIP,
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#ffffff"/>',
            *_arrows(centres, seen),
            *(part for status, centre in centres.items() for part in _box(status, centre)),
            "</svg>\n",
        ]
    )


def _opening(kind: str, width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="The statuses of {_article(kind)}">'
    )


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "attempt" else f"a {kind}"


def _centre(place: Place, all_places: Iterable[Place]) -> Place:
    top = min(row for _, row in all_places)
    column, row = place
    return (
        _MARGIN + _WIDTH / 2 + column * _COLUMN,
        _MARGIN + _HEIGHT / 2 + (row - top) * _ROW,
    )


def _box(status: str, centre: Place) -> Iterator[str]:
    x, y = centre
    yield (
        f'<rect class="box" x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="8"/>'
    )
    yield f'<text x="{x:.0f}" y="{y:.0f}">{status}</text>'


def _arrows(centres: Mapping[str, Place], seen: Seen) -> Iterator[str]:
    for (old, new), causes in seen.items():
        kind = ' class="people"' if causes <= _PEOPLE else ""
        yield f'<path{kind} d="{_curve(centres[old], centres[new])}"/>'


def _curve(begin: Place, end: Place) -> str:
    """A curve from the edge of one box to that of another, bent to its right."""
    (x1, y1), (x2, y2) = begin, end
    length = hypot(x2 - x1, y2 - y1)
    bend = 0.12 * length
    middle = (
        (x1 + x2) / 2 - (y2 - y1) / length * bend,
        (y1 + y2) / 2 + (x2 - x1) / length * bend,
    )
    first, last = _edge(begin, middle), _edge(end, middle)
    return (
        f"M{first[0]:.0f} {first[1]:.0f}Q{middle[0]:.0f} {middle[1]:.0f} "
        f"{last[0]:.0f} {last[1]:.0f}"
    )


def _edge(centre: Place, towards: Place) -> Place:
    """Where a line from the centre of a box leaves it."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    scale = min(
        _WIDTH / 2 / abs(dx) if dx else float("inf"),
        _HEIGHT / 2 / abs(dy) if dy else float("inf"),
    )
    return centre[0] + dx * min(scale, 1), centre[1] + dy * min(scale, 1)
