"""Deleting what crashed writers left: temp files that nobody writes to any more."""

import logging

from prometheus_client import Counter

from common.daemon import Stop
from common.segments.store import SegmentStore
from common.threads import in_thread

logger = logging.getLogger(__name__)


class Sweeper:
    """Deletes temp files that nobody has written to for `age_seconds`, and counts them."""

    def __init__(self, store: SegmentStore, *, age_seconds: float, swept: Counter) -> None:
        self._store = store
        self._age_seconds = age_seconds
        self._swept = swept

    def run(self, stop: Stop) -> None:
        """A daemon's task: delete now, and as more comes of age."""
        while True:
            swept = in_thread(self._store.sweep_temps, self._age_seconds)
            if swept:
                logger.info("deleted %d temp files of crashed processes", swept)
                self._swept.inc(swept)
            if stop.wait(self._age_seconds):
                return
