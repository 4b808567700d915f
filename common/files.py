"""What a disk must have taken before we rely on it."""

import errno
import os
from pathlib import Path

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
    """Replace a small file so that a reader sees the old content or the new. Text is UTF-8.

    Raises OSError, for example for a full disk, and leaves nothing behind then.
    """
    temp = path.with_name(f"{path.name}.temp")
    try:
        temp.write_bytes(data.encode() if isinstance(data, str) else data)
        temp.replace(path)
    except OSError:
        temp.unlink(missing_ok=True)  # half a file would take the room of others
        raise
