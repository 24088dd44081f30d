"""What a release is made of, and its digest."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

FILES = ("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml")
PACKAGES = ("conductor_core", "adapters/conductor_adapters")


def sources() -> list[Path]:
    """The files that go into the release, in the order of their names."""
    packaged = (path for package in PACKAGES for path in Path(package).rglob("*"))
    kept = (path for path in packaged if path.is_file() and "__pycache__" not in path.parts)
    return sorted([*map(Path, FILES), *kept])


def digest_of(path: Path) -> str:
    """The digest of one file."""
    return f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def digest() -> str:
    """The digest of all of them, names included."""
    lines = (f"{digest_of(path)} {path.as_posix()}\n" for path in sources())
    return f"sha256:{sha256(''.join(lines).encode()).hexdigest()}"
