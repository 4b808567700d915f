"""Which segments of a quality have been seen, so that none is fetched twice. Pure.

Workers overlap, addresses change, edges number differently: two lines mean the same segment if they
have the same sequence number and about the same time, or the same time to within the tolerance.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

from common.segments.select import TOLERANCE
from common.times import SECOND, Micros
from downloader.hls import MediaPlaylist, MediaSegment


class Progress(Enum):
    """What became of a segment that was listed."""

    FETCHING = "fetching"
    STORED = "stored"
    LOST = "lost"
    SKIPPED = "skipped"
    """An advertisement."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One segment. `segment` is the newest line that listed it, with the freshest address.

    `doubtful` says that its time comes from a worker whose times had jumped; a worker whose times
    did not may have it fetched again. `source` is the worker that listed it last. `listings` counts
    the lines, so that a fetch that waits can see that a fresh address has come.
    """

    segment: MediaSegment
    start: Micros
    doubtful: bool
    progress: Progress
    source: object = None
    listings: int = 1

    @property
    def may_be_replaced(self) -> bool:
        return self.doubtful and self.progress is not Progress.SKIPPED


class Ledger:
    """The last `limit` segments of one quality."""

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._by_sequence: dict[int, int] = {}
        self._next_key = 0

    def find(self, segment: MediaSegment, start: Micros) -> Entry | None:
        """The entry that the line means, if it was seen before."""
        key = self._by_sequence.get(segment.sequence)
        if key is not None:
            entry = self._entries[key]
            if abs(entry.start - start) < max(segment.duration, SECOND):
                return entry
        for entry in reversed(self._entries.values()):
            same_length = abs(entry.segment.duration - segment.duration) <= TOLERANCE
            if abs(entry.start - start) <= TOLERANCE and same_length:
                return entry
        return None

    def add(self, entry: Entry) -> Entry:
        """Remember a new segment, or a new try at one that was doubtful."""
        key = self._next_key
        self._next_key += 1
        self._entries[key] = entry
        self._by_sequence[entry.segment.sequence] = key
        while len(self._entries) > self._limit:
            old_key, old = self._entries.popitem(last=False)
            if self._by_sequence.get(old.segment.sequence) == old_key:
                del self._by_sequence[old.segment.sequence]
        return entry


class TimeBase:
    """When each segment begins: by the playlist, or else by counting.

    A playlist without EXT-X-PROGRAM-DATE-TIME says nothing about the time of day: the end of the
    first playlist is taken for the moment at which it was seen, and from there durations are
    counted along the sequence numbers. Where these do not continue, the clock is asked again; so it
    is when an origin has begun anew, even with the numbers and addresses that it had before. Where
    a playlist stops saying its time, it is counted from what was said last.
    """

    def __init__(self) -> None:
        self._starts: OrderedDict[tuple[int, str], Micros] = OrderedDict()
        self._next: tuple[int, Micros] | None = None  # the next sequence number and its start

    def starts(self, playlist: MediaPlaylist, now: Micros) -> list[Micros]:
        """The start of each of the playlist's segments; `now` is when it was seen."""
        segments = playlist.segments
        start = self._continued(segments)
        if start is not None and self._begun_anew(playlist, start, now):
            self._starts.clear()
            start = None
        if start is None:
            self._next = None
            start = now - sum(segment.duration for segment in segments)
        starts = []
        for segment in segments:
            start = segment.program_time if segment.program_time is not None else start
            starts.append(start)
            self._starts[segment.sequence, segment.path] = start
            start += segment.duration
            if self._next is None or segment.sequence >= self._next[0]:
                self._next = (segment.sequence + 1, start)
        while len(self._starts) > _REMEMBERED:
            self._starts.popitem(last=False)
        return starts

    def _begun_anew(self, playlist: MediaPlaylist, start: Micros, now: Micros) -> bool:
        """An edge that lags shows what is a few segments old; what is older is a new stream."""
        if self._next is None or not playlist.is_restart_after(self._next[0] - 1):
            return False
        end = start + sum(segment.duration for segment in playlist.segments)
        return now - end > _LAG_TARGETS * playlist.target

    def _continued(self, segments: tuple[MediaSegment, ...]) -> Micros | None:
        """The start of the first segment, if one of them is known or continues what is known."""
        before: Micros = 0
        for segment in segments:
            known = self._starts.get((segment.sequence, segment.path))
            if known is not None:
                return known - before
            if self._next is not None and segment.sequence == self._next[0]:
                return self._next[1] - before
            before += segment.duration
        return None


_REMEMBERED = 2000
_LAG_TARGETS = 5
