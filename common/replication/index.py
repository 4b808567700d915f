"""Digests of what the store holds, kept up to date at the cost of what changed.

An hour whose folder has not changed costs the `stat` that the store makes anyway. A changed one is
read, and its digest corrected by the names that came and went.
"""

import time
import weakref
from dataclasses import dataclass

from gevent.lock import BoundedSemaphore

from common.replication.digest import QualityDigest, changed, digest_of
from common.segments.changes import HourChanges
from common.segments.store import Hour, SegmentStore
from common.threads import in_thread

_LOCKS = 16


@dataclass(slots=True, kw_only=True)
class _Entry:
    """The digest of an hour. How long its names themselves are kept is the store's business."""

    hour: "weakref.ref[Hour]"
    value: int


@dataclass(slots=True)
class _Quality:
    changes: HourChanges
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
        known = self._qualities.get((channel, quality))
        entries = known.entries if known else {}
        changes = known.changes if known else HourChanges(self._store, channel, quality)
        current = {
            hour: entries[hour] if found is None else _entry(found, entries.get(hour))
            for hour, found in changes.look()
        }
        digest = QualityDigest(
            hours={hour: entry.value for hour, entry in current.items() if entry.value}
        )
        if known is not None and known.digest == digest:
            digest = known.digest
        if current or known is not None:
            self._qualities[(channel, quality)] = _Quality(changes, current, digest, began)
        return digest

    def _hour(self, channel: str, quality: str, hour: str) -> tuple[Hour, int]:
        known = self._qualities.get((channel, quality))
        entry = known.entries.get(hour) if known else None
        found = self._store.hour(channel, quality, hour)
        return found, _value(found, entry)


def _entry(found: Hour, known: _Entry | None) -> _Entry:
    return _Entry(hour=weakref.ref(found), value=_value(found, known))


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
