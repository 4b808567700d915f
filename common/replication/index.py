"""Digests of what the store holds, kept up to date at the cost of what changed.

An hour whose folder has not changed costs the `stat` that the store makes anyway. A changed one is
read, and its digest corrected by the names that came and went. A new tombstone hides segments of
its hash in whatever hour, so each hour remembers which hashes it holds (8 bytes for each).
"""

import time
import weakref
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from gevent.lock import BoundedSemaphore

from common.replication.digest import QualityDigest, changed, digest_of
from common.segments.path import SEGMENT_SUFFIX
from common.segments.store import Hidden, Hour, SegmentStore
from common.threads import in_thread
from common.times import HOUR, parse_hour

_HASH_LENGTH = 43
_LOCKS = 16
_UNREAD = -1
"""No folder has this mtime."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """An hour as it was when its folder had this mtime. `hashes` are of all segments in it, also
    hidden ones, as Python hashes them: two that collide cost one reading too many. How long the
    names themselves are kept is the store's business.
    """

    mtime_ns: int
    hour: "weakref.ref[Hour]"
    value: int
    hashes: "array[int]"


@dataclass(slots=True)
class _Quality:
    hidden: Hidden
    entries: dict[str, _Entry]
    digest: QualityDigest
    read: float
    """When (monotonic) reading began."""


class DigestIndex:
    """The digests of a store's qualities. Greenlets share it; the disk is read in threads.

    Of several that ask at the same time one reads what has changed, and the others wait for that:
    at the first question it is the whole quality. An answer of `digest` is good for
    `fresh_seconds`.
    """

    def __init__(self, store: SegmentStore, *, fresh_seconds: float = 0.0) -> None:
        self._store = store
        self._fresh_seconds = fresh_seconds
        self._qualities: dict[tuple[str, str], _Quality] = {}
        # Names come from anywhere, so there is no lock for each of them.
        self._locks = [BoundedSemaphore() for _ in range(_LOCKS)]

    def digest(self, channel: str, quality: str) -> QualityDigest:
        """The digest of each hour; the very same object while nothing has changed."""
        with self._locks[hash((channel, quality)) % _LOCKS]:
            known = self._qualities.get((channel, quality))
            if known and time.monotonic() - known.read < self._fresh_seconds:
                return known.digest
            return in_thread(self._digest, channel, quality)

    def hour(self, channel: str, quality: str, hour: str) -> tuple[Hour, int]:
        """What an hour holds now, and the digest of exactly that."""
        return in_thread(self._hour, channel, quality, hour)

    def _digest(self, channel: str, quality: str) -> QualityDigest:
        began = time.monotonic()
        state = self._store.state(channel, quality)
        known = self._qualities.get((channel, quality))
        entries = {} if known is None else known.entries
        touched = _Touched(known.hidden if known else state.hidden, state.hidden)
        current: dict[str, _Entry] = {}
        for hour, mtime_ns in state.hours.items():
            entry = entries.get(hour)
            if entry is None or entry.mtime_ns != mtime_ns or touched(hour, entry):
                found = self._store.hour(channel, quality, hour, state.hidden)
                entry = _entry(found, mtime_ns, entry)
            current[hour] = entry
        digest = QualityDigest(
            hours={hour: entry.value for hour, entry in current.items() if entry.value}
        )
        if known is not None and known.digest == digest:
            digest = known.digest
        if current or known is not None:
            self._qualities[(channel, quality)] = _Quality(state.hidden, current, digest, began)
        return digest

    def _hour(self, channel: str, quality: str, hour: str) -> tuple[Hour, int]:
        known = self._qualities.get((channel, quality))
        entry = known.entries.get(hour) if known else None
        found = self._store.hour(channel, quality, hour)
        return found, _value(found, entry)


def _entry(found: Hour, mtime_ns: int, known: _Entry | None) -> _Entry:
    same = known is not None and known.hour() is found
    return _Entry(
        # An mtime of 0 can't be trusted: it must differ from whatever the store says next.
        mtime_ns=mtime_ns or _UNREAD,
        hour=weakref.ref(found),
        value=_value(found, known),
        hashes=known.hashes if known and same else _hashes(found.stats),
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


def _value(found: Hour, known: _Entry | None) -> int:
    before = known.hour() if known else None
    if known is None or before is None:
        return digest_of(_names(found))
    if before is found:
        return known.value
    old, new = _names(before), _names(found)
    return changed(known.value, added=new - old, removed=old - new)


def _names(hour: Hour) -> set[str]:
    return {entry.name for entry in hour.segments} | {entry.name for entry in hour.tombstones}


def _hashes(names: Iterable[str]) -> "array[int]":
    end = len(SEGMENT_SUFFIX)
    return array(
        "q",
        [hash(name[-_HASH_LENGTH - end : -end]) for name in names if name.endswith(SEGMENT_SUFFIX)],
    )
