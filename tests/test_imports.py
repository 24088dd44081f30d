"""What importing the package loads: nothing that only codecs, digests or mistakes need."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_core import testing

LATER = {"cattrs", "difflib", "hashlib", "typing_extensions"}
"""What is slow to import, and imported by whoever needs it first."""

PLAY = """
from conductor_core import FlowSpec, GroupSpec, StepSpec, events, initial_state, reduce
spec = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a")])])
state = reduce(initial_state(spec, "flow"), events.FlowStarted(at_ms=0)).state
event = events.StepFinished(at_ms=1, attempt="a#1", outcome="succeeded")
assert reduce(state, event).state.status == "success"
"""


def loaded_by(code: str) -> set[str]:
    """The modules that some code loads in an interpreter of its own, besides those of attrs."""
    script = f"import sys, attrs\nbefore = set(sys.modules)\n{code}\n"
    script += "print(*set(sys.modules) - before)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


def test_a_flow_is_played_without_what_only_codecs_need() -> None:
    """The package imports, and its reducer runs, without what is slow to import."""
    loaded = loaded_by(PLAY)
    assert "conductor_core.reducer" in loaded
    assert loaded & LATER == set()


def test_the_log_is_imported_without_cattrs() -> None:
    """Only who decodes or encodes something imports what does it."""
    assert "cattrs" not in loaded_by("import conductor_core.log")
    decodes = "from conductor_core.codec import decode_spec; decode_spec({})"
    assert "cattrs" in loaded_by(decodes)


@pytest.mark.parametrize("module", ["strategies", "flow_machine"])
def test_what_needs_hypothesis_names_the_extra_that_has_it(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installed the core alone is told what to install."""
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "hypothesis", None)
        with pytest.raises(ModuleNotFoundError) as told:
            runpy.run_path(f"{Path(testing.__file__).with_name(module)}.py")
    assert str(told.value).endswith("need the test extra: pip install 'conductor-core[test]'")
    assert told.value.name == "hypothesis"
