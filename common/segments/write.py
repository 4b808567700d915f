"""Writing a segment so that a reader sees it whole or not at all, also after a power cut.

Steps: write a temp file in the hour's folder; flush it to disk (fsync); set its mtime to now, which
is its landing time; rename it to its final name; flush the folder. A final name is never written
again: where it exists already, so do its bytes, and the new copy is dropped.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from common.errors import HashMismatch
from common.files import make_durable_folder, sync
from common.segments.path import Segment, SegmentType, encode_hash, format_name, parse_name
from common.times import Micros, format_hour


class SegmentWriter:
    """One segment being written. Leaving the context without `commit` leaves nothing behind.

    Raises OSError where the disk does, for instance when it is full.
    """

    def __init__(self, quality_dir: Path, start: Micros, duration: Micros) -> None:
        self._quality_dir = quality_dir
        self._start = start
        self._duration = duration
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._temp: Path | None = None
        self._is_left = False
        self.size_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_left = True
        if self._file is not None:
            # Closing flushes; on a full disk that fails again, and the error is known already.
            with contextlib.suppress(OSError):
                self._file.close()
        if self._temp is not None:
            self._temp.unlink(missing_ok=True)

    @property
    def hash(self) -> str:
        """Of the bytes so far, as it would stand in the name."""
        return encode_hash(self._digest.digest())

    def write(self, data: bytes) -> None:
        """Append `data`. The folder and the temp file appear with the first byte."""
        if self._file is None:
            self._file = self._open()
        self._digest.update(data)
        self._file.write(data)
        self.size_bytes += len(data)

    def commit(
        self, kind: SegmentType, *, start: Micros | None = None, duration: Micros | None = None
    ) -> Segment:
        """Make the file durable under its final name and return the segment. Blocks on the disk.

        `start` and `duration` replace those given first, when the bytes told better.
        """
        if self._file is None:
            self._file = self._open()
        start = self._start if start is None else start
        duration = self._duration if duration is None else duration
        name = format_name(start, duration, kind, self.hash)
        hour = format_hour(start)
        self._publish(self._quality_dir / hour / name)
        segment = parse_name(hour, name)
        if not isinstance(segment, Segment):
            raise TypeError(f"{name} is not a segment")
        return segment

    def commit_as(self, segment: Segment) -> None:
        """Make the file durable under the name that another node gave to these very bytes.

        `segment` lies in the hour of the `start` given first. Raises HashMismatch, and writes
        nothing, if the bytes are not those of its hash.
        """
        if self._file is None:
            self._file = self._open()
        if self.hash != segment.hash:
            raise HashMismatch(segment.name, self.hash)
        self._publish(self._quality_dir / segment.hour / segment.name)

    def _open(self) -> BinaryIO:
        folder = self._quality_dir / format_hour(self._start)
        make_durable_folder(folder)
        name = format_name(self._start, self._duration, SegmentType.TEMP, str(uuid.uuid4()))
        self._temp = folder / name
        opened = self._temp.open("xb")
        if self._is_left:
            # In a thread, for a greenlet that was killed meanwhile.
            opened.close()
            self._temp.unlink(missing_ok=True)
        return opened

    def _publish(self, final: Path) -> None:
        if self._file is None or self._temp is None:
            raise RuntimeError("nothing was opened")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.utime(self._temp)
        make_durable_folder(final.parent)
        if final.exists():
            self._temp.unlink()
        else:
            self._temp.rename(final)
            sync(final.parent)
        self._temp = None


def write_tombstones(folder: Path, names: Iterable[str]) -> int:
    """Make empty files durable, and their folder; returns how many were not there already."""
    make_durable_folder(folder)
    written = 0
    for name in names:
        with contextlib.suppress(FileExistsError):
            (folder / name).touch(exist_ok=False)
            written += 1
    if written:
        sync(folder)
    return written
