"""What a cut takes: which segments, which frames of them, and how they join.

    plan = plan_cut(store, request)       # everything that can be refused is refused here

A plan is a list of parts in the order of the output: clips of the ranges, and the overlaps where a
transition shows two of them at once. A range without transitions or holes is one clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from common.errors import BadParameter, HolesNotAllowed
from common.media.job import OverlapPieces
from common.media.parts import Position, split, transition_frames
from common.media.reel import Reel, Stretch, holes_allowed, pieces_of
from common.media.request import HARD_CUTS_ONLY, CutRequest, Transition
from common.media.transitions import check_transition
from common.segments.path import Segment
from common.segments.select import Hole, Sequence
from common.segments.store import SegmentStore
from common.times import format_time

_SHOWN_HOLES = 5


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
            if request.type in HARD_CUTS_ONLY:
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
        _check_holes(self._sequence, self.label, allowed=holes_allowed(request))
        self.reels = [
            Reel(store, request, segments, span, self.label)
            for segments in _split_at_holes(self._sequence)
        ]

    def cut(self, head: int, tail: int) -> _CutRange:
        """Take the range apart after its first `head` and before its last `tail` frames.

        Raises BadParameter if it has too few, HolesNotAllowed if those are not recorded whole.
        """
        begins_late = isinstance(self._sequence[0], Hole) or self.reels[0].begins_late
        if (head and begins_late) or (tail and isinstance(self._sequence[-1], Hole)):
            raise self._hole_in_transition()
        last = len(self.reels) - 1
        cuts = [
            self._cut_reel(reel, head if index == 0 else 0, tail if index == last else 0)
            for index, reel in enumerate(self.reels)
        ]
        clips = [clip for cut in cuts for clip in cut.clips]
        if not (clips or head or tail) and any(reel.begins_late for reel in self.reels):
            raise HolesNotAllowed(
                f"{self.label}: no frame of it can be decoded without what is missing before it"
            )
        return _CutRange(
            head=cuts[0].head,
            clips=clips,
            tail=cuts[-1].tail,
        )

    def _cut_reel(self, reel: Reel, head: int, tail: int) -> _CutRange:
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
