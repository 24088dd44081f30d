"""The folder beside a log that holds what belongs to its attempts.

Rule: what lies there is for operators and for the next host of the flow; the flow itself is
in the log, and nothing there is needed to read it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import field, frozen

OUTPUT: Final = ".txt"
RECORD: Final = ".group"
DISPATCH: Final = "conductor-"
CAPITALS: Final = "~"
"""No attempt's id has one."""


def _absolute(path: Path) -> Path:
    return path.absolute()


@frozen
class AttemptFiles:
    """The files of attempts; an attempt's id is a good name for a file (S1.1).

    Where it has capitals the name tells which: `Build#1~1.txt`. On many systems two names
    that differ in nothing but that are the same file.

    `hold` is an open descriptor that keeps the log locked (flock) for as long as anybody has
    it, which every command does until the record of its process group is written.
    """

    # Commands write there from folders of their own.
    folder: Path = field(converter=_absolute)
    hold: int | None = None

    def output_of(self, attempt: str) -> Path:
        """The file that holds what an attempt printed."""
        return self.folder / f"{distinct_name(attempt)}{OUTPUT}"

    def record_of(self, attempt: str) -> Path:
        """The file that tells which process group works on an attempt."""
        return self.folder / f"{distinct_name(attempt)}{RECORD}"

    def make_folder(self) -> None:
        """Make the folder, unless it is there; what commands print is nobody else's business."""
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def remove_outputs(self) -> None:
        """Remove what attempts of a former log printed, whose log is gone."""
        for path in self._all():
            if path.suffix == OUTPUT:
                path.unlink()

    def left_folders(self) -> tuple[Path, ...]:
        """The folders of dispatches whose host went away."""
        # A step may have such a key, but then its files are no folders.
        found = (path for path in self._all() if path.name.startswith(DISPATCH))
        return tuple(path for path in found if path.is_dir())

    def records(self) -> tuple[tuple[str, Path], ...]:
        """The attempts that have a record, with the record."""
        found = (path for path in self._all() if path.suffix == RECORD)
        return tuple((path.stem.partition(CAPITALS)[0], path) for path in found)

    def _all(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except FileNotFoundError:
            return []


def distinct_name(name: str) -> str:
    """A name for files of an attempt or a flow, another one for each where case is ignored."""
    capitals = sum(1 << place for place, letter in enumerate(name) if letter.isupper())
    return f"{name}{CAPITALS}{capitals:x}" if capitals else name


def new_folder(where: Path | None = None) -> TemporaryDirectory[str]:
    """A folder for one dispatch, which goes away with it; `where` it is does not matter."""
    # What left its process group may write to the folder while it is removed.
    return TemporaryDirectory(prefix=DISPATCH, dir=where, ignore_cleanup_errors=True)
