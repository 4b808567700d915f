"""What single pictures take: the frame of a moment, and the waveform of a range.

    job = plan_frame(store, channel, quality, moment)
    job = plan_waveform(store, channel, quality, span, size=(1024, 64))
    png = b"".join(encoders.run(job))

Planning blocks on the disk, and refuses what is not recorded with HolesNotAllowed.
"""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

from common.errors import HolesNotAllowed
from common.media.job import Piece
from common.segments.path import Segment
from common.segments.select import TOLERANCE, Sequence
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, TimeRange, format_time

_SLACK: Micros = 500
"""A moment means the frame that begins up to 0.5 ms after it; see `common.media.timeline`."""

# The group of pictures that a frame needs may have begun long before it.
_LONGEST_GROUP: Micros = 20 * SECOND
# The sound of a moment may lie in the segment before or after.
_SOUND_APART: Micros = SECOND // 10

Box = tuple[int, int, int, int]
"""Left, upper, right, lower in pixels; right and lower are the first that are outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A picture that lies above the frame: a PNG file, or a PNG in base64. The frame is cropped to
    `crop` (None: not at all) and scaled into `location` of the template (None: all of it).
    """

    path: str | None = None
    png_base64: str | None = None
    crop: Box | None = None
    location: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureJob:
    """Find the last frame with `t <= moment + 0.5 ms` in `pieces` and send it as PNG.

    The pieces follow each other without a hole. The first ones are there only because decoding may
    have to begin in them.
    """

    kind: ClassVar[str] = "picture"

    pieces: tuple[Piece, ...]
    moment: Micros
    template: Template | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        template = fields.pop("template")
        pieces = tuple(Piece(**piece) for piece in fields.pop("pieces"))
        return cls(pieces=pieces, template=template and Template(**template), **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformJob:
    """Draw the sound of the pieces from `start` to `end` as a PNG of `width` by `height`."""

    kind: ClassVar[str] = "waveform"

    pieces: tuple[Piece, ...]
    start: Micros
    end: Micros
    width: int
    height: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        return cls(pieces=tuple(Piece(**piece) for piece in fields.pop("pieces")), **fields)


def plan_frame(
    store: SegmentStore,
    channel: str,
    quality: str,
    moment: Micros,
    template: Template | None = None,
) -> PictureJob:
    """The job for the frame of `moment`."""
    around = TimeRange(moment - _LONGEST_GROUP, moment + _LONGEST_GROUP)
    run = _run_up_to(store.best(channel, quality, around), moment)
    if not run:
        raise HolesNotAllowed(f"nothing is recorded at {format_time(moment)}")
    return PictureJob(
        pieces=_pieces(store, channel, quality, run), moment=moment, template=template
    )


def _run_up_to(sequence: Sequence, moment: Micros) -> list[Segment]:
    """The segments without a hole between them that lead up to `moment`; none if it is in a hole.
    The last one may begin just after it.
    """
    run: list[Segment] = []
    for entry in sequence:
        if entry.start > moment + _SLACK:
            break
        if isinstance(entry, Segment):
            run.append(entry)
        elif entry.start <= moment:
            # Either it goes on behind the moment, or what was before it does not count.
            run.clear()
    return run


def plan_waveform(
    store: SegmentStore, channel: str, quality: str, span: TimeRange, size: tuple[int, int]
) -> WaveformJob:
    """The job for the waveform of `span`, in which holes are allowed."""
    wide = TimeRange(span.start - _SOUND_APART, span.end + _SOUND_APART)
    segments = [entry for entry in store.best(channel, quality, wide) if isinstance(entry, Segment)]
    if not any(entry.start < span.end and entry.end > span.start for entry in segments):
        raise HolesNotAllowed("nothing is recorded there")
    return WaveformJob(
        pieces=_pieces(store, channel, quality, segments),
        start=span.start,
        end=span.end,
        width=size[0],
        height=size[1],
    )


def _pieces(
    store: SegmentStore, channel: str, quality: str, segments: list[Segment]
) -> tuple[Piece, ...]:
    """Each segment, from where the one before ends if they overlap."""
    pieces = []
    reached: Micros = 0
    for segment in segments:
        overlaps = segment.start < reached - TOLERANCE
        pieces.append(
            Piece(
                path=str(store.path(channel, quality, segment)),
                start=segment.start,
                from_time=reached if overlaps else 0,
                to_time=segment.end,
            )
        )
        reached = segment.end
    return tuple(pieces)
