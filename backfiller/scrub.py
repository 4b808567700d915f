"""Checking, slowly and again and again, that files still hold the bytes that their names promise.

Disks rot. A file whose bytes do not match its name, or can't be read, is set aside in

    BASE/.damaged/CHANNEL/QUALITY/HOUR/NAME

where nothing lists it; so the hour's digest changes, and the segment is fetched again from a node
that has it. Where the round is, is kept in `BASE/.replication/scrub.json`, so that a restart goes
on from there:

    {"channel": "demo", "quality": "source", "hour": "2026-07-01T12", "name": "..."}

is the last file that was checked. A new round begins at the oldest hour.
"""

import errno
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from backfiller.limits import Bandwidth
from backfiller.metrics import BackfillerMetrics
from common.daemon import Stop
from common.files import make_durable_folder, sync, write_whole
from common.replication.readiness import FOLDER
from common.segments.path import Segment, encode_hash
from common.segments.store import SegmentStore
from common.threads import in_thread

logger = logging.getLogger(__name__)

DAMAGED = ".damaged"
_PIECE_BYTES = 1024 * 1024
_SAVE_SECONDS = 5.0
_YOUNG_SECONDS = 60.0
"""A file that has just been written is in memory: reading it says nothing of the disk."""


@dataclass(frozen=True, order=True)
class Position:
    """A file, or with empty names whatever comes before all files."""

    channel: str = ""
    quality: str = ""
    hour: str = ""
    name: str = ""


class Scrubber:
    """See the module's description. `rate` is in bytes per second, the pause between two rounds."""

    def __init__(
        self,
        *,
        store: SegmentStore,
        channels: Iterable[str],
        qualities: Iterable[str],
        rate: float,
        pause_seconds: float,
        metrics: BackfillerMetrics,
    ) -> None:
        self._store = store
        self._qualities = sorted(
            (channel, quality) for channel in channels for quality in qualities
        )
        self._rate = rate
        self._pause_seconds = pause_seconds
        self._metrics = metrics
        self._state = store.base_dir / FOLDER / "scrub.json"
        self._saved = 0.0

    def run(self, stop: Stop) -> None:
        """A daemon's task: one round after the other until stop."""
        position = in_thread(self._load)
        while not stop.is_set():
            position = self._round(position, stop)
            in_thread(self._save, position)
            if stop.is_set():
                return
            self._metrics.scrub_complete.set(time.time())
            logger.info("all files have been checked against their hashes")
            position = Position()
            in_thread(self._save, position)
            stop.wait(self._pause_seconds)

    def _round(self, position: Position, stop: Stop) -> Position:
        """Check what comes after `position`; returns the last file that was checked."""
        limit = Bandwidth(self._rate, sleep=stop.wait)
        for channel, quality in self._qualities:
            for hour in in_thread(self._store.hours, channel, quality):
                if Position(channel, quality, hour, "~") < position:
                    continue
                for segment in in_thread(self._segments, channel, quality, hour):
                    here = Position(channel, quality, hour, segment.name)
                    if here <= position:
                        continue
                    if stop.is_set() or not self._check(here, segment, limit, stop):
                        return position
                    position = here
                    self._save_sometimes(position)
        return position

    def _segments(self, channel: str, quality: str, hour: str) -> list[Segment]:
        """All of an hour that are not brand new, hidden ones too, by name."""
        try:
            found = self._store.hour(channel, quality, hour)
        except OSError as exc:
            logger.warning("cannot check %s/%s/%s: %s", channel, quality, hour, exc)
            return []
        young = (time.time() - _YOUNG_SECONDS) * 1e6
        return sorted(
            (
                entry
                for entry in (*found.segments, *found.hidden)
                if found.stats[entry.name].landed < young
            ),
            key=lambda entry: entry.name,
        )

    def _check(self, here: Position, segment: Segment, limit: Bandwidth, stop: Stop) -> bool:
        """Check one file; False if we are to stop first."""
        path = self._store.path(here.channel, here.quality, segment)
        try:
            found = self._hash(path, limit, stop)
        except FileNotFoundError:
            return True  # deleted meanwhile
        except OSError as exc:
            if exc.errno != errno.EIO:
                logger.warning("cannot check %s: %s", path, exc)
                return True
            found = f"none that can be read ({exc.strerror})"
        if found is None:
            return False
        self._metrics.scrubbed_files.inc()
        if found != segment.hash:
            self._set_aside(here, path, found)
        return True

    def _hash(self, path: Path, limit: Bandwidth, stop: Stop) -> str | None:
        """The hash of a file's bytes; None if we are to stop."""
        digest = sha256()
        file = in_thread(path.open, "rb")
        with file:
            while piece := in_thread(file.read, _PIECE_BYTES):
                in_thread(digest.update, piece)
                self._metrics.scrubbed_bytes.inc(len(piece))
                limit.spend(len(piece))
                if stop.is_set():
                    return None
        return encode_hash(digest.digest())

    def _set_aside(self, here: Position, path: Path, found: str) -> None:
        target = self._store.base_dir.joinpath(
            DAMAGED, here.channel, here.quality, here.hour, here.name
        )
        try:
            in_thread(_move, path, target)
        except FileNotFoundError:
            return
        except OSError as exc:
            logger.error("%s is damaged and cannot be set aside: %s", path, exc)  # noqa: TRY400
            return
        self._metrics.damaged.inc()
        logger.error("%s is damaged: its hash is %s; it now lies in %s", path, found, target)

    # Where the round is

    def _load(self) -> Position:
        try:
            fields = json.loads(self._state.read_text("utf-8"))
            return Position(**{name: str(value) for name, value in fields.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return Position()

    def _save_sometimes(self, position: Position) -> None:
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._saved = time.monotonic()
            in_thread(self._save, position)

    def _save(self, position: Position) -> None:
        try:
            make_durable_folder(self._state.parent)
            write_whole(self._state, json.dumps(vars(position)))
        except OSError as exc:
            logger.warning("cannot note how far the check of old files is: %s", exc)


def _move(path: Path, target: Path) -> None:
    make_durable_folder(target.parent)
    path.rename(target)
    sync(path.parent)
