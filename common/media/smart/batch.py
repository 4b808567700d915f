"""Several segments in a row as one: numpy takes hardly longer for four of them than for one.

Most of a long cut is segments of one form, each going on where the one before ends, and everything
in them is wanted. What is not so raises `Unfit`, and its segments are taken one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from common.media.job import Piece
from common.media.smart.packets import PACKET_BYTES, Ints, Tables, Unfit, parse
from common.media.smart.segment import (
    SourceSegment,
    are_unlike_names,
    in_place,
    load_usual,
    named_duration,
)
from common.media.smart.sound import read_sound
from common.media.timeline import belongs
from common.times import TimeRange

_RATE_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`segment` is all of them; the segment of `pieces[i]` has the units from `firsts[i]` on."""

    pieces: tuple[Piece, ...]
    segment: SourceSegment
    firsts: tuple[int, ...]

    def apart(self) -> list[SourceSegment]:
        """The single segments, as long as nothing in them has been changed. Raises MediaError."""
        packets = self.segment.packets
        if packets is None:
            raise RuntimeError("a batch is always of packets")
        edges = [*(packets.begins * PACKET_BYTES).tolist(), len(packets.data)]
        return [
            load_usual(Path(piece.path), packets.data[begin:end], packets.tables)
            for piece, (begin, end) in zip(self.pieces, pairwise(edges), strict=True)
        ]


def load_batch(
    pieces: Sequence[Piece], data: memoryview, sizes: Sequence[int], known: Tables | None
) -> Batch:
    """Parse the segments of `pieces`, which stand in `data` one behind the other and have so many
    bytes each.

    Raises Unfit if they are not alike, or if not all that they show is wanted.
    """
    if any(size % PACKET_BYTES for size in sizes):
        raise Unfit("a segment has not a whole number of packets")
    begins = [end // PACKET_BYTES for end in accumulate(sizes[:-1], initial=0)]
    packets = parse(data, known, begins)
    segment = in_place(packets, read_sound(packets))
    firsts = np.searchsorted(packets.units.row, packets.begins)
    _check(pieces, segment, firsts)
    return Batch(pieces=tuple(pieces), segment=segment, firsts=tuple(firsts.tolist()))


def _check(pieces: Sequence[Piece], segment: SourceSegment, firsts: Ints) -> None:
    counts = np.diff(firsts, append=len(segment))
    if (counts < 2).any():
        raise Unfit("a segment has hardly a frame")
    earliest = np.minimum.reduceat(segment.pts, firsts)
    spans = np.maximum.reduceat(segment.pts, firsts) - earliest
    steps = spans / (counts - 1)
    if (abs(steps / steps[0] - 1) > _RATE_TOLERANCE).any():
        raise Unfit("the rate of frames changes, or some are missing")
    if (abs(earliest[1:] - (earliest + spans)[:-1] - steps[0]) * 2 > steps[0]).any():
        raise Unfit("a segment does not continue the one before")
    named = [named_duration(Path(piece.path)) for piece in pieces]
    if None in named or are_unlike_names(spans, counts, np.array(named)).any():
        raise Unfit("a segment is not as long as its name says")
    if not _all_wanted(pieces, spans):
        raise Unfit("not all of it is wanted")


def _all_wanted(pieces: Sequence[Piece], spans: Ints) -> bool:
    """Whether the first and the last frame of each segment belong to the one range of all."""
    bounds = {(piece.from_time, piece.to_time) for piece in pieces}
    start, end = bounds.pop()
    if bounds or start >= end:
        return False
    wanted = TimeRange(start, end)
    starts = np.array([piece.start for piece in pieces], np.int64)
    both = np.concatenate((belongs(starts, 0 * spans, wanted), belongs(starts, spans, wanted)))
    return bool(both.all())
