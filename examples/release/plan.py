"""Plans the release; what people approve is the digest of the plan.

Every later step makes the plan anew and goes on only if it is still the one that was
approved: nothing else is built, checked or published.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from conductor_core.version import VERSION
from examples.release.files import digest, put
from examples.release.step import answer, refuse, told


@frozen
class Plan:
    """What is to be released, and where it is to be published."""

    version: str
    changelog: str
    target: str
    files: dict[str, str]

    @property
    def content(self) -> bytes:
        """The plan as a file, whose digest people approve."""
        return f"{json.dumps(asdict(self), indent=1)}\n".encode()

    @property
    def subject(self) -> str:
        """What people approve."""
        return digest(self.content)

    @property
    def workplace(self) -> Path:
        """Where things are made before they are published; every plan has its own."""
        return Path("build", "release", self.subject.removeprefix("sha256:")[:12])

    @property
    def artifacts(self) -> dict[str, str]:
        """The names of the files that are to be published, by their kind."""
        name = f"conductor_core-{self.version}"
        return {"wheel": f"{name}-py3-none-any.whl", "sdist": f"{name}.tar.gz"}

    @property
    def manifest(self) -> Path:
        """The file that says what was published; it is written last."""
        return Path(self.target, f"conductor_core-{self.version}.json")


def approved(context: dict[str, Any]) -> Plan:
    """The plan as it would be made now, which must be the one that was approved."""
    plan = planned(context)
    if plan.subject != context["subjects"]["plan"]:
        before = json.loads(Path(context["needs"]["plan"]["plan"]).read_bytes())["files"]
        changed = sorted({name for name, _ in before.items() ^ plan.files.items()})
        refuse(f"changed since the plan was approved: {', '.join(changed)}")
    return plan


def planned(context: dict[str, Any]) -> Plan:
    """The plan for the sources as they are now."""
    target = context["metadata"]["inputs"]["target"]
    if not isinstance(target, str) or not target:
        refuse(f"the input `target` names no folder: {target!r}")
    return Plan(
        version=VERSION,
        changelog=changelog(Path("CHANGELOG.md").read_text(encoding="utf-8"), VERSION),
        target=target,
        files={path.as_posix(): digest(path.read_bytes()) for path in sorted(sources())},
    )


def sources(root: Path = Path()) -> Iterator[Path]:
    """The files that go into the sdist, as pyproject.toml lists them."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in (*listed, "LICENSE", "README.md", "pyproject.toml"):
        path = root / name.removeprefix("/")
        found = (file for file in (path, *path.rglob("*")) if is_source(file, path))
        yield from (file.relative_to(root) for file in found)


def is_source(file: Path, listed: Path) -> bool:
    """Whether a path is a file that is neither hidden nor left behind by Python."""
    parts = file.relative_to(listed).parts
    left_behind = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return file.is_file() and not left_behind


def changelog(text: str, version: str) -> str:
    """What changed in a version; in one that is still developed, what is unreleased."""
    title = "Unreleased" if ".dev" in version else version
    section = re.search(
        rf"^## \[{re.escape(title)}\].*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if section is None or not section[1].strip():
        refuse(f"CHANGELOG.md says nothing under [{title}]")
    return section[1].strip()


def already_there(plan: Plan) -> str:
    """Whether this version is published already, in words."""
    wanted = [plan.manifest, *(Path(plan.target, name) for name in plan.artifacts.values())]
    if not any(file.exists() for file in wanted):
        return "not there yet"
    try:
        subject = json.loads(plan.manifest.read_bytes())["approved"]
    except (OSError, ValueError, KeyError, TypeError):
        return "there in part and would be made whole"
    if subject != plan.subject:
        return "there already, from another plan, and would be replaced"
    return "there already, from this very plan, and its files would stay as they are"


def main() -> None:
    """Tell what would be released, to people and to the steps that need it."""
    plan = planned(told())
    file = plan.workplace / "plan.json"
    put(file, plan.content)
    size = sum(Path(name).stat().st_size for name in plan.files)
    print(f"conductor-core {plan.version}: {len(plan.files)} files, {size:,} bytes")
    print(f"every file, with its digest: {file}")
    print(f"to be published in {plan.target}:")
    for name in (*plan.artifacts.values(), plan.manifest.name):
        print(f"  {name}")
    print(f"this version is {already_there(plan)}")
    print(f"what changed:\n\n{plan.changelog}")
    answer(
        output={"version": plan.version, "plan": file.as_posix(), "target": plan.target},
        subject=plan.subject,
    )


if __name__ == "__main__":
    main()
