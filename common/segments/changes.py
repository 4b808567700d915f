"""Which hours of a quality have changed since the last look: what is derived from an hour's listing
(digests, coverage) is kept as long as nothing that it depends on comes or goes.

An hour whose folder has not changed costs the `stat` that the store makes anyway. A new tombstone
hides segments of its hash in whatever hour, so each hour remembers which hashes it holds (8 bytes
for each).
"""

import weakref
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from common.segments.store import Hidden, Hour, SegmentStore
from common.times import HOUR, parse_hour

_UNREAD = -1
"""No folder has this mtime."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """An hour as it was when its folder had this mtime. `hashes` are of all segments in it, also
    hidden ones, as Python hashes them: two that collide cost one reading too many.
    """

    mtime_ns: int
    hour: "weakref.ref[Hour]"
    hashes: "array[int]"


class HourChanges:
    """Looks at one quality again and again; one thread at a time. Blocks on the disk."""

    def __init__(self, store: SegmentStore, channel: str, quality: str) -> None:
        self._store = store
        self._names = (channel, quality)
        self._entries: dict[str, _Entry] = {}
        self.hidden = Hidden()
        """What tombstones hid at the last look."""

    def look(
        self, is_wanted: Callable[[str], bool] = lambda hour: True
    ) -> Iterator[tuple[str, Hour | None]]:
        """Each wanted hour that has a folder, in order, with what it holds: None if that is what
        the last look yielded for it.

        A look that is not gone through to its end never was: the next one yields the same again.
        """
        state = self._store.state(*self._names)
        is_touched = _Touched(self.hidden, state.hidden)
        current: dict[str, _Entry] = {}
        for hour, mtime_ns in sorted(state.hours.items()):
            if not is_wanted(hour):
                continue
            known = self._entries.get(hour)
            if known and known.mtime_ns == mtime_ns and not is_touched(hour, known):
                current[hour] = known
                yield hour, None
                continue
            found = self._store.hour(*self._names, hour, state.hidden)
            current[hour] = _entry(found, mtime_ns, known)
            yield hour, None if known and known.hour() is found else found
        self._entries, self.hidden = current, state.hidden


def _entry(found: Hour, mtime_ns: int, known: _Entry | None) -> _Entry:
    same = known is not None and known.hour() is found
    return _Entry(
        # An mtime of 0 can't be trusted: it must differ from whatever the store says next.
        mtime_ns=mtime_ns or _UNREAD,
        hour=weakref.ref(found),
        hashes=known.hashes if known and same else _hashes(found),
    )


class _Touched:
    """Whether a change of what is hidden can change what an hour lists."""

    def __init__(self, old: Hidden, new: Hidden) -> None:
        self._same = old is new
        self._hashes = [] if self._same else [hash(text) for text in old.hashes ^ new.hashes]
        self._ranges = [] if self._same else list(set(old.ranges) ^ set(new.ranges))

    def __call__(self, hour: str, entry: _Entry) -> bool:
        if self._same:
            return False
        start = parse_hour(hour)
        return any(span.start < start + HOUR and span.end > start for span in self._ranges) or any(
            number in entry.hashes for number in self._hashes
        )


def _hashes(found: Hour) -> "array[int]":
    return array("q", [hash(segment.hash) for segment in (*found.segments, *found.hidden)])
