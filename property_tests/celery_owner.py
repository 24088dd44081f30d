"""Nobody of a trial on Celery outlives it, however the process of the trial ends.

Rule: a worker that its trial left behind would wait for its servers for ever. Each process looks
for itself, since those of a pool are to outlive a worker that is killed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from typing import Final

import psutil

LOOK_S: Final = 1.0


def end_with(owner: int) -> None:
    """Have this process, and all that it forks, killed soon after another has ended."""
    watch = partial(_watch, owner)
    watch()
    os.register_at_fork(after_in_child=watch)


def _watch(owner: int) -> None:
    threading.Thread(target=_look, args=(owner,), name="trial-owner", daemon=True).start()


def _look(owner: int) -> None:
    while psutil.pid_exists(owner):
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)
