"""The shell: real processes, their groups, and what they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from conductor_adapters.memory import MemoryHost
from conductor_adapters.shell import ERRORS_KEPT, OUTPUT_KEPT, Shell, input_problems
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.commands import DispatchStep
from conductor_core.payload import EMPTY, freeze

T = TypeVar("T")

PATIENCE_S = 20.0


def play(script: Coroutine[Any, Any, T]) -> T:
    """Run a script to its end, but not for ever."""
    return asyncio.run(asyncio.wait_for(script, PATIENCE_S))


def context_of(command: Any) -> StepContext:
    """The context of an attempt at a command."""
    return StepContext(
        flow_id="f",
        command=DispatchStep(
            attempt="a#1", work="shell", input=freeze(command),
            outputs=freeze({"plan": {"add": 3}}), subjects=freeze({"plan": "sha256:1"}),
            idempotency_key="f/a#1", retry=2, generation=1, timeout_ms=9_000,
        ),
        flow_metadata=freeze({"inputs": {"env": "prod"}}),
    )  # fmt: skip


def run(command: str, **options: Any) -> StepResult:
    """Run a command to its end."""
    return play(Shell(**options)(context_of({"run": command})))


def failure(command: str) -> StepFailure:
    """Run a command that fails."""
    with pytest.raises(StepFailure) as told:
        run(command)
    return told.value


async def until(holds: Any) -> None:
    """Wait until something holds in the world."""
    while not holds():
        await asyncio.sleep(0.005)


def alive(pid_file: Path) -> bool:
    """Whether the process whose number stands in a file still runs."""
    stat = Path("/proc", pid_file.read_text().strip(), "stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def command_lines() -> list[str]:
    """What runs on this machine."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_text())
    return lines


# --- outcome ---


def test_what_a_command_prints_is_its_output() -> None:
    """A command that exits with 0 has succeeded, and its output is what it printed."""
    assert run("echo one; echo two >&2; echo three").output.value == {"stdout": "one\nthree\n"}


def test_the_exit_status_is_the_outcome() -> None:
    """Any other status is a failure, with the end of what was complained of."""
    error = failure("echo nothing works >&2; exit 3").error
    assert (error.type, error.message) == ("exit-status", "exit status 3")
    assert error.details.value == {"exit_status": 3, "stderr": "nothing works\n"}
    assert not error.non_retryable


def test_death_by_a_signal_is_a_failure() -> None:
    """A shell that is killed has failed, and the signal is named."""
    assert failure("kill -9 $$").error.message == "ended by signal 9"


def test_a_command_may_say_more_than_its_status() -> None:
    """Output, subject, no-op, directive and policy stand in the file CONDUCTOR_RESULT names."""
    result = run(
        """
        echo ignored
        cat > "$CONDUCTOR_RESULT" <<EOF
        {"output": [1, 2], "subject": "sha256:2", "noop": true, "directive": "skip-group",
         "policy": {"warn_violations": ["friday"], "passed_policy_ids": ["p-1"]}}
        EOF
        """.replace("\n        ", "\n")
    )
    assert result.output.value == [1, 2]
    assert (result.subject, result.noop, result.directive) == ("sha256:2", True, "skip-group")
    assert result.policy is not None
    assert result.policy.warn_violations == ("friday",)


def test_a_failed_command_may_say_more_too() -> None:
    """A directive of a command that failed counts."""
    told = failure("""echo '{"directive": "stop"}' > "$CONDUCTOR_RESULT"; exit 1""")
    assert told.result.directive == "stop"


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("{", "CONDUCTOR_RESULT: "),
        ("[]", "CONDUCTOR_RESULT: expected a mapping"),
        ('{"outcome": "succeeded"}', "CONDUCTOR_RESULT: outcome: unknown key"),
        ('{"noop": "perhaps"}', "CONDUCTOR_RESULT: noop: "),
        ('{"subject": 5}', "CONDUCTOR_RESULT: subject: "),
        ('{"output": NaN}', "CONDUCTOR_RESULT: "),
        ('{"output": 1, "output": 2}', "CONDUCTOR_RESULT: "),
    ],
)
def test_a_bad_result_is_a_failure(result: str, problem: str) -> None:
    """A result that cannot be read fails the attempt with one clear error."""
    error = failure(f"""printf '%s' '{result}' > "$CONDUCTOR_RESULT" """).error
    assert error.type == "bad-result"
    assert error.message.startswith(problem)


def test_a_result_has_a_size() -> None:
    """A result of megabytes is refused."""
    error = failure('head -c 2000000 /dev/zero > "$CONDUCTOR_RESULT"').error
    assert error.message == "CONDUCTOR_RESULT: larger than 1,000,000 bytes"


# --- what a command is told ---


def test_a_command_finds_its_context_in_a_file() -> None:
    """CONDUCTOR_CONTEXT names a JSON file with all that a handler is told."""
    told = json.loads(run('cat "$CONDUCTOR_CONTEXT"').output.value["stdout"])
    assert told == {
        "flow_id": "f", "attempt": "a#1", "step": "a", "idempotency_key": "f/a#1",
        "input": {"run": 'cat "$CONDUCTOR_CONTEXT"'}, "needs": {"plan": {"add": 3}},
        "subjects": {"plan": "sha256:1"}, "retry": 2, "generation": 1, "timeout_ms": 9_000,
        "metadata": {"inputs": {"env": "prod"}},
    }  # fmt: skip


def test_the_files_are_gone_afterwards() -> None:
    """The folder of the two files lives as long as the attempt, and is nobody else's."""
    told = run('dirname "$CONDUCTOR_CONTEXT"; stat -c %a "$(dirname "$CONDUCTOR_CONTEXT")"')
    folder, mode = told.output.value["stdout"].split()
    assert mode == "700"
    assert not Path(folder).exists()


def test_a_command_reads_nothing() -> None:
    """Standard input is empty, so that no command waits for an answer."""
    assert run("cat; echo done").output.value == {"stdout": "done\n"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("ls", ("", "expected a mapping")),
        ({}, ("run", "expected a command, got None")),
        ({"run": " "}, ("run", "expected a command, got ' '")),
        ({"run": "a\0b"}, ("run", "expected a command, got 'a\\x00b'")),
        ({"run": "ls", "cwd": "/"}, ("cwd", "unknown key, expected run")),
    ],
)
def test_input_that_is_no_command_is_told(value: Any, problem: tuple[str, str]) -> None:
    """What is wrong with the input of a shell step is known before it runs, and fails it."""
    assert list(input_problems(value)) == [problem]
    with pytest.raises(StepFailure, match="input") as told:
        play(Shell()(context_of(value)))
    assert told.value.error.non_retryable


# --- what a command prints ---


def test_output_streams_as_it_comes() -> None:
    """What is printed is shown at once, with its attempt, whichever stream it came by."""
    shown: list[tuple[str, str]] = []

    async def script() -> None:
        command = "echo first; while [ ! -e go ]; do sleep 0.01; done; echo second >&2"
        work = asyncio.ensure_future(
            Shell(show=lambda attempt, text: shown.append((attempt, text)))(
                context_of({"run": command.replace("go", str(go))})
            )
        )
        await until(lambda: ("a#1", "first\n") in shown)
        go.touch()
        await work

    go = Path(os.environ.get("TMPDIR", "/tmp"), f"go-{os.getpid()}-{time.time_ns()}")
    try:
        play(script())
    finally:
        go.unlink()
    assert ("a#1", "second\n") in shown


def test_a_character_may_come_in_two_pieces() -> None:
    """Characters that are split between two writes are shown whole; other bytes as such."""
    shown: list[str] = []
    run(
        r"printf 'caf\303'; sleep 0.05; printf '\251 \377'",
        show=lambda _attempt, text: shown.append(text),
    )
    assert "".join(shown) == "caf\u00e9 \ufffd"


def test_of_much_output_the_end_is_kept() -> None:
    """Output and complaints are kept up to a size, with a word about what was left out."""
    output = run("head -c 3000000 /dev/zero | tr '\\0' x; echo end").output.value["stdout"]
    assert output.startswith(f"[{3_000_004 - OUTPUT_KEPT} bytes left out]\nxxx")
    assert output.endswith("xend\n")
    told = failure("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1").error.details.value
    assert len(told["stderr"]) < ERRORS_KEPT + 100


# --- how a command ends ---


def cancelled_after(command: str, ready: Path, grace_s: float = 10.0) -> asyncio.Task[StepResult]:
    """Run a command and cancel it once it made a file; returns the ended task."""

    async def script() -> asyncio.Task[StepResult]:
        work = asyncio.ensure_future(Shell(grace_s=grace_s)(context_of({"run": command})))
        await until(ready.exists)
        work.cancel()
        await asyncio.wait([work])
        return work

    return play(script())


def test_a_cancel_ends_the_whole_group(tmp_path: Path) -> None:
    """SIGTERM reaches the shell's children, not only the shell."""
    child, ready = tmp_path / "child", tmp_path / "ready"
    work = cancelled_after(f"sleep 60 & echo $! > {child}; touch {ready}; wait", ready)
    assert work.cancelled()
    assert not alive(child)


def test_children_get_their_grace_although_the_shell_is_gone(tmp_path: Path) -> None:
    """A child that cleans up on SIGTERM is waited for."""
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    trap = f"trap 'sleep 0.2; touch {cleaned}; exit 1' TERM"
    child = f"{trap}; touch {ready}; while :; do sleep 0.01; done"
    work = cancelled_after(f'(sh -c "{child}") & wait', ready)
    assert work.cancelled()
    assert cleaned.exists()


def test_a_cancel_at_the_start_leaves_nothing_running() -> None:
    """Also a command that is cancelled while it is being started ends with its whole group."""
    mark = f"60.{os.getpid()}"

    async def started_and_cancelled(n: int) -> None:
        command = f"sleep {mark} & wait"
        work = asyncio.ensure_future(Shell()(context_of({"run": command})))
        await asyncio.sleep(n * 0.001)
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    async def script() -> None:
        await asyncio.gather(*map(started_and_cancelled, range(30)))

    play(script())
    assert not any(mark in line for line in command_lines())


def test_who_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace comes SIGKILL."""
    ready, pid = tmp_path / "ready", tmp_path / "pid"
    command = f"trap '' TERM; echo $$ > {pid}; touch {ready}; while :; do sleep 0.01; done"
    work = cancelled_after(command, ready, grace_s=0.1)
    assert work.cancelled()
    assert not alive(pid)


def test_a_second_cancel_kills_at_once(tmp_path: Path) -> None:
    """Who cancels again does not wait for the grace."""
    ready, pid = tmp_path / "ready", tmp_path / "pid"
    command = f"trap '' TERM; echo $$ > {pid}; touch {ready}; while :; do sleep 0.01; done"

    async def script() -> None:
        work = asyncio.ensure_future(Shell(grace_s=60)(context_of({"run": command})))
        await until(ready.exists)
        work.cancel()
        await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    began = time.monotonic()
    play(script())
    assert time.monotonic() - began < 30
    assert not alive(pid)


def test_a_command_that_is_done_in_its_grace_has_succeeded(tmp_path: Path) -> None:
    """The exit status counts also after SIGTERM: 0 means that the work was done."""
    ready = tmp_path / "ready"
    command = f"trap 'echo done; exit 0' TERM; touch {ready}; while :; do sleep 0.01; done"
    work = cancelled_after(command, ready)
    assert work.result().output.value == {"stdout": "done\n"}


def test_what_is_left_of_the_group_ends_with_the_shell(tmp_path: Path) -> None:
    """Nothing of a step runs on after its end was recorded."""
    child = tmp_path / "child"
    run(f"sleep 60 & echo $! > {child}")
    assert not alive(child)


def test_who_left_the_group_does_not_hold_the_step_up(tmp_path: Path) -> None:
    """A daemon that keeps the pipes open is left alone, and not waited for."""
    child = tmp_path / "child"
    daemon = f"setsid sh -c 'echo $$ > {child}; exec sleep 60'"
    result = run(f"{daemon} & while [ ! -s {child} ]; do :; done; echo up")
    assert result.output.value == {"stdout": "up\n"}
    assert alive(child)
    os.kill(int(child.read_text()), signal.SIGKILL)


def test_a_cancelled_flow_ends_its_processes(tmp_path: Path) -> None:
    """From a request to the process: the flow is cancelled, and so is what it ran."""
    ready, pid = tmp_path / "ready", tmp_path / "pid"
    command = f"echo $$ > {pid}; touch {ready}; exec sleep 60"
    step = StepSpec(key="a", work="shell", input={"run": command})
    spec = FlowSpec(groups=(GroupSpec(key="g", steps=(step,)),))

    async def script() -> FlowState:
        async with MemoryHost({"shell": Shell()}) as host:
            flow = await host.start(spec, flow_id="f")
            await until(ready.exists)
            await flow.cancel(by="ana")
            await flow.wait()
            return flow.state

    state = play(script())
    assert [attempt.status.value for attempt in state.attempts()] == ["cancelled"]
    assert not alive(pid)


def test_empty_context_payloads_are_empty_mappings() -> None:
    """A step without input, needs or metadata is told so in so many words."""
    assert (
        StepContext(flow_id="f", command=context_of({}).command, flow_metadata=EMPTY).metadata == {}
    )
