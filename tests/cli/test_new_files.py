"""What commands write is there as a whole or not at all, and never in place of what is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli.new_files import check_new, write_new
from conductor_core.errors import ConductorError
from tests.cli.operating import FULL

TAKEN: Final = "^-o: new.txt exists already; --replace writes over it$"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("replace", [False, True])
def test_a_new_file_is_written(replace: bool) -> None:
    """With its lines as they are."""
    check_new("-o", Path("new.txt"), replace=replace)
    write_new("-o", Path("new.txt"), "é\n", replace=replace)
    assert Path("new.txt").read_bytes() == "é\n".encode()


@pytest.mark.parametrize("behind", ["", "-wal", "-shm", "-journal"])
def test_no_store_is_ever_written_over(behind: str) -> None:
    """Nor what is kept beside it, or would be: what was accepted would be lost."""
    with closing(sqlite3.connect("flows.db")) as store:
        store.execute("CREATE TABLE flows (id)")
    Path("link").symlink_to(f"flows.db{behind}")
    for name in (f"flows.db{behind}", "link"):
        with pytest.raises(ConductorError, match=f"^-o: {name} belongs to a SQLite file"):
            check_new("-o", Path(name), replace=True)
    check_new("-o", Path("other.db-wal"), replace=True)


def test_what_is_cut_short_is_removed() -> None:
    """By Ctrl-C, or by what cannot be written as text."""
    with pytest.raises(UnicodeEncodeError):
        write_new("-o", Path("new.txt"), "\ud800", replace=False)
    assert not Path("new.txt").exists()


def test_what_exists_is_replaced_if_that_is_said() -> None:
    """Otherwise it is left, also when it came to be there meanwhile."""
    Path("new.txt").write_text("mine")
    with pytest.raises(ConductorError, match=TAKEN):
        check_new("-o", Path("new.txt"), replace=False)
    with pytest.raises(ConductorError, match=TAKEN):
        write_new("-o", Path("new.txt"), "other", replace=False)
    assert Path("new.txt").read_text() == "mine"
    check_new("-o", Path("new.txt"), replace=True)
    write_new("-o", Path("new.txt"), "other", replace=True)
    assert Path("new.txt").read_text() == "other"


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_cannot_be_written_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    """Neither half of it, nor what it was to be made of."""
    if not FULL.exists():
        pytest.skip("needs a device on which there is no room")
    opened = Path.open

    def on_full(path: Path, *arguments: object, **options: object) -> object:
        opened(path, *arguments, **options).close()  # type: ignore[call-overload]  # any mode
        return opened(FULL, "w")

    monkeypatch.setattr(Path, "open", on_full)
    with pytest.raises(ConductorError, match=r"^new.txt: No space left on device$"):
        write_new("-o", Path("new.txt"), "text", replace=replace)
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_that_went_away_is_told(folder: Path, replace: bool) -> None:
    """By the name of the file."""
    with pytest.raises(ConductorError, match=r"^no/new.txt: No such file or directory$"):
        write_new("-o", Path("no/new.txt"), "text", replace=replace)
    assert [*folder.iterdir()] == []


def test_places_that_cannot_be_written_are_refused() -> None:
    """By the option, before anything is done."""
    Path("folder").mkdir()
    Path("log").write_text("log")
    Path("link").hardlink_to("log")
    for path, told in {
        "-": "the standard output is not offered, expected a file",
        "folder": "folder is a folder, expected a file",
        "/dev/null": "/dev/null is no regular file, expected one or none",
        "log": "log is what is read, expected another file",
        "link": "link is what is read, expected another file",
        "no/new.txt": "no is no folder to write to",
    }.items():
        with pytest.raises(ConductorError, match=f"^-o: {told}$"):
            check_new("-o", Path(path), None, Path("none"), Path("log"), replace=True)
    check_new("-o", None, Path("log"), replace=False)
