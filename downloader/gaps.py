"""Writing the journal of gaps; `common.gaps` has its format."""

import logging
from collections import deque
from errno import ENOSPC
from io import SEEK_END, FileIO
from pathlib import Path

from common.files import write_whole
from common.gaps import Gap, GapReason, format_gap, journal_file, journal_playlists
from common.times import SECOND, Micros, format_time

logger = logging.getLogger(__name__)

_KEPT_PLAYLISTS = 200
_KEPT_LINES = 10_000


class GapJournal:
    """The journal of one quality. Writing never fails the recording: what the disk does not take
    is kept in memory and written later.
    """

    def __init__(self, base_dir: Path, channel: str, quality: str) -> None:
        self._file = journal_file(base_dir, channel, quality)
        self._playlists = journal_playlists(base_dir, channel, quality)
        self._waiting: deque[str] = deque(maxlen=_KEPT_LINES)
        self._kept_playlists: deque[Path] = deque()

    def note(
        self,
        start: Micros,
        end: Micros,
        reason: GapReason,
        *,
        now: Micros,
        detail: str = "",
        sequence: int | None = None,
        playlist: str | None = None,
    ) -> None:
        """Append a line, and keep the playlist's text beside it."""
        gap = Gap(start=start, end=end, reason=reason)
        self._waiting.append(format_gap(gap, detail=detail, sequence=sequence, noted=now))
        try:
            self._write_waiting()
            if playlist is not None:
                self._keep(playlist, now)
        except OSError as exc:
            logger.warning("the gap journal %s cannot be written now: %s", self._file, exc)

    def catch_up(self) -> None:
        """Write what the disk did not take earlier: it takes segments again."""
        if not self._waiting:
            return
        try:
            self._write_waiting()
        except OSError as exc:
            logger.warning("the gap journal %s cannot be written yet: %s", self._file, exc)

    def _write_waiting(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab", buffering=0) as file:
            while self._waiting:
                self._append(file, self._waiting[0].encode() + b"\n")
                self._waiting.popleft()

    @staticmethod
    def _append(file: FileIO, line: bytes) -> None:
        """Write the whole line or nothing: a disk that fills up takes the first half of one."""
        size = file.seek(0, SEEK_END)
        if file.write(line) < len(line):
            file.truncate(size)
            raise OSError(ENOSPC, "there is no room for a line")

    def _keep(self, playlist: str, now: Micros) -> None:
        """At most one playlist a second: gaps come in bursts, from the same text."""
        path = self._playlists / f"{format_time(now - now % SECOND)}.m3u8"
        if path.exists():
            return
        self._playlists.mkdir(parents=True, exist_ok=True)
        if not self._kept_playlists:
            self._kept_playlists.extend(sorted(self._playlists.glob("*.m3u8")))
        write_whole(path, playlist)
        self._kept_playlists.append(path)
        while len(self._kept_playlists) > _KEPT_PLAYLISTS:
            self._kept_playlists.popleft().unlink(missing_ok=True)
