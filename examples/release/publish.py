"""Publishes both artifacts into ./dist-local, with a manifest; doing it twice does no harm."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from examples.release.sources import digest_of
from examples.release.step import answer, told

TARGET = Path("dist-local")


def main() -> None:
    """Copy what was built and say what it is."""
    context = told()
    TARGET.mkdir(exist_ok=True)
    files = {}
    for kind in ("wheel", "sdist"):
        built = context["needs"][kind]
        artifact = Path(built["file"])
        if digest_of(artifact) != built["digest"]:
            sys.exit(f"{artifact} is no longer what was built")
        put(artifact.name, artifact.read_bytes())
        files[artifact.name] = built["digest"]
    manifest = {
        "name": "conductor-core",
        "version": context["needs"]["plan"]["version"],
        "approved": context["subjects"]["plan"],
        "released_by": context["flow_id"],
        "files": files,
    }
    put("manifest.json", f"{json.dumps(manifest, indent=2)}\n".encode())
    print(f"published {', '.join(files)} to {TARGET}")
    answer(output={"manifest": str(TARGET / "manifest.json")})


def put(name: str, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    partial = TARGET / f".{name}.partial"
    partial.write_bytes(content)
    partial.replace(TARGET / name)


if __name__ == "__main__":
    main()
