"""What is kept of what commands print: with a size, and whatever the disk says."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_adapters.captured import AGAIN, Capture, Kept

FULL = Path("/dev/full")


def captured(path: Path, *chunks: bytes) -> bytes:
    """What is in the file after an attempt printed something."""
    capture = Capture(path, head=10, tail=6)
    for chunk in chunks:
        capture.add(chunk)
    capture.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("chunks", "content"),
    [
        ([], b""),
        ([b"one\n", b"two\n"], b"one\ntwo\n"),
        ([b"0123456789", b"abcdef"], b"0123456789abcdef"),
        ([b"01234567", b"89abcdefgh"], b"0123456789\n[2 bytes left out]\ncdefgh"),
        ([b"012345678\n", b"x" * 5_000], b"012345678\n[4994 bytes left out]\nxxxxxx"),
    ],
)
def test_the_beginning_and_the_end_are_kept(
    tmp_path: Path, chunks: list[bytes], content: bytes
) -> None:
    """A file holds the first bytes and the last ones, and says between how many it lacks."""
    assert captured(tmp_path / "a#1.txt", *chunks) == content


def test_the_beginning_is_there_at_once(tmp_path: Path) -> None:
    """Whoever looks into the file while the command runs sees what it printed."""
    capture = Capture(tmp_path / "a#1.txt")
    capture.add(b"first")
    assert (tmp_path / "a#1.txt").read_bytes() == b"first"
    capture.close()


def test_a_second_dispatch_goes_on_in_the_file(tmp_path: Path) -> None:
    """What was printed before a crash is kept, within the same limits, and told apart."""
    path = tmp_path / "a#1.txt"
    captured(path)
    assert captured(path, b"one") == AGAIN + b"one"
    assert captured(path, b"two " * 3) == (AGAIN + b"one\n" + AGAIN + b"[6 bytes left out]\no two ")


def test_the_file_is_nobody_elses_business(tmp_path: Path) -> None:
    """Only the user who runs the flow may read what its commands print."""
    captured(tmp_path / "a#1.txt", b"x")
    assert (tmp_path / "a#1.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What does not fit is lost, with one word to the log and no error."""
    path = tmp_path / "a#1.txt"
    path.symlink_to(FULL)
    capture = Capture(path, tail=6)
    for _ in range(3):
        capture.add(b"one\n")
    capture.close()
    assert caplog.messages == [f"{path} takes no more output: No space left on device"]


def test_a_file_that_cannot_be_made_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a file nothing is kept."""
    capture = Capture(tmp_path / "none" / "a#1.txt")
    capture.add(b"one\n")
    capture.close()
    assert caplog.messages == [
        f"{tmp_path}/none/a#1.txt takes no more output: No such file or directory"
    ]


def test_of_what_is_kept_in_memory_the_end_counts() -> None:
    """What does not fit is dropped from the front, with a word about it."""
    kept = Kept(4)
    kept.add(b"abc")
    assert kept.text() == "abc"
    kept.add(b"de\xff")
    assert kept.text() == "[2 bytes left out]\ncde\ufffd"
