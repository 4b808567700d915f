"""What a cut takes: which segments, which frames of them, and how they join.

    plan = plan_cut(store, request)       # everything that can be refused is refused here

A plan is a list of parts in the order of the output: clips of the ranges, and the overlaps where a
transition shows two of them at once. A range without transitions or holes is one clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path

from common.errors import BadParameter, HolesNotAllowed, MediaError
from common.media.job import OverlapPieces, Piece, Pieces
from common.media.parts import Position, split, transition_frames
from common.media.probe import Frames, read_frames
from common.media.timeline import bound_before, frame_rate, frames_in_range
from common.media.transitions import check_transition
from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, Hole, Sequence
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, TimeRange, format_time

# How near to a segment's edge a range must end for the neighbour's sound to matter. Real encoders
# put sound up to 32 ms before or after the picture; a decoder warms up over two frames of 21 ms.
_CONTEXT: Micros = SECOND // 10
_SHOWN_HOLES = 5
# How far back a decoder may have to begin: GOPs of 10 s in segments of 1 s are the longest seen.
_MOST_LEAD = 12
# What an audio-only quality counts as frames where none can be read: AAC has 1024 samples in each.
_SOUND_FRAMES_PER_SECOND = Fraction(48_000, 1024)


class CutType(Enum):
    """The kinds of cut that there are; see the module's table."""

    ROUGH = "rough"
    FAST = "fast"
    SMART = "smart"
    SMART_MP4 = "smart-mp4"
    MPEGTS = "mpegts"
    MP4 = "mp4"
    WEBM = "webm"
    CUSTOM = "custom"
    ARCHIVE = "archive"

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES.get(self, "video/mp2t")

    @property
    def suffix(self) -> str:
        """The file name's ending, with its dot. An archive is a folder."""
        return _SUFFIXES.get(self, ".ts")


_CONTENT_TYPES = {
    CutType.SMART_MP4: "video/mp4",
    CutType.MP4: "video/mp4",
    CutType.WEBM: "video/webm",
}
_SUFFIXES = {
    CutType.SMART_MP4: ".mp4",
    CutType.MP4: ".mp4",
    CutType.WEBM: ".webm",
    CutType.ARCHIVE: "",
}
_TO_FILES = {CutType.CUSTOM, CutType.ARCHIVE}
"""These are made by a cutter only: what is in them is a matter of its settings."""

CUT_TYPES = tuple(kind.value for kind in CutType if kind not in _TO_FILES)
"""Those that a client can ask for."""
_UNTOUCHED = {CutType.ROUGH, CutType.FAST, CutType.ARCHIVE}
"""These send segments as they are: what lies around a piece does not matter to them."""


def parse_cut_type(text: str | None, container: str | None = None) -> CutType:
    """The default is `smart`, which can have the container mp4 too.

    Raises BadParameter, naming the types that there are.
    """
    wanted = text or CutType.SMART.value
    if wanted not in CUT_TYPES:
        raise BadParameter("type", f"{text!r} is no type of cut; there are {', '.join(CUT_TYPES)}")
    kind = CutType(wanted)
    if container is None:
        return kind
    if kind is not CutType.SMART or container not in {"mpegts", "mp4"}:
        raise BadParameter("container", "give mpegts or mp4, and only for the type smart")
    return CutType.SMART_MP4 if container == "mp4" else kind


@dataclass(frozen=True, kw_only=True)
class Transition:
    """How one range becomes the next, over `seconds` of both."""

    type: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CutRequest:
    """What to cut. `transitions` has one entry fewer than `ranges`; None is a hard cut."""

    channel: str
    quality: str
    ranges: tuple[TimeRange, ...]
    transitions: tuple[Transition | None, ...]
    type: CutType
    allow_holes: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedPiece:
    """One segment of a stretch. `frames` are wanted of it; `whole` if those are all it has."""

    piece: Piece
    frames: int
    whole: bool


Stretch = tuple[PlannedPiece, ...]
"""Segments without a hole between them."""


def pieces_of(stretch: Stretch) -> Pieces:
    """The same for an encoding process."""
    return tuple(planned.piece for planned in stretch)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A part of the output that shows one range alone. `index` counts the ranges from 0."""

    index: int
    stretch: Stretch

    @property
    def frames(self) -> int:
        return sum(planned.frames for planned in self.stretch)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """A part that shows the last `frames` of range `index` (`before`) together with the first ones
    of the next range (`after`), through the transition `type`. Both sides have just so many.
    """

    index: int
    type: str
    before: Stretch
    after: Stretch
    frames: int

    @property
    def pieces(self) -> OverlapPieces:
        """The same for an encoding process."""
        return OverlapPieces(
            type=self.type,
            before=pieces_of(self.before),
            after=pieces_of(self.after),
            frames=self.frames,
        )


Part = Clip | Overlap


@dataclass(frozen=True, kw_only=True)
class CutPlan:
    """A request that can be cut, with the files that it takes.

    Frames are counted exactly at the ranges' edges and in overlaps, and by their segments'
    durations between. `reorder` is how many frames a decoder must hold back, as far as the edges
    tell.
    """

    request: CutRequest
    parts: tuple[Part, ...]
    reorder: int = 0

    @property
    def frames_total(self) -> int:
        return sum(part.frames for part in self.parts)


def plan_cut(store: SegmentStore, request: CutRequest) -> CutPlan:
    """Find the segments and check that the request can be met. Blocks on the disk.

    Raises BadParameter, HolesNotAllowed (also where nothing at all is recorded, or a transition
    meets a hole), or MediaError if an edge cannot be read.
    """
    _check(request)
    ranges = [_Range(store, request, index) for index in range(len(request.ranges))]
    overlaps = [
        0 if transition is None else _overlap_frames(transition, before, after)
        for transition, before, after in zip(
            request.transitions, ranges[:-1], ranges[1:], strict=True
        )
    ]
    pieces = [
        planned.cut(head, tail)
        for planned, head, tail in zip(ranges, (0, *overlaps), (*overlaps, 0), strict=True)
    ]
    plan = CutPlan(
        request=request,
        parts=tuple(_parts(request, overlaps, pieces)),
        reorder=max(reel.reorder for planned in ranges for reel in planned.reels),
    )
    if not plan.frames_total:
        raise HolesNotAllowed("no frame lies within the ranges")
    return plan


def _check(request: CutRequest) -> None:
    if not request.ranges:
        raise BadParameter("range", "give at least one range")
    if len(request.transitions) != len(request.ranges) - 1:
        raise BadParameter(
            "transition", "there is one between each range and the next: one fewer than ranges"
        )
    for transition in request.transitions:
        if transition is not None:
            check_transition(transition.type, transition.seconds)
            if request.type in _UNTOUCHED:
                raise BadParameter(
                    "transition", f"a {request.type.value} cut has hard cuts only; leave it empty"
                )


@dataclass(frozen=True, kw_only=True)
class _CutRange:
    """A range that is taken apart: what overlaps the one before, the clips, what overlaps the next
    one.
    """

    head: Stretch
    clips: list[Stretch]
    tail: Stretch


def _parts(request: CutRequest, overlaps: list[int], ranges: list[_CutRange]) -> Iterator[Part]:
    for index, this in enumerate(ranges):
        for clip in this.clips:
            yield Clip(index=index, stretch=clip)
        transition = request.transitions[index] if index < len(overlaps) else None
        if transition is not None:
            yield Overlap(
                index=index,
                type=transition.type,
                before=this.tail,
                after=ranges[index + 1].head,
                frames=overlaps[index],
            )


def _overlap_frames(transition: Transition, before: "_Range", after: "_Range") -> int:
    rates = before.reels[-1].rate, after.reels[0].rate
    # Rates that are measured, as those of sound alone are, differ a little.
    if abs(rates[0] - rates[1]) * 1000 > rates[0]:
        shown = " and ".join(f"{float(rate):.3f}" for rate in rates)
        raise BadParameter(
            "transition",
            f"{before.label} and {after.label} have {shown} frames per second; "
            "only a hard cut can join them",
        )
    return transition_frames(transition.seconds, rates[0])


class _Range:
    """One range while it is planned. `reels` are its stretches without holes.

    Raises HolesNotAllowed, or MediaError if an edge cannot be read.
    """

    def __init__(self, store: SegmentStore, request: CutRequest, index: int) -> None:
        span = request.ranges[index]
        self._index = index
        self.label = f"range {index + 1} ({format_time(span.start)} to {format_time(span.end)})"
        self._sequence = store.best(request.channel, request.quality, span)
        _check_holes(self._sequence, self.label, allowed=_holes_allowed(request))
        self.reels = [
            _Reel(store, request, segments, span, self.label)
            for segments in _split_at_holes(self._sequence)
        ]

    def cut(self, head: int, tail: int) -> _CutRange:
        """Take the range apart after its first `head` and before its last `tail` frames.

        Raises BadParameter if it has too few, HolesNotAllowed if those are not recorded whole.
        """
        if (head and isinstance(self._sequence[0], Hole)) or (
            tail and isinstance(self._sequence[-1], Hole)
        ):
            raise self._hole_in_transition()
        last = len(self.reels) - 1
        cuts = [
            self._cut_reel(reel, head if index == 0 else 0, tail if index == last else 0)
            for index, reel in enumerate(self.reels)
        ]
        return _CutRange(
            head=cuts[0].head,
            clips=[clip for cut in cuts for clip in cut.clips],
            tail=cuts[-1].tail,
        )

    def _cut_reel(self, reel: "_Reel", head: int, tail: int) -> _CutRange:
        try:
            after_head, before_tail = split(
                len(reel), reel.frames, index=self._index, head=head, tail=tail
            )
        except BadParameter as exc:
            if len(self.reels) == 1:
                raise
            raise self._hole_in_transition() from exc
        begin, end = Position(0, 0), Position(len(reel), 0)
        if (head and not reel.is_sound(begin, after_head)) or (
            tail and not reel.is_sound(before_tail, end)
        ):
            raise self._hole_in_transition()
        clip = reel.stretch(after_head, before_tail)
        return _CutRange(
            head=_insisted(reel.stretch(begin, after_head)) if head else (),
            clips=[clip] if clip else [],
            tail=_insisted(reel.stretch(before_tail, end)) if tail else (),
        )

    def _hole_in_transition(self) -> HolesNotAllowed:
        return HolesNotAllowed(
            f"{self.label}: a transition meets a hole in the recording; only a hard cut can"
        )


class _Reel:
    """One stretch of a range while it is planned: segments without a hole between them.

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
        planned: list[PlannedPiece] = []
        used: list[Segment] = []
        for index in range(begin.segment, min(end.segment + 1, len(self))):
            first = begin.frame if index == begin.segment else 0
            last = end.frame if index == end.segment else None
            piece = self._planned(index, first, last)
            if piece.frames:
                planned.append(piece)
                used.append(self._segments[index])
        if not planned or self._request.type in _UNTOUCHED:
            return tuple(planned)
        begins_anew = self._begins_anew(begin.segment)
        lead = _lead(
            self._store,
            self._request,
            used[0],
            planned[0].piece.from_time,
            begins_anew=begins_anew,
        )
        trail = _trail(self._store, self._request, used[-1], planned[-1].piece.to_time)
        return (*lead, *planned, *trail)

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


def _holes_allowed(request: CutRequest) -> bool:
    """An archive has what there is."""
    return request.allow_holes or request.type is CutType.ARCHIVE


def _insisted(stretch: Stretch) -> Stretch:
    """The same, but nothing of it may be left out: an overlap's sides have the same length."""
    return tuple(
        planned
        if planned.piece.context
        else replace(planned, piece=replace(planned.piece, optional=False))
        for planned in stretch
    )


def _check_holes(sequence: Sequence, label: str, *, allowed: bool) -> None:
    if not any(isinstance(entry, Segment) for entry in sequence):
        raise HolesNotAllowed(f"{label}: nothing is recorded there")
    holes = [entry for entry in sequence if isinstance(entry, Hole)]
    if holes and not allowed:
        missing = ", ".join(
            f"{format_time(hole.start)} to {format_time(hole.end)}" for hole in holes[:_SHOWN_HOLES]
        )
        more = f" and {len(holes) - _SHOWN_HOLES} more" if len(holes) > _SHOWN_HOLES else ""
        raise HolesNotAllowed(f"{label} is not recorded without holes: {missing}{more}")


def _split_at_holes(sequence: Sequence) -> Iterator[list[Segment]]:
    segments: list[Segment] = []
    for entry in sequence:
        if isinstance(entry, Segment):
            segments.append(entry)
        elif segments:
            yield segments
            segments = []
    if segments:
        yield segments


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
            optional=_holes_allowed(request) and segment.type is not SegmentType.FULL,
            label=label,
        )
        reached = segment.end


def _lead(
    store: SegmentStore, request: CutRequest, first: Segment, start: Micros, *, begins_anew: bool
) -> Iterator[PlannedPiece]:
    """What comes before a stretch and is needed for it, in order of time: back to where a decoder
    can begin, and a neighbour whose sound may reach into the stretch. Sound and picture of the same
    moment can lie in different segments, and a sound decoder needs a frame or two to warm up.
    """
    lead: list[PlannedPiece] = []
    segment = first
    while (not begins_anew or start < segment.start + _CONTEXT) and len(lead) < _MOST_LEAD:
        span = TimeRange(max(segment.start - _CONTEXT, 0), segment.start)
        before = store.best(request.channel, request.quality, span)[-1]
        if not isinstance(before, Segment) or abs(before.end - segment.start) > TOLERANCE:
            break
        segment = before
        lead.append(_context_piece(store, request, segment, picture=not begins_anew))
        if begins_anew:
            break
        begins_anew = _begins_anew(lead[-1].piece)
        start = segment.end
    return reversed(lead)


def _begins_anew(piece: Piece) -> bool:
    try:
        return read_frames(Path(piece.path)).begins_anew
    except MediaError:
        return True  # nothing can be decoded across it


def _trail(
    store: SegmentStore, request: CutRequest, last: Segment, end: Micros
) -> Iterator[PlannedPiece]:
    """The segment behind a stretch whose sound may reach into it."""
    if end > last.end - _CONTEXT:
        span = TimeRange(last.end, last.end + _CONTEXT)
        after = store.best(request.channel, request.quality, span)[0]
        if isinstance(after, Segment) and abs(after.start - last.end) <= TOLERANCE:
            yield _context_piece(store, request, after)


def _context_piece(
    store: SegmentStore, request: CutRequest, segment: Segment, *, picture: bool = False
) -> PlannedPiece:
    piece = Piece(
        path=str(store.path(request.channel, request.quality, segment)),
        start=segment.start,
        from_time=0,
        to_time=0,
        context=True,
        picture=picture,
        optional=True,
    )
    return PlannedPiece(piece=piece, frames=0, whole=False)
