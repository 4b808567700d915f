"""What an hour's listing covers. Pure.

An hour is judged as a cut of exactly that hour would be: by the best sequence of what starts in it
and of what reaches into it from the hour before (`common.segments.select`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from common.segments.path import Segment, SegmentType, Tombstone
from common.segments.select import TOLERANCE, Hole, Sequence, SizeOf, best_sequence
from common.times import HOUR, Micros, TimeRange
from segment_coverage.spans import Span, Spans, clip, union, without

_MOST_RUNS = 1000
KINDS = (SegmentType.FULL, SegmentType.SUSPECT, SegmentType.PARTIAL)
"""Of segments that are recorded, the best first."""


@dataclass(frozen=True, slots=True)
class Run:
    """[start, end) is covered without a gap by segments of one type."""

    start: Micros
    end: Micros
    type: SegmentType


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many segments, and how long they are together."""

    count: int = 0
    duration: Micros = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(count=self.count + other.count, duration=self.duration + other.duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCoverage:
    """`tallies` and `hidden` count what starts in the hour. `raw` is all that any visible segment
    covers, `runs` what the best sequence uses, both within the hour. `overlaps` are where two
    segments of the best sequence cover the same time. `tombstoned` is what the hour's own
    tombstones and the segments that are hidden in it cover; it may reach beyond the hour, and so do
    the segments in `reaching`.
    """

    tallies: dict[SegmentType, Tally] = field(default_factory=dict)
    hidden: int = 0
    raw: Spans = ()
    runs: tuple[Run, ...] = ()
    overlaps: Tally = Tally()
    tombstoned: Spans = ()
    reaching: tuple[Segment, ...] = ()


def analyse(
    start: Micros,
    segments: Iterable[Segment],
    *,
    hidden: Iterable[Segment] = (),
    tombstones: Iterable[Tombstone] = (),
    before: tuple[Segment, ...] = (),
    size_of: SizeOf = lambda segment: 0,
) -> HourCoverage:
    """The coverage of the hour that begins at `start`.

    `segments` are those that may be shown, sorted by start; `before` is what reaches into this hour
    from the one before, its `reaching`.
    """
    visible = tuple(segments)
    gone = tuple(hidden)
    span = TimeRange(start, start + HOUR)
    everything = (*before, *visible)
    used = _used_plainly(everything, span) or _used(everything, span, size_of)
    deleted = [(entry.start, entry.end) for entry in gone]
    deleted += [(entry.start, entry.end) for entry in tombstones]
    return HourCoverage(
        tallies=_tallies(visible),
        hidden=len(gone),
        raw=used.raw,
        runs=used.runs,
        overlaps=used.overlaps,
        tombstoned=union(deleted, tolerance=TOLERANCE),
        reaching=tuple(entry for entry in everything if entry.end > span.end),
    )


@dataclass(frozen=True, slots=True)
class _Used:
    """See HourCoverage."""

    raw: Spans
    runs: tuple[Run, ...]
    overlaps: Tally


def _used_plainly(segments: Iterable[Segment], span: TimeRange) -> _Used | None:
    """The same as `_used` for nearly every hour, in a fifth of the time: all that is there is full
    and comes one after the other, so there is nothing to choose. None for all other hours.
    """
    stretches: list[Span] = []
    first = 0
    end: Micros | None = None
    for segment in segments:
        start, duration = segment.start, segment.duration
        if segment.type is not SegmentType.FULL or duration <= 2 * TOLERANCE:
            return None
        if end is None:
            first = start
        elif start > end + TOLERANCE:
            stretches.append((first, end))
            first = start
        elif start < end - TOLERANCE:
            return None
        end = start + duration
    if end is not None:
        stretches.append((first, end))
    raw = _within(stretches, span)
    runs = tuple(Run(first, last, SegmentType.FULL) for first, last in raw)
    return _Used(raw, runs, Tally())


def _used(segments: tuple[Segment, ...], span: TimeRange, size_of: SizeOf) -> _Used:
    sequence = best_sequence(segments, span, size_of=size_of)
    covered = union(((entry.start, entry.end) for entry in segments), tolerance=TOLERANCE)
    runs = tuple(_runs(sequence, span))
    return _Used(_within(covered, span), runs, _overlaps(sequence, span))


def _within(stretches: Iterable[Span], span: TimeRange) -> Spans:
    """The parts within the span; what comes within the tolerance of its edges reaches them."""
    return tuple(
        (
            span.start if first <= span.start + TOLERANCE else first,
            span.end if last >= span.end - TOLERANCE else last,
        )
        for first, last in clip(stretches, span.start, span.end)
    )


def _tallies(segments: tuple[Segment, ...]) -> dict[SegmentType, Tally]:
    durations: dict[SegmentType, list[Micros]] = {kind: [] for kind in KINDS}
    for segment in segments:
        durations[segment.type].append(segment.duration)
    return {kind: Tally(count=len(found), duration=sum(found)) for kind, found in durations.items()}


def _runs(sequence: Sequence, span: TimeRange) -> Iterator[Run]:
    """What meets within the tolerance leaves no gap, also at the edges of the span."""
    used = [entry for entry in sequence if isinstance(entry, Segment)]
    if not used:
        return
    covered = span.start  # what is used already counts from where the earlier ends
    first, end, kind = span.start, span.start, used[0].type
    if used[0].start > span.start + TOLERANCE:
        first = end = covered = used[0].start
    for segment in used:
        follows = segment.start <= covered + TOLERANCE
        if segment.type is not kind or not follows:
            if first < end:
                yield Run(first, end, kind)
            first, kind = end if follows else segment.start, segment.type
        end = covered = min(max(covered, segment.end), span.end)
    if end >= span.end - TOLERANCE:
        end = span.end
    if first < end:
        yield Run(first, end, kind)


def _overlaps(sequence: Sequence, span: TimeRange) -> Tally:
    count = duration = 0
    earlier: Segment | None = None
    for entry in sequence:
        if isinstance(entry, Hole):
            # One of length zero only says that the earlier one is not full.
            earlier = earlier if entry.start == entry.end else None
            continue
        if earlier and earlier.end - entry.start > TOLERANCE and entry.start >= span.start:
            count += 1
            duration += earlier.end - entry.start
        earlier = entry
    return Tally(count=count, duration=duration)


def spans_of(runs: Iterable[Run], kind: SegmentType | None = None) -> Iterator[Span]:
    """The stretches of runs, of one type if it is given."""
    return ((run.start, run.end) for run in runs if kind is None or run.type is kind)


def runs_of(start: Micros, segments: Iterable[Segment]) -> tuple[Run, ...]:
    """What another node's segments of the hour from `start` on cover, the best type first.

    No sequence is chosen among them: a node that means harm could make that take for ever. What
    they cover of the following hour counts too, since nobody else tells of it. Of more pieces than
    any recording has the first count.
    """
    found: list[Run] = []
    covered: Spans = ()
    listed = list(segments)
    for kind in KINDS:
        stretches = [(entry.start, entry.end) for entry in listed if entry.type is kind]
        within = union(clip(stretches, start, start + 2 * HOUR), tolerance=TOLERANCE)
        found += (Run(first, last, kind) for first, last in without(within, covered))
        covered = union((*covered, *within))
    return tuple(sorted(found, key=lambda run: run.start)[:_MOST_RUNS])
