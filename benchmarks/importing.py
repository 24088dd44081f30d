"""Imports one module in this fresh process, and prints what that took.

Nothing else may be imported before the clock starts.
"""

import sys
from time import process_time_ns


def main(module: str) -> None:
    """Import a module; print how long it took, and whether cattrs came along."""
    begin = process_time_ns()
    __import__(module)
    took = (process_time_ns() - begin) / 1_000_000
    cattrs = "cattrs" in sys.modules
    print(f'{{"ms": {took}, "cattrs": {str(cattrs).lower()}}}')


if __name__ == "__main__":
    main(sys.argv[1])
