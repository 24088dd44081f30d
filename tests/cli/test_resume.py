"""`conductor run --resume`: going on with the run that a log tells of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conductor_adapters.journal import LogFile
from conductor_core import ApprovalSpec, GroupSpec, StepSpec, reduce
from conductor_core.events import AppendRequested, StepFinished
from conductor_core.log import Entry, Replay, read_log, replay

CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
PATIENCE_S = 60.0

FLOW = """
flow: deploy
groups:
  - key: g
    steps:
      - {key: plan, run: "echo planned >> ran; echo 3 to add", approval: {approvers: [ana]}}
      - {key: apply, run: "echo applied >> ran", needs: [plan]}
"""

SLOW = """
groups:
  - key: g
    steps:
      - {key: quick, run: "echo quick >> ran"}
      - key: slow
        run: |
          echo $$ > pid
          echo slow >> ran
          [ -e go ] || { trap '' TERM; sleep 60 & wait; wait; }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def conductor(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `conductor` to its end, with nobody at the keyboard."""
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip


def run(flow: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a flow under the log `log.jsonl`."""
    Path("flow.yaml").write_text(flow)
    return conductor("run", "flow.yaml", "--log", "log.jsonl", *arguments)


def resume(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Go on with the log `log.jsonl`."""
    return conductor("run", "--resume", "log.jsonl", *arguments)


def replayed() -> Replay:
    """Verify the log."""
    with Path("log.jsonl").open("rb") as file:
        return replay(file)


def ran() -> list[str]:
    """What the steps wrote down as they ran."""
    return Path("ran").read_text().split()


def logged(kind: type[Any]) -> list[Any]:
    """The events of a kind in the log."""
    with Path("log.jsonl").open("rb") as file:
        entries = [line for line in read_log(file) if isinstance(line, Entry)]
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


@pytest.fixture
def killed(folder: Path) -> Iterator[None]:
    """A run of the slow flow that was killed while its second step ran."""
    Path("flow.yaml").write_text(SLOW)
    process = subprocess.Popen(
        [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl"], stdout=subprocess.DEVNULL
    )
    wait_for_lines("ran", 2)
    process.kill()
    process.wait()
    yield
    if alive(int(Path("pid").read_text())):
        os.killpg(int(Path("pid").read_text()), signal.SIGKILL)


def wait_for_lines(name: str, count: int) -> None:
    """Wait until a file has so many lines."""
    deadline = time.monotonic() + PATIENCE_S
    while not Path(name).exists() or len(Path(name).read_text().splitlines()) < count:
        assert time.monotonic() < deadline, f"{name} did not get {count} lines"
        time.sleep(0.01)


def alive(process: int) -> bool:
    """Whether a process runs, and not only waits to be buried."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- where a run stopped, the next goes on ---


def test_a_flow_that_waited_is_gone_on_with(folder: Path) -> None:
    """What had run does not run again; the log goes on, closes and verifies."""
    assert run(FLOW).returncode == 3
    done = resume("--approve", "plan", "--by", "ana")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("flow deploy-")
    assert "goes on: approval-awaiting" in done.stdout.splitlines()[0]
    assert ran() == ["planned", "applied"]
    assert (replayed().closed, replayed().state.status) == (True, "success")


def test_what_was_killed_is_ended_before_anything_runs_again(killed: None) -> None:
    """The work of a killed run lives on, deaf to SIGTERM: it is killed, then the step runs anew."""
    left = int(Path("pid").read_text())
    assert alive(left)
    Path("go").touch()
    done = resume()
    assert done.returncode == 0, done.stderr
    assert "slow#1 still ran and was ended" in done.stdout
    assert not alive(left)
    assert ran() == ["quick", "slow", "slow"]
    finished = [event.attempt for event in logged(StepFinished)]
    assert finished == ["quick#1", "slow#1"]


def test_work_that_must_not_run_twice_is_answered_for(folder: Path) -> None:
    """With `on_recovery: fail` a step that was under way has failed as interrupted (S14.3)."""
    flow = SLOW.replace("- key: slow\n", "- key: slow\n        on_recovery: fail\n")
    Path("flow.yaml").write_text(flow)
    process = subprocess.Popen(
        [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl"], stdout=subprocess.DEVNULL
    )
    wait_for_lines("ran", 2)
    process.kill()
    process.wait()
    done = resume()
    assert done.returncode == 1
    assert not alive(int(Path("pid").read_text()))
    assert ran() == ["quick", "slow"]
    (_, interrupted) = logged(StepFinished)
    assert interrupted.error.type == "interrupted"


def test_two_runs_do_not_go_on_with_one_log(killed: None) -> None:
    """The second is told that another run is writing the log, and changes nothing."""
    first = subprocess.Popen(
        [*CONDUCTOR, "run", "--resume", "log.jsonl", "--grace", "0"], stdout=subprocess.DEVNULL
    )
    wait_for_lines("ran", 3)
    second = resume()
    assert second.returncode == 2
    assert second.stderr == "log.jsonl: another run is writing this log\n"
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_S) == 1
    assert ran() == ["quick", "slow", "slow"]


def test_a_finished_flow_has_nothing_to_go_on_with(folder: Path) -> None:
    """Its outcome is told once more, its exit code is that of the run, its log stays as it is."""
    assert run("groups: [{key: g, steps: [{key: a, run: 'exit 1'}]}]").returncode == 1
    before = Path("log.jsonl").read_bytes()
    done = resume("--approve", "all")
    assert done.returncode == 1
    assert done.stderr == "failed at a#1: Step failed\n"
    assert Path("log.jsonl").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_log_that_ends_early_is_enough(folder: Path, kept: int) -> None:
    """After so many entries, and a last line that was cut off, the flow is finished from there."""
    assert run(FLOW, "--approve", "plan", "--by", "ana").returncode == 0
    lines = Path("log.jsonl").read_bytes().splitlines(keepends=True)
    Path("log.jsonl").write_bytes(b"".join(lines[: kept + 1]) + lines[kept + 1][:10])
    done = resume("--approve", "plan", "--by", "ana")
    assert done.returncode == 0
    assert done.stderr.startswith(f"log.jsonl: warning: line {kept + 2}: the last line is cut off")
    assert (replayed().closed, replayed().truncated) == (True, None)


def test_handlers_and_the_way_on_go_together(folder: Path) -> None:
    """The next run is told to bring the handlers that this one had."""
    Path("deploy.py").write_text("handlers = {'plan': lambda context: 3}\n")
    flow = "groups: [{key: g, steps: [{key: plan, approval: true}]}]"
    done = run(flow, "--handlers", "deploy")
    assert "conductor run --resume log.jsonl --handlers deploy --approve plan" in done.stderr
    without = resume()
    assert without.returncode == 2
    assert without.stderr == (
        "log.jsonl: groups[0].steps[0].key: no handler is named 'plan' (known: shell)\n"
    )
    assert resume("--handlers", "deploy", "--approve", "plan").returncode == 0


def test_what_attempts_print_stands_beside_the_log(folder: Path) -> None:
    """Every attempt has a file, and no record of a process group is left behind."""
    assert run(FLOW, "--approve", "plan", "--by", "ana").returncode == 0
    kept = {path.name: path.read_text() for path in Path("log.jsonl.d").iterdir()}
    assert kept.pop("plan#1.txt") == "3 to add\n"
    assert kept in ({}, {"apply#1.txt": ""})


def test_a_new_log_begins_with_an_empty_folder(killed: None) -> None:
    """When a log is gone, so is what its attempts printed and, above all, what still runs."""
    left = int(Path("pid").read_text())
    Path("log.jsonl").unlink()
    Path("go").touch()
    assert run(SLOW).returncode == 0
    assert not alive(left)
    assert "dispatched again" not in Path("log.jsonl.d/slow#1.txt").read_text()


def test_what_a_run_was_given_goes_into_the_way_on(folder: Path) -> None:
    """The command that goes on with a flow has all that it needs to go on as it did."""
    done = run(FLOW, "--no-input", "--on-approval", "true", "--grace", "3", "--by", "bo")
    assert done.stderr.splitlines()[-1].startswith(
        "go on with: conductor run --resume log.jsonl --no-input --on-approval true --grace 3.0 "
        "--approve plan --by ana"
    )


def appended(*groups: GroupSpec) -> None:
    """Append groups to the flow of the log, as another host may have done."""
    log, replayed = LogFile.resume(Path("log.jsonl"))
    event = AppendRequested(at_ms=0, groups=groups, by="bo")
    with log:
        log.append(event, reduce(replayed.state, event))


def test_groups_that_were_appended_belong_to_the_flow(folder: Path) -> None:
    """Their steps can be approved, and what their work needs is told before anything runs."""
    assert run(FLOW).returncode == 3
    command = {"run": "true", "env": {"TOKEN": {"from_env": "NO_SUCH_VARIABLE"}}}
    check = StepSpec(key="check", work="shell", input={"run": "true"}, approval=ApprovalSpec())
    appended(GroupSpec(key="more", steps=[check, StepSpec(key="push", work="push")]))
    appended(GroupSpec(key="last", steps=[StepSpec(key="login", work="shell", input=command)]))
    done = resume("--approve", "plan,check", "--by", "ana")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "log.jsonl: groups[1].steps[1].work: no handler is named 'push' (known: shell)",
        (
            "log.jsonl: groups[2].steps[0].input.env.TOKEN.from_env: "
            "the environment has no variable NO_SUCH_VARIABLE"
        ),
    ]


# --- bad input ---


def test_a_log_of_another_flow_is_told_by_its_differences(folder: Path) -> None:
    """A flow file beside --resume must be the flow of the log; what was set may differ."""
    assert run("metadata: {inputs: {size: 1}}\n" + FLOW, "--set", "size=2").returncode == 3
    assert conductor("run", "flow.yaml", "--resume", "log.jsonl").returncode == 3
    Path("flow.yaml").write_text(FLOW.replace("echo applied", "echo destroyed"))
    done = conductor("run", "flow.yaml", "--resume", "log.jsonl")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "log.jsonl: the log of another flow than that in flow.yaml (expected is the log's):",
        (
            "  groups[0].steps[1].input.run: expected 'echo applied >> ran', "
            "got 'echo destroyed >> ran'"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "log.jsonl: No such file or directory"),
        ("", "log.jsonl: the log is empty"),
        ("flow: deploy\n", "log.jsonl: line 1: "),
        ('{"log":"conductor-log/2"}\n', "log.jsonl: line 1: unknown format 'conductor-log/2'"),
        (
            '{"log":"conductor-log/1","semantics":7}\n',
            "log.jsonl: line 1: unknown semantics 7, expected 1",
        ),
    ],
)
def test_what_is_no_log_is_not_gone_on_with(
    folder: Path, content: str | None, problem: str
) -> None:
    """One line with the place, exit code 2, and the file stays as it is."""
    if content is not None:
        Path("log.jsonl").write_text(content)
    done = resume()
    assert done.returncode == 2
    assert done.stderr.startswith(problem)
    assert done.stderr.count("\n") == 1
    assert content is None or Path("log.jsonl").read_text() == content


@pytest.mark.parametrize("option", [["--log", "new.jsonl"], ["--set", "a=b"], ["--flow-id", "f"]])
def test_what_a_new_run_is_given_an_old_one_has(folder: Path, option: list[str]) -> None:
    """Log, inputs and id of a run stand in its log."""
    done = resume(*option)
    assert done.returncode == 2
    assert f"{option[0]} does not go together with --resume" in done.stderr


def test_a_changed_log_is_not_gone_on_with(folder: Path) -> None:
    """A log that does not verify tells what did not happen."""
    assert run(FLOW).returncode == 3
    text = Path("log.jsonl").read_text()
    Path("log.jsonl").write_text(text.replace('"3 to add', '"0 to add'))
    done = resume()
    assert done.returncode == 2
    assert "broken digest chain" in done.stderr


def test_a_log_is_a_regular_file(folder: Path) -> None:
    """A device or a pipe holds no log, and stays what it is."""
    os.mkfifo("pipe")
    Path("flow.yaml").write_text(FLOW)
    done = conductor("run", "flow.yaml", "--log", "pipe")
    assert (done.returncode, done.stderr) == (2, "pipe: no regular file, which a log has to be\n")
    assert Path("pipe").is_fifo()


@pytest.mark.parametrize("grace", ["nan", "inf", "-1"])
def test_a_grace_is_a_number_of_seconds(folder: Path, grace: str) -> None:
    """Nobody waits for ever, or for a time that is none."""
    done = run(FLOW, "--grace", grace)
    assert done.returncode == 2
    assert "--grace" in done.stderr


def test_a_question_that_expired_meanwhile_is_no_reason_to_wait(folder: Path) -> None:
    """What ended while nobody was there ended: exit code 1, and no way on is told."""
    flow = FLOW.replace("approvers: [ana]", "timeout_ms: 1")
    assert run(flow).returncode in (1, 3)
    done = resume("--approve", "plan", "--by", "ana")
    assert done.returncode == 1
    assert done.stderr.startswith("approval-expired at plan#1")


# --- inputs ---

INPUTS = """
metadata: {inputs: {region: eu, count: 3, dry: false, ratio: 0.5, tags: [a], owner: null}}
groups:
  - key: g
    steps:
      - {key: a, run: 'echo "$CONDUCTOR_INPUT_region $CONDUCTOR_INPUT_count"'}
"""


def inputs(*settings: str, flow: str = INPUTS) -> Any:
    """The inputs of a run with these settings, as its log has them."""
    options = [part for setting in settings for part in ("--set", setting)]
    done = run(flow, *options)
    assert done.returncode == 0, done.stderr
    return replayed().header.spec.metadata.value["inputs"]


def test_inputs_are_filled_by_the_type_of_their_defaults(folder: Path) -> None:
    """Texts are taken as they are, numbers, truth values and lists as JSON."""
    given = inputs("region=us=1", "count=5", "dry=true", "ratio=2", 'tags=["b"]', "owner=7")
    assert given == {
        "region": "us=1", "count": 5, "dry": True, "ratio": 2, "tags": ["b"], "owner": "7",
    }  # fmt: skip
    assert json.dumps(given["ratio"]) == "2"
    assert Path("log.jsonl.d/a#1.txt").read_text() == "us=1 5\n"


def test_a_flow_without_inputs_takes_any(folder: Path) -> None:
    """What no file declares is a text."""
    assert inputs("a.b=1", flow="groups: [{key: g, steps: [{key: a, run: ls}]}]") == {"a.b": "1"}


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("regoin=us", "--set: the flow has no input 'regoin' (it has count, dry, owner, ratio"),
        ("region", "--set: expected KEY=VALUE, got 'region'"),
        ("=us", "--set: expected KEY=VALUE, got '=us'"),
        ("count=many", "--set count: expected a value like the flow's 3, got 'many'"),
        ("count=1.5", "--set count: expected a value like the flow's 3, got '1.5'"),
        ("dry=1", "--set dry: expected a value like the flow's false, got '1'"),
        ("ratio=true", "--set ratio: expected a value like the flow's 0.5, got 'true'"),
        ("region=\udcff", "--set: expected KEY=VALUE"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(folder: Path, setting: str, problem: str) -> None:
    """Nothing runs with what was mistyped."""
    done = run(INPUTS, "--set", setting)
    assert done.returncode == 2
    assert done.stderr.startswith(problem)
    assert not Path("log.jsonl").exists()


def test_an_input_is_set_once(folder: Path) -> None:
    """Of two values nobody knows which was meant."""
    done = run(INPUTS, "--set", "region=eu", "--set", "region=us")
    assert (done.returncode, done.stderr) == (2, "--set: 'region' is set twice\n")


def test_inputs_that_are_no_mapping_are_not_filled(folder: Path) -> None:
    """The flow uses the name for something else."""
    done = run("metadata: {inputs: [1]}\n" + FLOW, "--set", "a=b")
    assert done.stderr == "--set: the flow's metadata.inputs is no mapping but [1]\n"


# --- notices ---


def test_a_command_is_run_when_an_approval_is_asked_for(folder: Path) -> None:
    """It gets what it is about in its environment and as JSON, and what it prints is shown."""
    notice = "cat > asked.json; echo told $CONDUCTOR_STEP of $CONDUCTOR_FLOW_ID"
    done = run(FLOW, "--flow-id", "f", "--on-approval", notice)
    assert done.returncode == 3
    assert "           on-approval | told plan of f\n" in done.stdout
    asked = json.loads(Path("asked.json").read_text())
    assert asked["flow_id"] == "f"
    assert asked["log"] == "log.jsonl"
    assert (asked["attempt"], asked["approvers"]) == ("plan#1", ["ana"])


def test_a_notice_that_fails_is_a_warning(folder: Path) -> None:
    """The flow goes on without it."""
    done = run(FLOW, "--approve", "plan", "--by", "ana", "--on-approval", "exit 7")
    assert (done.returncode, done.stderr) == (0, "--on-approval: exit status 7\n")


def test_a_notice_holds_nothing_up(folder: Path) -> None:
    """The flow does not wait for it; only the end of the run does, a little."""
    notice = "while [ ! -e ran2 ]; do sleep 0.01; done"
    flow = FLOW.replace("echo applied >> ran", "touch ran2")
    assert run(flow, "--approve", "plan", "--by", "ana", "--on-approval", notice).returncode == 0
