"""Publishes both artifacts with a manifest; doing it twice, or after a crash, does no harm."""

from __future__ import annotations

import json
from pathlib import Path

from examples.release.files import digest, put
from examples.release.plan import approved
from examples.release.step import answer, refuse, told


def main() -> None:
    """Copy what was built and, once all of it is there, say what it is."""
    context = told()
    plan = approved(context)
    files = {}
    for kind, name in plan.artifacts.items():
        built = context["needs"][kind]
        content = read(Path(built["file"]))
        if digest(content) != built["digest"]:
            refuse(f"{built['file']} is no longer what was built")
        put(Path(plan.target, name), content)
        files[name] = {"digest": built["digest"], "bytes": built["bytes"]}
    manifest = {
        "name": "conductor-core",
        "version": plan.version,
        "approved": plan.subject,
        "files": files,
        "flow_id": context["flow_id"],
        "idempotency_key": context["idempotency_key"],
    }
    put(plan.manifest, f"{json.dumps(manifest, indent=2)}\n".encode())
    print(f"published in {plan.target}: {', '.join((*files, plan.manifest.name))}")
    answer(output={"manifest": plan.manifest.as_posix()})


def read(file: Path) -> bytes:
    """What is in a file; nothing if there is none."""
    return file.read_bytes() if file.is_file() else b""


if __name__ == "__main__":
    main()
