"""The folder beside a store: what commands print, and who works on which attempt.

Rule: on one machine nobody but who holds the claim on an attempt runs its command. The system
gives a claim up when its holder dies, and no sooner than the process group of the command is
on record; so who has a claim knows of everything that was left of the attempt.

| path | what it holds |
|---|---|
| `STORE.d/FLOW/ATTEMPT.txt` | what the command of an attempt printed |
| `STORE.d/.running/FLOW@ATTEMPT/` | what belongs to a dispatch, until it ends; the claim locks it |
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import field, frozen

from conductor_adapters.attempt_files import AttemptFiles, distinct_name

if sys.platform != "win32":
    import fcntl

RUNNING: Final = ".running"
OF: Final = "@"
SLASH: Final = "+"
"""No flow's id has one of these."""


def files_beside(store: Path) -> Path:
    """The folder beside the file of a store."""
    # Whoever takes another way to the file must find the same claims.
    file = store.resolve()
    return file.with_name(f"{file.name}.d")


def _name_of(flow_id: str) -> str:
    return distinct_name(flow_id.replace("/", SLASH))


@frozen
class ClaimedFiles(AttemptFiles):
    """The files of one attempt; what it prints goes to another folder, and stays."""

    outputs: Path = field(kw_only=True)

    def output_of(self, attempt: str) -> Path:
        """The file that holds what an attempt printed."""
        return AttemptFiles(self.outputs).output_of(attempt)


@frozen(kw_only=True)
class Claim:
    """The claim on an attempt, for as long as `descriptor` is open; `name` says of which."""

    descriptor: int
    name: str
    folder: Path
    outputs: Path

    @property
    def files(self) -> ClaimedFiles:
        """Where the command of the attempt leaves what it prints, and its record."""
        return ClaimedFiles(self.folder, self.descriptor, outputs=self.outputs)

    def release(self) -> None:
        """Let others have the attempt; a folder that still holds something stays."""
        with suppress(OSError):
            self.folder.rmdir()
        os.close(self.descriptor)


@frozen
class Claims:
    """The claims on attempts of the flows of one store."""

    root: Path

    def claim(self, flow_id: str, attempt: str) -> Claim | None:
        """Claim an attempt; None while somebody else has it. Raises OSError."""
        name = f"{_name_of(flow_id)}{OF}{distinct_name(attempt)}"
        outputs = self.root / _name_of(flow_id)
        # What commands print is nobody else's business.
        for folder in (self.root, outputs, self.root / RUNNING):
            folder.mkdir(mode=0o700, exist_ok=True)
        while True:
            (self.root / RUNNING / name).mkdir(mode=0o700, exist_ok=True)
            # Whoever had it may take it away just now.
            with suppress(FileNotFoundError):
                return self._held(name)

    def left(self, flow_id: str | None = None) -> Iterator[Claim]:
        """Claim, one after the other, what nobody has any more: of one flow, or of all."""
        begin = "" if flow_id is None else f"{_name_of(flow_id)}{OF}"
        for name in _names_in(self.root / RUNNING):
            if not name.startswith(begin):
                continue
            try:
                claim = self._held(name)
            except FileNotFoundError:
                continue
            if claim is not None:
                yield claim

    def _held(self, name: str) -> Claim | None:
        """Lock the folder of a name; FileNotFoundError where it has gone."""
        folder = self.root / RUNNING / name
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), folder.stat()):
                raise FileNotFoundError(name)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        outputs = self.root / name.partition(OF)[0]
        return Claim(descriptor=descriptor, name=name, folder=folder, outputs=outputs)

    def flows_with_outputs(self) -> frozenset[str]:
        """The names of the folders that hold what the commands of flows printed."""
        names = _names_in(self.root)
        return frozenset(name for name in names if name != RUNNING)

    def remove_outputs(self, names: Iterable[str], kept: Iterable[str]) -> None:
        """Remove folders of flows, but for those of flows that are kept."""
        keep = {_name_of(flow_id) for flow_id in kept}
        for name in names:
            if name not in keep:
                shutil.rmtree(self.root / name, ignore_errors=True)


def _names_in(folder: Path) -> list[str]:
    """The folders in a folder."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
