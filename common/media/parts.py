"""How ranges and the transitions between them become one output: the arithmetic. Pure.

A transition of n frames shows the last n frames of the range before it together with the first n of
the range after it, so the output is n frames shorter than the ranges:

    range 1   0 1 2 3 4 5 6 7                 clip: 0 to 4
    range 2             0 1 2 3 4 5 6 7       overlap: 5 to 7 with 0 to 2; clip: 3 to 7
    slot      0 1 2 3 4 5 6 7 8 9 ...

`arrange` tells which part of the output comes from where; `split` finds a transition's edge among
the segments of a range without counting the frames of all of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from common.errors import BadParameter


def transition_frames(seconds: float, rate: Fraction) -> int:
    """How many frames a transition of `seconds` lasts at `rate` frames per second."""
    return max(1, round(Fraction(seconds) * rate))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`length` of the output, from `start` on: of range `index` alone, or, with `overlap`, of that
    range and the next one together. `first` is where in range `index` the part begins.
    """

    index: int
    overlap: bool
    first: int
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def arrange(lengths: Sequence[int], overlaps: Sequence[int]) -> list[Part]:
    """The parts of the output, in order and without gaps between them.

    `lengths` are those of the ranges, `overlaps` those of the transitions between each and the next
    (0 is a hard cut), all in one unit: frames, or microseconds. A range that its transitions use up
    has no part of its own. Raises BadParameter, naming the range, if a transition does not fit.
    """
    parts: list[Part] = []
    start = 0
    for index, (head, length, tail) in enumerate(
        zip((0, *overlaps), lengths, (*overlaps, 0), strict=True)
    ):
        check_fit(index, length, head, tail)
        inner = length - head - tail
        if inner:
            parts.append(Part(index=index, overlap=False, first=head, start=start, length=inner))
        start += inner
        if tail:
            parts.append(
                Part(index=index, overlap=True, first=length - tail, start=start, length=tail)
            )
        start += tail
    return parts


def positions(lengths: Sequence[int], overlaps: Sequence[int]) -> list[tuple[int, int]]:
    """Where in the output each range is seen, its transitions included: from, and up to."""
    found = []
    start = 0
    for length, tail in zip(lengths, (*overlaps, 0), strict=True):
        found.append((start, start + length))
        start += length - tail
    return found


def check_fit(index: int, length: int, head: int, tail: int) -> None:
    """Raises BadParameter if range `index` is too short for the transition before it (`head`), the
    one after it (`tail`), or for both together.
    """
    number = index + 1
    if head > length:
        raise BadParameter("transition", f"the one before range {number} is longer than that range")
    if tail > length:
        raise BadParameter("transition", f"the one after range {number} is longer than that range")
    if head + tail > length:
        raise BadParameter(
            "transition", f"the ones before and after range {number} overlap within it"
        )


class Position(NamedTuple):
    """A place in a range: before the given frame of the given segment, both counted from 0."""

    segment: int
    frame: int


def split(
    segment_count: int, frames_of: Callable[[int], int], *, index: int, head: int, tail: int
) -> tuple[Position, Position]:
    """Where the first `head` frames of range `index` end, and where its last `tail` begin.

    `frames_of` counts a segment's frames; it is asked only as far as needed. Raises BadParameter,
    naming the range, if they do not fit into it.
    """
    forwards = range(segment_count)
    after_head = Position(0, 0)
    before_tail = Position(segment_count, 0)
    found = True
    if head:
        segment, excess = _reach(forwards, frames_of, head)
        after_head = Position(segment, frames_of(segment) - excess)
        found = excess >= 0
    if tail:
        segment, excess = _reach(reversed(forwards), frames_of, tail)
        before_tail = Position(segment, excess)
        found = found and excess >= 0
    if not found or after_head > before_tail:
        check_fit(index, sum(map(frames_of, forwards)), head, tail)
    return after_head, before_tail


def _reach(
    segments: Iterable[int], frames_of: Callable[[int], int], frames: int
) -> tuple[int, int]:
    """The segment in which `frames` are reached, and by how many it exceeds them; below 0 if all
    segments together have too few.
    """
    missing = frames
    segment = 0
    for segment in segments:
        missing -= frames_of(segment)
        if missing <= 0:
            break
    return segment, -missing
