"""Runs the benchmarks, all or some of them, and tells what they find beside their goals."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from benchmarks import (
    celery,
    durable,
    flatness,
    folders,
    imports,
    memory,
    overhead,
    reducer,
    replay,
    sweeps,
    temporal,
)
from benchmarks.parts import Part, add_options, report

PARTS: Final[dict[str, Part]] = {
    module.PART.name: module.PART
    for module in (
        reducer,
        flatness,
        sweeps,
        replay,
        folders,
        memory,
        imports,
        overhead,
        durable,
        celery,
        temporal,
    )
}


def part(name: str) -> Part:
    """A part by its name, for argparse."""
    if name not in PARTS:
        problem = f"there is no part {name!r}, expected one of {', '.join(PARTS)}"
        raise argparse.ArgumentTypeError(problem)
    return PARTS[name]


def main(arguments: list[str] | None = None) -> int:
    """Run parts; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", type=part, metavar="PART", help=", ".join(PARTS))
    add_options(parser)
    options = parser.parse_args(arguments)
    return report(options.parts or PARTS.values(), options)


if __name__ == "__main__":
    sys.exit(main())
