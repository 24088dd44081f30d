"""Plans the release: its version and its files; what people approve is their digest."""

from __future__ import annotations

from conductor_core.version import VERSION
from examples.release.sources import digest, sources
from examples.release.step import answer


def main() -> None:
    """Tell what would be released."""
    files = [path.as_posix() for path in sources()]
    print(f"conductor-core {VERSION}, {len(files)} files")
    answer(output={"version": VERSION, "files": files}, subject=digest())


if __name__ == "__main__":
    main()
