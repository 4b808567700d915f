"""A segment's TS packets as numpy arrays: found, judged and numbered without a loop over packets.

ISO/IEC 13818-1: transport packet (2.4.3.2), adaptation field (2.4.3.4), PES packet (2.4.3.6).

What is read here is what `smart` cuts rely on when they change packets in place: every packet is
whole and unscrambled, each access unit of the video begins a PES packet whose header lies in one
transport packet, counters have no gap. A segment of which that is not true raises `Unfit`, and is
demuxed instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from common.errors import MediaError

PACKET_BYTES = 188
WORDS = PACKET_BYTES // 4
ROOM = PACKET_BYTES - 4
"""What a packet holds behind its head."""
SYNC = 0x47
PTS_MASK = (1 << 33) - 1

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]

# Fields of a packet's first word (big endian).
START = 0x00400000  # payload_unit_start_indicator
PID = 0x001FFF00
ADAPTATION = 0x20
PAYLOAD = 0x10
COUNTER = 0x0F
_CHECKED = 0xFF8000C0  # sync byte, transport_error_indicator, transport_scrambling_control
_SOUND = SYNC << 24

_PES_HEADER = 19  # with PTS and DTS and nothing else
_SHORT_PES_HEADER = 14  # with PTS alone

H264 = 0x1B
HEVC = 0x24
ADTS = 0x0F
VIDEO_TYPES = {"h264": H264, "hevc": HEVC}
"""Stream types by ffmpeg's names of the codecs."""


class Unfit(MediaError):
    """The segment is not of the simple form that can be changed in place; the text says why."""


class Damaged(Unfit):
    """Packets are missing, or known to hold errors: what is there must not be copied."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What PAT and PMT say. `video_type` and `audio_type` are stream types, 0 for none."""

    video_pid: int
    audio_pid: int
    video_type: int
    audio_type: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The access units of the video, in decode order; one entry of each array for each.

    `row` is the packet that it begins in, `payload` the offset of its PES header in that packet.
    `pts` and `dts` are as they stand in the file (33 bits).
    """

    row: Ints
    payload: Ints
    pts: Ints
    dts: Ints
    has_dts: npt.NDArray[np.bool_]
    header: Ints
    """The length of the PES header; the access unit's own bytes begin behind it."""

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Packets:
    """One segment's packets. `words` is a view of `data` as (packets, 47) big-endian words, `heads`
    are the first of each packet as they were read, in the machine's own byte order.
    """

    data: memoryview
    words: Words
    heads: Words
    tables: Tables
    rows: Ints
    """The packets of the video that have a payload."""
    units: Units
    audio_rows: Ints
    begins: Ints
    """The packets that segments begin with: the first, and others if several were parsed as one."""

    @property
    def table(self) -> Bytes:
        """The packets as rows of 188 bytes."""
        return np.frombuffer(self.data, np.uint8).reshape(-1, PACKET_BYTES)

    def unit_bytes(self, unit: int, most_packets: int | None = None) -> bytes:
        """An access unit as it is in the stream, without any header; only of its first packets if
        `most_packets` says so.
        """
        begin = int(np.searchsorted(self.rows, self.units.row[unit]))
        last = unit + 1 == len(self.units)
        end = len(self.rows) if last else int(np.searchsorted(self.rows, self.units.row[unit + 1]))
        if most_packets is not None:
            end = min(end, begin + most_packets)
        joined = payload_bytes(self.data, self.heads, self.rows[begin:end])
        return joined[int(self.units.header[unit]) :]


def payload_bytes(data: memoryview, heads: Words, rows: Ints) -> bytes:
    """What the packets of these rows carry."""
    pieces = []
    for row, head in zip(rows.tolist(), heads[rows].tolist(), strict=True):
        at = row * PACKET_BYTES
        skipped = 5 + data[at + 4] if head & ADAPTATION else 4
        pieces.append(data[at + skipped : at + PACKET_BYTES])
    return b"".join(pieces)


def parse(data: memoryview, known: Tables | None = None, begins: Sequence[int] = (0,)) -> Packets:
    """Parse a segment. `known` are the tables to go by where it has none of its own.

    `data` may be several segments in a row that have the same tables; they begin with the packets
    `begins`. Raises Unfit.
    """
    if not data or len(data) % PACKET_BYTES:
        raise Unfit(f"{len(data)} bytes are not a whole number of packets")
    words = np.frombuffer(data, np.uint32).reshape(-1, WORDS)
    heads = words[:, 0].byteswap()
    if ((heads & _CHECKED) != _SOUND).any():
        raise Damaged("a packet is damaged or scrambled")
    starts = np.flatnonzero((heads & START) != 0)
    tables = _tables(data, heads, starts) or known
    if tables is None or not (tables.video_pid or tables.audio_pid):
        raise Unfit("it has no program tables")
    segments = np.array(begins, np.int64)
    kinds = heads & np.uint32(PID | PAYLOAD)
    rows = _with_payload(heads, kinds, tables.video_pid, segments)
    starts = starts[kinds[starts] == _kind(tables.video_pid)]
    if tables.video_pid and not _all_begin(heads, rows, segments):
        raise Unfit("its video does not begin with an access unit")
    units = _units(np.frombuffer(data, np.uint8), heads, starts)
    audio_rows = _with_payload(heads, kinds, tables.audio_pid, segments)
    return Packets(data, words, heads, tables, rows, units, audio_rows, segments)


def _kind(pid: int) -> int:
    """PID and PAYLOAD as they are in a stream's packets with a payload; in none if `pid` is 0."""
    return pid << 8 | PAYLOAD if pid else SYNC


def _with_payload(heads: Words, kinds: Words, pid: int, segments: Ints) -> Ints:
    """The packets of a stream that have a payload. Raises Damaged where one is missing (2.4.3.3).

    Only they are counted, in each segment anew.
    """
    rows = np.flatnonzero(kinds == _kind(pid))
    counters = heads[rows]
    jumps = np.flatnonzero((counters[1:] - counters[:-1] & COUNTER) != 1) + 1
    if len(jumps) and not np.isin(jumps, np.searchsorted(rows, segments)).all():
        raise Damaged("packets are missing, or doubled")
    return rows


def _all_begin(heads: Words, rows: Ints, segments: Ints) -> bool:
    """Whether the first of these packets in each segment begins something."""
    firsts = np.searchsorted(rows, segments)
    return firsts[-1] < len(rows) and bool((heads[rows[firsts]] & START).all())


def _units(data: Bytes, heads: Words, starts: Ints) -> Units:
    at = starts * PACKET_BYTES
    payload = np.where(heads[starts] & ADAPTATION, 5 + data[at + 4].astype(np.int64), 4)
    if (payload > PACKET_BYTES - _SHORT_PES_HEADER).any():
        raise Unfit("a PES header is spread over packets")
    # Short headers at the very end of the last packet: the bytes behind are never looked at.
    offsets = (at + payload)[:, None] + np.arange(_PES_HEADER)
    pes = data.take(offsets, mode="clip").astype(np.int64)
    is_start = (pes[:, 0] == 0) & (pes[:, 1] == 0) & (pes[:, 2] == 1) & (pes[:, 3] >> 4 == 0xE)
    plain = (pes[:, 6] & 0xF0) == 0x80
    has_pts = (pes[:, 7] & 0x80) != 0
    header = 9 + pes[:, 8]
    if not (is_start & plain & has_pts & (payload + header <= PACKET_BYTES)).all():
        raise Unfit("a PES packet of the video has no plain header with a time stamp")
    has_dts = (pes[:, 7] & 0x40) != 0
    pts = _stamps(pes[:, 9:14])
    return Units(
        row=starts,
        payload=payload,
        pts=pts,
        dts=np.where(has_dts, _stamps(pes[:, 14:19]), pts),
        has_dts=has_dts,
        header=header,
    )


def _stamps(fields: Ints) -> Ints:
    """33-bit time stamps out of their five bytes (2.4.3.7)."""
    high = (fields[:, 0] & 0x0E) << 29
    return (
        high
        | fields[:, 1] << 22
        | (fields[:, 2] & 0xFE) << 14
        | fields[:, 3] << 7
        | fields[:, 4] >> 1
    )


def _tables(data: memoryview, heads: Words, starts: Ints) -> Tables | None:
    """PAT and PMT, which are among the packets `starts`; None if there are none. Raises Unfit where
    they change.
    """
    pat = _one_content(data, heads, starts, 0)
    if pat is None:
        return None
    pmt = _one_content(data, heads, starts, _pmt_pid(pat))
    return None if pmt is None else _streams(pmt)


def _one_content(data: memoryview, heads: Words, starts: Ints, pid: int) -> bytes | None:
    """The packet of this PID from its payload on. Raises Unfit if there are different ones."""
    rows = starts[(heads[starts] & PID) == pid << 8]
    if not len(rows):
        return None
    if (heads[rows] & ADAPTATION).any():
        raise Unfit("a program table is spread over packets")
    contents: Bytes = np.frombuffer(data, np.uint8).reshape(-1, PACKET_BYTES)[rows, 4:]
    if (contents != contents[0]).any():
        raise Unfit("the program tables change within the segment")
    return bytes(contents[0])


@lru_cache(maxsize=64)
def _pmt_pid(content: bytes) -> int:
    section, _ = _section(content, 0x00)
    for at in range(8, len(section) - 4, 4):
        if section[at] << 8 | section[at + 1]:  # program 0 is the network's own
            return (section[at + 2] & 0x1F) << 8 | section[at + 3]
    raise Unfit("there is no program in it")


@lru_cache(maxsize=64)
def _streams(content: bytes) -> Tables:
    """The first video and the first audio stream of a PMT (2.4.4.8)."""
    section, _ = _section(content, 0x02)
    video = audio = (0, 0)
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while at + 5 <= len(section) - 4:
        kind = section[at]
        pid = (section[at + 1] & 0x1F) << 8 | section[at + 2]
        if kind in VIDEO_TYPES.values() and not video[0]:
            video = (pid, kind)
        elif kind == ADTS and not audio[0]:
            audio = (pid, kind)
        elif kind in _OTHER_MEDIA:
            raise Unfit(f"it has a stream of type 0x{kind:02x}")
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    if not video[0] and not audio[0]:
        raise Unfit("there is neither H.264 or HEVC nor AAC in it")
    return Tables(video[0], audio[0], video[1], audio[1])


# Video and audio that can't be copied: MPEG-1 and 2, MPEG-4, LATM, AC-3.
_OTHER_MEDIA = frozenset({0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x81, 0x87})


def _section(content: bytes, table_id: int) -> tuple[bytes, int]:
    """The section that begins in this payload (2.4.4). Raises Unfit if it does not fit there."""
    begin = 1 + content[0]
    if begin + 3 > len(content) or content[begin] != table_id:
        raise Unfit("a program table cannot be read")
    length = (content[begin + 1] & 0x0F) << 8 | content[begin + 2]
    end = begin + 3 + length
    if end > len(content):
        raise Unfit("a program table is spread over packets")
    return content[begin:end], end
