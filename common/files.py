"""Files: what a disk must have taken before we rely on it, and reading that waits for no disk."""

import errno
import os
from pathlib import Path

from common.threads import in_thread

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The numbers of errors that mean that there is no room."""


def sync(path: Path) -> None:
    """Flush a file or a folder to disk. Blocks."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_durable_folder(folder: Path) -> None:
    """Create `folder` and what is missing above it, each entry flushed to its parent."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def write_whole(path: Path, data: str | bytes) -> None:
    """Replace a small file so that a reader sees the old content or the new. Text is UTF-8."""
    temp = path.with_name(f"{path.name}.temp")
    temp.write_bytes(data.encode() if isinstance(data, str) else data)
    temp.replace(path)


def read_at(descriptor: int, size: int, offset: int) -> memoryview:
    """Up to `size` bytes of a file from `offset` on, none at its end. Raises OSError.

    What the kernel has in memory is read at once; for anything else a thread waits for the disk.
    """
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError as exc:
        # Not every file system can tell.
        if exc.errno not in {errno.EAGAIN, errno.EOPNOTSUPP}:
            raise
        count = in_thread(os.preadv, descriptor, [buffer], offset)
    return memoryview(buffer)[:count]
