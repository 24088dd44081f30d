"""The hosted workflow does what can be done by hand, and may do no more than it needs."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml

from tests.documents import ROOT

TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_calls_targets_that_exist() -> None:
    """Whatever a job makes can be made by hand, too."""
    called = set(re.findall(r"make ([a-z-]+)", TEXT)) - {"check"}
    assert called == {"build", "installed"}
    assert called <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_it_may_read_and_nothing_else() -> None:
    """No job is given the right to write, and none keeps the token that it fetched with."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in WORKFLOW["jobs"].values():
        assert "permissions" not in job
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"] == {"persist-credentials": False}


def test_it_tries_every_python_that_is_promised() -> None:
    """The wheel is tried on each Python that the metadata names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert WORKFLOW["jobs"]["installed"]["strategy"]["matrix"]["python"] == named


def test_one_job_tells_of_all_others() -> None:
    """What protects a branch needs to know one name, and a job that was skipped is seen."""
    jobs = WORKFLOW["jobs"]
    assert set(jobs["gate"]["needs"]) == set(jobs) - {"gate"}
    assert jobs["gate"]["if"] == "always()"
    (step,) = jobs["gate"]["steps"]
    assert all(f"'{result}'" in step["run"] for result in ("failure", "cancelled", "skipped"))
    assert all("timeout-minutes" in job for job in jobs.values())
