"""Bytes that are grown to reach as much code as can be, thrown at whatever reads bytes.

Rule: a target is begun with the same seeds and the same seed of chance, so that a run can be
repeated, as far as the same number of inputs fits into its time. What breaks a promise is
kept in `.fuzz` and printed; given as a file, it is tried again on its own.

    python -m property_tests.fuzz --seconds 60 --seed 1 log flow
    python -m property_tests.fuzz --file .fuzz/log-crash-… log

It needs atheris, which has wheels for Linux on x86-64 only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

TARGETS: Final = ("log", "flow", "event", "state", "scenario", "checks")
FINDINGS: Final = Path(".fuzz")
LONGEST: Final = 20_000
"""So many bytes an input has at most."""
PATIENCE_S: Final = 20
"""So long one input may take."""
INSTRUMENTED: Final = ("conductor_core", "conductor_adapters")


def main(arguments: list[str] | None = None) -> int:
    """Fuzz these targets one after another; 1 when any of them breaks a promise."""
    parser = argparse.ArgumentParser(prog="python -m property_tests.fuzz", description=main.__doc__)
    parser.add_argument("targets", nargs="*", type=_target, default=TARGETS, metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target is tried")
    parser.add_argument("--seed", type=int, default=1, help="what chance begins with")
    parser.add_argument("--file", type=Path, help="try the content of this file only")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    targets: list[str] = list(given.targets)
    if given.file is not None:
        if len(targets) != 1:
            parser.error("--file needs one target")
        run = import_module("property_tests.fuzz_targets").TARGETS[targets[0]]
        print("accepted" if run(given.file.read_bytes()) else "refused")
        return 0
    if find_spec("atheris") is None:
        print("atheris is not installed; it has wheels for Linux on x86-64 only", file=sys.stderr)
        return 2
    if given.here:
        fuzz(targets[0], seconds=given.seconds, seed=given.seed)
    # The fuzzer ends its process, so that each target has one of its own.
    broken = [target for target in targets if _run(target, given.seconds, given.seed)]
    print(f"broken: {', '.join(broken)}" if broken else "no promise was broken")
    return 1 if broken else 0


def _target(name: str) -> str:
    """The name of a target; argparse tells of any other one."""
    if name not in TARGETS:
        raise argparse.ArgumentTypeError(f"unknown target {name!r}, expected {', '.join(TARGETS)}")
    return name


def _run(target: str, seconds: int, seed: int) -> int:
    """Fuzz one target in a process of its own; the exit code of that."""
    print(f"--- {target}", flush=True)
    options = ["--here", "--seconds", str(seconds), "--seed", str(seed), target]
    command = [sys.executable, "-m", "property_tests.fuzz", *options]
    return subprocess.run(command, check=False).returncode


def fuzz(target: str, *, seconds: int, seed: int) -> None:
    """Fuzz one target until its time is over or a promise is broken, and end the process."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        run = import_module("property_tests.fuzz_targets").TARGETS[target]
        seeds = [*import_module("property_tests.fuzz_seeds").seeds(target)]
        mutated = import_module("property_tests.fuzz_mutations").mutated

    def mutate(data: bytes, most: int, number: int) -> bytes:
        """Change a value, or else bytes in the fuzzer's own way, which knows what was compared."""
        chance = Random(number)
        if chance.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return bytes(mutated(data, chance, chance.choice(seeds)))[:most]

    with TemporaryDirectory() as corpus:
        for index, data in enumerate(seeds):
            Path(corpus, f"{index:04}").write_bytes(data)
        FINDINGS.mkdir(exist_ok=True)
        options = {
            "seed": seed,
            "max_total_time": seconds,
            "max_len": LONGEST,
            "timeout": PATIENCE_S,
            "artifact_prefix": f"{FINDINGS}/{target}-",
            "print_final_stats": 1,
            "verbosity": 0,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, corpus], run, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
