"""Servers for tests that ask for them (see `tests.services`), and Ctrl-C for all tests.

It works also where the tests run in the background of a shell: one without job control lets
what it starts with `&` ignore SIGINT, and so would whatever the tests start and interrupt.
"""

from __future__ import annotations

import signal

pytest_plugins = ["tests.services.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
