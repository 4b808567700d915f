"""What a player that keeps reloading a playlist gets to see, and in which order. Pure.

A segment may land late, and out of order: backfilled from another node, or fetched again. But what
a playlist has published must not change (RFC 8216, 6.2.1: a server only appends, and removes from
the beginning), or players fail. So each player's playlist is a *session*: the list of what was
published since it opened, computed anew for each request from nothing but the segments, the time
each landed, and the session's own opening time.

1. The base is the best sequence of what had landed when the session opened.
2. From then on landings are replayed in order. With E the end of what is published, the next is the
   earliest-starting landed segment that starts at E or later (within the store's tolerance). It is
   published at once if it is full and joins on; otherwise two target durations after it landed, if
   nothing better came until then.
3. What lands behind E is not shown in this session; a new one shows it.

So MEDIA-SEQUENCE, the index in this list, means the same segment for as long as the session lives,
on each server that has the same files.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass

from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, best_sequence
from common.times import SECOND, Micros, TimeRange

LEAST_TARGET_SECONDS = 2

LANDING_SETTLES: Micros = SECOND // 5
"""A file's landing time is set just before it appears, so one that landed this long ago is listed
for certain. What is younger waits, else a later reply could see it in front of what is published.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`opened` is the base's time. `target_seconds` is EXT-X-TARGETDURATION, the same for ever."""

    opened: Micros
    target_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A segment, when it landed, and its size. Orders by landing time, so that all nodes agree."""

    segment: Segment
    landed: Micros
    size_bytes: int

    @property
    def order(self) -> tuple[Micros, Micros, str]:
        return (self.landed, self.segment.start, self.segment.name)


def rounded_seconds(duration: Micros) -> int:
    """To the nearest integer, halves up, as EXTINF is compared with EXT-X-TARGETDURATION."""
    return (duration + SECOND // 2) // SECOND


def target_seconds(segments: Iterable[Segment]) -> int:
    """The target duration for a session that opens when `segments` are the recent ones."""
    fulls = (segment for segment in segments if segment.type is SegmentType.FULL)
    longest = max((rounded_seconds(full.duration) for full in fulls), default=0)
    return max(LEAST_TARGET_SECONDS, longest)


def first_target_seconds(landings: Iterable[Landed]) -> int:
    """The target duration for a session that opened before anything had landed.

    The first full to land decides, with half as much again as room for those that follow.
    """
    fulls = (landing for landing in landings if landing.segment.type is SegmentType.FULL)
    first = min(fulls, key=lambda landing: landing.order, default=None)
    return (
        target_seconds([])
        if first is None
        else max(LEAST_TARGET_SECONDS, -(-3 * rounded_seconds(first.segment.duration) // 2))
    )


def fits(segment: Segment, session: Session) -> bool:
    """Whether its duration may stand under the session's target. A longer one becomes a hole."""
    return rounded_seconds(segment.duration) <= session.target_seconds


def published(
    landings: Iterable[Landed], *, start: Micros | None, session: Session, now: Micros
) -> list[Segment]:
    """The session's list at `now`, of what reaches beyond `start`. It only ever grows.

    `start` None begins with whatever lands first. What does not fit the session is left out.
    """
    fitting = [
        landing
        for landing in landings
        if landing.segment.end > (start or 0)
        and landing.segment.duration > 0
        and landing.landed <= now
        and fits(landing.segment, session)
    ]
    fitting.sort(key=lambda landing: landing.order)
    first_new = bisect_right(fitting, session.opened, key=lambda landing: landing.landed)
    base = _base(fitting[:first_new], start or 0)
    replay = _Replay(base, start=start, patience=2 * session.target_seconds * SECOND)
    for landing in fitting[first_new:]:
        replay.publish_until(landing.landed)
        replay.land(landing)
    replay.publish_until(now + 1)
    return replay.published


def _base(landings: list[Landed], start: Micros) -> list[Segment]:
    if not landings:
        return []
    sizes = {landing.segment: landing.size_bytes for landing in landings}
    span = TimeRange(start, max(segment.end for segment in sizes))
    sequence = best_sequence(sizes, span, size_of=sizes.__getitem__)
    return [entry for entry in sequence if isinstance(entry, Segment)]


class _Replay:
    """Publishes segments in the order in which their landings allow it."""

    def __init__(self, base: list[Segment], *, start: Micros | None, patience: Micros) -> None:
        self.published = base
        self._start = start
        self._patience = patience
        # What may still be published, by start.
        self._waiting: list[Landed] = []

    def land(self, landing: Landed) -> None:
        if landing.segment.start >= self._earliest_start():
            insort(self._waiting, landing, key=_start)

    def publish_until(self, moment: Micros) -> None:
        """Publish whatever is due before `moment`; nothing else lands before that."""
        while self._waiting:
            competing = self._competing()
            chosen = max(competing, key=_strength)
            if self._due(chosen, competing) >= moment:
                return
            self.published.append(chosen.segment)
            del self._waiting[: bisect_left(self._waiting, self._earliest_start(), key=_start)]

    def _earliest_start(self) -> Micros:
        """What starts before this lies behind the end of what is published."""
        return self.published[-1].end - TOLERANCE if self.published else 0

    def _competing(self) -> list[Landed]:
        """Those that start within the tolerance of the earliest: at most one is published."""
        limit = self._waiting[0].segment.start + TOLERANCE
        return self._waiting[: bisect_right(self._waiting, limit, key=_start)]

    def _due(self, chosen: Landed, competing: list[Landed]) -> Micros:
        segment = chosen.segment
        if segment.type is SegmentType.FULL and self._joins_on(segment):
            return chosen.landed
        # The moment's first candidate decides how long to wait: more of them must not prolong it.
        return min(landing.landed for landing in competing) + self._patience

    def _joins_on(self, segment: Segment) -> bool:
        end = self.published[-1].end if self.published else self._start
        return end is None or segment.start <= end + TOLERANCE


def _start(landing: Landed) -> Micros:
    return landing.segment.start


_RANK = {SegmentType.FULL: 2, SegmentType.SUSPECT: 1, SegmentType.PARTIAL: 0}


def _strength(landing: Landed) -> tuple[int, Micros, int, str]:
    segment = landing.segment
    duration = segment.duration if segment.type is SegmentType.FULL else 0
    return _RANK[segment.type], duration, landing.size_bytes, segment.hash
