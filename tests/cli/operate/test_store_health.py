"""When a worker gives its store up: only where no patience helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_adapters.cli.operate.store_health import FailedForGood, FileWatch, is_for_good
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.sqlite import SqliteStore

PAGE = 4096


def test_a_file_that_was_damaged_fails_for_good(tmp_path: Path) -> None:
    """What stands where its tables were is no database any more."""
    path = tmp_path / "flows.db"
    SqliteStore(path).close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xff" * (size - PAGE))
    with (
        SqliteStore(path, create=False) as store,
        pytest.raises(StoreError) as caught,
        store.transaction(),
    ):
        store.flows(limit=1)
    assert is_for_good(caught.value)


def test_a_file_that_others_hold_does_not(tmp_path: Path) -> None:
    """Nor does a store that was refused for another reason."""
    with SqliteStore(tmp_path / "flows.db") as store, SqliteStore(tmp_path / "flows.db") as other:
        other.connection.execute("PRAGMA busy_timeout = 0")
        with store.transaction(), pytest.raises(StoreError) as caught, other.transaction():
            raise AssertionError("two cannot write at once")
    assert not is_for_good(caught.value)
    assert not is_for_good(StoreError("a flow is named 'a' already"))


def test_a_file_that_was_taken_away_or_replaced_is_told(tmp_path: Path) -> None:
    """One that is there is not."""
    path = tmp_path / "flows.db"
    with pytest.raises(FailedForGood, match=r"flows\.db: the file of the store was removed"):
        FileWatch.of(path)
    path.touch()
    watch = FileWatch.of(path)
    watch.check()
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(FailedForGood, match=r"flows\.db: the file of the store was removed"):
        watch.check()
    path.touch()
    with pytest.raises(FailedForGood, match=r"flows\.db: .* was replaced by another"):
        watch.check()
