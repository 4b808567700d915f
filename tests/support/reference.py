"""Which frames a cut must have, and when each is shown: by decoding everything and trying every
frame, in fractions, as slowly as it takes. What cuts really do is compared with this.

The rules: a frame's wall time is t = start + (PTS - lowest PTS of its segment) / 90000; it belongs
to [a, b) if and only if a <= t + 0.5 ms < b. Where segments overlap, the later one counts from
where the earlier ends. While time stamps go on from one segment to the next, output time follows
them: each frame takes the nearest slot of the grid, or is dropped if that is taken; elsewhere the
next frame takes the next slot.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from common.times import SECOND, Micros, TimeRange, parse_hour
from tests.support.decode import decode_pictures
from tests.support.transport import CLOCK_HZ, PACKET_BYTES, STAMP_WRAP, read_transport

HALF_MILLISECOND = Fraction(1, 2000)
TOUCHING = Fraction(1, 100)
"""Segments that overlap by less count as following each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A segment as it lies in a store; times in microseconds."""

    start: Micros
    duration: Micros
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """A frame of a segment. `time` is its wall time in seconds."""

    segment: int
    number: int | None
    pts: int
    time: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A frame that must be in the cut, and its slot on the output's grid."""

    number: int | None
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All frames of all segments in order of display, segment by segment."""

    sources: tuple[Source, ...]
    frames: tuple[SourceFrame, ...]

    def of_segment(self, index: int) -> list[SourceFrame]:
        return [frame for frame in self.frames if frame.segment == index]


def read_store(quality_dir: Path) -> list[Source]:
    """The segments in a store's folder of a quality, by their names alone."""
    found = []
    for path in quality_dir.glob("*/*-full-*.ts"):
        moment, duration, *_ = path.name.split("-")
        minute, second = moment.split(":")
        start = parse_hour(path.parent.name) + round((int(minute) * 60 + Fraction(second)) * SECOND)
        length = round(Fraction(duration) * SECOND)
        found.append(Source(start=start, duration=length, data=path.read_bytes()))
    return sorted(found, key=lambda source: source.start)


def record(sources: Sequence[Source]) -> Recording:
    """Decode the segments, one after the other as they are given."""
    transport = read_transport(b"".join(source.data for source in sources))
    ends = list(accumulate(len(source.data) // PACKET_BYTES for source in sources))
    numbers = {picture.index: picture.number for picture in decode_pictures(transport.units)}
    frames: list[SourceFrame] = []
    for index, source in enumerate(sources):
        held = [
            (unit.pts, numbers.get(position))
            for position, unit in enumerate(transport.units)
            if bisect_right(ends, unit.packet) == index
        ]
        frames += _timed(index, source, held)
    return Recording(sources=tuple(sources), frames=tuple(frames))


def _timed(index: int, source: Source, held: list[tuple[int, int | None]]) -> list[SourceFrame]:
    if not held:
        return []
    some = held[0][0]
    lowest = min(_after(pts, some) for pts, _ in held)
    frames = [
        SourceFrame(
            segment=index,
            number=number,
            pts=pts,
            time=Fraction(source.start, SECOND) + Fraction(_after(pts, some) - lowest, CLOCK_HZ),
        )
        for pts, number in held
    ]
    return sorted(frames, key=lambda frame: frame.time)


def _after(later: int, earlier: int) -> int:
    """How many ticks `later` is after `earlier`, the shorter way round."""
    ticks = (later - earlier) % STAMP_WRAP
    return ticks if ticks < STAMP_WRAP // 2 else ticks - STAMP_WRAP


def expected_frames(
    recording: Recording, ranges: Iterable[TimeRange], frame_rate: Fraction
) -> list[Expected]:
    """The frames of a cut of these ranges with hard cuts, in order of display."""
    made: list[Expected] = []
    for span in ranges:
        made += _one_range(recording, span, frame_rate, made[-1].slot + 1 if made else 0)
    return made


def expected_numbers(
    recording: Recording, ranges: Iterable[TimeRange], frame_rate: Fraction
) -> list[int | None]:
    return [frame.number for frame in expected_frames(recording, ranges, frame_rate)]


def _one_range(
    recording: Recording, span: TimeRange, frame_rate: Fraction, free: int
) -> list[Expected]:
    made: list[Expected] = []
    origin: tuple[int, int] | None = None
    before: list[SourceFrame] = []
    for index in range(len(recording.sources)):
        frames = recording.of_segment(index)
        if not _goes_on(before, frames, index, frame_rate):
            origin = None
        before = frames
        for frame in frames:
            if not _belongs(recording, frame, span):
                continue
            origin = origin or (frame.pts, free)
            steps = Fraction(_after(frame.pts, origin[0]), CLOCK_HZ) * frame_rate
            slot = origin[1] + (steps + Fraction(1, 2)).__floor__()
            if slot >= free:
                made.append(Expected(number=frame.number, slot=slot))
                free = slot + 1
    return made


def _goes_on(
    before: list[SourceFrame], after: list[SourceFrame], index: int, frame_rate: Fraction
) -> bool:
    """Whether the stamps of a segment go on where those of the one before end."""
    if not before or not after or before[-1].segment != index - 1:
        return False
    late = _after(after[0].pts, before[-1].pts) - CLOCK_HZ / frame_rate
    return abs(late) <= CLOCK_HZ / frame_rate / 2


def _belongs(recording: Recording, frame: SourceFrame, span: TimeRange) -> bool:
    moment = frame.time + HALF_MILLISECOND
    begin = Fraction(span.start, SECOND)
    source = recording.sources[frame.segment]
    ends = [earlier.start + earlier.duration for earlier in recording.sources[: frame.segment]]
    reached = Fraction(max(ends, default=source.start), SECOND)
    if reached - Fraction(source.start, SECOND) > TOUCHING:
        begin = max(begin, reached)
    return begin <= moment < Fraction(span.end, SECOND)
