"""The steps of a smart cut, known some while ahead, so that ends are encoded before their turn."""

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from common.errors import MediaError
from common.media.job import Job, Piece
from common.media.plan import Clip, CutPlan, Overlap
from common.media.smart.blended import BlendJob
from common.media.smart.edge import EdgeJob, EdgeSource
from common.media.smart.reader import Reader, load_aside
from common.media.smart.segment import SourceSegment
from common.media.smart.tasks import EncodeTask, Tasks
from common.media.smart.walk import Blend, Copy, Encode, Step, visits, walk

_SECTIONS_AHEAD = 4
_SHORT_SEGMENTS = 2


class Section:
    """Steps that can be known before those of the section before it have been made.

    `begins` says that a new range (or what follows a hole) begins here, `short` that all of it can
    be known ahead: it is a segment or two.
    """

    def __init__(
        self, steps: Iterator[Step], tasks: Tasks, *, reorder: int, begins: bool, short: bool
    ) -> None:
        self._short = short
        self._steps = steps
        self._tasks = tasks
        self._reorder = reorder
        self._ready: deque[tuple[Step, EncodeTask | None]] = deque()
        self._copying = False
        self.begins = begins

    def look_ahead(self) -> None:
        """Go on to the first copy, or to the end, and begin to encode what comes before it."""
        while (self._short or not self._copying) and self._advance():
            pass

    def __iter__(self) -> Iterator[tuple[Step, EncodeTask | None]]:
        while self._ready or self._advance():
            yield self._ready.popleft()

    def _advance(self) -> bool:
        step = next(self._steps, None)
        if step is None:
            return False
        self._copying = self._copying or isinstance(step, Copy)
        task = None
        if isinstance(step, Encode):
            task = self._tasks.start(encode_job(step, self._reorder))
        elif isinstance(step, Blend):
            job = _blend_job(step, self._reorder)
            task = self._tasks.start(job) if job is not None else None
        self._ready.append((step, task))
        return True


class Sections:
    """The sections of a plan, each looked at some while before it is sent."""

    def __init__(self, plan: CutPlan, tasks: Tasks) -> None:
        self._plan = plan
        self._tasks = tasks

    def __iter__(self) -> Iterator[Section]:
        ahead: deque[Section] = deque()
        for section in self._all():
            section.look_ahead()
            ahead.append(section)
            if len(ahead) > _SECTIONS_AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _all(self) -> Iterator[Section]:
        for part in self._plan.parts:
            if isinstance(part, Overlap):
                steps = iter([Blend(overlap=part)])
                yield self._new(steps, begins=True, short=True)
            else:
                yield from self._of_clip(part)

    def _of_clip(self, clip: Clip) -> Iterator[Section]:
        pieces = [planned.piece for planned in clip.stretch]
        own = [index for index, piece in enumerate(pieces) if not piece.context]
        last = own[-1]
        if len(own) > 1 and _begins_anew(pieces[last]):
            yield self._section(pieces[:last], begins=True)
            yield self._section(pieces[last:], begins=False)
        else:
            yield self._section(pieces, begins=True)

    def _section(self, pieces: Sequence[Piece], *, begins: bool) -> Section:
        steps = walk(visits(Reader(pieces)))
        return self._new(steps, begins=begins, short=len(pieces) <= _SHORT_SEGMENTS)

    def _new(self, steps: Iterator[Step], *, begins: bool, short: bool) -> Section:
        return Section(steps, self._tasks, reorder=self._plan.reorder, begins=begins, short=short)


def _begins_anew(piece: Piece) -> bool:
    """Whether the segment can be decoded without any before it."""
    try:
        segment = load_aside(Path(piece.path))
        return segment.begins_anew and bool(segment.sets_of(0))
    except MediaError:
        return False  # whoever needs it says so


def encode_job(step: Encode, reorder: int) -> EdgeJob:
    """What an encoding process is asked to do for `step`."""
    shown = next(source.visit for source in step.sources if source.visit)
    rate = shown.segment.rate
    return EdgeJob(
        tables=shown.segment.tables,
        sources=tuple(
            EdgeSource(path=source.path, first=source.first, last=source.last, wanted=source.wanted)
            for source in step.sources
        ),
        rate=(rate.numerator, rate.denominator),
        reorder=reorder,
        room_bytes=_room_bytes(step, rate),
        sets=step.sets.hex(),
        optional=any(source.visit and source.visit.piece.optional for source in step.sources),
        label=shown.piece.label,
    )


def _room_bytes(step: Encode, rate: Fraction) -> int:
    """How big a piece may be: twice the same frames of the source; of less than a second, where
    its first picture weighs most, twice all that is decoded for it.
    """
    is_long = step.frames >= rate
    source_bytes = 0
    for source in step.sources:
        if source.visit is not None:
            sizes = source.visit.segment.unit_sizes
            counted = list(source.wanted) if is_long else slice(source.first, source.last)
            source_bytes += int(sizes[counted].sum())
    return 2 * source_bytes


def _blend_job(step: Blend, reorder: int) -> Job | None:
    """The same for the pictures of a transition; None where there are none."""
    segment = first_segment(step)
    if not segment.tables.video_type:
        return None
    return BlendJob(
        overlap=step.overlap.pieces,
        video_type=segment.tables.video_type,
        rate=(segment.rate.numerator, segment.rate.denominator),
        reorder=reorder,
    )


def first_segment(step: Blend) -> SourceSegment:
    """The first segment that a transition shows. Raises MediaError if it cannot be read."""
    piece = next(planned.piece for planned in step.overlap.before if not planned.piece.context)
    return load_aside(Path(piece.path))
