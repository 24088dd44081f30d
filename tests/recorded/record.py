"""Records a log of every feature, for the tests of all later releases.

    python -m tests.recorded.record tests/recorded/0.1.0

Rule: what stands in a folder of a release is never recorded anew, nor edited: a change that breaks
it breaks the logs that people keep. A new feature gets a new story, and a folder of its release.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.recorded import hosts, people, reruns, work
from tests.recorded.telling import STORIES

MANIFEST: Final = "SHA256SUMS"
TOLD: Final = (hosts, people, reruns, work)
"""Where the stories are told, so that all of them are known here."""


def record(folder: Path) -> list[str]:
    """Record what is not there yet, add it to the manifest, and name it."""
    folder.mkdir(parents=True, exist_ok=True)
    new = [name for name in sorted(STORIES) if not (folder / f"{name}.jsonl").exists()]
    for name in new:
        content = STORIES[name]().text.encode()
        with (folder / f"{name}.jsonl").open("xb") as file:
            file.write(content)
        pin(folder / f"{name}.jsonl")
    return new


def pin(file: Path) -> None:
    """Add a file to the manifest of its folder."""
    digest = sha256(file.read_bytes()).hexdigest()
    with (file.parent / MANIFEST).open("a", encoding="ascii", newline="\n") as manifest:
        manifest.write(f"{digest}  {file.name}\n")


def main(folder: Path) -> None:
    """Tell what was recorded, and what was left as it is."""
    new = record(folder)
    for name in sorted(STORIES):
        print(f"{name}: {'recorded' if name in new else 'is there, and is left as it is'}")
    if not new:
        sys.exit(f"{folder}: nothing is new")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.recorded.record FOLDER")
    main(Path(sys.argv[1]))
