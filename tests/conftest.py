"""Ctrl-C works, also where the tests run in the background of a shell.

A shell without job control lets what it starts with `&` ignore SIGINT, and so would whatever
the tests start and interrupt.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
