"""Which frames belong to a cut, and when each is shown: exact, in integers.

A frame's wall time is `t = start + (PTS - first PTS of its segment) / 90000`, with `start` from the
segment's name in microseconds. A microsecond is 9/100 of a tick, so times are compared in units of
1/9 µs, where all of this is whole numbers and nothing is rounded.

A frame belongs to the range [a, b) if and only if `a <= t + 0.5 ms < b`: bounds are posted in
milliseconds or microseconds, and one that is a frame's own time, rounded, must mean that frame.

Output time lies on a grid of whole frames: frame k is shown at `floor(k * 90000 / fps)`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from common.times import Micros, TimeRange

CLOCK_HZ = 90_000
"""MPEG-TS counts time in ticks of 1/90000 s (ISO/IEC 13818-1, 2.4.3.7)."""

Ticks = npt.NDArray[np.int64]
Stamps = Sequence[int] | Ticks
"""Time stamps in ticks."""

N = TypeVar("N", int, Ticks)

PTS_WRAP = 1 << 33
"""Time stamps have 33 bits; they start again from 0 after 26.5 hours."""

_NINTHS = 9  # of a microsecond
_NINTHS_PER_TICK = 100
_BOUND_SLACK = 500 * _NINTHS  # 0.5 ms

# Frame rates that exist; a measured one is taken for the nearest of them within 0.2 %.
_RATES = tuple(
    rate
    for nominal in (24, 25, 30, 48, 50, 60, 90, 100, 120)
    for rate in (Fraction(nominal), Fraction(nominal * 1000, 1001))
)


def wrapped_difference(later: N, earlier: int) -> N:
    """`later - earlier` in ticks, the nearest value modulo 2^33. `later` may be an array."""
    return (later - earlier + PTS_WRAP // 2) % PTS_WRAP - PTS_WRAP // 2


def unwrap(stamps: Sequence[int]) -> list[int]:
    """The stamps as differences from the first that do not jump at 2^33, plus the first itself."""
    if not stamps:
        return []
    first = stamps[0]
    return [first + wrapped_difference(stamp, first) for stamp in stamps]


def frames_in_range(start: Micros, offsets: Stamps, span: TimeRange) -> list[int]:
    """Indices of the frames that belong to `span`.

    `start` is the wall time of the segment, `offsets` are the frames' ticks after its first.
    """
    return np.flatnonzero(belongs(start, offsets, span)).tolist()


def belongs(start: Micros | Ticks, offsets: Stamps, span: TimeRange) -> "npt.NDArray[np.bool_]":
    """For each frame whether it belongs to `span`; see `frames_in_range`. Each may be of a segment
    of its own.
    """
    times = np.asarray(offsets, np.int64) * _NINTHS_PER_TICK + (start * _NINTHS + _BOUND_SLACK)
    inside: npt.NDArray[np.bool_] = (times >= span.start * _NINTHS) & (times < span.end * _NINTHS)
    return inside


def bound_before(start: Micros, offsets: Sequence[int], index: int) -> Micros:
    """The bound of a range that parts frame `index` from those before it: its own time, rounded.

    `start` and `offsets` are those of `frames_in_range`; offsets are sorted, each once.
    """
    own = start + round(Fraction(offsets[index] * _NINTHS_PER_TICK, _NINTHS))
    if not index:
        return own
    # Broken sources have frames that are nearer to each other than the bounds' slack.
    before = start * _NINTHS + offsets[index - 1] * _NINTHS_PER_TICK + _BOUND_SLACK
    return max(own, before // _NINTHS + 1)


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


def frame_rate(offsets: Stamps) -> Fraction | None:
    """The rate in frames per second; None for a single frame. `offsets` are sorted.

    Frames are counted by the median step; then the line through all of them tells the rate, so
    that steps of 1501 and 1502 (59.94 fps), jitter, missing and crowded frames do not matter.
    """
    steps = np.diff(np.asarray(offsets, np.int64))
    steps = steps[steps > 0]
    if not steps.size:
        return None
    middle = np.sort(steps)[(steps.size - 1) // 2]
    counts = np.concatenate(([0], np.cumsum(np.rint(steps / middle))))
    counts -= counts.mean()
    times = np.concatenate(([0], np.cumsum(steps)))
    step = float((counts * times).sum() / (counts * counts).sum())
    measured = Fraction(CLOCK_HZ / step)
    nearest = min(_RATES, key=lambda rate: abs(rate - measured))
    if abs(nearest - measured) * 500 <= nearest:
        return nearest
    return measured.limit_denominator(1001)


def grid_time(slot: N, rate: Fraction) -> N:
    """When slot `slot` (or each of an array) is shown, in ticks after slot 0."""
    return slot * (CLOCK_HZ * rate.denominator) // rate.numerator


def nearest_slot(ticks: N, rate: Fraction) -> N:
    """The slot whose time is nearest to `ticks` (or each of an array) after slot 0."""
    scaled = 2 * ticks * rate.numerator + CLOCK_HZ * rate.denominator
    return scaled // (2 * CLOCK_HZ * rate.denominator)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a segment's wanted frames go.

    The frame with time stamp `kept[i]` goes to slot `numbers[i]` of the output's grid, whose time
    is `ticks[i]`; frames whose slot is taken are left out. `joined` is true where the segment's
    time does not continue that of the one before. Output time of any other time stamp p of the
    segment (its audio) is `origin_ticks + (p - origin_pts)` modulo 2^33.
    """

    kept: Ticks
    numbers: Ticks
    ticks: Ticks
    joined: bool
    origin_pts: int
    origin_ticks: int

    @cached_property
    def slots(self) -> dict[int, int]:
        """The slot of each kept frame, by its time stamp."""
        return dict(zip(self.kept.tolist(), self.numbers.tolist(), strict=True))


class Grid:
    """Places the wanted frames of one segment after the other on the output's grid.

    Within a run of segments whose PTS continue, output time follows PTS, snapped to the grid: a
    gap stays a gap of whole frames, a frame whose slot is taken is dropped. Where PTS do not
    continue, or a new range begins, the next frame takes the next slot.
    """

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self.next_slot = 0
        self._epoch = (0, 0)  # a slot and its time, from which this rate counts
        self._origin: tuple[int, int] | None = None  # a run's first PTS and its slot
        self._last_pts: int | None = None
        self._last_step = grid_time(1, rate)

    def time_of(self, slot: N) -> N:
        """When `slot` (or each of an array) is shown, in ticks after slot 0.

        Those to come move when the rate changes.
        """
        return self._epoch[1] + grid_time(slot - self._epoch[0], self.rate)

    def fork(self) -> "Grid":
        """A grid of its own that goes on from here."""
        return copy.copy(self)

    def skip(self, frames: int) -> None:
        """Leave so many slots to others."""
        self.next_slot += frames

    def begin_range(self) -> None:
        """What follows is another range (or follows a hole): it joins on, whatever its PTS say."""
        self._origin = None
        self._last_pts = None

    def change_rate(self, rate: Fraction) -> None:
        """From the next slot on frames are shown at another rate, as the source's are."""
        self._epoch = (self.next_slot, self.time_of(self.next_slot))
        self.rate = rate
        self._origin = None

    def continues(self, first_pts: int) -> bool:
        """Whether a segment whose first frame has this PTS continues the one before."""
        if self._last_pts is None:
            return False
        late = wrapped_difference(first_pts, self._last_pts) - self._last_step
        return abs(late) * 2 <= self._last_step

    def place(self, stamps: Stamps, wanted: Stamps) -> Placement | None:
        """Place `wanted` (PTS in order of display) out of all the segment's `stamps` (likewise).

        None if nothing is wanted.
        """
        everything = np.asarray(stamps, np.int64)
        chosen = np.asarray(wanted, np.int64)
        joined = self._origin is None or not (
            everything.size and self.continues(int(everything[0]))
        )
        if everything.size:
            self._last_pts = int(everything[-1])
            # A source may change its rate: a frame is as long as those of its own segment.
            steps = np.sort(np.diff(everything))
            self._last_step = int(steps[(len(steps) - 1) // 2]) if steps.size else self._last_step
        if not chosen.size:
            return None
        if joined or self._origin is None:
            self._origin = (int(chosen[0]), self.next_slot)
        first_pts, first_slot = self._origin
        numbers = first_slot + nearest_slot(wrapped_difference(chosen, first_pts), self.rate)
        reached = np.maximum.accumulate(np.append(self.next_slot - 1, numbers))
        free = numbers > reached[:-1]
        self.next_slot = int(reached[-1]) + 1
        placement = Placement(
            kept=chosen[free],
            numbers=numbers[free],
            ticks=self._epoch[1] + grid_time(numbers[free] - self._epoch[0], self.rate),
            joined=joined,
            origin_pts=first_pts,
            origin_ticks=self.time_of(first_slot),
        )
        self._move_origin()
        return placement

    def _move_origin(self) -> None:
        """Restart the run's arithmetic at a frame that lies on the grid exactly, once a while.

        Long runs would leave the range of a wrapped difference.
        """
        if self._origin is None:
            return
        first_pts, first_slot = self._origin
        # A second of whole frames is a whole number of ticks times the rate's denominator.
        period = self.rate.numerator
        periods = (self.next_slot - 1 - first_slot) // period
        if periods > 0:
            moved = (first_pts + periods * CLOCK_HZ * self.rate.denominator) % PTS_WRAP
            self._origin = (moved, first_slot + periods * period)
