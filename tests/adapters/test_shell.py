"""The shell: real processes, their groups, and what they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.captured import AGAIN
from conductor_adapters.memory import MemoryHost
from conductor_adapters.shell import (
    ERRORS_KEPT,
    OUTPUT_KEPT,
    Shell,
    input_problems,
    missing_environment,
)
from conductor_adapters.work import HostFailure, StepContext, StepFailure, StepResult
from conductor_core import FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.payload import EMPTY
from tests.adapters.processes import alive, context_of, play, until

FULL = Path("/dev/full")


def run(command: str, **options: Any) -> StepResult:
    """Run a command to its end, with `cwd`, `env` and options of the shell."""
    given = {key: options.pop(key) for key in ("cwd", "env") if key in options}
    return play(Shell(**options)(context_of({"run": command, **given})))


def output(command: str, **options: Any) -> str:
    """What a command prints."""
    stdout = run(command, **options).output.value["stdout"]
    assert isinstance(stdout, str)
    return stdout


def failure(command: str, **options: Any) -> StepFailure:
    """Run a command that fails."""
    with pytest.raises(StepFailure) as told:
        run(command, **options)
    return told.value


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


def test_a_bad_result_does_not_hide_how_a_command_failed() -> None:
    """Of a command that broke off while it wrote its result, status and complaints are told."""
    told = failure("""echo no space >&2; printf '{"out' > "$CONDUCTOR_RESULT"; echo half; exit 7""")
    assert (told.error.type, told.error.message) == ("exit-status", "exit status 7")
    details = told.error.details.value
    assert (details["exit_status"], details["stderr"]) == (7, "no space\n")
    assert details["bad_result"].startswith("CONDUCTOR_RESULT: ")
    assert told.result.output.value == {"stdout": "half\n"}


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
        ({"run": "ls", "cwd": ""}, ("cwd", "expected the name of a folder, got ''")),
        ({"run": "ls", "cwd": 5}, ("cwd", "expected the name of a folder, got 5")),
        ({"run": "ls", "cwd": "a\0"}, ("cwd", "expected the name of a folder, got 'a\\x00'")),
        (
            {"run": "ls", "shell": "/"},
            ("shell", "unknown key 'shell', expected one of run, cwd, env"),
        ),
        ({"run": "ls", "env": "A=b"}, ("env", "expected a mapping, got 'A=b'")),
        ({"run": "ls", "env": {"A": 5}}, ("env.A", "expected a text: write 5 in quotes")),
        ({"run": "ls", "env": {"A": True}}, ("env.A", "expected a text: write true in quotes")),
        (
            {"run": "ls", "env": {"A": None}},
            ("env.A", "expected a text or {from_env: NAME}, got None"),
        ),
        (
            {"run": "ls", "env": {"A": "b\0"}},
            ("env.A", "expected a text or {from_env: NAME}, got 'b\\x00'"),
        ),
        *(
            (
                {"run": "ls", "env": {"A": value}},
                (
                    "env.A",
                    "expected {from_env: NAME} with the name of a variable and nothing else",
                ),
            )
            for value in ({}, {"from_env": "A-B"}, {"from_env": "A", "default": ""})
        ),
        *(
            (
                {"run": "ls", "env": {name: ""}},
                (path, "expected the name of a variable: letters, digits and _, no digit first"),
            )
            for name, path in [
                ("1A", "env['1A']"),
                ("A-B", "env.A-B"),
                ("", "env['']"),
                ("A=", "env['A=']"),
                ("Ä", "env['Ä']"),
                ("A\n", "env['A\\n']"),
            ]
        ),
        (
            {"run": "ls", "env": {"CONDUCTOR_RESULT": "x"}},
            ("env.CONDUCTOR_RESULT", "names that begin with CONDUCTOR_ are taken"),
        ),
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


# --- the environment of a command ---


def test_every_problem_is_told() -> None:
    """A step with several problems fails with all of them, each with its place."""
    error = failure("", cwd="", env={"A": 1, "B": 2}).error
    assert error.message == (
        "input.run: expected a command, got ''; "
        "input.cwd: expected the name of a folder, got ''; "
        "input.env.A: expected a text: write 1 in quotes; "
        "input.env.B: expected a text: write 2 in quotes"
    )


def test_a_command_runs_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cwd` is where the command runs, seen from where the host was started."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert output("pwd", cwd="sub") == f"{tmp_path}/sub\n"
    assert output("pwd", cwd=str(tmp_path)) == output("pwd") == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("cwd", "problem"), [("none", "No such file or directory"), ("file", "Not a directory")]
)
def test_a_folder_that_is_none_is_bad_input(
    cwd: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its folder a command does not begin, and trying again is no use."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    error = failure("touch begun", cwd=cwd).error
    assert (error.type, error.non_retryable) == ("bad-input", True)
    assert error.message == f"input.cwd: '{cwd}': {problem}"
    assert not (tmp_path / "begun").exists()


def test_a_command_that_is_too_long_is_bad_input() -> None:
    """What the system cannot take fails the step with a word about why."""
    error = failure("true", env={"A": "x" * 10_000_000}).error
    assert (error.type, error.non_retryable) == ("bad-input", True)
    assert error.message == (
        "input: too long for the system, with the environment or in one of its parts"
    )


def test_a_command_may_begin_like_an_option() -> None:
    """Whatever a command begins with, the shell takes it for a command."""
    assert failure("-c 'exit 3'").error.message == "exit status 127"


def test_variables_of_a_step_override_inherited_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command gets the environment of its worker, and on top of that its own variables."""
    monkeypatch.setenv("INHERITED", "kept")
    monkeypatch.setenv("OVERRIDDEN", "old")
    env = {"OVERRIDDEN": "new ä\n$HOME", "OWN": ""}
    told = output('echo "$INHERITED-$OVERRIDDEN-${OWN-unset}"', env=env)
    assert told == "kept-new ä\n$HOME-\n"


def test_a_value_may_come_from_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """`{from_env: NAME}` takes a value over, by whatever name the command knows it."""
    monkeypatch.setenv("TOKEN_OF_WORKER", "abc")
    told = output('[ "$TOKEN" = abc ] && echo same', env={"TOKEN": {"from_env": "TOKEN_OF_WORKER"}})
    assert told == "same\n"


def test_a_value_that_the_worker_lacks_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing variable is told before a flow begins, and at the latest when its step does."""
    monkeypatch.delenv("NO_TOKEN", raising=False)
    value = {"run": "true", "env": {"TOKEN": {"from_env": "NO_TOKEN"}, "OTHER": "text"}}
    problem = ("env.TOKEN.from_env", "the environment has no variable NO_TOKEN")
    assert list(missing_environment(value, {})) == [problem]
    assert list(missing_environment(value, {"NO_TOKEN": ""})) == []
    error = failure("true", env=value["env"]).error
    assert (error.type, error.non_retryable) == ("bad-input", True)
    assert error.message == f"input.{problem[0]}: {problem[1]}"


@pytest.mark.parametrize("value", ["ls", {"run": "ls"}, {"env": 5}, {"env": {"A": {}}}])
def test_what_is_no_input_takes_nothing_from_the_worker(value: object) -> None:
    """Problems of another kind are told elsewhere."""
    assert list(missing_environment(value, {})) == []


def test_inputs_of_the_flow_are_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts come as they are, other scalars as JSON; what can be no variable is left out."""
    monkeypatch.setenv("CONDUCTOR_INPUT_outer", "of the flow around this one")
    inputs = {
        "env": "prod 'x'\n", "count": 3, "share": 0.5, "dry": True, "none": None,
        "list": [1], "mapping": {}, "not-a-name": 1, "nul": "a\0b", "": 1,
    }  # fmt: skip
    command = "env -0 | grep -az ^CONDUCTOR_INPUT_ | sort -z | tr '\\0' '|'"
    context = context_of({"run": command}, metadata={"inputs": inputs})
    assert play(Shell()(context)).output.value["stdout"] == (
        "CONDUCTOR_INPUT_count=3|CONDUCTOR_INPUT_dry=true|CONDUCTOR_INPUT_env=prod 'x'\n|"
        "CONDUCTOR_INPUT_none=null|CONDUCTOR_INPUT_share=0.5|"
    )


@pytest.mark.parametrize("metadata", [{}, {"inputs": "text"}, {"inputs": ["a"]}])
def test_a_flow_may_have_no_inputs(metadata: object) -> None:
    """Without inputs there are no variables of theirs."""
    context = context_of({"run": "env | grep -c ^CONDUCTOR_INPUT_ || :"}, metadata=metadata)
    assert play(Shell()(context)).output.value == {"stdout": "0\n"}


# --- secrets ---

SECRET = 'hun"ter2\nline two'
FROM_ENV = {"TOKEN": {"from_env": "SECRET_OF_WORKER"}}


@pytest.fixture
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_WORKER", SECRET)


@pytest.mark.usefixtures("_secret")
def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    """What a step takes from its worker is masked on the screen, in its file and its output."""
    shown: list[str] = []
    files = AttemptFiles(tmp_path / "files")
    command = """
        printf 'is %s.' "$TOKEN"
        printf 'is %.3s' "$TOKEN"; sleep 0.05; printf '%s!' "${TOKEN#???}"
        printf 'two: %s' "${TOKEN#?????????}" >&2
        exit 3
    """
    error = failure(
        command, env=FROM_ENV, show=lambda _attempt, text: shown.append(text), files=files
    ).error
    assert error.details.value == {"exit_status": 3, "stderr": "two: ***"}
    captured = files.output_of("a#1").read_text()
    for text in (captured, "".join(shown)):
        assert text.replace("two: ***", "") == "is ***.is ***!"
    assert output('echo "$TOKEN"; cat "$CONDUCTOR_CONTEXT"', env=FROM_ENV).startswith("***\n{")


def test_a_shell_that_shows_what_it_does_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the shell quotes a secret that holds quotes itself."""
    monkeypatch.setenv("SECRET_OF_WORKER", "it's 'one' $")
    told = output('export -p; set -x; : "$TOKEN"', env=FROM_ENV)
    assert "***" in told
    assert "one" not in told


@pytest.mark.usefixtures("_secret")
def test_a_context_names_a_secret_and_does_not_hold_it() -> None:
    """The file that a command finds its context in says where a value comes from."""
    told = output(
        'cat "$CONDUCTOR_CONTEXT"; grep -cF "$TOKEN" "$CONDUCTOR_CONTEXT" || :', env=FROM_ENV
    )
    context, count = told.rsplit("}", 1)
    assert json.loads(context + "}")["input"]["env"] == FROM_ENV
    assert count == "0\n"


@pytest.mark.usefixtures("_secret")
def test_a_secret_is_masked_in_a_result() -> None:
    """Before anything is recorded, texts and keys of a result lose their secrets."""
    written = json.dumps(
        {
            "output": {SECRET: [f"a {SECRET}", 5]}, "subject": f"plan with {SECRET}",
            "policy": {"warn_violations": [SECRET]},
        }
    )  # fmt: skip
    result = run(
        """printf %s "$WRITTEN" > "$CONDUCTOR_RESULT" """, env={**FROM_ENV, "WRITTEN": written}
    )
    assert result.output.value == {"***": ["a ***", 5]}
    assert result.subject == "plan with ***"
    assert result.policy is not None
    assert result.policy.warn_violations == ("***",)


@pytest.mark.usefixtures("_secret")
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({SECRET: 1}, "***: unknown key, expected one of output, subject, noop, directive, policy"),
        ({"subject": [SECRET]}, "subject: expected a string, got ['***']"),
        (f"{{{SECRET}", "not JSON as it should be; it holds a secret"),
        (
            f'{{"{"x" * 76}line two": 1, "{"x" * 76}line two": 2}}',
            "not JSON as it should be; it holds a secret",
        ),
    ],
)
def test_a_bad_result_shows_no_secret(written: object, message: str) -> None:
    """A word about what is wrong shows no secret, and no part of one."""
    text = written if isinstance(written, str) else json.dumps(written)
    env = {**FROM_ENV, "WRITTEN": text}
    error = failure("""printf %s "$WRITTEN" > "$CONDUCTOR_RESULT" """, env=env).error
    assert error.message == f"CONDUCTOR_RESULT: {message}"


# --- the files of an attempt ---


def test_what_an_attempt_prints_is_in_its_file(tmp_path: Path) -> None:
    """Both streams stand in one file, in a folder that nobody else may look into."""
    files = AttemptFiles(tmp_path / "files")
    run("echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three", files=files)
    run("printf again", files=files)
    assert files.output_of("a#1").read_text() == f"one\ntwo\nthree\n{AGAIN.decode()}again"
    assert files.folder.stat().st_mode & 0o777 == 0o700


def test_a_relative_folder_of_files_is_the_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is found from wherever a command runs."""
    monkeypatch.chdir(tmp_path)
    run("echo one", files=AttemptFiles(Path("files")), cwd="/")
    assert (tmp_path / "files" / "a#1.txt").read_text() == "one\n"


def test_a_group_is_on_record_while_it_runs(tmp_path: Path) -> None:
    """While a command runs its record is there, and names its group; then it is gone."""
    files = AttemptFiles(tmp_path)
    record = files.record_of("a#1")
    told = run(f"cat '{record}'; ps -o pgid= $$", files=files).output.value["stdout"].split()
    assert told[0] == told[-1]
    assert not record.exists()


@pytest.mark.parametrize("files", [None, "files"])
def test_a_command_has_no_descriptor_of_the_hosts(files: str | None, tmp_path: Path) -> None:
    """What keeps the log locked is not handed on to the command."""
    log = tmp_path / "log"
    with log.open("w") as file:
        options = {} if files is None else {"files": AttemptFiles(tmp_path, file.fileno())}
        told = run("cat; ls -l /proc/$$/fd", **options).output.value["stdout"]
    assert " 0 -> /dev/null\n" in told
    assert str(log) not in told


def test_without_a_record_no_command_begins(tmp_path: Path) -> None:
    """A record that is there may be that of work that runs: it stays, and the host has failed."""
    files, begun = AttemptFiles(tmp_path / "files"), tmp_path / "begun"
    files.make_folder()
    files.record_of("a#1").write_text("older")
    with pytest.raises(HostFailure, match=r"a#1: the record of its process group.*exist"):
        run(f"touch {begun}", files=files)
    assert files.record_of("a#1").read_text() == "older"
    assert not begun.exists()


def test_without_a_folder_no_command_begins(tmp_path: Path) -> None:
    """Where nothing can be recorded, nothing is begun, and that is no fact about the work."""
    (tmp_path / "files").touch()
    with pytest.raises(HostFailure, match=f"a#1: {tmp_path}/files: File exists"):
        run("true", files=AttemptFiles(tmp_path / "files"))


def test_flows_with_the_same_attempts_have_shells_of_their_own(tmp_path: Path) -> None:
    """On one host two flows run the same attempts at once, each in its own folder."""
    first, second = AttemptFiles(tmp_path / "first"), AttemptFiles(tmp_path / "second")
    handlers = {"first": Shell(files=first), "second": Shell(files=second)}

    def flow(name: str, other: str) -> FlowSpec:
        meet = f"touch {tmp_path}/{name}; until [ -e {tmp_path}/{other} ]; do sleep 0.01; done"
        step = StepSpec(key="a", work=name, input={"run": f"{meet}; echo {name}"})
        return FlowSpec(groups=(GroupSpec(key="g", steps=(step,)),))

    async def script() -> list[str]:
        async with MemoryHost(handlers) as host:
            one = await host.start(flow("first", "second"), flow_id="1")
            two = await host.start(flow("second", "first"), flow_id="2")
            return [(await one.wait()).status, (await two.wait()).status]

    assert play(script()) == ["success", "success"]
    for files in (first, second):
        assert files.output_of("a#1").read_text() == f"{files.folder.name}\n"
        assert files.records() == ()


def test_a_shell_keeps_the_files_of_one_flow(tmp_path: Path) -> None:
    """A second flow would write over what the first printed, so that its host has failed it."""
    shell = Shell(files=AttemptFiles(tmp_path / "files"))
    play(shell(context_of({"run": "echo one"})))
    other = evolve(context_of({"run": "echo two"}), flow_id="other")
    with pytest.raises(HostFailure, match=r"files holds the files of flow 'f'; flow 'other' needs"):
        play(shell(other))
    assert (tmp_path / "files" / "a#1.txt").read_text() == "one\n"


def test_without_psutil_the_extra_is_named() -> None:
    """Whoever embeds the shell without the extra is told which one is missing."""
    script = "import sys; sys.modules['psutil'] = None; import conductor_adapters.shell"
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: shell steps need the cli extra: pip install 'conductor-core[cli]'"
    )


def test_status_125_is_a_status(tmp_path: Path) -> None:
    """A command may exit with the status of the shell that could not write its record."""
    error = failure("exit 125", files=AttemptFiles(tmp_path)).error
    assert error.message == "exit status 125"


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_fails_no_step(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is printed is lost to the file, and to nobody else."""
    files = AttemptFiles(tmp_path)
    files.output_of("a#1").symlink_to(FULL)
    assert run("echo one", files=files).output.value == {"stdout": "one\n"}
    assert len(caplog.messages) == 1


@pytest.mark.timeout(120)
def test_a_step_that_prints_without_end_holds_up_nothing(tmp_path: Path) -> None:
    """Of hundreds of megabytes little is kept, in memory as on disk, and the loop goes on."""
    script = tmp_path / "script.py"
    script.write_text(LOUD)
    told = subprocess.run(
        [sys.executable, script, tmp_path / "files", str(300_000_000)],
        stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "SECRET_OF_WORKER": SECRET},
    )  # fmt: skip
    grown_kb, longest_s, size = map(float, told.stdout.split())
    assert grown_kb < 64 * 1024
    assert longest_s < 2.0
    assert size < 8 * 1024 * 1024 + 65_536 + 100


LOUD = """
import asyncio, resource, sys
from pathlib import Path
from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.shell import Shell
from tests.adapters.processes import context_of

def peak_kb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak

async def tick(times):
    while True:
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)

async def main():
    files = AttemptFiles(Path(sys.argv[1]))
    shell = Shell(show=lambda attempt, text: None, files=files)
    await shell(context_of({"run": "true"}, attempt="before#1"))
    before, times = peak_kb(), []
    ticking = asyncio.ensure_future(tick(times))
    command = f"yes 'one more line, neither long nor short' | head -c {sys.argv[2]}"
    env = {"TOKEN": {"from_env": "SECRET_OF_WORKER"}}
    result = await shell(context_of({"run": command, "env": env}))
    assert len(result.output.value["stdout"]) < 70_000
    ticking.cancel()
    longest = max(b - a for a, b in zip(times, times[1:]))
    print(peak_kb() - before, longest, files.output_of("a#1").stat().st_size)

asyncio.run(main())
"""


# --- how a command ends ---


def cancelled_after(
    command: str, ready: Path, grace_s: float = 10.0, *, by_flow: bool = True
) -> asyncio.Task[StepResult]:
    """Run a command and cancel it once it made a file; returns the ended task."""

    async def script() -> asyncio.Task[StepResult]:
        context = context_of({"run": command})
        work = asyncio.ensure_future(Shell(grace_s=grace_s)(context))
        await until(ready.exists)
        if by_flow:
            context.cancellation.ask()
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


def test_who_is_stopped_hears_of_the_cancel(tmp_path: Path) -> None:
    """A process that was stopped goes on to end as it is asked to."""
    ready, pid = tmp_path / "ready", tmp_path / "pid"
    trap = f"trap 'touch {tmp_path}/cleaned; exit 1' TERM"
    work = cancelled_after(f"{trap}; echo $$ > {pid}; touch {ready}; kill -STOP $$; :", ready)
    assert work.cancelled()
    assert (tmp_path / "cleaned").exists()
    assert not alive(pid)


def test_who_is_stopped_and_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """SIGKILL ends also what was stopped and stops itself again."""
    ready, pid = tmp_path / "ready", tmp_path / "pid"
    command = f"trap '' TERM; echo $$ > {pid}; touch {ready}; while :; do kill -STOP $$; done"
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
    """The exit status counts also when the flow cancels: 0 means that the work was done."""
    ready = tmp_path / "ready"
    work = cancelled_after(OBEDIENT.format(ready), ready)
    assert work.result().output.value == {"stdout": "done\n"}


def test_a_command_that_obeys_a_host_that_stops_has_not_succeeded(tmp_path: Path) -> None:
    """Servers exit with 0 on SIGTERM; that the host stops them tells nothing about their work."""
    ready = tmp_path / "ready"
    assert cancelled_after(OBEDIENT.format(ready), ready, by_flow=False).cancelled()


OBEDIENT = "trap 'echo done; exit 0' TERM; touch {}; while :; do sleep 0.01; done"


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
