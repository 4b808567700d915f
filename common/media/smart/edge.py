"""The job of an encoding process for a smart cut: decode some units, encode those that are shown.

The decoder is given every access unit from the one on that a wanted frame may refer to, and each
frame is told by the unit that it came from, never by its place or its time. Encoded units come back
one message each: the number of the frame in order of display, whether it is a point of entry, and
the bytes. Numbers count the wanted frames; one that could not be decoded is missing.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self

import av
from av.codec.context import CodecContext
from av.video.frame import PictureType

from common.errors import MediaError
from common.media.answers import Answers
from common.media.demuxer import decoded
from common.media.smart.encoder import THREADS, encoded
from common.media.smart.packets import HEVC, Tables
from common.media.smart.segment import SourceSegment, load

_MESSAGE = struct.Struct(">I?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSource:
    """Decode units `first` to `last` (exclusive) of a segment, show those of `wanted`, in order."""

    path: str
    first: int
    last: int
    wanted: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeJob:
    """See the module's description. `tables` are for segments that have none, `sets` parameter sets
    for those that lack them. `rate` is the numerator and the denominator of frames per
    second. With `reorder` 0 the units come in order of display. `optional` frames may be missing;
    else that is an error, which begins with `label`. They should have at most `room_bytes`, if that
    is not 0.
    """

    kind: ClassVar[str] = "edge"

    tables: Tables
    sources: tuple[EdgeSource, ...]
    rate: tuple[int, int]
    reorder: int
    room_bytes: int = 0
    sets: str = ""
    optional: bool = False
    label: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        sources = tuple(EdgeSource(**source) for source in fields.pop("sources"))
        fields["tables"] = Tables(**fields["tables"])
        fields["rate"] = tuple(fields["rate"])
        return cls(sources=sources, **fields)


@dataclass(frozen=True, slots=True)
class EdgeUnit:
    """An encoded access unit. `number` counts the job's wanted frames in order of display."""

    number: int
    key: bool
    data: bytes


def read_unit(message: bytes) -> EdgeUnit:
    """An answer's payload."""
    number, key = _MESSAGE.unpack_from(message)
    return EdgeUnit(number, key, message[_MESSAGE.size :])


def handle(document: bytes, answers: Answers) -> None:
    """Do the job. Raises MediaError if frames that are not optional cannot be decoded."""
    job = EdgeJob.from_json(document)
    rate = Fraction(*job.rate)
    units = encoded(
        _numbered(job, rate),
        job.tables.video_type,
        rate=rate,
        reorder=job.reorder,
        count=sum(len(source.wanted) for source in job.sources),
        room_bytes=job.room_bytes,
    )
    send_units(units, answers)


def _numbered(job: EdgeJob, rate: Fraction) -> "Iterator[av.VideoFrame]":
    """The wanted frames; their time is their number."""
    for number, frame in _wanted_frames(job):
        frame.pict_type = PictureType.NONE
        frame.pts, frame.time_base = number, 1 / rate
        yield frame


def send_units(packets: "Iterable[av.Packet[Any]]", answers: Answers) -> None:
    """One message for each encoded access unit; see `read_unit`."""
    for packet in packets:
        answers.write(_MESSAGE.pack(packet.pts or 0, packet.is_keyframe) + bytes(packet))


def _wanted_frames(job: EdgeJob) -> "Iterator[tuple[int, av.VideoFrame]]":
    """The wanted frames in order of display, each with its number."""
    numbers: dict[int, int] = {}  # label of the unit -> number of the frame
    ready: dict[int, av.VideoFrame] = {}
    label = following = 0
    lenient = False
    decoder: Any = CodecContext.create("hevc" if job.tables.video_type == HEVC else "h264", "r")
    if job.sets:
        decoder.extradata = bytes.fromhex(job.sets)
    decoder.thread_count, decoder.thread_type = THREADS, "AUTO"
    try:
        for source in job.sources:
            segment = _load(source.path, job)
            # What was recorded with errors is shown with them, as everywhere else.
            lenient = lenient or (segment.damaged and not job.optional)
            first = label - source.first
            for unit in source.wanted:
                numbers[first + unit] = len(numbers)
            for unit in range(source.first, source.last):
                packet: av.Packet[Any] = av.Packet(segment.unit_bytes(unit))
                packet.pts = packet.dts = label
                # What nothing refers to and nobody wants need not be decoded.
                decoder.skip_frame = "DEFAULT" if label in numbers else "NONREF"
                label += 1
                _collect(decoder, packet, numbers, ready, lenient=lenient)
                while following in ready:
                    yield following, ready.pop(following)
                    following += 1
        _collect(decoder, None, numbers, ready, lenient=lenient)
        missing = len(numbers) - following - len(ready)
        if missing and not job.optional:
            raise MediaError(f"{job.label}: {missing} frames cannot be decoded")
        yield from sorted(ready.items())
    finally:
        # Threads that still decode need the interpreter's lock to give their packets back. Whoever
        # frees the decoder has it, and waits for them.
        decoder.flush_buffers()


def _load(path: str, job: EdgeJob) -> SourceSegment:
    try:
        return load(Path(path), job.tables)
    except MediaError as exc:
        raise MediaError(f"{job.label}: {exc}") from exc


def _collect(
    decoder: Any,
    packet: "av.Packet[Any] | None",
    numbers: dict[int, int],
    ready: "dict[int, av.VideoFrame]",
    *,
    lenient: bool,
) -> None:
    for frame in decoded(decoder, packet):
        number = numbers.get(frame.pts)
        if number is not None and (lenient or not frame.is_corrupt):
            ready[number] = frame
