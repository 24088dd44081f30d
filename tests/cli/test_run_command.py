"""`conductor run`, as a process of its own: what it writes, asks, logs and exits with."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.journal import LogFile
from conductor_adapters.memory import MemoryHost
from conductor_adapters.shell import Shell
from conductor_core import FlowState, reduce
from conductor_core.events import ApprovalResponded, Event, PauseRequested
from conductor_core.log import Entry, Replay, read_log, replay

CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
PATIENCE_S = 30.0

PLAN_AND_APPLY = """
flow: deploy
groups:
  - key: g
    steps:
      - {key: plan, run: "echo 3 to add", approval: true}
      - {key: apply, run: "echo applied", needs: [plan]}
"""

PARKED = """
options: {on_failure: await-retry}
groups: [{key: g, steps: [{key: a, run: 'exit 1'}]}]
"""


@pytest.fixture(autouse=True)
def hangups_are_heard() -> Iterator[None]:
    """Let what a test starts hear of a hangup, also where the tests were started deaf to it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> None:
    """Write a file into the current folder."""
    Path(name).write_text(text, encoding="utf-8")


def conductor(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `conductor` to its end, with nobody at the keyboard."""
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, **options,
    )  # fmt: skip


def run(flow: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a flow under the log `log.jsonl`."""
    write("flow.yaml", flow)
    return conductor("run", "flow.yaml", "--log", "log.jsonl", *arguments, **options)


def replayed() -> Replay:
    """Verify the log."""
    with Path("log.jsonl").open("rb") as file:
        return replay(file)


def state() -> FlowState:
    """The state that the log leads to."""
    return replayed().state


def statuses() -> dict[str, str]:
    """The status of each attempt in the log."""
    return {attempt.id: attempt.status.value for attempt in state().attempts()}


def logged(kind: type[Event]) -> list[Any]:
    """The events of a kind in the log."""
    with Path("log.jsonl").open("rb") as file:
        entries = [line for line in read_log(file) if isinstance(line, Entry)]
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


# --- to its end ---


def test_a_flow_runs_to_its_end(folder: Path) -> None:
    """A line tells of every event and of what a step prints; exit code 0; the log verifies."""
    done = run(PLAN_AND_APPLY, "--approve", "plan", "--by", "ana", "--flow-id", "deploy-42")
    assert (done.returncode, done.stderr) == (0, "")
    told = [line.split("s  ", 1)[-1].strip() for line in done.stdout.splitlines()]
    assert told == [
        "flow started -> dispatch plan#1",
        "plan#1 runs",
        "plan#1 | 3 to add",
        "plan#1 succeeded -> ask for approval of plan#1",
        "ana approves plan -> dispatch apply#1",
        "apply#1 runs",
        "apply#1 | applied",
        "apply#1 succeeded -> flow success",
        "flow deploy-42: success",
    ]
    assert replayed().closed
    assert [event.by for event in logged(ApprovalResponded)] == ["ana"]


def test_a_log_is_no_duty(folder: Path) -> None:
    """Without --log nothing is written, and the flow runs all the same."""
    write("flow.yaml", "groups: [{key: g, steps: [{key: a, run: 'true'}]}]")
    done = conductor("run", "flow.yaml")
    assert (done.returncode, [path.name for path in Path().iterdir()]) == (0, ["flow.yaml"])
    assert "flow flow-" in done.stdout


def test_a_log_may_be_in_a_new_folder(folder: Path) -> None:
    """The folder of the log is made when it is not there yet."""
    write("flow.yaml", "groups: [{key: g, steps: [{key: a, run: 'true'}]}]")
    assert conductor("run", "flow.yaml", "--log", "logs/new/log.jsonl").returncode == 0
    assert Path("logs/new/log.jsonl").exists()


def test_a_failed_flow_says_why(folder: Path) -> None:
    """Exit code 1, the reason for people, and for operators the error of the attempt."""
    done = run("groups: [{key: g, steps: [{key: a, run: 'echo oh no >&2; exit 3'}]}]")
    assert (done.returncode, done.stderr) == (1, "failed at a#1: Step failed\n")
    assert "a#1 failed: exit-status: exit status 3 -> flow error" in done.stdout


def test_everything_can_be_approved(folder: Path) -> None:
    """`--approve all` sets the flow's option, so that also two approvals are not asked for."""
    flow = PLAN_AND_APPLY.replace("approval: true", "approval: {required: 2}")
    done = run(flow, "--approve", "all", "--by", "ana")
    assert done.returncode == 0
    assert "ana sets the approval option to approve-all" in done.stdout
    assert logged(ApprovalResponded) == []


def test_handlers_are_python_functions(folder: Path) -> None:
    """A module beside the flow names handlers for its work and generators for its groups."""
    write(
        "work.py",
        "from conductor_core import GroupSpec, StepSpec\n"
        "async def greet(context): return f\"hello {context.input['name']}\"\n"
        "def groups(command):\n"
        "    return [GroupSpec(key='g', steps=[StepSpec(key='greet', input={'name': 'ana'})])]\n"
        "handlers = {'greet': greet}\n"
        "generators = {'made': groups}\n",
    )
    assert run("{flow: made, groups: []}", "--handlers", "work").returncode == 0
    attempt = state().attempt("greet#1")
    assert attempt is not None
    assert attempt.result is not None
    assert attempt.result.output.value == "hello ana"


def test_what_a_step_prints_reaches_the_screen_escaped_and_in_part(folder: Path) -> None:
    """Control characters are escaped, long lines cut, and of many lines the first shown."""
    command = r"printf 'a\\033[31mred\\r\\n'; head -c 2000 /dev/zero | tr '\\0' x; echo; seq 1 500"
    done = run(f"""groups: [{{key: g, steps: [{{key: a, run: "{command}"}}]}}]""")
    assert done.returncode == 0
    shown = [line for line in done.stdout.splitlines() if "a#1 | " in line]
    assert shown[0].endswith(r"| a\x1b[31mred")
    assert max(map(len, shown)) < 450
    assert len(shown) == 101
    assert shown[-1].endswith("| (prints on, not shown)")


def test_a_step_that_prints_without_end_holds_nothing_up(folder: Path) -> None:
    """A hundred megabytes on one line are neither shown nor kept, and the flow goes on."""
    done = run("groups: [{key: g, steps: [{key: a, run: 'head -c 100000000 /dev/zero'}]}]")
    assert done.returncode == 0
    assert len(done.stdout) < 200_000
    assert Path("log.jsonl").stat().st_size < 1_000_000


def test_a_flow_runs_on_when_nobody_reads(folder: Path) -> None:
    """`conductor run ... | head -1` loses lines, not the flow."""
    write("flow.yaml", PLAN_AND_APPLY)
    command = " ".join(f"'{part}'" for part in CONDUCTOR)
    script = f"{command} run flow.yaml --log log.jsonl --approve plan | head -1"
    done = subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert state().status == "success"


# --- nobody to ask ---


PROMPT = "answer at its prompt (on a terminal, without --no-input)"


def way_on(options: str = "") -> str:
    """The last line of a run with a log that waits."""
    given = f" {options}, or {PROMPT}" if options else f", and {PROMPT}"
    return f"go on with: conductor run --resume log.jsonl{given}"


def new_run(options: str = "") -> str:
    """The last line of a run without a log that waits."""
    given = f"give it {options}, or " if options else ""
    return f"a new run starts from the first step: {given}{PROMPT}"


def test_an_approval_that_nobody_can_give_ends_the_run(folder: Path) -> None:
    """Exit code 3 and a line that says how to go on; what happened so far is in the log."""
    done = run(PLAN_AND_APPLY)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "waits for plan#1: 0 of 1 approvals (person)",
        "plan#1 may be approved by anybody",
        way_on("--approve plan --by NAME"),
    ]
    assert state().status == "approval-awaiting"


def test_an_approver_who_is_not_on_the_list_is_told_so(folder: Path) -> None:
    """The verdict is written, and the flow waits for those who may."""
    flow = PLAN_AND_APPLY.replace("approval: true", "approval: {approvers: [bo, cy]}")
    done = run(flow, "--approve", "plan", "--by", "ana")
    assert done.returncode == 3
    assert "ana approves plan [rejected(not-an-approver)" in done.stdout
    assert done.stderr.splitlines()[1:] == [
        "plan#1 may be approved by bo or cy",
        way_on("--approve plan --by bo"),
    ]
    assert run_on(done) == 0


def run_on(done: subprocess.CompletedProcess[str], **names: str) -> int:
    """Do what the last line of a run that waits says, and return the exit code."""
    last = done.stderr.splitlines()[-1]
    if last.startswith("go on with: conductor "):
        options = last.removeprefix("go on with: conductor ").partition(", or ")[0]
    else:
        options = "run flow.yaml " + last.partition("give it ")[2].partition(", or ")[0]
    for placeholder, name in names.items():
        options = options.replace(placeholder, name)
    return conductor(*shlex.split(options)).returncode


TWO_APPROVALS = """
groups:
  - key: g
    steps:
      - {key: plan, run: "true", approval: {approvers: [bo, cy]}}
      - {key: check, run: "true", approval: {required: 2, timeout_ms: 86400000}}
"""


def test_each_name_approves_for_itself(folder: Path) -> None:
    """`--by` takes names, in one list or in several; who is not needed any more is not heard."""
    flow = PLAN_AND_APPLY.replace("approval: true", "approval: {required: 2}")
    assert run(flow, "--approve", "plan", "--by", "ana, bo", "--by", "cy").returncode == 0
    assert [event.by for event in logged(ApprovalResponded)] == ["ana", "bo"]


def test_what_a_run_that_waits_says_works(folder: Path) -> None:
    """The run that goes on needs what is missing; a new one, people for every step that asked."""
    write("flow.yaml", TWO_APPROVALS)
    waits = [
        "waits for check#1: 1 of 2 approvals (person, at the latest in 24 h)",
        "check#1 may be approved by anybody but cy",
    ]
    done = run(TWO_APPROVALS, "--approve", "plan,check", "--by", "cy")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [*waits, way_on("--approve check --by NAME")]
    assert run_on(done, NAME="di") == 0
    unlogged = conductor("run", "flow.yaml", "--approve", "plan,check", "--by", "cy")
    assert unlogged.stderr.splitlines() == [*waits, new_run("--approve plan,check --by cy,NAME")]
    assert run_on(unlogged, NAME="di") == 0


def test_several_names_that_are_wanted_are_told_apart(folder: Path) -> None:
    """Two people who may be anybody are two names."""
    done = run(PLAN_AND_APPLY.replace("approval: true", "approval: {required: 2}"))
    assert "--by NAME1,NAME2, or" in done.stderr
    assert run_on(done, NAME1="ana", NAME2="bo") == 0


def test_a_step_that_asks_for_no_approval_is_warned_about(folder: Path) -> None:
    """Who approves the wrong step gets to know it; the flow runs all the same."""
    done = run(PLAN_AND_APPLY, "--approve", "plan,apply")
    assert done.returncode == 0
    assert done.stderr == "warning: --approve: the step 'apply' asks for no approval\n"


# --- for programs ---


def test_json_is_an_object_per_event_and_one_for_the_end(folder: Path) -> None:
    """With --json the entries stand on the standard output as in the log, the end after them."""
    done = run(PLAN_AND_APPLY, "--approve", "plan", "--by", "ana", "--flow-id", "f", "--json")
    *entries, end = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert end == {
        "flow_id": "f",
        "status": "success",
        "outcome": {
            "status": "success",
            "reason": None,
            "step": None,
            "message": None,
            "retries_exhausted": False,
        },
        "waits": [],
        "exit_code": 0,
    }
    lines = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    logged_entries = [line for line in lines if "seq" in line]
    for line in logged_entries:
        del line["digest"]
    assert entries == logged_entries


def test_json_tells_what_a_flow_waits_for(folder: Path) -> None:
    """A run that stops short has no outcome but waits; people read the standard error."""
    done = run(PLAN_AND_APPLY, "--json")
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["status"], end["outcome"], end["exit_code"]) == ("approval-awaiting", None, 3)
    assert end["waits"] == [
        {"what": "0 of 1 approvals", "who": "person", "subject": "plan#1", "due_at_ms": None}
    ]
    assert done.stderr.startswith("waits for plan#1")


def test_a_failure_that_waits_for_people_ends_the_run(folder: Path) -> None:
    """A parked step is no reason to hang either."""
    done = run(PARKED)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "waits for a#1: a retry or a skip (person)",
        way_on(),
    ]
    unlogged = conductor("run", "flow.yaml")
    assert unlogged.stderr.splitlines()[-1] == new_run()


# --- bad input ---


@pytest.mark.parametrize(
    ("flow", "problems"),
    [
        (
            "groups:\n  - key: g\n    steps:\n      - key: a\n      - {key: b, work: c}\n",
            [
                "flow.yaml:4: groups[0].steps[0].key: no handler is named 'a' (known: shell)",
                "flow.yaml:5: groups[0].steps[1].work: no handler is named 'c' (known: shell)",
            ],
        ),
        (
            "groups:\n- key: g\n  steps:\n  - {key: a, work: shell, input: {run: ls, cwd: 5}}\n",
            ["flow.yaml:4: groups[0].steps[0].input.cwd: expected the name of a folder, got 5"],
        ),
        (
            "groups:\n  - key: g\n    steps:\n      - {key: a, run: ls, needs: [b]}\n",
            [
                (
                    "flow.yaml:4: groups[0].steps[0].needs: "
                    "'b' is no step that runs earlier: there is no such step"
                )
            ],
        ),
        (
            "flow: deploy\ngroups: []\n",
            ["flow.yaml:2: groups: there are none, and no generator makes those of 'deploy'"],
        ),
        ("flow: [\n", None),
        ("groups: 5\n", None),
        ("steps: []\n", None),
        ('{"log":"conductor-log/1","flow_id":"f"}\n', None),
    ],
)
def test_a_flow_that_cannot_run_does_not_begin(
    folder: Path, flow: str, problems: list[str] | None
) -> None:
    """Every problem is told with file, line and path; exit code 2; no log is made."""
    done = run(flow)
    assert (done.returncode, done.stdout) == (2, "")
    if problems is not None:
        assert done.stderr.splitlines() == problems
    assert done.stderr.startswith("flow.yaml")
    assert not Path("log.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--approve", "plan-b"],
            "--approve: the flow has no step 'plan-b' (approval is asked for by no step)",
        ),
        (["--approve", ""], "--approve: expected 'all' or step keys, got ''"),
        (["--approve", "a,"], "--approve: expected 'all' or step keys, got 'a,'"),
        (["--by", "ana,,bo"], "--by: expected names, got 'ana,,bo'"),
        (["--by", ""], "--by: expected names, got ''"),
        (["--flow-id", "a b"], "invalid flow spec: flow_id: 'a b' does not match"),
        (["--by", "\udcff"], "--by: "),
        (["--handlers", "nowhere"], "--handlers nowhere: ModuleNotFoundError"),
        (
            ["--handlers", "nowhere.py"],
            (
                "--handlers nowhere.py: ModuleNotFoundError: No module named 'nowhere'; "
                "expected the name of a module, such as nowhere\n"
            ),
        ),
        (["--handlers", "broken"], "--handlers broken: ZeroDivisionError: division by zero"),
        (["--handlers", "empty"], "--handlers empty: 'handlers' is no mapping of names"),
        (["--log", "there.jsonl"], "there.jsonl: exists; go on with it (--resume) or give"),
        (["--log", "flow.yaml/log.jsonl"], "flow.yaml/log.jsonl: flow.yaml: File exists"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_starts(
    folder: Path, arguments: list[str], problem: str
) -> None:
    """Bad options are one line each, exit code 2, and nothing runs."""
    write("broken.py", "1 / 0\n")
    write("empty.py", "handlers = [1]\n")
    write("there.jsonl", "precious")
    write("flow.yaml", "groups: [{key: g, steps: [{key: a, run: 'touch ran'}]}]")
    done = conductor("run", "flow.yaml", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(problem)
    assert done.stderr.count("\n") == 1
    assert not Path("ran").exists()
    assert Path("there.jsonl").read_text() == "precious"


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    """A missing flow file is exit code 2 too."""
    done = conductor("run", "nowhere.yaml")
    assert (done.returncode, done.stderr) == (2, "nowhere.yaml: No such file or directory\n")


def test_a_full_disk_stops_the_run_and_loses_nothing(folder: Path) -> None:
    """When the log takes no more, the flow stops; what it took before still verifies."""
    steps = ", ".join(f"{{key: s{n}, run: 'head -c 900 /dev/zero | tr -c x y'}}" for n in range(20))
    write("flow.yaml", f"groups: [{{key: g, steps: [{steps}]}}]")
    command = " ".join(f"'{part}'" for part in CONDUCTOR)
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 16; exec {command} run flow.yaml --log log.jsonl"],
        check=False, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "cannot write log.jsonl: File too large",
        "go on with: conductor run --resume log.jsonl",
    ]
    again = replayed()
    assert again.truncated is not None
    assert again.entries > 3


def test_a_log_that_cannot_be_closed_is_told(folder: Path) -> None:
    """The flow has succeeded, but its log does not say so to the end: exit code 1."""
    flow = "groups: [{key: g, steps: [{key: a, run: 'true'}]}]"
    assert run(flow, "--flow-id", "f").returncode == 0
    room = Path("log.jsonl").stat().st_size - 10
    Path("log.jsonl").unlink()
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    python, option, code = CONDUCTOR
    options = ["--log", "log.jsonl", "--flow-id", "f", "--json"]
    done = subprocess.run(
        [python, option, f"{limit}; {code}", "run", "flow.yaml", *options],
        check=False, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "cannot write log.jsonl: File too large\n")
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["status"], end["exit_code"]) == ("success", 1)
    again = replayed()
    assert (again.closed, again.state.status) == (False, "success")


def test_work_that_finds_no_room_stops_the_run(folder: Path) -> None:
    """That the host cannot begin it says nothing about the work: it begins when there is room."""
    spoil = "rm -r log.jsonl.d; touch log.jsonl.d"
    done = run(f"groups: [{{key: g, steps: [{{key: a, run: '{spoil}'}}, {{key: b, run: ls}}]}}]")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        f"cannot go on: b#1: {folder}/log.jsonl.d: File exists",
        "go on with: conductor run --resume log.jsonl",
    ]
    assert statuses() == {"a#1": "success", "b#1": "in-progress"}
    Path("log.jsonl.d").unlink()
    assert conductor("run", "--resume", "log.jsonl").returncode == 0


@pytest.mark.parametrize(
    "work",
    [
        """
async def work(context):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
""",
        """
def work(context):
    threading.Thread(target=time.sleep, args=(60,)).start()
    time.sleep(60)
""",
        """
async def work(context):
    await asyncio.to_thread(time.sleep, 60)
""",
    ],
    ids=["coroutine", "threads", "executor"],
)
def test_work_that_never_returns_keeps_no_run_alive(folder: Path, work: str) -> None:
    """The flow gives it up at its time-out, and the process ends with the flow."""
    write("deaf.py", f"import asyncio, threading, time\n{work}\nhandlers = {{'a': work}}\n")
    flow = "groups: [{key: g, steps: [{key: a, timeout_ms: 200}]}]"
    done = run(flow, "--handlers", "deaf")
    assert (done.returncode, done.stderr) == (1, "timeout at a#1: Step failed\n")
    assert replayed().closed


# --- signals ---


class Process:
    """A `conductor run` that is talked to while it runs."""

    def __init__(self, *arguments: str, log: bool = True) -> None:
        logged = ("--log", "log.jsonl") if log else ()
        command = [*CONDUCTOR, "run", "flow.yaml", *logged, *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout.fileno()
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read on until a text appears."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            ready, _, _ = select.select([self.output], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not come: {self.seen}"
            assert self._read(), f"{text!r} did not come: {self.seen}"

    def _read(self) -> bytes:
        try:
            chunk = os.read(self.output, 65_536)
        except OSError:
            chunk = b""  # the other side of a terminal is gone
        self.seen += chunk.decode()
        return chunk

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def process(folder: Path) -> Iterator[type[Process]]:
    """Processes that do not outlive the test."""
    started: list[Process] = []

    class Started(Process):
        def __init__(self, *arguments: str, log: bool = True) -> None:
            super().__init__(*arguments, log=log)
            started.append(self)

    yield Started
    # What steps that wait for this file may have been left behind by a test that failed.
    Path("go").touch()
    for one in started:
        one.process.kill()
        one.process.wait()
        if one.process.stdout is not None:
            one.process.stdout.close()


SLEEP = (
    "groups: [{key: g, steps: [{key: a, run: 'echo asleep; exec sleep 60'}, {key: b, run: ls}]}]"
)
DEAF = """
groups:
  - key: g
    steps:
      - key: a
        run: |
          trap 'echo deaf' TERM
          echo asleep
          while :; do sleep 0.01; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_may_cancel_the_flow(process: type[Process], number: int) -> None:
    """Asked to, the first signal is a cancel request: work and flow end, the log is closed."""
    write("flow.yaml", SLEEP)
    running = process("--by", "ana", "--on-interrupt", "cancel")
    running.wait_for("| asleep")
    running.process.send_signal(number)
    assert running.end() == 1
    assert "ana cancels the flow: interrupted -> cancel a#1" in running.seen
    assert statuses() == {"a#1": "cancelled", "b#1": "cancelled"}
    assert replayed().closed


def test_a_second_interrupt_stops_at_once(process: type[Process]) -> None:
    """Work that will not end is killed; the log holds what happened and can be recovered."""
    write("flow.yaml", DEAF)
    running = process("--on-interrupt", "cancel")
    running.wait_for("| asleep")
    running.process.send_signal(signal.SIGINT)
    running.wait_for("| deaf")
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 1
    assert "stopped at once" in running.seen
    assert (state().status, replayed().truncated) == ("cancelling", None)


STEADY = """
groups:
  - key: g
    steps:
      - {key: a, run: "echo begun; while [ ! -e go ]; do sleep 0.01; done; echo told"}
      - {key: b, run: "echo after"}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_lets_work_end_and_starts_nothing_new(
    process: type[Process], number: int
) -> None:
    """What ends in time is recorded; the flow stays as it is, and goes on where it stopped."""
    write("flow.yaml", STEADY)
    running = process()
    running.wait_for("| begun")
    running.process.send_signal(number)
    running.wait_for("stopping: nothing new starts, and a#1 may end within 10 s")
    Path("go").touch()
    assert running.end() == 1
    assert running.seen.endswith(
        "stopped; what happened until then is in log.jsonl; "
        "go on with: conductor run --resume log.jsonl\n"
    )
    assert statuses() == {"a#1": "success", "b#1": "queued"}
    assert conductor("run", "--resume", "log.jsonl").returncode == 0
    assert statuses() == {"a#1": "success", "b#1": "success"}


def test_work_that_outlasts_the_grace_is_ended_without_a_fact(process: type[Process]) -> None:
    """It begins anew when the flow goes on: that its host stopped is no failure of the work."""
    write("flow.yaml", STEADY)
    running = process("--grace", "0.1")
    running.wait_for("| begun")
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 1
    assert statuses() == {"a#1": "in-progress", "b#1": "pending"}
    Path("go").touch()
    assert conductor("run", "--resume", "log.jsonl").returncode == 0


def test_a_blocked_loop_is_ended_by_signals(process: type[Process]) -> None:
    """A coroutine that blocks the loop keeps it from hearing; the signals end the process."""
    write("rude.py", "import time\nasync def a(context):\n    print('blocks', flush=True)\n"
          "    time.sleep(60)\nhandlers = {'a': a}\n")  # fmt: skip
    write("flow.yaml", "groups: [{key: g, steps: [{key: a}]}]")
    running = process("--handlers", "rude")
    running.wait_for("blocks")
    while running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    assert running.end() == 1
    assert "stopped at once: a handler blocks the loop" in running.seen
    assert statuses() == {"a#1": "in-progress"}


def test_without_a_log_nobody_is_sent_to_one(process: type[Process]) -> None:
    """What is said of a run that was stopped names the log, or none."""
    write("flow.yaml", SLEEP)
    running = process(log=False)
    running.wait_for("| asleep")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("stopping: ")
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 1
    assert "stopped at once; without --log nothing is kept of it\n" in running.seen


def test_a_hangup_that_echoes_counts_once(process: type[Process]) -> None:
    """A shell and the kernel may both report a closed terminal; a later hangup counts again."""
    write("flow.yaml", DEAF)
    running = process("--on-interrupt", "cancel")
    running.wait_for("| asleep")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for("| deaf")
    running.process.send_signal(signal.SIGHUP)
    time.sleep(1.2)
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGHUP)
    assert running.end() == 1
    assert "stopped at once" in running.seen


def test_under_nohup_a_hangup_is_not_heeded(process: type[Process]) -> None:
    """Where hangups are ignored they stay so, and the flow runs to its end."""
    write("flow.yaml", PLAN_AND_APPLY.replace("echo 3 to add", "echo now; sleep 0.3"))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = process("--approve", "all")
    finally:
        signal.signal(signal.SIGHUP, before)
    running.wait_for("| now")
    running.process.send_signal(signal.SIGHUP)
    assert running.end() == 0


def test_an_interrupt_while_people_are_asked_stops_the_run(terminal: type[Terminal]) -> None:
    """At the prompt too, and the question stays open."""
    write("flow.yaml", PLAN_AND_APPLY)
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    session.process.send_signal(signal.SIGINT)
    assert session.end() == 1
    assert state().status == "approval-awaiting"


@pytest.mark.parametrize("moment", ["a#1 runs", "a#1 succeeded", "b#1 | two", "ask for approval"])
def test_a_killed_run_leaves_a_log_that_can_be_gone_on_with(
    process: type[Process], moment: str
) -> None:
    """After kill -9 the log verifies, and a host finishes the flow from where it ends."""
    write(
        "flow.yaml",
        "{groups: [{key: g, steps: [{key: a, run: 'sleep 0.05; echo one'}, "
        "{key: b, run: 'echo two; sleep 0.1'}, {key: c, run: 'true', approval: true}]}]}",
    )
    running = process("--by", "ana")
    running.wait_for(moment)
    running.process.kill()
    running.end()
    left = state()

    async def go_on() -> FlowState:
        async with MemoryHost({"shell": Shell()}) as host:
            flow = await host.recover(left)
            await flow.until(lambda state: bool(state.open_approvals()))
            await flow.approve("c", by="ana")
            await flow.wait()
            return flow.state

    finished = asyncio.run(asyncio.wait_for(go_on(), PATIENCE_S))
    assert finished.status == "success"
    assert [attempt.id for attempt in finished.attempts()] == ["a#1", "b#1", "c#1"]


# --- on a terminal ---


TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
"""Makes the standard input the terminal that a session lives and dies with."""


class Terminal(Process):
    """A `conductor run` on a terminal, and the person at it."""

    def __init__(self, *arguments: str, shell: str = "exec {}", resume: bool = False) -> None:
        ours, theirs = pty.openpty()
        what = ["--resume", "log.jsonl"] if resume else ["flow.yaml", "--log", "log.jsonl"]
        command = shlex.join([*CONDUCTOR, "run", *what, "--by", "ana", *arguments])
        shell = f"import os; os.execvp('sh', ['sh', '-c', {shell.format(command)!r}])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{TAKE_TERMINAL}; {shell}"],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.output = ours
        self.seen = ""

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.output, text.encode())

    def hang_up(self) -> int:
        """Close the terminal and return the exit code."""
        os.close(self.output)
        self.output = os.open(os.devnull, os.O_RDONLY)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def terminal(folder: Path) -> Iterator[type[Terminal]]:
    """Terminals that do not outlive the test."""
    started: list[Terminal] = []

    class Started(Terminal):
        def __init__(self, *arguments: str, shell: str = "exec {}", resume: bool = False) -> None:
            super().__init__(*arguments, shell=shell, resume=resume)
            started.append(self)

    yield Started
    for one in started:
        one.process.kill()
        one.process.wait()
        os.close(one.output)


def test_people_are_asked_and_see_what_it_is_about(terminal: type[Terminal]) -> None:
    """The prompt shows subject and output; what is no answer is asked again; a note is kept."""
    result = '{"subject": "sha256:1", "output": {"add": 3, "text": "one\\ntwo", "list": ["x"]}}'
    write("result.json", result)
    write(
        "flow.yaml",
        PLAN_AND_APPLY.replace("echo 3 to add", "cp result.json $CONDUCTOR_RESULT"),
    )
    session = terminal()
    question = "plan#1 (as ana): approve/deny/skip/retry? "
    session.wait_for(question)
    told = session.seen.replace("\r", "")
    assert "  subject: sha256:1\n  add: 3\n" in told
    assert '  list: ["x"]\n  text:\n    one\n    two\n' in told
    session.type("maybe\n")
    wrong = "'maybe' is none of approve, deny, skip, retry (a note may follow)"
    session.wait_for(f"maybe\r\n{wrong}\r\n{question}")
    session.type("approve as agreed\n")
    assert session.end() == 0
    (answer,) = logged(ApprovalResponded)
    assert (answer.by, answer.note, answer.subject) == ("ana", "as agreed", "sha256:1")


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        ("a\n", 0, {"plan#1": "success", "apply#1": "success"}),
        ("deny\n", 1, {"plan#1": "approval-denied", "apply#1": "discarded"}),
        ("s\n", 0, {"plan#1": "user-skipped", "apply#1": "user-skipped"}),
        ("\x04", 3, {"plan#1": "approval-awaiting", "apply#1": "pending"}),
    ],
)
def test_every_answer_at_the_prompt_counts(
    terminal: type[Terminal], answer: str, code: int, expected: dict[str, str]
) -> None:
    """Approve, deny, skip, or leave: the first letter is enough."""
    write("flow.yaml", PLAN_AND_APPLY)
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    session.type(answer)
    assert session.end() == code
    assert statuses() == expected


def test_a_plan_is_sent_back_and_asked_about_again(terminal: type[Terminal]) -> None:
    """Who answers retry is asked about the new attempt."""
    write("flow.yaml", PLAN_AND_APPLY)
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    session.type("retry\n")
    session.wait_for("plan#2 (as ana): approve/deny/skip/retry? ")
    session.type("approve\n")
    assert session.end() == 0


def test_what_was_typed_before_the_question_is_no_answer(terminal: type[Terminal]) -> None:
    """Keys that were hit while nothing was asked approve nothing."""
    wait = "echo now; while [ ! -e go ]; do sleep 0.01; done"
    write("flow.yaml", PLAN_AND_APPLY.replace("echo 3 to add", wait))
    session = terminal()
    session.wait_for("| now")
    session.type("approve\n")
    write("go", "")
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    time.sleep(0.2)
    assert state().status == "approval-awaiting"
    session.type("deny\n")
    assert session.end() == 1


def test_a_question_goes_when_it_is_moot(terminal: type[Terminal]) -> None:
    """An approval that expires while somebody thinks is asked no longer."""
    write("flow.yaml", PLAN_AND_APPLY.replace("approval: true", "approval: {timeout_ms: 300}"))
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    assert session.end() == 1
    assert statuses()["plan#1"] == "approval-expired"


def test_a_parked_failure_is_asked_about(terminal: type[Terminal]) -> None:
    """A step that failed and waits can be retried, skipped, or the flow cancelled."""
    write("flow.yaml", PARKED)
    session = terminal()
    session.wait_for("a#1 (as ana): retry/skip/cancel? ")
    assert "failed: exit status 1" in session.seen
    session.type("retry\n")
    session.wait_for("a#2 (as ana): retry/skip/cancel? ")
    session.type("skip\n")
    assert session.end() == 0
    assert statuses() == {"a#1": "discarded", "a#2": "user-skipped"}


def test_a_flow_can_be_cancelled_at_the_prompt(terminal: type[Terminal]) -> None:
    """Cancel, with its reason."""
    write("flow.yaml", PARKED)
    session = terminal()
    session.wait_for("a#1 (as ana): retry/skip/cancel? ")
    session.type("cancel not today\n")
    assert session.end() == 1
    assert "cancelled: not today" in session.seen


def test_what_nobody_would_keep_is_not_taken(terminal: type[Terminal]) -> None:
    """A note where none belongs is told, and nothing is done: no word is dropped in silence."""
    write("flow.yaml", PARKED)
    session = terminal()
    session.wait_for("a#1 (as ana): retry/skip/cancel? ")
    session.type("s because\n")
    session.wait_for("skip takes no more than the word, got 'because' (a reason may follow cancel)")
    session.wait_for("cancel)\r\na#1 (as ana): retry/skip/cancel? ")
    assert statuses() == {"a#1": "error"}
    session.type("skip\n")
    assert session.end() == 0


def paused() -> None:
    """Pause the flow of the log, as another host may have done."""
    log, replayed = LogFile.resume(Path("log.jsonl"))
    event = PauseRequested(at_ms=0, by="bo")
    with log:
        log.append(event, reduce(replayed.state, event))


def test_a_paused_flow_is_resumed_at_the_prompt(terminal: type[Terminal]) -> None:
    """Its steps are asked about first; then somebody resumes or cancels it."""
    assert run(PLAN_AND_APPLY).returncode == 3
    paused()
    session = terminal(resume=True)
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry/next? ")
    session.type("approve\n")
    session.wait_for("  paused: nothing new starts\r\n")
    session.wait_for(" (as ana): resume/cancel? ")
    session.type("resume\n")
    assert session.end() == 0
    assert statuses() == {"plan#1": "success", "apply#1": "success"}


def test_a_paused_flow_is_told_the_way_on_that_there_is(terminal: type[Terminal]) -> None:
    """No option resumes it, so none is told; at the prompt it may also be cancelled."""
    assert run(PLAN_AND_APPLY).returncode == 3
    paused()
    resume = ("run", "--resume", "log.jsonl", "--by", "ana")
    assert conductor(*resume).stderr.splitlines()[-1].startswith(
        "go on with: conductor run --resume log.jsonl, and answer at its prompt"
    )  # fmt: skip
    done = conductor(*resume, "--approve", "plan")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "waits for somebody to resume it (person)",
        (
            "go on with: conductor run --resume log.jsonl, and resume it at its prompt "
            "(on a terminal, without --no-input)"
        ),
    ]
    session = terminal(resume=True)
    session.wait_for(" (as ana): resume/cancel? ")
    session.type("cancel not today\n")
    assert session.end() == 1
    assert "cancelled: not today" in session.seen


BOTH_ASK = """
groups:
  - key: g
    parallel: true
    steps:
      - {key: a, run: "true", approval: {approvers: [bo]}}
      - {key: b, run: "while [ ! -e go ]; do sleep 0.01; done", approval: true}
"""


def test_a_prompt_keeps_nobody_else_from_answering(terminal: type[Terminal]) -> None:
    """While somebody is asked about one step, `--approve` approves the other."""
    write("flow.yaml", BOTH_ASK)
    session = terminal("--approve", "b")
    question = "a#1 (as ana): approve/deny/skip/retry? "
    session.wait_for(question)
    write("go", "")
    session.wait_for("ana approves b\r\n")
    session.type("as bo\n")
    session.wait_for("a#1 (as bo): approve/deny/skip/retry? ")
    session.type("approve\n")
    assert session.end() == 0


def test_a_question_may_be_left_for_the_next(terminal: type[Terminal]) -> None:
    """Who cannot answer the first is not kept from the second, and comes back to it."""
    write("flow.yaml", BOTH_ASK)
    session = terminal()
    session.wait_for("a#1 (as ana): approve/deny/skip/retry? ")
    session.type("next\n")
    session.wait_for("nothing else is asked\r\n")
    write("go", "")
    session.wait_for("a#1 (as ana): approve/deny/skip/retry/next? ")
    session.type("n\n")
    session.wait_for("b#1 (as ana): approve/deny/skip/retry/next? ")
    session.type("next\n")
    session.wait_for("may be approved by bo\r\na#1 (as ana): approve/deny/skip/retry/next? ")
    session.type("next\n")
    session.wait_for("a#1 (as ana): approve/deny/skip/retry/next? next\r\n  0 of 1 approvals")
    session.wait_for("anybody\r\nb#1 (as ana): approve/deny/skip/retry/next? next\r\n")
    session.seen = session.seen.rpartition("next\r\n")[2]
    session.wait_for("b#1 (as ana): approve/deny/skip/retry/next? ")
    session.type("approve\n")
    session.wait_for("ana approves b\r\n")
    session.type("\x04")
    assert session.end() == 3
    assert statuses() == {"a#1": "approval-awaiting", "b#1": "success"}


@pytest.mark.parametrize(
    ("typed", "code", "status"),
    [("app\x04\x04", 3, "approval-awaiting"), ("app\x04rove\n", 0, "success")],
)
def test_half_a_line_is_no_answer(
    terminal: type[Terminal], typed: str, code: int, status: str
) -> None:
    """Ctrl-D behind the beginning of a word hands it over; it counts when the line ends."""
    write("flow.yaml", PLAN_AND_APPLY)
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    session.type(typed)
    assert session.end() == code
    assert statuses()["plan#1"] == status


def test_a_plan_of_any_size_is_shown_in_part(terminal: type[Terminal]) -> None:
    """Forty lines of 400 characters, and the prompt below them."""
    plan = "\n".join("x" * 5_000 for _ in range(50))
    write("result.json", json.dumps({"subject": "y" * 5_000, "output": {"plan": plan}}))
    write("flow.yaml", PLAN_AND_APPLY.replace("echo 3 to add", "cp result.json $CONDUCTOR_RESULT"))
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    told = session.seen.partition("  subject: ")[2]
    assert told.count("x" * 398 + "...\r\n") == 39
    assert "  (11 lines more)\r\n" in told
    assert "x" * 401 not in told
    assert "y" * 401 not in told
    session.type("approve\n")
    assert session.end() == 0


def test_in_the_background_nobody_is_asked_yet(terminal: type[Terminal]) -> None:
    """A run that the terminal does not belong to goes on, and asks when it is brought back."""
    write("flow.yaml", BOTH_ASK.replace("[bo]", "[ana]"))
    session = terminal(
        "--approve", "b",
        shell="set -m; {} & while [ ! -e front ]; do sleep 0.01; done; fg",
    )  # fmt: skip
    session.wait_for("a#1 asks; to answer, bring this to the foreground\r\n")
    write("go", "")
    session.wait_for("ana approves b\r\n")
    write("front", "")
    session.wait_for("a#1 (as ana): approve/deny/skip/retry? ")
    session.type("approve\n")
    assert session.end() == 0
    assert session.seen.count("to the foreground") == 1


def test_nobody_is_asked_who_does_not_want_to_be(terminal: type[Terminal]) -> None:
    """`--no-input` asks nothing, also on a terminal."""
    write("flow.yaml", PLAN_AND_APPLY)
    assert terminal("--no-input").end() == 3


def test_people_may_answer_for_others(terminal: type[Terminal]) -> None:
    """`as NAME` changes who answers; the prompt names that person, and who may still approve."""
    write(
        "flow.yaml",
        PLAN_AND_APPLY.replace("approval: true", "approval: {required: 2, approvers: [bo, cy]}"),
    )
    session = terminal()
    session.wait_for("plan#1 (as ana): approve/deny/skip/retry? ")
    assert "0 of 2 approvals; may be approved by bo or cy\r\n" in session.seen
    assert 'a note may follow; "as NAME" on a line of its own' in session.seen
    session.type("approve\n")
    session.wait_for("[rejected(not-an-approver)")
    session.wait_for("0 of 2 approvals; may be approved by bo or cy\r\nplan#1 (as ana): ")
    session.type("as bo\n")
    session.wait_for("plan#1 (as bo): approve/deny/skip/retry? ")
    session.type("approve as agreed\n")
    session.wait_for("1 of 2 approvals; may be approved by cy\r\nplan#1 (as bo): ")
    session.type("as cy\n")
    session.wait_for("plan#1 (as cy): approve/deny/skip/retry? ")
    session.type("approve\n")
    assert session.end() == 0
    answers = [(event.by, event.note) for event in logged(ApprovalResponded)]
    assert answers == [("ana", None), ("bo", "as agreed"), ("cy", None)]


def test_who_leaves_the_prompt_learns_who_may_approve(terminal: type[Terminal]) -> None:
    """After the end of the input too, the way on is told with names."""
    write("flow.yaml", PLAN_AND_APPLY.replace("true", "{approvers: [bo]}"))
    session = terminal()
    session.wait_for("plan#1 (as ana): ")
    session.type("\x04")
    assert session.end() == 3
    assert "plan#1 may be approved by bo\r\n" in session.seen
    assert "--approve plan --by bo, or" in session.seen


def test_what_comes_while_a_prompt_is_shown_does_not_hide_it(terminal: type[Terminal]) -> None:
    """Output begins on a line of its own, and the prompt is shown again below it."""
    write(
        "flow.yaml",
        "groups: [{key: g, parallel: true, steps: [{key: plan, run: 'true', approval: true}, "
        "{key: b, run: 'while [ ! -e go ]; do sleep 0.01; done; echo one; echo two'}]}]",
    )
    session = terminal()
    question = "plan#1 (as ana): approve/deny/skip/retry? "
    session.wait_for(question)
    write("go", "")
    session.wait_for(f"b#1 succeeded\r\n{question}")
    assert f"{question}\r\n           b#1 | one\r\n           b#1 | two\r\n" in session.seen
    assert session.seen.count(question) == 2
    session.type("approve\n")
    assert session.end() == 0
    assert "stdout:" not in session.seen


@pytest.mark.parametrize(
    ("way", "left"),
    [
        ("stop", {"a#1": "in-progress", "b#1": "pending"}),
        ("cancel", dict.fromkeys(("a#1", "b#1"), "cancelled")),
    ],
)
def test_a_closed_terminal_ends_the_work(
    terminal: type[Terminal], way: str, left: dict[str, str]
) -> None:
    """When the terminal goes, no step is left running, and the log is whole."""
    write("flow.yaml", SLEEP.replace("echo asleep", "echo $$ > pid; echo asleep"))
    session = terminal("--on-interrupt", way, "--grace", "0.1")
    session.wait_for("| asleep")
    assert session.hang_up() == 1
    assert statuses() == left
    assert replayed().closed is (way == "cancel")
    with pytest.raises(ProcessLookupError):
        os.killpg(int(Path("pid").read_text()), 0)


def test_a_terminal_may_close_while_it_asks(terminal: type[Terminal]) -> None:
    """That is a hangup and stops the run; nothing is answered by it, and the log verifies."""
    write("flow.yaml", PLAN_AND_APPLY)
    session = terminal()
    session.wait_for("plan#1 (as ana): ")
    assert session.hang_up() == 1
    assert state().status == "approval-awaiting"


def test_when_an_approval_expires_is_told_in_hours(terminal: type[Terminal]) -> None:
    """People see how long they have, not a number of milliseconds."""
    write("flow.yaml", PLAN_AND_APPLY.replace("true", "{timeout_ms: 86400000}"))
    session = terminal()
    session.wait_for("plan#1 (as ana): ")
    assert "0 of 1 approvals; may be approved by anybody; expires in 24 h\r\n" in session.seen
    assert "timer approval:plan#1 in 24 h\r\n" in session.seen
    session.type("deny\n")
    assert session.end() == 1
