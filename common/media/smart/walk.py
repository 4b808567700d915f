"""What becomes of each access unit of a clip: copied, or decoded and encoded. Only decides.

An IDR picture begins a period: nothing in it refers to anything outside, and all of it is shown
after everything before. So:

- of a period whose beginning is wanted, the units are copied as they come; where the range ends in
  the middle, up to the last unit after which all that was copied is shown before all that is still
  wanted; only the few frames that remain are encoded;
- of a period whose beginning is not wanted, the wanted frames are encoded, up to the next IDR
  picture. A key frame that is none (a recovery point, an open GOP) is not enough.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import MediaError
from common.media.job import Piece
from common.media.plan import Overlap
from common.media.smart.packets import Ints, Tables
from common.media.smart.segment import SourceSegment
from common.media.timeline import belongs, wrapped_difference
from common.times import TimeRange

_MOST_ENCODED_SEGMENTS = 8
"""So many segments are encoded as one piece at most: memory, and the time until it is sent."""

_MOST_CONTEXT_SEGMENTS = 6
"""Where no IDR picture comes for longer, decoding starts in the middle: two key frames back."""

Load = Callable[[Path, Tables | None], SourceSegment]


@dataclass(eq=False, kw_only=True)
class Visit:
    """A segment of a clip, and which of its units are wanted. `continues` says that its time goes
    on where the one before ended.
    """

    piece: Piece
    segment: SourceSegment
    wanted: npt.NDArray[np.bool_]
    continues: bool

    @property
    def wanted_stamps(self) -> Ints:
        """Time stamps of the wanted frames in order of display."""
        if len(self.segment):
            return np.sort(self.segment.pts[self.wanted])
        return self.segment.shown[_wanted(self.piece, self.segment.shown)]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Units `first` to `last` (exclusive) go out as they are, behind the parameter sets `sets`.

    `context` is what would have to be decoded for them; the last entry is this segment.
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


def visits(pieces: Iterable[Piece], load: Load) -> Iterator[Visit]:
    """Load the segments of a clip, one after the other.

    Raises MediaError naming the range if one cannot be read, unless it may be left out.
    """
    before: SourceSegment | None = None
    for piece in pieces:
        try:
            segment = load(Path(piece.path), before.tables if before else None)
        except MediaError as exc:
            if piece.optional:
                before = None
                continue
            raise MediaError(f"{piece.label}: {exc}") from exc
        yield Visit(
            piece=piece,
            segment=segment,
            wanted=_wanted(piece, segment.pts),
            continues=before is not None and follows(segment, before),
        )
        before = segment


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


class _Walk:
    def __init__(self) -> None:
        self._copying = False
        self._period: list[Source] = []
        """What has to be decoded for a frame of the current period: from its IDR picture on."""
        self._encode = Encode()
        self._sets = b""

    def run(self, clip: Iterable[Visit]) -> Iterator[Step]:
        for visit in clip:
            if not visit.continues:
                yield from self._flush()
                self._copying = False
                self._period = []
            if self._copying and visit.wanted.size and visit.wanted.all() and not _doubtful(visit):
                self._enter(visit, 0, begins=visit.segment.begins_anew)
                last = len(visit.segment)
                yield Copy(visit=visit, first=0, last=last, context=tuple(self._period))
            else:
                yield from self._by_periods(visit)
                if not visit.wanted.any():
                    yield Listen(visit=visit)
        yield from self._flush()

    def _by_periods(self, visit: Visit) -> Iterator[Step]:
        segment = visit.segment
        idrs = segment.idr_units
        for first, last in pairwise(sorted({0, *idrs, len(segment)})):
            begins = first in idrs
            if begins:
                self._copying = not _doubtful(visit)
                self._sets = segment.sets_of(first) or self._sets
            self._enter(visit, first, begins=begins)
            yield from self._chunk(visit, first, last, begins=begins)

    def _enter(self, visit: Visit, first: int, *, begins: bool) -> None:
        """From here on decoding needs this segment too, or, where a period begins, nothing else."""
        source = Source(path=visit.piece.path, first=first, last=len(visit.segment))
        self._period = [source] if begins else [*self._period, source][-_MOST_CONTEXT_SEGMENTS:]

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
                context=tuple(self._period),
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
