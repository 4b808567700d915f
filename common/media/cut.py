"""Cuts: one video out of ranges of a recording.

    plan = plan_cut(store, request)       # everything that can be refused is refused here
    for chunk in stream_cut(plan): ...    # or: cut_to_file(plan, path)

| type     | does                                                                              |
| rough    | whole segments, concatenated untouched: covers the ranges                         |
| fast     | first and last segment of each range encoded anew, those between untouched        |
| mpegts   | everything decoded and encoded: exactly the frames of the ranges, evenly timed    |
| mp4      | the same as MP4: in fragments when streamed, with its index in front as a file    |
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path

from common.errors import BadParameter, HolesNotAllowed, MediaError
from common.media.job import Piece, RenderJob
from common.media.probe import Probe, probe
from common.media.run import render
from common.media.timeline import frames_in_range
from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, Hole, Sequence
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, TimeRange, format_time

CHUNK_BYTES = 256 * 1024

# How near to a segment's edge a range must end for the neighbour's sound to matter. Real encoders
# put sound up to 32 ms before or after the picture; a decoder warms up over two frames of 21 ms.
_CONTEXT: Micros = SECOND // 10
_SHOWN_HOLES = 5
# What an audio-only quality counts as frames: AAC has 1024 samples in each, mostly at 48 kHz.
_SOUND_FRAMES_PER_SECOND = Fraction(48_000, 1024)

OnProgress = Callable[[int, int], None]
"""Called with the frames done and the frames to do."""


class CutType(Enum):
    """The kinds of cut that there are; see the module's table."""

    ROUGH = "rough"
    FAST = "fast"
    MPEGTS = "mpegts"
    MP4 = "mp4"

    @property
    def content_type(self) -> str:
        return "video/mp4" if self is CutType.MP4 else "video/mp2t"

    @property
    def suffix(self) -> str:
        """The file name's ending, with its dot."""
        return ".mp4" if self is CutType.MP4 else ".ts"


CUT_TYPES = tuple(kind.value for kind in CutType)


def parse_cut_type(text: str | None) -> CutType:
    """Raises BadParameter, naming the types that there are."""
    for kind in CutType:
        if kind.value == text:
            return kind
    known = ", ".join(CUT_TYPES)
    problem = "say which type of cut" if text is None else f"{text!r} is no type of cut"
    raise BadParameter("type", f"{problem}; there are {known}")


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


@dataclass(frozen=True, kw_only=True)
class CutPlan:
    """A request that can be cut, with the files that it takes.

    `stretches` are free of holes. `frames_total` counts the edges' frames exactly and those between
    by their segments' durations.
    """

    request: CutRequest
    stretches: tuple[Stretch, ...]

    @property
    def frames_total(self) -> int:
        return sum(planned.frames for stretch in self.stretches for planned in stretch)


def plan_cut(store: SegmentStore, request: CutRequest) -> CutPlan:
    """Find the segments and check that the request can be met. Blocks on the disk.

    Raises BadParameter, HolesNotAllowed (also where nothing at all is recorded), or MediaError if
    an edge cannot be read.
    """
    _check(request)
    stretches: list[Stretch] = []
    for number, span in enumerate(request.ranges, 1):
        label = f"range {number} ({format_time(span.start)} to {format_time(span.end)})"
        sequence = store.best(request.channel, request.quality, span)
        _check_holes(sequence, label, allowed=request.allow_holes)
        try:
            stretches += [
                _planned(store, request, segments, span, label)
                for segments in _split_at_holes(sequence)
            ]
        except MediaError as exc:
            raise MediaError(f"{label}: {exc}") from exc
    plan = CutPlan(request=request, stretches=tuple(stretch for stretch in stretches if stretch))
    if not plan.frames_total:
        raise HolesNotAllowed("no frame lies within the ranges")
    return plan


def stream_cut(plan: CutPlan, *, on_progress: OnProgress | None = None) -> Iterator[bytes]:
    """Yield the video as it is made. Closing the generator ends all work for it.

    Raises MediaError if a segment cannot be read or decoded, or has gone since the plan was made.
    """
    progress = _Progress(plan.frames_total, on_progress)
    if plan.request.type in {CutType.ROUGH, CutType.FAST}:
        for stretch in plan.stretches:
            for planned in stretch:
                yield from _stream_piece(planned, plan.request.type, progress)
    else:
        yield from render(_full_job(plan), progress.report)
    progress.finish()


def cut_to_file(plan: CutPlan, path: Path, *, on_progress: OnProgress | None = None) -> None:
    """Write the video to `path`, flushed to disk. MP4 gets its index in front.

    Raises what `stream_cut` raises, and OSError. A file that was begun stays: the caller owns it.
    """
    if plan.request.type is CutType.MP4:
        progress = _Progress(plan.frames_total, on_progress)
        for _ in render(_full_job(plan, output_path=str(path)), progress.report):
            raise MediaError("the encoder sent what it should have written")
        progress.finish()
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return
    with path.open("wb") as file:
        for chunk in stream_cut(plan, on_progress=on_progress):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


class _Progress:
    """Adds up the frames of several steps."""

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._before = 0

    def report(self, frames: int) -> None:
        """`frames` of the current step are done."""
        if self._on_progress is not None:
            self._on_progress(min(self._before + frames, self._total), self._total)

    def step_done(self, frames: int) -> None:
        self._before += frames
        self.report(0)

    def finish(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._total, self._total)


def _check(request: CutRequest) -> None:
    if not request.ranges:
        raise BadParameter("range", "give at least one range")
    if len(request.transitions) != len(request.ranges) - 1:
        raise BadParameter(
            "transition", "there is one between each range and the next: one fewer than ranges"
        )
    if any(transition is not None for transition in request.transitions):
        raise BadParameter("transition", "only hard cuts exist so far; leave the transition empty")


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


def _planned(
    store: SegmentStore,
    request: CutRequest,
    segments: list[Segment],
    span: TimeRange,
    label: str,
) -> Stretch:
    """One stretch: its edges are probed, what lies between is wanted whole."""
    pieces = list(_pieces(store, request, segments, span, label))
    edges = {index: _probe_edge(pieces[index]) for index in {0, len(pieces) - 1}}
    rate = next((e.rate for e in edges.values() if e), None) or _SOUND_FRAMES_PER_SECOND
    planned = []
    for index, (segment, piece) in enumerate(zip(segments, pieces, strict=True)):
        if index in edges:
            probed = edges[index]
            total = len(probed.offsets) if probed else 0
            frames = len(_wanted(piece, probed)) if probed else 0
        else:
            total = frames = round(segment.duration * rate / SECOND)
        if frames:
            planned.append(PlannedPiece(piece=piece, frames=frames, whole=frames == total))
    if request.type in {CutType.ROUGH, CutType.FAST}:
        return tuple(planned)
    lead, trail = _context(store, request, segments, span)
    return (*lead, *planned, *trail)


def _probe_edge(piece: Piece) -> Probe | None:
    """None where it is unreadable and nobody expects it to be more."""
    try:
        return probe(Path(piece.path))
    except MediaError:
        if piece.optional:
            return None
        raise


def _wanted(piece: Piece, probed: Probe) -> list[int]:
    if piece.from_time >= piece.to_time:
        return []
    return frames_in_range(piece.start, probed.offsets, TimeRange(piece.from_time, piece.to_time))


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
            optional=request.allow_holes and segment.type is not SegmentType.FULL,
            label=label,
        )
        reached = segment.end


def _context(
    store: SegmentStore, request: CutRequest, segments: list[Segment], span: TimeRange
) -> tuple[list[PlannedPiece], list[PlannedPiece]]:
    """The neighbours whose sound may reach into the stretch: sound and picture of the same moment
    can lie in different segments, and a sound decoder needs a frame or two to warm up.
    """
    first, last = segments[0], segments[-1]
    lead: list[Segment] = []
    trail: list[Segment] = []
    if span.start < first.start + _CONTEXT:
        before = store.best(
            request.channel, request.quality, TimeRange(first.start - _CONTEXT, first.start)
        )[-1]
        if isinstance(before, Segment) and abs(before.end - first.start) <= TOLERANCE:
            lead.append(before)
    if span.end > last.end - _CONTEXT:
        after = store.best(
            request.channel, request.quality, TimeRange(last.end, last.end + _CONTEXT)
        )[0]
        if isinstance(after, Segment) and abs(after.start - last.end) <= TOLERANCE:
            trail.append(after)
    return [_context_piece(store, request, segment) for segment in lead], [
        _context_piece(store, request, segment) for segment in trail
    ]


def _context_piece(store: SegmentStore, request: CutRequest, segment: Segment) -> PlannedPiece:
    path = store.path(request.channel, request.quality, segment)
    piece = Piece(
        path=str(path), start=segment.start, from_time=0, to_time=0, context=True, optional=True
    )
    return PlannedPiece(piece=piece, frames=0, whole=False)


def _full_job(plan: CutPlan, output_path: str | None = None) -> RenderJob:
    return RenderJob(
        stretches=tuple(tuple(planned.piece for planned in stretch) for stretch in plan.stretches),
        container=plan.request.type.value,
        output_path=output_path,
    )


def _stream_piece(planned: PlannedPiece, kind: CutType, progress: _Progress) -> Iterator[bytes]:
    """A segment untouched, or for a fast cut those of its frames that are wanted."""
    if planned.whole or kind is CutType.ROUGH:
        yield from _stream_file(planned)
    else:
        job = RenderJob(stretches=((planned.piece,),), container="mpegts", keep_time=True)
        yield from render(job, progress.report)
    progress.step_done(planned.frames)


def _stream_file(planned: PlannedPiece) -> Iterator[bytes]:
    path = Path(planned.piece.path)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError as exc:
        raise MediaError(f"{planned.piece.label}: {path.name} is gone") from exc
