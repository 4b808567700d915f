"""The best sequence of segments for a range of time, with every hole explicit.

Several segments may cover the same moment: nodes fetch independently, transfers break, origins
repeat themselves. `best_sequence` decides which of them to use. All nodes decide alike, since only
the segments themselves count, never the order in which they are listed.

1. Starts within `TOLERANCE` compete as one: `full` beats `suspect` beats `partial`. Among fulls the
   longest wins, then the largest file, then the highest hash; among the rest the largest file.
   What is still equal is decided by the name, so that no order of listing ever decides.
2. Of whole sequences of the winners the one with the most time covered by fulls wins, then by
   suspects, then by partials, then the one with the fewest segments. What lies wholly inside of
   what is used already is never added.
3. Neighbours that meet within `TOLERANCE` are contiguous; what is missing is a `Hole`. Whatever
   follows a segment that is not full is preceded by a hole, if need be of length zero.
4. An overlap above `TOLERANCE` is no hole: both are used, the later from where the earlier ends.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from common.segments.path import Segment, SegmentType
from common.times import Micros, TimeRange

TOLERANCE: Micros = 10_000
"""Stamps this close mean the same moment: real nodes and origins differ by a few milliseconds."""

_RANK = {SegmentType.FULL: 2, SegmentType.SUSPECT: 1, SegmentType.PARTIAL: 0}


@dataclass(frozen=True, slots=True)
class Hole:
    """[start, end) is not recorded. Its length is zero where only continuity is in doubt."""

    start: Micros
    end: Micros


Sequence = tuple[Segment | Hole, ...]
SizeOf = Callable[[Segment], int]

# Time covered by fulls, by suspects, by partials, minus the number of segments.
_Value = tuple[int, int, int, int]


def best_sequence(
    segments: Iterable[Segment], span: TimeRange, *, size_of: SizeOf = lambda segment: 0
) -> Sequence:
    """The best segments for `span`, in order, and the holes between, before and after them.

    The first and the last segment may reach out of the span. `size_of` gives a file's bytes; it is
    asked only where starts compete. Empty segments (duration 0) are never used.
    """
    inside = (
        segment
        for segment in segments
        if segment.type in _RANK
        and segment.duration > 0
        and segment.start < span.end
        and segment.end > span.start
    )
    winners = _winners(sorted(inside, key=lambda segment: (segment.start, segment.hash)), size_of)
    chosen = [segment for island in _islands(winners) for segment in _best_path(island, span)]
    return tuple(_with_holes(chosen, span))


def _winners(ordered: list[Segment], size_of: SizeOf) -> list[Segment]:
    """One segment for each group of starts within TOLERANCE of the group's first."""
    winners: list[Segment] = []
    group: list[Segment] = []
    for segment in ordered:
        if group and segment.start > group[0].start + TOLERANCE:
            winners.append(_winner(group, size_of))
            group = []
        group.append(segment)
    if group:
        winners.append(_winner(group, size_of))
    return winners


def _winner(group: list[Segment], size_of: SizeOf) -> Segment:
    if len(group) == 1:
        return group[0]
    return max(group, key=lambda segment: _strength(segment, size_of))


def _strength(segment: Segment, size_of: SizeOf) -> tuple[int, Micros, int, str, Micros, str]:
    # The duration of what is not full is only a promise; its size is what arrived.
    duration = segment.duration if segment.type is SegmentType.FULL else 0
    rank = _RANK[segment.type]
    return rank, duration, size_of(segment), segment.hash, -segment.start, segment.name


def _islands(winners: list[Segment]) -> Iterator[list[Segment]]:
    """Split where nothing overlaps: each part can be decided by itself."""
    island: list[Segment] = []
    reach = 0
    for segment in winners:
        # One that ends within reach adds nothing behind it, however little they overlap.
        if island and segment.start >= reach - TOLERANCE and segment.end > reach:
            yield island
            island = []
        reach = max(reach, segment.end) if island else segment.end
        island.append(segment)
    if island:
        yield island


def _best_path(island: list[Segment], span: TimeRange) -> list[Segment]:
    """Dynamic programming over overlapping segments: the best path that ends with each of them.

    Of the paths that have ended where a segment starts only the best can lead to it, so each
    segment is compared with few others, however long the island is.
    """
    if len(island) == 1:
        return island
    values: list[_Value] = []
    previous: list[int | None] = []
    ended: int | None = None  # the best path that ends before the current segment
    reaching: list[int] = []  # earlier segments that reach into the current one, or beyond
    for index, segment in enumerate(island):
        for earlier in reaching:
            if island[earlier].end <= segment.start and (
                ended is None or values[earlier] > values[ended]
            ):
                ended = earlier
        reaching = [earlier for earlier in reaching if island[earlier].end > segment.start]
        candidates = reaching if ended is None else [ended, *reaching]
        best, link = _best_step(island, values, candidates, segment, span)
        values.append(best)
        previous.append(link)
        reaching.append(index)
    at: int | None = max(range(len(island)), key=lambda index: (values[index], -index))
    path: list[Segment] = []
    while at is not None:
        path.append(island[at])
        at = previous[at]
    return path[::-1]


def _best_step(
    island: list[Segment],
    values: list[_Value],
    candidates: list[int],
    segment: Segment,
    span: TimeRange,
) -> tuple[_Value, int | None]:
    """The best path that ends with `segment`: its value, and which of `candidates` it follows."""
    best = _contribution(segment, span.start, span)
    link = None
    for earlier in candidates:
        before = island[earlier]
        if before.end >= segment.end:
            continue  # the later one would add nothing
        value = _add(values[earlier], _contribution(segment, before.end, span))
        if value > best:
            best, link = value, earlier
    return best, link


def _contribution(segment: Segment, covered_until: Micros, span: TimeRange) -> _Value:
    """What `segment` adds behind a path that covers everything up to `covered_until`."""
    start = segment.start if covered_until <= segment.start + TOLERANCE else covered_until
    time = min(segment.end, span.end) - max(start, span.start)
    rank = _RANK[segment.type]
    time = max(time, 0)
    return (time * (rank == 2), time * (rank == 1), time * (rank == 0), -1)


def _add(one: _Value, other: _Value) -> _Value:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def _with_holes(chosen: list[Segment], span: TimeRange) -> Iterator[Segment | Hole]:
    if not chosen:
        yield Hole(span.start, span.end)
        return
    if chosen[0].start > span.start + TOLERANCE:
        yield Hole(span.start, chosen[0].start)
    yield chosen[0]
    for earlier, later in pairwise(chosen):
        if later.start > earlier.end + TOLERANCE:
            yield Hole(earlier.end, later.start)
        elif earlier.type is not SegmentType.FULL:
            yield Hole(later.start, later.start)
        yield later
    if chosen[-1].end < span.end - TOLERANCE:
        yield Hole(chosen[-1].end, span.end)
