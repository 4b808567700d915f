"""The segment store on disk: which segments there are, and the only code that lists them.

Whoever wants to know what is recorded asks here, so that tombstones, hidden names and temp files
mean the same to everybody. An hour's folder is read again only when it has changed, and then only
its new names are parsed. All calls block on the disk, briefly for one hour; callers give wide
ranges to a thread. Any number of threads may share a store: they see immutable snapshots, and the
caches are changed by single dictionary operations only.

Names of channels, qualities and hours may come from anywhere: one that is not a safe path component
is simply absent.
"""

import logging
import math
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from common.errors import BadSegmentName
from common.extras import KNOWN_EXTRAS
from common.segments.path import (
    SEGMENT_SUFFIX,
    TOMBSTONE_SUFFIX,
    Segment,
    SegmentType,
    Tombstone,
    is_component,
    parse_name,
)
from common.segments.select import Sequence, best_sequence
from common.segments.write import SegmentWriter, write_tombstones
from common.times import HOUR, Micros, TimeRange, format_hour, parse_hour

logger = logging.getLogger(__name__)

# A folder that changed this shortly before it was read may have changed again without a new mtime.
_CLOCK_TICK_NS = 50_000_000
_COARSE_CLOCK_NS = 2_100_000_000  # file systems that keep whole seconds, or two of them

_LOGGED_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Stat:
    """What the file system says of a segment: its bytes, and when it appeared (its mtime)."""

    size_bytes: int
    landed: Micros


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Hour:
    """What one hour's folder held when it was read.

    `segments` are sorted by start and are all that may be shown: no temp files, nothing that a
    tombstone hides; what one hides is in `hidden`. `tombstones` are this folder's own. `names` are
    all final names of the folder as replication compares them: visible segments and tombstones.
    `stats` is keyed by name.
    """

    segments: tuple[Segment, ...] = ()
    hidden: tuple[Segment, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    stats: dict[str, Stat] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return sorted(
            [segment.name for segment in self.segments]
            + [tombstone.name for tombstone in self.tombstones]
        )


EMPTY_HOUR = Hour()


@dataclass(frozen=True, slots=True)
class _Listing:
    """An hour's folder as read from disk, before any tombstone is applied."""

    mtime_ns: int
    settled: bool
    segments: dict[str, Segment]
    tombstones: dict[str, Tombstone]
    stats: dict[str, Stat]


_NOTHING_LISTED = _Listing(0, False, {}, {}, {})


@dataclass(frozen=True, slots=True)
class Hidden:
    """What the tombstones of a whole quality hide: all segments of these hashes, and all that start
    within these ranges.
    """

    hashes: frozenset[str] = frozenset()
    ranges: tuple[TimeRange, ...] = ()

    def hides(self, segment: Segment) -> bool:
        return segment.hash in self.hashes or any(
            span.start <= segment.start < span.end for span in self.ranges
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityState:
    """What a quality's folders looked like, without reading those that have not changed.

    `hours` maps each hour that has a folder to its mtime, or to 0 where that can't be trusted yet.
    While an hour's mtime stays, and not 0, its folder is the same; what of it may be shown depends
    on `hidden` too, which stays the very same object while no tombstone comes or goes.
    """

    hours: dict[str, int]
    hidden: Hidden


NO_QUALITY = QualityState(hours={}, hidden=Hidden())

_Key = tuple[str, str, str]
_HourTombstones = tuple[int, tuple[Tombstone, ...]]
"""The folder's mtime if that has settled, else 0; and the tombstones in it."""


class SegmentStore:
    """The store below `base_dir`. See the module's description.

    `cached_hours` bounds the memory: about 1 MB for an hour of 2 s segments. With `measured` false
    nobody asks the file system about single files: every size and landing time is 0, and who only
    wants names has them in half the time.
    """

    def __init__(
        self,
        base_dir: Path,
        *,
        registry: CollectorRegistry | None = None,
        cached_hours: int = 400,
        measured: bool = True,
    ) -> None:
        self.base_dir = base_dir
        self._cached_hours = cached_hours
        self._stat: Callable[[str], Stat | None] = _stat if measured else _unmeasured
        self._listings: OrderedDict[_Key, _Listing] = OrderedDict()
        self._hours: OrderedDict[_Key, tuple[_Listing, Hidden, Hour]] = OrderedDict()
        self._tombstones: dict[tuple[str, str], dict[str, _HourTombstones]] = {}
        self._hidden: dict[tuple[str, str], Hidden] = {}
        self._logged: set[str] = set()
        self._bad_names = Counter(
            "wubloader_store_bad_names_total",
            "Names in hour folders that are of no known format, each counted once.",
            registry=registry,
        )
        self._tell_of_the_disk(registry)

    def _tell_of_the_disk(self, registry: CollectorRegistry | None) -> None:
        free = Gauge(
            "wubloader_store_free_bytes",
            "What the store's disk can still take.",
            registry=registry,
        )
        free.set_function(lambda: _disk_bytes(self.base_dir)[0])
        size = Gauge(
            "wubloader_store_size_bytes",
            "What the store's disk can hold in all.",
            registry=registry,
        )
        size.set_function(lambda: _disk_bytes(self.base_dir)[1])

    def channels(self) -> list[str]:
        """Names of all channels, sorted."""
        return [name for name in _folders(self.base_dir) if name not in KNOWN_EXTRAS]

    def qualities(self, channel: str) -> list[str]:
        """Names of a channel's qualities, sorted; none if there is no such channel."""
        return _folders(self.base_dir / channel) if is_component(channel) else []

    def hours(self, channel: str, quality: str) -> list[str]:
        """Names of the hours that have a folder, sorted."""
        if not (is_component(channel) and is_component(quality)):
            return []
        return [name for name in _folders(self.base_dir / channel / quality) if _is_hour(name)]

    def hour(self, channel: str, quality: str, hour: str, hidden: Hidden | None = None) -> Hour:
        """What is there in one hour; an empty hour if there is no such folder.

        Who asks for many hours of a quality may say what `state` found hidden in it.
        """
        if not (is_component(channel) and is_component(quality) and _is_hour(hour)):
            return EMPTY_HOUR
        return self._hour((channel, quality, hour), hidden or self._hidden_in(channel, quality))

    def state(self, channel: str, quality: str) -> QualityState:
        """Which hours there are, and what the quality's tombstones hide, wherever they lie.

        Costs one `stat` for each hour, and one reading for each hour that has changed.
        """
        if not (is_component(channel) and is_component(quality)):
            return NO_QUALITY
        key = (channel, quality)
        known = self._tombstones.get(key, {})
        current = {
            hour: self._hour_tombstones((channel, quality, hour), known.get(hour))
            for hour in self.hours(channel, quality)
        }
        hidden = self._hidden.get(key)
        if hidden is None or _tombstones_of(current) != _tombstones_of(known):
            hidden = hidden_by(entry for _, entries in current.values() for entry in entries)
        self._tombstones[key] = current
        self._hidden[key] = hidden
        return QualityState(
            hours={hour: entry[0] for hour, entry in current.items()}, hidden=hidden
        )

    def best(self, channel: str, quality: str, span: TimeRange) -> Sequence:
        """The best sequence for `span` (see `common.segments.select`).

        A segment of the hour before is used where it reaches into the span.
        """
        if not (is_component(channel) and is_component(quality)):
            return best_sequence((), span)
        hidden = self._hidden_in(channel, quality)
        wider = TimeRange(max(span.start - HOUR, 0), span.end)
        hours = {
            name: self._hour((channel, quality, name), hidden)
            for name in self._present_hours(channel, quality, wider)
        }
        return best_sequence(
            (segment for hour in hours.values() for segment in hour.segments),
            span,
            size_of=lambda segment: hours[segment.hour].stats[segment.name].size_bytes,
        )

    def path(self, channel: str, quality: str, segment: Segment) -> Path:
        """Where a segment's file lies."""
        return self.base_dir / channel / quality / segment.hour / segment.name

    def writer(self, channel: str, quality: str, start: Micros, duration: Micros) -> SegmentWriter:
        """A writer for one new segment (see `common.segments.write`).

        Raises ValueError if a name is not a safe path component.
        """
        return SegmentWriter(self._quality_dir(channel, quality), start, duration)

    def add_tombstones(
        self, channel: str, quality: str, hour: str, tombstones: Iterable[Tombstone]
    ) -> int:
        """Write tombstones of one hour, which need have no folder yet; returns how many are new.

        Raises ValueError if a name is not a safe path component, OSError where the disk does.
        """
        if not _is_hour(hour):
            raise ValueError(f"{hour} is no hour")
        folder = self._quality_dir(channel, quality) / hour
        return write_tombstones(folder, (tombstone.name for tombstone in tombstones))

    def _quality_dir(self, channel: str, quality: str) -> Path:
        if not (is_component(channel) and is_component(quality)):
            raise ValueError(f"{channel}/{quality} cannot be names of folders")
        return self.base_dir / channel / quality

    def find_bytes(self, channel: str, quality: str, start: Micros, digest: str) -> Segment | None:
        """A full segment with these bytes in the hour of `start` or a neighbour of it, if any.

        The hash is the identity: nodes hold the same bytes under starts a millisecond apart. Asked
        for each segment that is recorded, and nearly always in vain, so an hour is read only if it
        has such a name: it has just changed, and may hold thousands of others.
        """
        if not (is_component(channel) and is_component(quality)):
            return None
        ending = f"-{SegmentType.FULL.value}-{digest}{SEGMENT_SUFFIX}"
        for offset in (0, -HOUR, HOUR):
            hour = format_hour(max(start + offset, 0))
            names = _names(self.base_dir / channel / quality / hour)
            if not any(name.endswith(ending) for name in names):
                continue
            for segment in self.hour(channel, quality, hour).segments:
                if segment.hash == digest and segment.type is SegmentType.FULL:
                    return segment
        return None

    def sweep_temps(self, older_than_seconds: float) -> int:
        """Delete temp files that nobody has written to for so long; returns how many.

        A crash leaves them behind. A living writer's file is younger than any transfer may take.
        """
        limit = time.time() - older_than_seconds
        swept = 0
        for path in self._temp_files():
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:
                continue  # its writer has just renamed it
        return swept

    def _temp_files(self) -> Iterator[Path]:
        for channel in self.channels():
            for quality in self.qualities(channel):
                for hour in self.hours(channel, quality):
                    folder = self.base_dir / channel / quality / hour
                    for name in _names(folder):
                        if name.endswith(SEGMENT_SUFFIX) and f"-{SegmentType.TEMP.value}-" in name:
                            yield folder / name

    def _present_hours(self, channel: str, quality: str, span: TimeRange) -> list[str]:
        first, last = format_hour(span.start), format_hour(span.end - 1)
        return [name for name in self.hours(channel, quality) if first <= name <= last]

    def _hour(self, key: _Key, hidden: Hidden) -> Hour:
        listing = self._listing(key)
        cached = self._hours.get(key)
        if cached and cached[0] is listing and cached[1] is hidden:
            return cached[2]
        hour = _snapshot(listing, hidden)
        self._hours[key] = (listing, hidden, hour)
        _shrink(self._hours, self._cached_hours)
        return hour

    def _listing(self, key: _Key) -> _Listing:
        """The folder's listing; read from disk only if it may have changed."""
        folder = self.base_dir.joinpath(*key)
        known = self._listings.get(key, _NOTHING_LISTED)
        mtime_ns = _mtime_ns(folder)
        if mtime_ns is None:
            self._listings.pop(key, None)
            return _NOTHING_LISTED
        if known.settled and known.mtime_ns == mtime_ns:
            return known
        listing = self._read(folder, key[2], mtime_ns, known)
        self._listings[key] = listing
        _shrink(self._listings, self._cached_hours)
        return listing

    def _read(self, folder: Path, hour: str, mtime_ns: int, known: _Listing) -> _Listing:
        settled = _is_settled(mtime_ns)
        names = set(_names(folder))
        if names == known.stats.keys():
            if settled == known.settled and mtime_ns == known.mtime_ns:
                return known
            return replace(known, mtime_ns=mtime_ns, settled=settled)
        listing = _Listing(
            mtime_ns,
            settled,
            {name: known.segments[name] for name in known.segments.keys() & names},
            {name: known.tombstones[name] for name in known.tombstones.keys() & names},
            {name: known.stats[name] for name in known.stats.keys() & names},
        )
        for name in names - known.stats.keys():
            self._add(listing, folder, hour, name)
        return listing

    def _add(self, listing: _Listing, folder: Path, hour: str, name: str) -> None:
        stat = self._stat(f"{folder}/{name}")
        if stat is None:
            return  # gone since it was listed
        listing.stats[name] = stat
        try:
            entry = parse_name(hour, name)
        except BadSegmentName as exc:
            self._report(folder, name, exc)
            return
        if isinstance(entry, Tombstone):
            listing.tombstones[name] = entry
        elif entry.type is not SegmentType.TEMP:
            listing.segments[name] = entry

    def _report(self, folder: Path, name: str, error: BadSegmentName) -> None:
        path = str(folder / name)
        if path in self._logged:
            return
        self._bad_names.inc()
        if len(self._logged) < _LOGGED_NAMES:
            self._logged.add(path)
            logger.warning("ignored a file in %s: %s", folder, error)

    def _hidden_in(self, channel: str, quality: str) -> Hidden:
        return self.state(channel, quality).hidden

    def _hour_tombstones(self, key: _Key, known: _HourTombstones | None) -> _HourTombstones:
        folder = self.base_dir.joinpath(*key)
        mtime_ns = _mtime_ns(folder) or 0
        if known and known[0] == mtime_ns:
            return known
        settled = _is_settled(mtime_ns)  # before the names are read: what comes later may go unseen
        entries = tuple(self._parsed_tombstones(folder, key[2]))
        if known and known[1] == entries:
            entries = known[1]
        return (mtime_ns if settled else 0, entries)

    def _parsed_tombstones(self, folder: Path, hour: str) -> Iterator[Tombstone]:
        for name in sorted(name for name in _names(folder) if name.endswith(TOMBSTONE_SUFFIX)):
            try:
                entry = parse_name(hour, name)
            except BadSegmentName as exc:
                self._report(folder, name, exc)
                continue
            if isinstance(entry, Tombstone):
                yield entry


_BY_START = attrgetter("start", "name")


def _snapshot(listing: _Listing, hidden: Hidden) -> Hour:
    segments = sorted(listing.segments.values(), key=_BY_START)
    gone = tuple(filter(hidden.hides, segments)) if hidden.hashes or hidden.ranges else ()
    if gone:
        segments = [segment for segment in segments if not hidden.hides(segment)]
    return Hour(
        segments=tuple(segments),
        hidden=gone,
        tombstones=tuple(sorted(listing.tombstones.values(), key=_BY_START)),
        stats=listing.stats,
    )


def _tombstones_of(hours: dict[str, _HourTombstones]) -> list[tuple[Tombstone, ...]]:
    return [entries for _, (_, entries) in sorted(hours.items()) if entries]


def hidden_by(tombstones: Iterable[Tombstone]) -> Hidden:
    """What these tombstones hide."""
    hashes: set[str] = set()
    ranges: list[TimeRange] = []
    for entry in tombstones:
        if entry.hash is not None:
            hashes.add(entry.hash)
        elif entry.duration > 0:
            ranges.append(TimeRange(entry.start, entry.end))
    return Hidden(frozenset(hashes), tuple(ranges))


def _shrink(cache: OrderedDict[_Key, Any], limit: int) -> None:
    while len(cache) > limit:
        try:
            cache.popitem(last=False)
        except KeyError:
            return


def _is_hour(name: str) -> bool:
    try:
        parse_hour(name)
    except ValueError:
        return False
    return True


def _is_settled(mtime_ns: int) -> bool:
    """Whether a folder with this mtime can be trusted not to change without a new mtime."""
    guard = _COARSE_CLOCK_NS if mtime_ns % 1_000_000_000 == 0 else _CLOCK_TICK_NS
    return time.time_ns() - mtime_ns > guard


def _mtime_ns(folder: Path) -> int | None:
    try:
        return folder.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stat(path: str) -> Stat | None:
    try:
        # Not of a Path: making one costs more than this, and there are hundreds of thousands.
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return Stat(found.st_size, found.st_mtime_ns // 1000)


_UNMEASURED = Stat(0, 0)


def _unmeasured(path: str) -> Stat:
    return _UNMEASURED


def _names(folder: Path) -> list[str]:
    """Names in a folder that are not hidden; none if the folder is not there (any more)."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []


def _disk_bytes(folder: Path) -> tuple[float, float]:
    """Free and in all; NaN where it cannot be told, since metrics must be answered."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return math.nan, math.nan
    return usage.free, usage.total


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name for entry in entries if is_component(entry.name) and entry.is_dir()
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
