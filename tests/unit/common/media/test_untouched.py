"""Reading that waits for no disk."""

import os
from pathlib import Path

import pytest

from common.media.untouched import read_at


def read_all(path: Path, size: int) -> bytes:
    pieces = []
    with path.open("rb", buffering=0) as file:
        while piece := read_at(file.fileno(), size, sum(map(len, pieces))):
            pieces.append(bytes(piece))
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 1000, 4096, 100_000, 200_000])
def test_a_file_is_read_whole_in_pieces_of_any_size(tmp_path: Path, size: int) -> None:
    content = os.urandom(100_000 if size > 1 else 1000)
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_all(path, size) == content


def test_what_the_kernel_has_let_go_of_is_read_too(tmp_path: Path) -> None:
    # It lets go of what is on a disk; a temporary folder that is itself in memory stays there.
    content = os.urandom(3_000_000)
    path = tmp_path / "file"
    path.write_bytes(content)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert read_all(path, 65_536) == content


def test_a_file_system_that_cannot_tell_what_it_has_is_read_too() -> None:
    path = Path("/proc/version")
    with path.open("rb") as file, pytest.raises(OSError, match="not supported"):
        os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
    assert read_all(path, 1000) == path.read_bytes()


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            read_at(descriptor, 100, 0)
    finally:
        os.close(descriptor)
