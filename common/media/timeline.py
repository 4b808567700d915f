"""Which frames belong to a cut, and when each is shown: exact, in integers.

A frame's wall time is `t = start + (PTS - first PTS of its segment) / 90000`, with `start` from the
segment's name in microseconds. A microsecond is 9/100 of a tick, so times are compared in units of
1/9 µs, where all of this is whole numbers and nothing is rounded.

A frame belongs to the range [a, b) if and only if `a <= t + 0.5 ms < b`: bounds are posted in
milliseconds or microseconds, and one that is a frame's own time, rounded, must mean that frame.

Output time lies on a grid of whole frames: frame k is shown at `floor(k * 90000 / fps)`.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

from common.times import Micros, TimeRange

CLOCK_HZ = 90_000
"""MPEG-TS counts time in ticks of 1/90000 s (ISO/IEC 13818-1, 2.4.3.7)."""

PTS_WRAP = 1 << 33
"""Time stamps have 33 bits; they start again from 0 after 26.5 hours."""

_NINTHS = 9  # of a microsecond
_NINTHS_PER_TICK = 100
_BOUND_SLACK = 500 * _NINTHS  # 0.5 ms

# Frame rates that exist; a measured step is taken for the nearest of them within 0.1 %.
_RATES = tuple(
    rate
    for nominal in (24, 25, 30, 48, 50, 60, 90, 100, 120)
    for rate in (Fraction(nominal), Fraction(nominal * 1000, 1001))
)


def wrapped_difference(later: int, earlier: int) -> int:
    """`later - earlier` in ticks, taken as the nearest value modulo 2^33."""
    return (later - earlier + PTS_WRAP // 2) % PTS_WRAP - PTS_WRAP // 2


def unwrap(stamps: Sequence[int]) -> list[int]:
    """The stamps as differences from the first that do not jump at 2^33, plus the first itself."""
    if not stamps:
        return []
    first = stamps[0]
    return [first + wrapped_difference(stamp, first) for stamp in stamps]


def frames_in_range(start: Micros, offsets: Sequence[int], span: TimeRange) -> list[int]:
    """Indices of the frames that belong to `span`.

    `start` is the wall time of the segment, `offsets` are the frames' ticks after its first.
    """
    base = start * _NINTHS + _BOUND_SLACK
    low, high = span.start * _NINTHS, span.end * _NINTHS
    return [
        index
        for index, offset in enumerate(offsets)
        if low <= base + offset * _NINTHS_PER_TICK < high
    ]


def frame_at(start: Micros, offsets: Sequence[int], moment: Micros) -> int | None:
    """The index of the last frame with `t <= moment + 0.5 ms`, or None if all are later.

    `offsets` are sorted.
    """
    limit = (moment - start) * _NINTHS + _BOUND_SLACK
    found = None
    for index, offset in enumerate(offsets):
        if offset * _NINTHS_PER_TICK > limit:
            break
        found = index
    return found


def frame_rate(offsets: Sequence[int]) -> Fraction | None:
    """The rate in frames per second that the median step stands for; None for a single frame."""
    steps = [after - before for before, after in itertools.pairwise(offsets)]
    steps = [step for step in steps if step > 0]
    if not steps:
        return None
    # At 59.94 fps steps of 1501 and 1502 alternate: the mean of the usual steps tells the rate.
    middle = median_low(steps)
    usual = [step for step in steps if abs(step - middle) <= max(1, middle // 8)]
    measured = Fraction(CLOCK_HZ * len(usual), sum(usual))
    nearest = min(_RATES, key=lambda rate: abs(rate - measured))
    if abs(nearest - measured) * 1000 <= nearest:
        return nearest
    return measured.limit_denominator(1001)


def grid_time(slot: int, rate: Fraction) -> int:
    """When slot `slot` is shown, in ticks after slot 0."""
    return slot * CLOCK_HZ * rate.denominator // rate.numerator


def nearest_slot(ticks: int, rate: Fraction) -> int:
    """The slot whose time is nearest to `ticks` after slot 0."""
    scaled = 2 * ticks * rate.numerator + CLOCK_HZ * rate.denominator
    return scaled // (2 * CLOCK_HZ * rate.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a segment's wanted frames go.

    `slots` maps the PTS of each wanted frame to its slot on the output's grid. `joined` is true
    where the segment's time does not continue that of the one before. Output time of any other
    time stamp p of the segment (its audio) is `origin_ticks + (p - origin_pts)` modulo 2^33.
    """

    slots: dict[int, int]
    joined: bool
    origin_pts: int
    origin_ticks: int


class Grid:
    """Places the wanted frames of one segment after the other on the output's grid.

    Within a run of segments whose PTS continue, output time follows PTS, snapped to the grid: a
    gap stays a gap of whole frames, a frame whose slot is taken is dropped. Where PTS do not
    continue, or a new range begins, the next frame takes the next slot.
    """

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self.next_slot = 0
        self._origin: tuple[int, int] | None = None  # a run's first PTS and its slot
        self._last_pts: int | None = None
        self._last_step = grid_time(1, rate)

    def begin_range(self) -> None:
        """What follows is another range (or follows a hole): it joins on, whatever its PTS say."""
        self._origin = None
        self._last_pts = None

    def continues(self, first_pts: int) -> bool:
        """Whether a segment whose first frame has this PTS continues the one before."""
        if self._last_pts is None:
            return False
        late = wrapped_difference(first_pts, self._last_pts) - self._last_step
        return abs(late) * 2 <= self._last_step

    def place(self, stamps: Iterable[int], wanted: Iterable[int]) -> Placement | None:
        """Place `wanted` (PTS in order of display) out of all the segment's `stamps` (likewise).

        None if nothing is wanted.
        """
        everything = list(stamps)
        chosen = list(wanted)
        joined = not (everything and self.continues(everything[0])) or self._origin is None
        if everything:
            self._last_pts = everything[-1]
            # A source may change its rate: a frame is as long as those of its own segment.
            steps = [after - before for before, after in itertools.pairwise(everything)]
            self._last_step = median_low(steps) if steps else self._last_step
        if not chosen:
            return None
        if joined or self._origin is None:
            self._origin = (chosen[0], self.next_slot)
        first_pts, first_slot = self._origin
        slots: dict[int, int] = {}
        for pts in chosen:
            slot = first_slot + nearest_slot(wrapped_difference(pts, first_pts), self.rate)
            if slot >= self.next_slot:
                slots[pts] = slot
                self.next_slot = slot + 1
        # Long runs would leave the range of a wrapped difference: move the origin along.
        self._move_origin(slots)
        return Placement(
            slots=slots,
            joined=joined,
            origin_pts=self._origin[0],
            origin_ticks=grid_time(self._origin[1], self.rate),
        )

    def _move_origin(self, slots: dict[int, int]) -> None:
        """Restart the run's arithmetic at a frame that lies on the grid exactly, once a while."""
        if self._origin is None or not slots:
            return
        first_pts, first_slot = self._origin
        # A second of whole frames is a whole number of ticks times the rate's denominator.
        period = self.rate.numerator
        _pts, slot = next(iter(slots.items()))
        if slot - first_slot < period:
            return
        periods = (slot - first_slot) // period
        moved = (first_pts + periods * CLOCK_HZ * self.rate.denominator) % PTS_WRAP
        self._origin = (moved, first_slot + periods * period)
