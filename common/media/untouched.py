"""Segments that are sent as they are. Nobody else waits while a disk is asked for them."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from common.errors import MediaError
from common.media.reel import PlannedPiece, Stretch
from common.threads import in_thread

# What is read at once. A pipe holds 64 KiB: with as much, one part is taken while the next is read.
# Over sockets fewer turns cost less.
PIPE_BYTES = 64 * 1024
SOCKET_BYTES = 256 * 1024

# Of how many files the kernel is asked at once.
_LOOKED_UP = 16


def read_stretch(
    stretch: Stretch, chunk_bytes: int, on_read: Callable[[int], None]
) -> Iterator[memoryview]:
    """Whole segments, one behind the other; `on_read` is told how many frames each has.

    Raises MediaError if one is gone or cannot be read.
    """
    for number, planned in enumerate(stretch):
        if number % _LOOKED_UP == 0:
            in_thread(_look_up, stretch[number : number + _LOOKED_UP])
        yield from _read(planned, chunk_bytes)
        on_read(planned.frames)


def _look_up(stretch: Stretch) -> None:
    """Have the kernel know these files, so that opening them waits for no disk."""
    for planned in stretch:
        with suppress(OSError):  # whoever opens it tells
            Path(planned.piece.path).stat()


def _read(planned: PlannedPiece, chunk_bytes: int) -> Iterator[memoryview]:
    path = Path(planned.piece.path)
    try:
        with path.open("rb", buffering=0) as file:
            offset = 0
            while chunk := read_at(file.fileno(), chunk_bytes, offset):
                offset += len(chunk)
                yield chunk
    except OSError as exc:
        problem = "is gone" if isinstance(exc, FileNotFoundError) else "cannot be read"
        raise MediaError(f"{planned.piece.label}: {path.name} {problem}") from exc


def read_at(descriptor: int, size: int, offset: int) -> memoryview:
    """Up to `size` bytes of a file from `offset` on, none at its end. Raises OSError.

    What the kernel has in memory is read at once; for anything else a thread waits for the disk.
    """
    buffer = np.empty(size, np.uint8).data  # a bytearray would be cleared first
    try:
        count = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError as exc:
        # Not every file system can tell.
        if exc.errno not in {errno.EAGAIN, errno.EOPNOTSUPP}:
            raise
        count = in_thread(os.preadv, descriptor, [buffer], offset)
    return buffer[:count]
