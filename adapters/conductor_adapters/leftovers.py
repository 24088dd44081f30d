"""Ends what the former host of a flow left running when it was killed.

Rule: this happens with the log locked and before anything is dispatched, so that no two
processes ever work on one attempt. Whatever cannot be told or ended is an error: it is better
not to go on than to work beside what still runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.group_records import GroupRecord, read_record
from conductor_adapters.process_groups import TERM_GRACE_S, end_group
from conductor_core.errors import ConductorError


async def end_leftovers(files: AttemptFiles, *, grace_s: float = TERM_GRACE_S) -> tuple[str, ...]:
    """End the process groups that are on record; returns the attempts that were worked on.

    They get SIGTERM, and SIGKILL after `grace_s`; what they were told is removed. Raises
    ConductorError where a group is still there after that, or where nothing tells whether it
    is the recorded one.
    """
    try:
        running = dict(_running(files))
        ended = await asyncio.gather(
            *(end_group(record.group, grace_s=grace_s) for record in running.values())
        )
        for (attempt, record), has_ended in zip(running.items(), ended, strict=True):
            if not has_ended:
                raise ConductorError(
                    f"{attempt}: what is left of it, process group {record.group}, does not end"
                )
        for _, path in files.records():
            path.unlink()
        for folder in files.left_folders():
            # Who left its group may still write there, which is no reason to stay behind.
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ConductorError(f"{error.filename or files.folder}: {error.strerror}") from None
    return tuple(running)


def _running(files: AttemptFiles) -> Iterator[tuple[str, GroupRecord]]:
    for attempt, path in files.records():
        record = read_record(path)
        if record is not None and record.runs():
            if record.group == os.getpgrp():
                raise ConductorError(
                    f"{attempt}: what is left of it, process group {record.group}, is where this "
                    "command itself runs"
                )
            yield attempt, record
