"""The record of a process group that works on an attempt: written by the group itself.

Rule: no command begins before its record is written, and the log stays locked until then. A
command is begun by a shell whose standard input is the descriptor that holds the lock; that
shell writes the record and then becomes the command, which does not have the descriptor. So
whoever has the lock of a log knows that every command of its former hosts that may still run
has left a record; there is no moment in which a host could be killed in between.

A record is one line: the number of the group, which is that of its first process; the mark of
the dispatch, which every process has in its environment that was not given a fresh one; and
what the system says of its first process, with the boot that this counts from, where there is
/proc. A line without its end was never written to the end (the disk was full, or the machine
stopped), and its command never began.

A number is used again once its group has ended, so that a record says nothing without its
proof. A group of an earlier boot has ended. Any other is the recorded one if somebody in it
carries the mark, or if its first process is the recorded one, told by when it began: by the
system's ticks, which no change of the clock touches, or where those cannot be had by the time,
which may not be later than that of the record. If the first process is another, the recorded
group had ended. If there is none and nobody carries the mark, nothing tells: that is for a
person to decide.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from conductor_adapters.process_groups import LOOKS, POLL_S, began_s, environment_of, members
from conductor_core.errors import ConductorError, shown

MARK: Final = "CONDUCTOR_RESULT"
"""The variable that names a file in the folder of a dispatch; the folder's name is the mark."""
UNRECORDED: Final = 125
"""The exit status of a shell that could not write its record."""
SLACK_S: Final = 1.0
"""Clocks of processes and of files differ by so much at most."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_WRITE: Final = f"""
set -C
{{ read -r stat </proc/$$/stat && read -r boot <{_BOOT}; }} 2>/dev/null || boot= stat=
echo "$$ $2 $boot $stat" >"$1" || exit {UNRECORDED}
exec /bin/sh -c -- "$0" </dev/null
"""
# The name of the program, in brackets, may hold anything; the start is the 20th field behind it.
_STAT: Final = r"[0-9]+ \(.*\) (?:[^ ]+ ){19}(?P<ticks>[0-9]+) .*"
_LINE: Final = re.compile(
    rf"(?P<group>[0-9]{{1,10}}) (?P<mark>[^ \n]+) (?: |(?P<boot>[^ \n]+) {_STAT})\n"
)
_LONGEST: Final = 4_096


@frozen(kw_only=True)
class GroupRecord:
    """What a process group said of itself."""

    path: Path
    group: int
    mark: str
    boot: str | None
    ticks: str | None
    written_s: float

    def runs(self) -> bool:
        """Whether the group still runs; raises ConductorError where nothing tells."""
        if self.boot is not None and self.boot != _BOOT.read_text("utf-8").strip():
            return False
        for _ in range(LOOKS):
            found = members(self.group)
            if not found or self.mark in map(_mark, map(environment_of, found)):
                return bool(found)
            is_first = self._is_first()
            if is_first is not None:
                return is_first
            # A process that is just becoming another one has no environment to look at.
            time.sleep(POLL_S)
        raise ConductorError(
            f"{self.path}: whether process group {self.group} is the recorded one cannot be told: "
            "end it if it is, and delete the record"
        )

    def _is_first(self) -> bool | None:
        """Whether the process with the group's number is the recorded one; None without one."""
        if self.ticks is not None:
            ticks = _ticks(self.group)
            return None if ticks is None else ticks == self.ticks
        now_began_s = began_s(self.group)
        return None if now_began_s is None else now_began_s <= self.written_s + SLACK_S


def recording(line: str, record: Path, mark: str) -> tuple[str, ...]:
    """The command that writes a record, never over another, and then runs a line."""
    return ("/bin/sh", "-c", _WRITE, line, str(record), mark)


def read_record(path: Path) -> GroupRecord | None:
    """Read a record; None for one that was not written to its end."""
    with path.open("rb") as file:
        text = file.read(_LONGEST).decode("utf-8", "replace")
        written_s = path.stat().st_mtime
    if not text.endswith("\n"):
        return None
    match = _LINE.fullmatch(text)
    if match is None or (group := int(match["group"])) <= 1:
        # Nobody who writes records wrote this, and what it stands for may still run.
        raise ConductorError(f"{path}: expected the record of a process group, got {shown(text)}")
    return GroupRecord(
        path=path,
        group=group,
        mark=match["mark"],
        boot=match["boot"],
        ticks=match["ticks"],
        written_s=written_s,
    )


def is_recorded(path: Path, group: int, mark: str) -> bool:
    """Whether a group wrote its record to the end."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return text.startswith(f"{group} {mark} ".encode()) and text.endswith(b"\n")


def _mark(environment: Mapping[str, str]) -> str:
    """The mark in the environment of a process."""
    return Path(environment.get(MARK, "")).parent.name


def _ticks(pid: int) -> str | None:
    """When a process began, counted from the boot and only good for comparing; None without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    match = re.fullmatch(_STAT, stat, re.DOTALL)
    assert match is not None, "that is the form of the system's own file"
    return match["ticks"]
