"""A small MPEG-TS multiplexer (ISO/IEC 13818-1) that can lay a stream out in all the ways that
sources do, among them those that ffmpeg's never does: other PIDs from some segment on, counters
that start again, a PCR of its own, ADTS frames across PES packets, data streams, null packets.

It writes what it is told and checks nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

CLOCK_HZ = 90_000
PACKET_BYTES = 188
STAMP_WRAP = 1 << 33

PAT_PID = 0
SDT_PID = 17
NULL_PID = 0x1FFF

H264_TYPE = 0x1B
HEVC_TYPE = 0x24
AAC_TYPE = 0x0F
METADATA_TYPE = 0x15

_VIDEO_ID = 0xE0
_AUDIO_ID = 0xC0
_PRIVATE_ID = 0xBD

# How far the clock reference is behind the decoding time.
_PCR_LEAD = CLOCK_HZ // 2
_TABLES_TICKS = CLOCK_HZ // 10
_DATA_TICKS = CLOCK_HZ // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A coded picture in Annex B form. Stamps are ticks that do not wrap."""

    data: bytes
    pts: int
    dts: int
    number: int
    random_access: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Adts:
    """An AAC frame with its ADTS header; `pts` in ticks, not rounded, not wrapped."""

    data: bytes
    pts: Fraction


class Tables(Enum):
    """Where PAT and PMT stand."""

    OFTEN = "often"
    """At the start of each segment and every 100 ms."""
    AT_START = "at start"
    """Once, at the start of each segment."""
    ONCE = "once"
    """In the first segment only: the others cannot be read alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a stretch of the stream is laid out in packets."""

    pmt_pid: int = 0x1000
    video_pid: int = 0x100
    audio_pid: int = 0x101
    pcr_pid: int | None = None
    """A PID of its own for the clock reference; None is the video's (the audio's without video)."""
    data_pid: int | None = None
    """Timed ID3 goes here."""
    video_type: int = H264_TYPE
    frames_per_pes: int = 4
    """AAC frames."""
    straddle: bool = False
    """Audio PES packets of equal size, so that AAC frames lie across them."""
    service_table: bool = True
    nulls: bool = False
    tables: Tables = Tables.OFTEN
    restart_counters: bool = False
    """Continuity counters start again from 0 in each segment."""


@dataclass(frozen=True, slots=True)
class _Pes:
    """A PES packet that is to be sent at `time` (ticks)."""

    time: int
    pid: int
    data: bytes
    clock: int | None
    random_access: bool = False


class Multiplexer:
    """Makes one segment after the other; counters go on from one to the next."""

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}
        self._begun = False

    def segment(self, layout: Layout, units: Sequence[Unit], sound: Sequence[Adts]) -> bytes:
        """The packets of a segment. Units are in decoding order."""
        if layout.restart_counters:
            self._counters.clear()
        packets = bytearray()
        tables_at: int | None = None
        wants_tables = layout.tables is not Tables.ONCE or not self._begun
        kinds = (bool(units), bool(sound))
        for pes in sorted(_pes_packets(layout, units, sound), key=lambda pes: pes.time):
            due = tables_at is None or (
                layout.tables is Tables.OFTEN and pes.time - tables_at > _TABLES_TICKS * 2 // 3
            )
            if due and wants_tables:
                packets += self._tables(layout, *kinds)
                tables_at = pes.time
            packets += self._packets(layout, pes)
        self._begun = True
        return bytes(packets)

    def _tables(self, layout: Layout, has_video: bool, has_audio: bool) -> bytes:
        tables = b""
        if layout.service_table:
            tables += self._section(SDT_PID, _service_table())
        tables += self._section(PAT_PID, _association_table(layout))
        return tables + self._section(layout.pmt_pid, _map_table(layout, has_video, has_audio))

    def _section(self, pid: int, section: bytes) -> bytes:
        payload = b"\x00" + section
        head = bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | self._count(pid)))
        return (head + payload).ljust(PACKET_BYTES, b"\xff")

    def _packets(self, layout: Layout, pes: _Pes) -> bytes:
        made = b""
        clock = pes.clock
        if layout.pcr_pid is not None and clock is not None:
            made += self._clock_packet(layout.pcr_pid, clock)
            clock = None
        made += b"".join(self._payload(pes.pid, pes.data, clock, pes.random_access))
        if layout.nulls:
            made += bytes((0x47, NULL_PID >> 8, NULL_PID & 0xFF, 0x10)).ljust(PACKET_BYTES, b"\xff")
        return made

    def _clock_packet(self, pid: int, clock: int) -> bytes:
        """An adaptation field alone: without a payload the counter stands still."""
        counter = self._counters.get(pid, 0)
        head = bytes((0x47, pid >> 8, pid & 0xFF, 0x20 | counter, 183, 0x10))
        return (head + _clock_bytes(clock)).ljust(PACKET_BYTES, b"\xff")

    def _payload(
        self, pid: int, data: bytes, clock: int | None, random_access: bool
    ) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            start = 0 if at else 0x40
            fields = b""
            if start and (clock is not None or random_access):
                fields = bytes(((clock is not None) << 4 | random_access << 6,))
                fields += b"" if clock is None else _clock_bytes(clock)
            room = PACKET_BYTES - 4 - (1 + len(fields) if fields else 0)
            taken = data[at : at + room]
            at += len(taken)
            adapted = 0x20 if fields or len(taken) < room else 0
            head = bytes((0x47, start | pid >> 8, pid & 0xFF, 0x10 | adapted | self._count(pid)))
            yield head + (_adaptation(fields, len(taken)) if adapted else b"") + taken

    def _count(self, pid: int) -> int:
        counter = self._counters.get(pid, -1) + 1 & 0xF
        self._counters[pid] = counter
        return counter


def _adaptation(fields: bytes, payload_bytes: int) -> bytes:
    """An adaptation field that fills what `payload_bytes` leave of a packet."""
    length = PACKET_BYTES - 5 - payload_bytes
    if length and not fields:
        fields = b"\x00"
    return bytes((length,)) + fields.ljust(length, b"\xff")


def _pes_packets(layout: Layout, units: Sequence[Unit], sound: Sequence[Adts]) -> Iterator[_Pes]:
    for unit in units:
        data = _pes(_VIDEO_ID, unit.data, unit.pts, unit.dts)
        clock = unit.dts - _PCR_LEAD
        yield _Pes(unit.dts, layout.video_pid, data, clock, unit.random_access)
    for data, pts in _sound_payloads(layout, sound):
        pes = _pes(_AUDIO_ID, data, pts, pts)
        yield _Pes(pts, layout.audio_pid, pes, None if units else pts - _PCR_LEAD)
    if layout.data_pid is not None and units:
        first, last = units[0].dts, units[-1].dts
        for time in range(first, last + 1, _DATA_TICKS):
            yield _Pes(time, layout.data_pid, _pes(_PRIVATE_ID, _tag(time), time, time), None)


def _sound_payloads(layout: Layout, sound: Sequence[Adts]) -> Iterator[tuple[bytes, int]]:
    """The audio PES packets' content, each with the PTS of the first frame that begins in it
    (2.4.3.7).
    """
    if not layout.straddle:
        for first in range(0, len(sound), layout.frames_per_pes):
            group = sound[first : first + layout.frames_per_pes]
            yield b"".join(frame.data for frame in group), round(group[0].pts)
        return
    everything = b"".join(frame.data for frame in sound)
    begins: list[tuple[int, Fraction]] = []
    position = 0
    for frame in sound:
        begins.append((position, frame.pts))
        position += len(frame.data)
    size = max(len(frame.data) for frame in sound) * layout.frames_per_pes + 31
    for start in range(0, len(everything), size):
        pts = next((pts for at, pts in begins if at >= start), sound[-1].pts)
        yield everything[start : start + size], round(pts)


def _pes(stream_id: int, data: bytes, pts: int, dts: int) -> bytes:
    both = pts != dts
    stamps = _stamp(0b0011 if both else 0b0010, pts) + (_stamp(0b0001, dts) if both else b"")
    header = bytes((0x84, 0xC0 if both else 0x80, len(stamps))) + stamps
    length = 0 if stream_id == _VIDEO_ID else len(header) + len(data)
    return b"\x00\x00\x01" + bytes((stream_id,)) + length.to_bytes(2, "big") + header + data


def _stamp(prefix: int, ticks: int) -> bytes:
    ticks %= STAMP_WRAP
    value = prefix << 36 | ticks >> 30 << 33 | 1 << 32
    value |= (ticks >> 15 & 0x7FFF) << 17 | 1 << 16 | (ticks & 0x7FFF) << 1 | 1
    return value.to_bytes(5, "big")


def _clock_bytes(ticks: int) -> bytes:
    return ((ticks % STAMP_WRAP) << 15 | 0x3F << 9).to_bytes(6, "big")


def _tag(time: int) -> bytes:
    """An ID3v2.4 tag with one text frame."""
    text = b"\x03time\x00" + str(time).encode()
    frame = b"TXXX" + len(text).to_bytes(4, "big") + b"\x00\x00" + text
    return b"ID3\x04\x00\x00" + len(frame).to_bytes(4, "big") + frame


def crc32(data: bytes) -> int:
    """The CRC of sections (annex A): polynomial 0x04C11DB7, from all ones, not reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def _section_bytes(table: int, extension: int, body: bytes, flags: int = 0xB000) -> bytes:
    length = 5 + len(body) + 4
    head = bytes((table,)) + (flags | length).to_bytes(2, "big") + extension.to_bytes(2, "big")
    section = head + b"\xc1\x00\x00" + body
    return section + crc32(section).to_bytes(4, "big")


def _association_table(layout: Layout) -> bytes:
    return _section_bytes(0, 1, b"\x00\x01" + (0xE000 | layout.pmt_pid).to_bytes(2, "big"))


def _map_table(layout: Layout, has_video: bool, has_audio: bool) -> bytes:
    streams: list[tuple[int, int, bytes]] = []
    if layout.data_pid is not None:  # first, as some sources have it
        descriptor = b"\x26\x0d\xff\xffID3 \xffID3 \x00\x0f"
        streams.append((METADATA_TYPE, layout.data_pid, descriptor))
    if has_video:
        streams.append((layout.video_type, layout.video_pid, b""))
    if has_audio:
        streams.append((AAC_TYPE, layout.audio_pid, b""))
    clock = layout.pcr_pid or (layout.video_pid if has_video else layout.audio_pid)
    body = (0xE000 | clock).to_bytes(2, "big") + b"\xf0\x00"
    for kind, pid, descriptors in streams:
        body += bytes((kind,)) + (0xE000 | pid).to_bytes(2, "big")
        body += (0xF000 | len(descriptors)).to_bytes(2, "big") + descriptors
    return _section_bytes(2, 1, body)


def _service_table() -> bytes:
    name = b"\x48\x0a\x01\x04test\x03one"
    service = b"\x00\x01\xfc" + (0x8000 | len(name)).to_bytes(2, "big") + name
    return _section_bytes(0x42, 1, b"\x00\x01\xff" + service, flags=0xF000)
