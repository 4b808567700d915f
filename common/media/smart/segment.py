"""One segment as a smart cut sees it: access units, sound, and which of them can be copied how."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from common.errors import BadSegmentName, MediaError
from common.media.demuxer import open_segment, packets_of, streams_of
from common.media.smart.adts import SAMPLES, config_of, frame_starts
from common.media.smart.nal import has_slice, is_idr, parameter_sets
from common.media.smart.packets import (
    ADTS,
    PTS_MASK,
    ROOM,
    VIDEO_TYPES,
    Damaged,
    Ints,
    Packets,
    Tables,
    Unfit,
    parse,
)
from common.media.smart.sound import SourceSound, read_sound
from common.media.timeline import CLOCK_HZ, frame_rate, wrapped_difference
from common.segments.path import Segment, SegmentType, hash_bytes, parse_name
from common.times import SECOND, Micros

_HEAD_PACKETS = 2
_FALLBACK_RATE = Fraction(30)  # of a segment with a single frame


@dataclass(frozen=True, kw_only=True)
class SourceSegment:
    """A segment's access units in decode order, and its sound.

    `pts` and `dts` are ticks without a jump at 2^33, from the first unit's on. `packets` are there
    where units can be copied in place, `loose` has their bytes where they have to be packed anew.
    `damaged` says that the file lacks packets, so that units may be incomplete.
    """

    tables: Tables
    pts: Ints
    dts: Ints
    packets: Packets | None
    loose: tuple[bytes, ...]
    sound: SourceSound | None
    damaged: bool = False

    def __len__(self) -> int:
        return len(self.pts)

    def unit_bytes(self, unit: int) -> bytes:
        """An access unit as it is in the stream."""
        return self.loose[unit] if self.packets is None else self.packets.unit_bytes(unit)

    @property
    def unit_sizes(self) -> Ints:
        """How many bytes each access unit has, to within a packet."""
        if self.packets is None:
            return np.array([len(unit) for unit in self.loose], np.int64)
        rows = self.packets.rows
        begins = np.searchsorted(rows, self.packets.units.row)
        return np.diff(begins, append=len(rows)) * ROOM

    @cached_property
    def begins_anew(self) -> bool:
        """Whether the first unit is an IDR picture."""
        return len(self) > 0 and self.is_idr(0)

    @cached_property
    def idr_units(self) -> list[int]:
        """Which units are IDR pictures."""
        return [unit for unit in range(len(self)) if self.is_idr(unit)]

    def is_idr(self, unit: int) -> bool:
        """Whether an access unit is an IDR picture."""
        return is_idr(self._unit_head(unit), self.tables.video_type)

    def sets_of(self, unit: int) -> bytes:
        """The parameter sets that an access unit carries."""
        return parameter_sets(self._unit_head(unit), self.tables.video_type)

    def _unit_head(self, unit: int) -> bytes:
        """The unit's beginning: everything before its first slice, and a bit of that."""
        if self.packets is None:
            return self.loose[unit]
        head = self.packets.unit_bytes(unit, most_packets=_HEAD_PACKETS)
        if has_slice(head, self.tables.video_type):
            return head
        return self.packets.unit_bytes(unit)

    @cached_property
    def shown(self) -> Ints:
        """Time stamps in order of display: of the video, or of the sound where there is none."""
        if len(self):
            return np.sort(self.pts)
        return self.sound.times() if self.sound else self.pts

    @property
    def rate(self) -> Fraction:
        """Frames per second; of AAC frames where there is no video."""
        if not len(self) and self.sound is not None:
            return Fraction(self.sound.config.rate, SAMPLES)
        return frame_rate(self.shown - self.shown[:1]) or _FALLBACK_RATE


def load(path: Path, known: Tables | None = None) -> SourceSegment:
    """Read and parse a segment. `known` are the tables to go by if it has none. Blocks.

    Raises MediaError if it has gone, holds nothing, or is not what was recorded.
    """
    data = read(path)
    segment = _parsed(path, data, known)
    if _is_odd(path, segment) and not _is_as_recorded(path, data):
        raise MediaError(f"{path.name} is damaged: it is not what was recorded")
    return segment


def load_usual(path: Path, data: memoryview, known: Tables | None) -> SourceSegment:
    """The same for the content of a usual segment: takes a fraction of a millisecond.

    Raises Unfit where more than that may be needed.
    """
    packets = parse(data, known)
    segment = in_place(packets, read_sound(packets))
    if _is_odd(path, segment):
        raise Unfit(f"{path.name} is unlike most")
    return segment


def read(path: Path) -> memoryview:
    """A segment's content, to be written to. Blocks. Raises MediaError if it has gone."""
    content = new_memory(size_of(path))
    read_into(content, path)
    return content


def new_memory(size: int) -> memoryview:
    """So many bytes, whatever is in them; a bytearray would be filled with zeros first."""
    return np.empty(size, np.uint8).data


def size_of(path: Path) -> int:
    """A segment's size in bytes. Raises MediaError if it has gone."""
    with _readable(path):
        return path.stat().st_size


def read_into(content: memoryview, path: Path) -> None:
    """Read a segment of this size. Blocks. Raises MediaError if it has gone."""
    with _readable(path), path.open("rb", buffering=0) as file:
        if file.readinto(content) != len(content):
            raise MediaError(f"{path.name} has changed, as segments never do")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the segment if its reading fails."""
    try:
        yield
    except OSError as exc:
        problem = "is gone" if isinstance(exc, FileNotFoundError) else "cannot be read"
        raise MediaError(f"{path.name} {problem}") from exc


def load_picture(path: Path) -> SourceSegment:
    """The same without sound, and quicker. Raises Unfit if it is not simple."""
    return in_place(parse(read(path)), None)


def _parsed(path: Path, data: memoryview, known: Tables | None) -> SourceSegment:
    try:
        packets = parse(data, known)
        return in_place(packets, read_sound(packets))
    except Unfit as exc:
        return replace(_demuxed(path), damaged=isinstance(exc, Damaged))


def in_place(packets: Packets, sound: SourceSound | None) -> SourceSegment:
    """A segment whose units can be copied as they stand there."""
    return SourceSegment(
        tables=packets.tables,
        pts=_unwrapped(packets.units.pts, packets.units.pts),
        dts=_unwrapped(packets.units.dts, packets.units.pts),
        packets=packets,
        loose=(),
        sound=sound,
    )


def _is_odd(path: Path, segment: SourceSegment) -> bool:
    """Whether a segment is unlike most: not simple, or not as long as its name says."""
    duration, shown = named_duration(path), segment.shown
    if duration is None:
        return False
    if segment.packets is None or len(shown) < 2:
        return True
    span, count = np.array([shown[-1] - shown[0]]), np.array([len(shown)])
    return bool(are_unlike_names(span, count, np.array([duration])).any())


def are_unlike_names(spans: Ints, counts: Ints, durations: Ints) -> npt.NDArray[np.bool_]:
    """Which segments are longer or shorter than their names say, by more than one and a half
    frames. Each shows `counts` frames, the last of them `spans` ticks after the first; `durations`
    are microseconds.
    """
    steps = spans / (counts - 1)
    off: npt.NDArray[np.float64] = np.abs(steps * counts - durations * (CLOCK_HZ / SECOND))
    return off > 1.5 * steps


def _is_as_recorded(path: Path, data: memoryview) -> bool:
    """Whether the content has the hash that stands in the name. Costs more than all else, so it is
    asked only of what looks odd.
    """
    named = _named(path)
    return named is None or named.type is SegmentType.TEMP or named.hash == hash_bytes(data)


def named_duration(path: Path) -> Micros | None:
    """How long a segment is by its name; None where it is no recorded segment's."""
    named = _named(path)
    return named.duration if named is not None else None


def _named(path: Path) -> Segment | None:
    """What the file's name says; None where it is no recorded segment's."""
    try:
        named = parse_name(path.parent.name, path.name)
    except BadSegmentName:
        return None
    return named if isinstance(named, Segment) else None


def _unwrapped(stamps: Ints, pts: Ints) -> Ints:
    if not len(stamps):
        return stamps
    first = int(pts[0])
    return first + wrapped_difference(stamps, first)


def _demuxed(path: Path) -> SourceSegment:
    """The slow way, for what is not simple. Raises MediaError if that does not help either."""
    try:
        with open_segment(str(path)) as container:
            return _from_container(container, path.name)
    except (FFmpegError, Unfit) as exc:
        raise MediaError(f"{path.name} cannot be read") from exc


def _from_container(container: "av.container.InputContainer", name: str) -> SourceSegment:
    video, audio = streams_of(container, name)
    kinds = (VIDEO_TYPES.get(video.codec_context.name, 0) if video else 0, ADTS if audio else 0)
    if video and not kinds[0]:
        raise MediaError(f"{name} holds no H.264, HEVC or AAC")
    units: list[tuple[int, int, bytes]] = []
    sound: list[tuple[int, bytes]] = []
    for packet in packets_of(container, video, audio):
        if packet.pts is None:
            continue
        if video is not None and packet.stream_index == video.index:
            dts = packet.pts if packet.dts is None else packet.dts
            units.append((packet.pts & PTS_MASK, dts & PTS_MASK, bytes(packet)))
        else:
            sound.append((packet.pts & PTS_MASK, bytes(packet)))
    pts = np.array([unit[0] for unit in units], np.int64)
    return SourceSegment(
        tables=Tables(0, 0, kinds[0], kinds[1]),
        pts=_unwrapped(pts, pts),
        dts=_unwrapped(np.array([unit[1] for unit in units], np.int64), pts),
        packets=None,
        loose=tuple(unit[2] for unit in units),
        sound=_loose_sound(sound),
    )


def _loose_sound(packets: list[tuple[int, bytes]]) -> SourceSound | None:
    if not packets:
        return None
    stamps = dict(_sized(packets))
    data = b"".join(packet for _, packet in packets)
    starts = frame_starts(data)
    if len(starts) < 2:
        return None
    known = [(index, stamps[start]) for index, start in enumerate(starts) if start in stamps]
    return SourceSound(config_of(data), data, starts, known)


def _sized(packets: list[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
    size = 0
    for pts, packet in packets:
        yield size, pts
        size += len(packet)
