"""The journal of gaps: what of a stream could not be recorded, and why.

    BASE/.gaps/CHANNEL/QUALITY.jsonl             one JSON object a line, appended
    BASE/.gaps/CHANNEL/QUALITY/TIME.m3u8         the playlist as it was then, the newest 200

Each line has `start` and `end` (ISO 8601, UTC), `reason` (one of `GapReason`), `detail`, the media
`sequence` if there is one, and `noted`, when the line was written. The folder's name begins with a
dot, so nobody takes it for a channel.
"""

import json
import logging
from collections import deque
from enum import Enum
from errno import ENOSPC
from io import SEEK_END, FileIO
from pathlib import Path

from common.times import SECOND, Micros, format_time

logger = logging.getLogger(__name__)

FOLDER = ".gaps"
_KEPT_PLAYLISTS = 200
_KEPT_LINES = 10_000


class GapReason(Enum):
    """Why something is missing."""

    ADVERTISEMENT = "advertisement"
    """The origin showed an advertisement instead of the stream."""
    EXPIRED = "expired"
    """The address was refused (403, 404, 410), and a fresh one did not help in time."""
    NETWORK = "network"
    """Errors of the server or of the network until the segment was gone."""
    MISSED = "missed"
    """It left the playlist before this node could see it."""
    ORIGIN_ENDED = "origin_ended"
    """The origin said that the stream had ended; `end` is when it was back."""
    DISK = "disk"
    """The disk did not take it."""


class GapJournal:
    """The journal of one quality. Writing never fails the recording: what the disk does not take
    is kept in memory and written later.
    """

    def __init__(self, base_dir: Path, channel: str, quality: str) -> None:
        self._file = base_dir / FOLDER / channel / f"{quality}.jsonl"
        self._playlists = base_dir / FOLDER / channel / quality
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
        line = {
            "start": format_time(start),
            "end": format_time(end),
            "reason": reason.value,
            "detail": detail,
            "sequence": sequence,
            "noted": format_time(now),
        }
        self._waiting.append(json.dumps(line))
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
        try:
            path.write_text(playlist)
        except OSError:
            path.unlink(missing_ok=True)  # half a playlist would take the room of lines
            raise
        self._kept_playlists.append(path)
        while len(self._kept_playlists) > _KEPT_PLAYLISTS:
            self._kept_playlists.popleft().unlink(missing_ok=True)
