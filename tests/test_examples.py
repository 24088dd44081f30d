"""The examples, run as a reader would run them, and the release when things go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
from attrs import define, field

from conductor_adapters.cli.flow_file import read_flow
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core import events
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.version import VERSION
from examples.release.plan import sources

PROJECT: Final = Path(__file__).parent.parent
EXAMPLES: Final = PROJECT / "examples"
CONDUCTOR: Final = [
    sys.executable,
    "-c",
    "from conductor_adapters.cli.main import main; main()",
]
FLOW: Final = "examples/release/flow.yaml"
WHEEL: Final = f"conductor_core-{VERSION}-py3-none-any.whl"
SDIST: Final = f"conductor_core-{VERSION}.tar.gz"
MANIFEST: Final = f"conductor_core-{VERSION}.json"

PRINTED: Final = {
    "checking_a_flow.py": """\
never: (apply is queued or in-progress) and not (plan is approved)
flow started -> dispatch plan#1
plan#1 failed: Error: failed -> dispatch apply#1
  1. flow started -> dispatch plan#1
  2. plan#1 failed: Error: failed -> dispatch apply#1
without the mistake all of it holds
""",
    "embedding.py": """\
FlowStarted: accepted, in-progress
StepFinished: accepted, approval-awaiting
ApprovalResponded: accepted, in-progress
StepFinished: accepted, in-progress
TimerFired: accepted, in-progress
StepFinished: accepted, success
the flow ends: success
replay: 6 entries verified
""",
    "quorum.py": """\
deploy-1 asks about plan#1
  mallory approves: rejected(not-an-approver)
  ana approves: accepted
  ana approves: rejected(already-responded)
5 hours later
  bo approves: accepted
deploy-1 asks about plan#2
  bo approves: accepted
  cy approves: accepted
  applied: plan#2 adds 3
  plan#1 is discarded
  plan#2 is success
  apply#1 is success
deploy-1 ends: success
deploy-2 asks about plan#1
  ana approves: accepted
a day later
  plan#1 is approval-expired
  apply#1 is discarded
deploy-2 ends: error (Approval expired)
""",
    "cancel_and_rerun.py": """\
patient is failed-pending-retry
  ana retries fetch: accepted
  fetch#2 fetched the backup
  check#1 found everything in its place
  fetch#1 is discarded
  fetch#2 is success
  load#1 is success
  check#1 is success
patient ends: success
  fetch#1 fetched the backup
  bo cancels: accepted
  load#1 was cancelled and dropped what it had loaded
  fetch#1 is success
  load#1 is cancelled
  check#1 is cancelled
large ends: cancelled (wrong backup)
  bo retries load: rejected(flow-cancelled)
  fetch#1 is error
  load#1 is not-attempted
  check#1 is not-attempted
hasty ends: error (the storage cannot be reached)
  ana reruns fetch: accepted
  fetch#2 fetched the backup
  check#1 found everything in its place
  fetch#1 is discarded
  fetch#2 is success
  load#1 is success
  check#1 is success
hasty ends: success
""",
    "generation.py": """\
  update-web-1#1 updates web-1
  ana appends late-web-4: accepted
  ana appends late-web-4: rejected(duplicate-key)
  ana approves: accepted
  update-web-2#1 updates web-2
  update-web-3#1 updates web-3
  update-web-4#1 updates web-4
  canary is success
  others is success
  late-web-4 is success
rollout-eu ends: success
rollout-us ends: error (No steps were generated)
""",
    "testing_a_flow.py": """\
holds: The second approval dispatches what the plan is for.
holds: Whatever workers, clocks and people do: `apply` runs only after two of the three agreed.
""",
}


def python(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Run Python and return what came of it."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, check=False, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


# --- scripts ---


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_a_reader_is_told(name: str) -> None:
    """Each script runs as it stands and prints the same every time."""
    done = python(str(EXAMPLES / name))
    assert (done.stdout, done.returncode) == (PRINTED[name], 0), done.stderr
    assert "Traceback" not in done.stderr


def test_every_example_is_run_here() -> None:
    """A script that is not run here, or a step that no release takes, is no example."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == PRINTED.keys()
    release = {path: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("release/*")
               if path.is_file()}  # fmt: skip
    named = "".join(release.values())
    unused = [path.stem for path in release if f"examples.release.{path.stem}" not in named]
    assert unused == ["flow"]


def test_a_host_of_one_s_own_takes_60_lines() -> None:
    """The embedding example keeps what it is known for, docstring and imports included."""
    assert len((EXAMPLES / "embedding.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_law_of_a_flow_finds_what_breaks_it(tmp_path: Path) -> None:
    """Without its guard, the flow that is tested fails its law, and the story is told."""
    guarded = (EXAMPLES / "testing_a_flow.py").read_text(encoding="utf-8")
    unguarded = tmp_path / "unguarded.py"
    unguarded.write_text(guarded.replace(", skippable=False", ""), encoding="utf-8")
    done = python(str(unguarded), cwd=tmp_path)
    assert done.returncode == 1
    assert "operation='skip-step'" in done.stderr


# --- the release, as a whole ---


@define
class Checkout:
    """A copy of the sources in which releases are made, whole or step by step."""

    folder: Path
    inputs: dict[str, Any] = field(factory=lambda: {"target": "dist-local"})
    results: dict[str, dict[str, Any]] = field(factory=dict)

    @property
    def target(self) -> Path:
        """Where the flow file publishes."""
        return self.folder / "dist-local"

    def published(self) -> dict[str, bytes]:
        """All that is published, by name."""
        return {path.name: path.read_bytes() for path in self.target.iterdir()}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command here, with this Python first on the path."""
        return subprocess.run(
            arguments, cwd=self.folder, env=self.environment(), check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a reader who has activated the virtual environment."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, **more}

    def step(self, step: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the work of one step as the flow would, with the results of those before it."""
        module = {"wheel": "build", "sdist": "build"}.get(step, step)
        context = {
            "flow_id": "release-1",
            "idempotency_key": f"release-1/{step}#1",
            "metadata": {"inputs": self.inputs},
            "needs": {key: result.get("output") for key, result in self.results.items()},
            "subjects": {key: r["subject"] for key, r in self.results.items() if "subject" in r},
        }
        told, answer = self.folder / "context.json", self.folder / "result.json"
        told.write_text(json.dumps(context), encoding="utf-8")
        answer.unlink(missing_ok=True)
        files = {"CONDUCTOR_CONTEXT": str(told), "CONDUCTOR_RESULT": str(answer)}
        done = subprocess.run(
            [sys.executable, "-m", f"examples.release.{module}", step], cwd=self.folder,
            env=self.environment(**files, **environment), check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        self.results[step] = json.loads(answer.read_bytes()) if answer.exists() else {}
        return done

    def steps(self, *steps: str) -> None:
        """Run the work of some steps, which must succeed."""
        for step in steps:
            done = self.step(step)
            assert done.returncode == 0, done.stderr

    def refused(self, step: str, **environment: str) -> str:
        """Run the work of a step that must stop the flow, and return what it complains of."""
        done = self.step(step, **environment)
        assert done.returncode == 1, done.stdout
        assert self.results[step] == {"directive": "stop"}
        return done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of the sources from which nothing was released yet."""
    return copy_of_sources(tmp_path / "checkout")


def copy_of_sources(folder: Path) -> Checkout:
    """Copy what an sdist holds."""
    for path in sources(PROJECT):
        into = folder / path
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, into)
    return Checkout(folder)


@define
class Release:
    """A release that was made with `conductor run`: where, what it printed, and its log."""

    checkout: Checkout
    printed: str
    state: FlowState


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release as the demo makes it; a test that changes anything copies it first."""
    return make_release(copy_of_sources(tmp_path_factory.mktemp("release") / "checkout"))


def make_release(checkout: Checkout) -> Release:
    """Release what is there; the approval is given in advance."""
    log = checkout.folder / "log.jsonl"
    log.unlink(missing_ok=True)
    arguments = ["--log", log.name, "--approve", "plan", "--by", "demo"]
    done = checkout.run(*CONDUCTOR, "run", FLOW, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with log.open("rb") as file:
        return Release(checkout, done.stdout, replay(file).state)


@pytest.fixture
def released(release: Release, tmp_path: Path) -> Checkout:
    """A copy of a checkout after its release, with the results of the steps."""
    folder = shutil.copytree(release.checkout.folder, tmp_path / "released")
    results: dict[str, dict[str, Any]] = {}
    for attempt in release.state.live:
        assert attempt.result is not None
        results[attempt.step] = {"output": attempt.result.output.value}
        if attempt.result.subject is not None:
            results[attempt.step]["subject"] = attempt.result.subject
    return Checkout(folder, results=results)


def test_the_project_releases_itself(release: Release) -> None:
    """Plan, approval, builds, checks, publication and smoke test: all of it, for real."""
    published = release.checkout.published()
    manifest = json.loads(published.pop(MANIFEST))
    assert {attempt.status.value for attempt in release.state.attempts()} == {"success"}
    assert manifest == {
        "name": "conductor-core",
        "version": VERSION,
        "approved": subject_of(release.state),
        "files": {
            name: {"digest": digest(content), "bytes": len(content)}
            for name, content in published.items()
        },
        "flow_id": release.state.flow_id,
        "idempotency_key": f"{release.state.flow_id}/publish#1",
    }
    assert published.keys() == {WHEEL, SDIST}
    with ZipFile(release.checkout.target / WHEEL) as wheel:
        folders = {name.partition("/")[0] for name in wheel.namelist()}
    notes = f"conductor_core-{VERSION}.dist-info"
    assert folders == {"conductor_core", "conductor_adapters", notes}


def subject_of(state: FlowState) -> str | None:
    """What was approved."""
    plan = state.attempt("plan#1")
    assert plan is not None
    assert plan.result is not None
    return plan.result.subject


def digest(content: bytes) -> str:
    """The digest of some bytes, as the release writes it."""
    return f"sha256:{sha256(content).hexdigest()}"


def test_people_see_what_they_approve(release: Release) -> None:
    """The plan prints version, size, target and changelog, and its digest is the subject."""
    printed = release.printed
    lines = [line.partition(" | ")[2] for line in printed.splitlines() if "plan#1 | " in line]
    plan = release.checkout.folder / lines[1].partition(": ")[2]
    told = json.loads(plan.read_bytes())
    size = sum((release.checkout.folder / name).stat().st_size for name in told["files"])
    assert lines[0] == f"conductor-core {VERSION}: {len(told['files'])} files, {size:,} bytes"
    assert lines[2:7] == [
        "to be published in dist-local:",
        f"  {WHEEL}",
        f"  {SDIST}",
        f"  {MANIFEST}",
        "this version is not there yet",
    ]
    changelog = (release.checkout.folder / "CHANGELOG.md").read_text(encoding="utf-8")
    assert told["changelog"] in changelog
    assert told["changelog"].splitlines() == lines[9:]
    assert digest(plan.read_bytes()) == subject_of(release.state)
    assert {"conductor_core/reducer.py", "tests/test_examples.py", ".ci/run"} <= told[
        "files"
    ].keys()


def test_a_release_may_be_made_twice(released: Checkout) -> None:
    """The same plan leads to the same files; the plan says that they are there already."""
    before = released.published()
    again = make_release(released)
    after = released.published()
    assert "this version is there already, from this very plan" in again.printed
    assert {name: after[name] for name in (WHEEL, SDIST)} == {
        name: before[name] for name in (WHEEL, SDIST)
    }
    assert json.loads(after[MANIFEST])["flow_id"] == again.state.flow_id
    assert after.keys() == before.keys()


# --- the release, when people decide otherwise or somebody interferes ---


async def play(
    checkout: Checkout,
    respond: Callable[[MemoryFlow], Any],
    happened: Callable[[events.Event], None] = lambda _event: None,
) -> FlowState:
    """Run the flow on the memory host, where the test is the person who answers."""

    def observe(event: events.Event, _transition: Transition) -> None:
        happened(event)

    handlers = {"shell": Shell()}
    spec = read_flow(checkout.folder / FLOW, Workers(handlers=handlers))
    async with MemoryHost(handlers) as host:
        flow = await host.start(spec, flow_id="release-1", observe=observe)
        await flow.until(lambda state: bool(state.open_approvals()))
        await respond(flow)
        await flow.wait()
        return flow.state


@pytest.fixture
def at_checkout(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout where this process is now, so that its shell steps run there."""
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setenv("PATH", checkout.environment()["PATH"])
    return checkout


def test_a_denied_plan_publishes_nothing(at_checkout: Checkout) -> None:
    """Nothing is even built."""
    state = asyncio.run(play(at_checkout, lambda flow: flow.deny("plan", by="ana")))
    assert state.outcome is not None
    assert (state.outcome.status, state.outcome.reason) == ("error", "denied")
    assert not at_checkout.target.exists()
    assert {attempt.status.value for attempt in state.live} == {"approval-denied", "not-attempted"}


def test_sources_that_change_after_the_approval_stop_the_release(at_checkout: Checkout) -> None:
    """What was not approved is not built, and the flow tells which files changed."""

    def interfere(event: events.Event) -> None:
        if isinstance(event, events.ApprovalResponded):
            with (at_checkout.folder / "README.md").open("a", encoding="utf-8") as readme:
                readme.write("One line more.\n")

    state = asyncio.run(play(at_checkout, lambda flow: flow.approve("plan", by="ana"), interfere))
    assert state.outcome is not None
    assert (state.outcome.status, state.outcome.reason) == ("error", "failed")
    wheel = state.attempt("wheel#1")
    assert wheel is not None
    assert wheel.result is not None
    assert wheel.result.error is not None
    complaint = wheel.result.error.details.value["stderr"]
    assert complaint == "changed since the plan was approved: README.md\n"
    assert not at_checkout.target.exists()


@pytest.mark.parametrize("step", ["wheel", "sdist", "contents", "quickstart", "publish", "smoke"])
def test_every_step_wants_what_was_approved(released: Checkout, step: str) -> None:
    """A file more than was approved is refused by every step, and what is published stays."""
    before = released.published()
    (released.folder / "conductor_core" / "extra.py").write_text("")
    complaint = released.refused(step)
    assert complaint == "changed since the plan was approved: conductor_core/extra.py\n"
    assert released.published() == before


# --- the release, step by step ---


def test_what_is_half_published_is_made_whole(released: Checkout) -> None:
    """A publication that was cut off is told by the plan, refused by smoke, and mended."""
    before = released.published()
    (released.target / MANIFEST).unlink()
    (released.target / WHEEL).write_bytes(before[WHEEL][:1000])
    (released.target / f".{SDIST}.partial").write_bytes(before[SDIST][:1000])
    done = released.step("plan")
    assert "this version is there in part and would be made whole" in done.stdout
    assert released.step("smoke").returncode == 1
    released.steps("publish", "publish", "smoke")
    after = released.published()
    assert {**after, MANIFEST: b""} == {**before, MANIFEST: b""}
    assert json.loads(after[MANIFEST])["files"] == json.loads(before[MANIFEST])["files"]


def test_smoke_compares_what_is_there_with_its_manifest(released: Checkout) -> None:
    """A published file that is not what the manifest says is refused."""
    (released.target / SDIST).write_bytes(b"something else")
    assert f"{SDIST} is not what the manifest says" in released.refused("smoke")


def test_another_plan_is_told_before_it_replaces_a_release(released: Checkout) -> None:
    """Who approves gets to know that this version was published from other sources."""
    with (released.folder / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("One line more.\n")
    done = released.step("plan")
    assert "this version is there already, from another plan, and would be replaced" in done.stdout


def test_the_target_is_an_input(checkout: Checkout) -> None:
    """What the input names is where the release goes; it is part of what is approved."""
    checkout.inputs = {"target": "elsewhere/deep"}
    checkout.steps("plan", "wheel", "sdist", "publish")
    there = {path.name for path in (checkout.folder / "elsewhere" / "deep").iterdir()}
    assert there == {WHEEL, SDIST, MANIFEST}
    approved = checkout.results["plan"]["subject"]
    checkout.inputs = {"target": "dist-local"}
    checkout.steps("plan")
    assert checkout.results["plan"]["subject"] != approved


def test_an_odd_target_is_refused(checkout: Checkout) -> None:
    """A target that names no folder never gets to people."""
    checkout.inputs = {"target": 3}
    assert checkout.refused("plan") == "the input `target` names no folder: 3\n"


def test_a_release_without_a_changelog_is_refused(checkout: Checkout) -> None:
    """There must be something to say about the version."""
    (checkout.folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{VERSION}]\n")
    assert checkout.refused("plan") == f"CHANGELOG.md says nothing under [{VERSION}]\n"


def test_artifacts_are_looked_into(released: Checkout) -> None:
    """A wheel that holds more than the two packages is refused, and so is a changed one."""
    wheel = next(released.folder.glob(f"build/release/*/{WHEEL}"))
    with ZipFile(wheel, "a") as archive:
        archive.writestr("tests/__init__.py", "")
    assert released.refused("contents") == f"{WHEEL} is not as approved: tests/__init__.py\n"
    assert "is no longer what was built" in released.refused("publish")


def test_a_readme_that_promises_too_much_is_refused(checkout: Checkout) -> None:
    """The first example of the README must print what the README says."""
    readme = checkout.folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(text.replace("```text\n", "```text\nhello\n", 1), encoding="utf-8")
    checkout.steps("plan", "wheel")
    assert checkout.refused("quickstart").startswith("the README promises:\nhello\n")


def test_a_network_that_fails_is_told_and_tried_again(released: Checkout) -> None:
    """What cannot be installed may be there later: the step fails, but stops nothing."""
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    done = released.step("quickstart", **nowhere)
    assert done.returncode == 1
    assert "cannot install the wheel with what it depends on" in done.stderr
    assert released.results["quickstart"] == {}
