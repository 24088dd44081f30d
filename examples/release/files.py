"""Files: their digests, those inside an archive, and how to write one as a whole."""

from __future__ import annotations

import tarfile
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile


def digest(content: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{sha256(content).hexdigest()}"


def put(file: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, however often this is done."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)


def in_wheel(wheel: Path) -> dict[str, str]:
    """The digest of each file in a wheel, by its name."""
    with ZipFile(wheel) as archive:
        return {name: digest(archive.read(name)) for name in archive.namelist()}


def in_sdist(sdist: Path) -> dict[str, str]:
    """The digest of each file in an sdist, by its name in the one folder that all stand in."""
    with tarfile.open(sdist) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        return {
            name.partition("/")[2]: digest(file.read())
            for name, file in files.items()
            if file is not None
        }
