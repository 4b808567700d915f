"""What this node has of one quality, read at the cost of what has changed."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from common.replication.digest import digest_of
from common.segments.changes import HourChanges
from common.segments.path import Segment
from common.segments.store import EMPTY_HOUR, Hidden, Hour, SegmentStore
from common.times import HOUR, Micros, format_hour, parse_hour
from segment_coverage.analyse import HourCoverage, analyse
from segment_coverage.window import Window


class Stopped(Exception):
    """The service stops; what was begun is dropped."""


@dataclass(slots=True)
class _Found:
    """What one look has found so far. `before` is what reached into each hour."""

    hours: dict[str, HourCoverage] = field(default_factory=dict)
    before: dict[str, tuple[Segment, ...]] = field(default_factory=dict)
    digests: dict[str, int] = field(default_factory=dict)
    last: str = ""

    def reaching(self, name: str) -> tuple[Segment, ...]:
        """What reaches into this hour, as far as it was found."""
        if not self.last or parse_hour(self.last) + HOUR != parse_hour(name):
            return ()
        return self.hours[self.last].reaching


class QualityCoverage:
    """Reads one quality again and again, one thread at a time. Blocks on the disk.

    `is_stopped` is asked between hours. `with_digests` also keeps the digest of each hour, to
    compare with other nodes.
    """

    def __init__(
        self,
        store: SegmentStore,
        channel: str,
        quality: str,
        *,
        window: Window,
        with_digests: bool,
        is_stopped: Callable[[], bool],
    ) -> None:
        self.names = (channel, quality)
        self._store = store
        self._changes = HourChanges(store, channel, quality)
        self._window = window
        self._with_digests = with_digests
        self._is_stopped = is_stopped
        self._known = _Found()
        self.bounds = ("", "")
        """The first and the last hour that were looked at."""

    @property
    def hours(self) -> dict[str, HourCoverage]:
        """What was found, by the hour's name; a new object with each change."""
        return self._known.hours

    @property
    def digested(self) -> tuple[dict[str, int], dict[str, HourCoverage]]:
        """The digest of each hour, and what was found in exactly that, also during a reading."""
        known = self._known
        return known.digests, known.hours

    @property
    def hidden(self) -> Hidden:
        return self._changes.hidden

    @property
    def recorded(self) -> tuple[Micros, Micros] | None:
        """From the first to the last moment that any visible segment covers."""
        covered = [hour.raw for hour in self.hours.values() if hour.raw]
        if not covered:
            return None
        return min(raw[0][0] for raw in covered), max(raw[-1][1] for raw in covered)

    def read(self, now: Micros) -> None:
        """Look at what has changed. Raises Stopped, or OSError where the disk does."""
        first, last = self.bounds = self._window.hours(self._store.hours(*self.names), now)
        found = _Found()
        for name, listed in self._changes.look(lambda hour: first <= hour <= last):
            if self._is_stopped():
                raise Stopped
            self._carry_on(found, until=name)
            self._add(found, name, listed)
        self._carry_on(found, until=last)
        if found.hours == self.hours:
            found.hours = self.hours
        self._known = found

    def _carry_on(self, found: "_Found", *, until: str) -> None:
        """What reaches into hours that have no folder covers them too."""
        while found.last and found.hours[found.last].reaching:
            following = format_hour(parse_hour(found.last) + HOUR)
            if following >= until:
                return
            self._add(found, following, EMPTY_HOUR)

    def _add(self, found: "_Found", name: str, listed: Hour | None) -> None:
        """`listed` is None where the hour is as it was at the last look."""
        known = self.hours.get(name)
        before = found.reaching(name)
        if known is not None and listed is None and self._known.before.get(name) == before:
            found.hours[name] = known
            found.digests[name] = self._known.digests.get(name, 0)
        else:
            listed = listed or self._store.hour(*self.names, name)
            found.hours[name] = self._analysed(name, listed, before)
            found.digests[name] = _digest(listed) if self._with_digests else 0
        found.before[name] = before
        found.last = name

    def _analysed(self, name: str, found: Hour, before: tuple[Segment, ...]) -> HourCoverage:
        return analyse(
            parse_hour(name),
            found.segments,
            hidden=found.hidden,
            tombstones=found.tombstones,
            before=before,
            size_of=self._size_bytes,
        )

    def _size_bytes(self, segment: Segment) -> int:
        """Asked only where segments compete for a moment."""
        try:
            return os.stat(self._store.path(*self.names, segment)).st_size  # noqa: PTH116
        except OSError:
            return 0


def _digest(found: Hour) -> int:
    names = [segment.name for segment in found.segments]
    return digest_of(names + [tombstone.name for tombstone in found.tombstones])
