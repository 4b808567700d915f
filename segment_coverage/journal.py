"""Reading this node's journal of gaps as it grows."""

import logging
from pathlib import Path

from common.gaps import Gap, journal_file, parse_gap

logger = logging.getLogger(__name__)

_MOST_BYTES = 32 * 1024 * 1024
"""A first reading begins so far before the end: 100,000 lines."""
_MOST_GAPS = 20_000


class Journal:
    """The gaps of one quality, the newest of them. Blocks on the disk."""

    def __init__(self, base_dir: Path, channel: str, quality: str) -> None:
        self._path = journal_file(base_dir, channel, quality)
        self._read_bytes = 0
        self._gaps: tuple[Gap, ...] = ()

    def gaps(self) -> tuple[Gap, ...]:
        """What it says now, by lines; what could be read before where it cannot be read now."""
        try:
            self._read_on()
        except FileNotFoundError:
            self._read_bytes, self._gaps = 0, ()
        except OSError as exc:
            logger.warning("the gap journal %s cannot be read: %s", self._path, exc)
        return self._gaps

    def _read_on(self) -> None:
        size_bytes = self._path.stat().st_size
        if size_bytes == self._read_bytes:
            return
        if size_bytes < self._read_bytes:  # somebody has begun a new one
            self._read_bytes, self._gaps = 0, ()
        start = max(self._read_bytes, size_bytes - _MOST_BYTES)
        with self._path.open("rb") as file:
            file.seek(start)
            # No further: what has been appended meanwhile would be read once more next time.
            lines = file.read(size_bytes - start).splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            size_bytes -= len(lines.pop())  # it is just being written
        self._gaps = (*self._gaps, *_parsed(lines))[-_MOST_GAPS:]
        self._read_bytes = size_bytes


def _parsed(lines: list[bytes]) -> list[Gap]:
    found = []
    for line in lines:
        try:
            found.append(parse_gap(line))
        except ValueError:
            continue  # half a line of a crash, or one that covers no time
    return found
