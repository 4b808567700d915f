"""A stretch of one range without a hole: its segments, which frames of them are wanted, and what
must be decoded before and behind them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from common.errors import HolesNotAllowed, MediaError
from common.media.job import Piece, Pieces
from common.media.parts import Position
from common.media.probe import Frames, first_key_frame, read_frames
from common.media.request import WHOLE_SEGMENTS, CutRequest, CutType
from common.media.timeline import bound_before, frame_rate, frames_in_range
from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, Sequence
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, TimeRange, format_time

logger = logging.getLogger(__name__)

# How near to a segment's edge a range must end for the neighbour's sound to matter. Real encoders
# put sound up to 32 ms before or after the picture; a decoder warms up over two frames of 21 ms.
_CONTEXT: Micros = SECOND // 10
# How far back a decoder may have to begin: GOPs of 10 s in segments of 1 s are the longest seen.
_MOST_LEAD = 12
# What an audio-only quality counts as frames where none can be read: AAC has 1024 samples in each.
_SOUND_FRAMES_PER_SECOND = Fraction(48_000, 1024)


@dataclass(frozen=True, kw_only=True)
class PlannedPiece:
    """One segment of a stretch. `frames` are wanted of it; `whole` if those are all it has.

    In a fast cut only those that can be decoded behind what is sent before them are `whole`.
    """

    piece: Piece
    frames: int
    whole: bool


Stretch = tuple[PlannedPiece, ...]
"""Segments without a hole between them."""


def pieces_of(stretch: Stretch) -> Pieces:
    """The same for an encoding process."""
    return tuple(planned.piece for planned in stretch)


class Reel:
    """One stretch of a range while it is planned.

    Its edges are probed at once, the segments between only when their frames are asked for.
    """

    def __init__(
        self,
        store: SegmentStore,
        request: CutRequest,
        segments: list[Segment],
        span: TimeRange,
        label: str,
    ) -> None:
        self._store = store
        self._request = request
        self._segments = segments
        self._label = label
        self._pieces = list(_pieces(store, request, segments, span, label))
        self._probes: dict[int, Frames | None] = {}
        edges = [self._probe(index) for index in sorted({0, len(segments) - 1})]
        rates = [frame_rate(edge.offsets) for edge in edges if edge is not None]
        self.rate = next((rate for rate in rates if rate), _SOUND_FRAMES_PER_SECOND)
        lost = 0 if request.type in WHOLE_SEGMENTS else self._leave_out_undecodable()
        self.begins_late = lost > 0
        """Whether wanted frames at its beginning are left out."""
        if lost:
            start = format_time(max(segments[0].start, span.start))
            problem = f"{lost} frames from {start} on need what is missing before them"
            if not request.allow_holes:
                raise HolesNotAllowed(f"{label}: {problem}")
            logger.warning("%s: %s, and are left out", label, problem)

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def reorder(self) -> int:
        """How many frames a decoder must hold back, in the segments that were probed."""
        return max((probed.reorder for probed in self._probes.values() if probed), default=0)

    def frames(self, index: int) -> int:
        """How many frames are wanted of a segment, exactly."""
        return len(self._wanted(index))

    def is_sound(self, begin: Position, end: Position) -> bool:
        """Whether every segment from `begin` to `end` is recorded whole and can be read."""
        return all(
            self._segments[index].type is not SegmentType.PARTIAL and self._probe(index) is not None
            for index in range(begin.segment, min(end.segment + 1, len(self)))
        )

    def stretch(self, begin: Position, end: Position) -> Stretch:
        """What is wanted from `begin` to `end`; empty if that is no frame."""
        planned: dict[int, PlannedPiece] = {}
        for index in range(begin.segment, min(end.segment + 1, len(self))):
            first = begin.frame if index == begin.segment else 0
            last = end.frame if index == end.segment else None
            piece = self._planned(index, first, last)
            if piece.frames:
                planned[index] = piece
        if not planned or self._request.type in WHOLE_SEGMENTS:
            return tuple(planned.values())
        if self._request.type is CutType.FAST:
            return tuple(self._with_context_between(planned))
        first, last = min(planned), max(planned)
        return (
            *self._lead(first, planned[first].piece.from_time),
            *planned.values(),
            *self._trail(last, planned[last].piece.to_time),
        )

    def _with_context_between(self, planned: dict[int, PlannedPiece]) -> Iterator[PlannedPiece]:
        """What a fast cut takes: before each run of segments that it encodes, what is needed to
        decode them. Behind an encoded one, encoding goes on up to where a decoder can begin; where
        it cannot for long, to the end.
        """
        untouched_before: int | None = None
        encoded = 0  # the last so many
        for index, piece in planned.items():
            untouched = piece.whole and (
                untouched_before == index - 1
                or (encoded <= _MOST_LEAD and self._begins_anew(index))
            )
            if not untouched and not encoded:
                yield from self._lead(index, piece.piece.from_time)
            yield replace(piece, whole=untouched)
            untouched_before = index if untouched else None
            encoded = 0 if untouched else encoded + 1
        if encoded:
            last = max(planned)
            yield from self._trail(last, planned[last].piece.to_time)

    def _leave_out_undecodable(self) -> int:
        """Frames that cannot be decoded without what is in a hole belong to it: all up to the next
        key frame. How many that are of those that were wanted.
        """
        if self._begins_anew(0) or self._decoding_can_begin_before():
            return 0
        pieces, lost = list(self._pieces), 0
        for index, piece in enumerate(pieces[:_MOST_LEAD]):
            probed, wanted = self._probe(index), len(self._wanted(index))
            entry = None if probed is None else first_key_frame(Path(piece.path))
            if probed is None or entry is None:
                self._pieces[index] = replace(piece, to_time=piece.from_time)
                lost += wanted
                continue
            begin = bound_before(piece.start, probed.offsets, entry)
            self._pieces[index] = replace(piece, from_time=max(piece.from_time, begin))
            return lost + wanted - len(self._wanted(index))
        if len(pieces) > _MOST_LEAD:
            # None comes for so long: whatever the stream is made of, it is no key frames.
            self._pieces = pieces
            return 0
        return lost

    def _decoding_can_begin_before(self) -> bool:
        lead = list(self._lead(0, self._pieces[0].from_time))
        return len(lead) >= _MOST_LEAD or any(
            first_key_frame(Path(planned.piece.path)) is not None for planned in lead
        )

    def _lead(self, index: int, start: Micros) -> Iterator[PlannedPiece]:
        """What comes before `start`, in a segment, and is needed for it, in order of time: back to
        where a decoder can begin, and a neighbour whose sound may reach into the segment. Sound and
        picture of the same moment can lie in different segments, and a sound decoder needs a frame
        or two to warm up.
        """
        lead: list[PlannedPiece] = []
        segment, begins_anew = self._segments[index], self._begins_anew(index)
        while (not begins_anew or start < segment.start + _CONTEXT) and len(lead) < _MOST_LEAD:
            span = TimeRange(max(segment.start - _CONTEXT, 0), segment.start)
            before = self._best(span)[-1]
            if not isinstance(before, Segment) or abs(before.end - segment.start) > TOLERANCE:
                break
            segment = before
            lead.append(self._context(segment, picture=not begins_anew))
            if begins_anew:
                break
            begins_anew = _begins_anew(lead[-1].piece)
            start = segment.end
        return reversed(lead)

    def _trail(self, index: int, end: Micros) -> Iterator[PlannedPiece]:
        """The segment behind a stretch whose sound may reach into it."""
        last = self._segments[index]
        if end > last.end - _CONTEXT:
            after = self._best(TimeRange(last.end, last.end + _CONTEXT))[0]
            if isinstance(after, Segment) and abs(after.start - last.end) <= TOLERANCE:
                yield self._context(after)

    def _best(self, span: TimeRange) -> Sequence:
        return self._store.best(self._request.channel, self._request.quality, span)

    def _context(self, segment: Segment, *, picture: bool = False) -> PlannedPiece:
        piece = Piece(
            path=str(self._store.path(self._request.channel, self._request.quality, segment)),
            start=segment.start,
            from_time=0,
            to_time=0,
            context=True,
            picture=picture,
            optional=True,
        )
        return PlannedPiece(piece=piece, frames=0, whole=False)

    def _begins_anew(self, index: int) -> bool:
        probed = self._probe(index)
        return probed is None or probed.begins_anew

    def _planned(self, index: int, first: int, last: int | None) -> PlannedPiece:
        """The segment's wanted frames `first` to `last` (None: all that follow)."""
        piece = self._pieces[index]
        if index not in self._probes and first == 0 and last is None:
            frames = round(self._segments[index].duration * self.rate / SECOND)
            return PlannedPiece(piece=piece, frames=frames, whole=True)
        probed = self._probe(index)
        if probed is None:
            return PlannedPiece(piece=piece, frames=0, whole=False)
        wanted = self._wanted(index)
        chosen = wanted[first:last]
        if chosen and first:
            piece = replace(piece, from_time=bound_before(piece.start, probed.offsets, chosen[0]))
        if chosen and chosen[-1] != wanted[-1]:
            end = bound_before(piece.start, probed.offsets, chosen[-1] + 1)
            piece = replace(piece, to_time=end)
        return PlannedPiece(
            piece=piece, frames=len(chosen), whole=len(chosen) == len(probed.offsets)
        )

    def _wanted(self, index: int) -> list[int]:
        piece, probed = self._pieces[index], self._probe(index)
        if probed is None or piece.from_time >= piece.to_time:
            return []
        span = TimeRange(piece.from_time, piece.to_time)
        return frames_in_range(piece.start, probed.offsets, span)

    def _probe(self, index: int) -> Frames | None:
        """None where it is unreadable and nobody expects it to be more."""
        if index not in self._probes:
            self._probes[index] = self._read(self._pieces[index])
        return self._probes[index]

    def _read(self, piece: Piece) -> Frames | None:
        try:
            return read_frames(Path(piece.path))
        except MediaError as exc:
            if piece.optional:
                return None
            raise MediaError(f"{self._label}: {exc}") from exc


def holes_allowed(request: CutRequest) -> bool:
    """An archive has what there is."""
    return request.allow_holes or request.type is CutType.ARCHIVE


def _pieces(
    store: SegmentStore,
    request: CutRequest,
    segments: list[Segment],
    span: TimeRange,
    label: str,
) -> Iterator[Piece]:
    reached = span.start
    for segment in segments:
        # Where segments overlap, the later one counts from where the earlier ends.
        overlaps = segment.start < reached - TOLERANCE
        yield Piece(
            path=str(store.path(request.channel, request.quality, segment)),
            start=segment.start,
            from_time=max(reached, span.start) if overlaps else span.start,
            to_time=span.end,
            optional=holes_allowed(request) and segment.type is not SegmentType.FULL,
            label=label,
        )
        reached = segment.end


def _begins_anew(piece: Piece) -> bool:
    try:
        return read_frames(Path(piece.path)).begins_anew
    except MediaError:
        return True  # nothing can be decoded across it
