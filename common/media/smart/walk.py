"""What becomes of each access unit of a clip: copied, or decoded and encoded. Only decides.

An IDR picture begins a period: nothing in it refers to anything outside, and all of it is shown
after everything before. So:

- of a period whose beginning is wanted, the units are copied as they come; where the range ends in
  the middle, up to the last unit after which all that was copied is shown before all that is still
  wanted; only the few frames that remain are encoded;
- of a period whose beginning is not wanted, the wanted frames are encoded, up to the next IDR
  picture. A key frame that is none (a recovery point, an open GOP) is not enough.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from common.errors import MediaError
from common.media.job import Piece
from common.media.plan import Overlap
from common.media.smart.batch import Batch
from common.media.smart.packets import Ints
from common.media.smart.reader import Reader
from common.media.smart.segment import SourceSegment
from common.media.timeline import belongs, wrapped_difference
from common.times import TimeRange

_MOST_ENCODED_SEGMENTS = 8
"""So many segments are encoded as one piece at most: memory, and the time until it is sent."""

_MOST_CONTEXT_SEGMENTS = 6
"""Where no IDR picture comes for longer, decoding starts in the middle: two key frames back."""


@dataclass(eq=False, kw_only=True)
class Visit:
    """A segment of a clip, and which of its units are wanted. `continues` says that its time goes
    on where the one before ended. With `batch` it is several segments, and `piece` that of the
    first.
    """

    piece: Piece
    segment: SourceSegment
    wanted: npt.NDArray[np.bool_]
    continues: bool
    batch: Batch | None = None

    @property
    def wanted_stamps(self) -> Ints:
        """Time stamps of the wanted frames in order of display."""
        if len(self.segment):
            return np.sort(self.segment.pts[self.wanted])
        return self.segment.shown[_wanted(self.piece, self.segment.shown)]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Units `first` to `last` (exclusive) go out as they are, behind the parameter sets `sets`.

    `context` is what would have to be decoded before them, unless they begin with an IDR picture.
    """

    visit: Visit
    first: int
    last: int
    context: "tuple[Source, ...]"
    sets: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A segment in an encoded piece: units `first` to `last` are decoded, those of `wanted` (in
    order of display) shown. `visit` is None where nothing is.
    """

    path: str
    first: int
    last: int
    wanted: tuple[int, ...] = ()
    visit: Visit | None = None


@dataclass(kw_only=True)
class Encode:
    """Decode the sources one after the other, and encode what is wanted of them. `sets` are the
    parameter sets that were in force before.
    """

    sources: list[Source] = field(default_factory=list)
    sets: bytes = b""

    @property
    def frames(self) -> int:
        return sum(len(source.wanted) for source in self.sources)


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Nothing of the segment's picture is wanted; its sound may reach into the range."""

    visit: Visit


@dataclass(frozen=True, kw_only=True)
class Blend:
    """A transition: two moments at once, decoded and encoded."""

    overlap: Overlap


Step = Copy | Encode | Listen | Blend


def visits(reader: Reader) -> Iterator[Visit]:
    """Load the segments of a clip, one after the other.

    Raises MediaError naming the range if one cannot be read, unless it may be left out.
    """
    before: SourceSegment | None = None
    while (piece := reader.piece) is not None:
        known = before.tables if before else None
        try:
            taken = reader.take(known)
        except MediaError as exc:
            if piece.optional:
                before = None
                continue
            raise MediaError(f"{piece.label}: {exc}") from exc
        batch = taken if isinstance(taken, Batch) else None
        segment = taken.segment if isinstance(taken, Batch) else taken
        yield Visit(
            piece=piece,
            segment=segment,
            wanted=_wanted(piece, segment.pts) if batch is None else _all(segment),
            continues=before is not None and follows(segment, before),
            batch=batch,
        )
        before = segment


def _all(segment: SourceSegment) -> npt.NDArray[np.bool_]:
    return np.ones(len(segment), np.bool_)


def _apart(visit: Visit, batch: Batch) -> Iterator[Visit]:
    """The segments of a batch one by one."""
    for piece, segment in zip(batch.pieces, batch.apart(), strict=True):
        first = piece is visit.piece
        yield Visit(
            piece=piece,
            segment=segment,
            wanted=_all(segment),
            continues=visit.continues or not first,
        )


def _wanted(piece: Piece, stamps: Ints) -> npt.NDArray[np.bool_]:
    if piece.context or not len(stamps) or piece.from_time >= piece.to_time:
        return np.zeros(len(stamps), np.bool_)
    span = TimeRange(piece.from_time, piece.to_time)
    return belongs(piece.start, stamps - stamps.min(), span)


def follows(segment: SourceSegment, before: SourceSegment) -> bool:
    """Whether a segment's time goes on within half a frame of where the one before ended."""
    shown, earlier = segment.shown, before.shown
    if not len(shown) or len(earlier) < 2:
        return False
    steps = np.sort(np.diff(earlier))
    step = int(steps[(len(steps) - 1) // 2])
    late = wrapped_difference(int(shown[0]), int(earlier[-1])) - step
    return abs(late) * 2 <= step


def walk(clip: Iterable[Visit]) -> Iterator[Step]:
    """The steps that make a clip, in the order of the output."""
    return _Walk().run(clip)


def walk_apart(step: Copy, batch: Batch) -> Iterator[Step]:
    """The same as `step`, which copies a batch, in steps of single segments."""
    return _Walk(step.context, copying=True).run(_apart(step.visit, batch))


class _Walk:
    def __init__(self, period: "Iterable[Source]" = (), *, copying: bool = False) -> None:
        self._copying = copying
        self._period = list(period)
        """What has to be decoded for a frame of the current period: from its IDR picture on."""
        self._encode = Encode()
        self._sets = b""

    def run(self, clip: Iterable[Visit]) -> Iterator[Step]:
        for visit in clip:
            if not visit.continues:
                yield from self._flush()
                self._copying = False
                self._period = []
            yield from self._visit(visit)
        yield from self._flush()

    def _visit(self, visit: Visit) -> Iterator[Step]:
        if self._copying and visit.wanted.size and visit.wanted.all() and not _doubtful(visit):
            yield self._whole(visit)
        elif visit.batch is not None:
            for single in _apart(visit, visit.batch):
                yield from self._visit(single)
        else:
            yield from self._by_periods(visit)
            if not visit.wanted.any():
                yield Listen(visit=visit)

    def _whole(self, visit: Visit) -> Copy:
        """Goes on copying."""
        segment, batch, context = visit.segment, visit.batch, tuple(self._period)
        pieces, firsts = (batch.pieces, batch.firsts) if batch else ((visit.piece,), (0,))
        units = pairwise((*firsts, len(segment)))
        # To look for the last period's beginning costs, so nothing before it is looked at.
        entered: deque[Source] = deque()
        for piece, (first, last) in reversed(list(zip(pieces, units, strict=True))):
            entered.appendleft(Source(path=piece.path, first=0, last=last - first))
            if segment.is_idr(first):
                self._period = list(entered)
                break
        else:
            self._period = [*self._period, *entered][-_MOST_CONTEXT_SEGMENTS:]
        return Copy(visit=visit, first=0, last=len(segment), context=context)

    def _by_periods(self, visit: Visit) -> Iterator[Step]:
        segment = visit.segment
        idrs = segment.idr_units
        for first, last in pairwise(sorted({0, *idrs, len(segment)})):
            begins = first in idrs
            if begins:
                self._copying = not _doubtful(visit)
                self._sets = segment.sets_of(first) or self._sets
            # From here on decoding needs this segment too, or, where a period begins, nothing else.
            here = Source(path=visit.piece.path, first=first, last=len(segment))
            self._period = [here] if begins else [*self._period, here][-_MOST_CONTEXT_SEGMENTS:]
            yield from self._chunk(visit, first, last, begins=begins)

    def _chunk(self, visit: Visit, first: int, last: int, *, begins: bool) -> Iterator[Step]:
        """Units `first` to `last`, all of one period."""
        wanted = visit.wanted[first:last]
        copied = copyable(wanted, visit.segment.pts[first:last]) if self._copying else 0
        if copied:
            yield from self._flush()
            sets = self._sets if begins and not visit.segment.sets_of(first) else b""
            yield Copy(
                visit=visit,
                first=first,
                last=first + copied,
                context=tuple(self._period[:-1]),
                sets=sets,
            )
        self._copying = self._copying and copied == last - first
        rest = first + copied + np.flatnonzero(wanted[copied:])
        if len(rest):
            yield from self._add(visit, rest)

    def _add(self, visit: Visit, units: Ints) -> Iterator[Step]:
        """Have these units of the current period encoded."""
        sources = self._encode.sources
        shown = tuple(int(unit) for unit in units[np.argsort(visit.segment.pts[units])])
        last = int(units.max()) + 1
        if sources and sources[-1].visit is visit:
            sources[-1] = replace(sources[-1], last=last, wanted=sources[-1].wanted + shown)
            return
        if len(sources) >= _MOST_ENCODED_SEGMENTS:
            yield from self._flush()
            sources = self._encode.sources
        *context, here = self._period
        if sources and context and sources[-1].path == context[-1].path:
            sources[-1] = replace(sources[-1], last=context[-1].last)
        else:
            sources += context
        sources.append(replace(here, last=last, wanted=shown, visit=visit))

    def _flush(self) -> Iterator[Step]:
        if self._encode.sources:
            encode, self._encode = self._encode, Encode()
            encode.sets = self._sets
            yield encode


def _doubtful(visit: Visit) -> bool:
    """Whether the segment is known to be damaged: it is decoded as far as that goes."""
    return visit.piece.optional or visit.segment.damaged


def copyable(wanted: npt.NDArray[np.bool_], pts: Ints) -> int:
    """How many units from the first on can be copied: all of them are wanted, and shown before
    every other wanted one.
    """
    end = len(wanted) if wanted.all() else int(np.argmin(wanted))
    reach = np.maximum.accumulate(pts)
    count = end
    while count:
        rest = pts[count:][wanted[count:]]
        if not len(rest) or int(rest.min()) > int(reach[count - 1]):
            return count
        count -= 1
    return 0
