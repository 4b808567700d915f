"""Deleting what is older than the operator wants to keep: a watermark on time, no tombstones.

What is below the watermark is neither kept nor fetched, so nothing comes back. Range tombstones
that reach above it stay.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable

from backfiller.metrics import BackfillerMetrics
from backfiller.watch import Span
from common.daemon import Stop
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import HOUR, Micros, parse_hour

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 600.0


class Retention:
    """Deletes hours that were over before the span of time to care for."""

    def __init__(
        self,
        *,
        store: SegmentStore,
        channels: Iterable[str],
        qualities: Iterable[str],
        span: Callable[[], Span],
        metrics: BackfillerMetrics,
    ) -> None:
        self._store = store
        self._qualities = [(channel, quality) for channel in channels for quality in qualities]
        self._span = span
        self._metrics = metrics

    def run(self, stop: Stop) -> None:
        """A daemon's task: delete now, and as more comes of age."""
        while not stop.is_set():
            for channel, quality in self._qualities:
                self._sweep(channel, quality, stop)
            stop.wait(_EVERY_SECONDS)

    def _sweep(self, channel: str, quality: str, stop: Stop) -> None:
        watermark = self._span().start
        for hour in in_thread(self._store.hours, channel, quality):
            if stop.is_set() or parse_hour(hour) + HOUR > watermark:
                return
            try:
                deleted = in_thread(self._delete, channel, quality, hour, watermark)
            except OSError as exc:
                logger.warning("cannot delete %s/%s/%s: %s", channel, quality, hour, exc)
                continue
            if deleted:
                self._metrics.deleted_hours.inc()
                logger.info("deleted %s/%s/%s: %d files", channel, quality, hour, deleted)

    def _delete(self, channel: str, quality: str, hour: str, watermark: Micros) -> int:
        """Blocks on the disk; runs in a thread. Returns how many files were deleted."""
        found = self._store.hour(channel, quality, hour)
        kept = {
            entry.name for entry in found.tombstones if entry.hash is None and entry.end > watermark
        }
        folder = self._store.base_dir / channel / quality / hour
        names = [name for name in found.stats if name not in kept]
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if not kept:
            # Hidden files of somebody else keep the folder alive.
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106 - of an empty folder only
        return len(names)
