"""Our own TS packets: program tables, clock references, and PES packets that are packed anew.

ISO/IEC 13818-1: 2.4.3 (packets), 2.4.4 (program tables), annex A (their checksum).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from common.media.smart.packets import (
    ADAPTATION,
    ADTS,
    COUNTER,
    PACKET_BYTES,
    PAYLOAD,
    PTS_MASK,
    ROOM,
    START,
    SYNC,
    Bytes,
    Ints,
)

VIDEO_PID = 0x100
AUDIO_PID = 0x101
_PMT_PID = 0x1000

Packed = bytes | memoryview
"""TS packets."""

_VIDEO_ID = 0xE0
_AUDIO_ID = 0xC0
_LONGEST = 0xFFFF


def clock_field(ticks: int) -> bytes:
    """A program clock reference of whole ticks (2.4.3.5): its extension is 0."""
    return (((ticks & PTS_MASK) << 15) | 0x7E00).to_bytes(6, "big")


def stamp_field(prefix: int, ticks: int) -> bytes:
    """A PTS or DTS (2.4.3.7) behind its four bits of prefix."""
    ticks &= PTS_MASK
    return bytes(
        (
            prefix << 4 | ticks >> 29 & 0x0E | 1,
            ticks >> 22 & 0xFF,
            ticks >> 14 & 0xFE | 1,
            ticks >> 7 & 0xFF,
            ticks << 1 & 0xFE | 1,
        )
    )


def video_header(pts: int, dts: int) -> bytes:
    """The header of a PES packet with an access unit of the video; its length is left open."""
    if pts == dts:
        return bytes((0, 0, 1, _VIDEO_ID, 0, 0, 0x84, 0x80, 5)) + stamp_field(2, pts)
    return (
        bytes((0, 0, 1, _VIDEO_ID, 0, 0, 0x84, 0xC0, 10))
        + stamp_field(3, pts)
        + stamp_field(1, dts)
    )


def audio_header(pts: int, size_bytes: int) -> bytes:
    """The header of a PES packet with `size_bytes` of AAC."""
    length = size_bytes + 8
    length = length if length <= _LONGEST else 0
    start = bytes((0, 0, 1, _AUDIO_ID, length >> 8, length & 0xFF, 0x84, 0x80, 5))
    return start + stamp_field(2, pts)


def packetize(
    pid: int, counter: int, payload: bytes, *, clock: int | None = None, key: bool = False
) -> bytes:
    """The PES packet `payload` as TS packets; the first has the counter `counter`.

    `clock` puts a clock reference into the first packet, `key` marks it as a point of entry.
    """
    return bytes(packetize_all(pid, counter, [payload], clock=clock, key=key)[0])


def packetize_all(
    pid: int,
    counter: int,
    payloads: Sequence[bytes],
    *,
    clock: int | None = None,
    key: bool = False,
) -> list[Packed]:
    """The same for several PES packets in a row, of which the first has the clock."""
    field = b"" if clock is None else bytes((7, 0x10 | key << 6)) + clock_field(clock)
    bodies: list[bytes] = []
    firsts: list[int] = []
    with_field = [0] if field else []
    end = 0
    for payload in payloads:
        count = -(-(len(field) + len(payload)) // ROOM)
        padding = count * ROOM - len(field) - len(payload)
        firsts.append(end)
        end += count
        if padding:
            with_field.append(end - 1)
        if count == 1:
            bodies += (_padded(field, padding), payload)
        else:
            last = (count - 1) * ROOM - len(field)
            bodies += (field, payload[:last], _padded(b"", padding), payload[last:])
        field = b""
    heads = np.arange(counter, counter + end, dtype=np.uint32) & COUNTER
    heads |= SYNC << 24 | pid << 8 | PAYLOAD
    heads[firsts] |= START
    heads[with_field] |= ADAPTATION
    packets = np.empty((end, PACKET_BYTES), np.uint8)
    packets[:, :4] = heads.byteswap().view(np.uint8).reshape(-1, 4)
    packets[:, 4:] = np.frombuffer(b"".join(bodies), np.uint8).reshape(-1, ROOM)
    view = packets.data.cast("B")
    edges = [first * PACKET_BYTES for first in (*firsts, end)]
    return [view[start:stop] for start, stop in pairwise(edges)]


def packet_count(payload_bytes: int, *, clock: bool = False) -> int:
    """How many packets `packetize` makes."""
    return -(-((8 if clock else 0) + payload_bytes) // ROOM)


def _padded(field: bytes, padding: int) -> bytes:
    """An adaptation field made longer by `padding` bytes (2.4.3.5, stuffing_byte)."""
    if not padding:
        return field
    if field:
        return bytes((field[0] + padding,)) + field[1:] + b"\xff" * padding
    if padding == 1:
        return b"\x00"
    return bytes((padding - 1, 0)) + b"\xff" * (padding - 2)


def clock_packets(counters: Ints, clocks: Ints) -> list[Packed]:
    """Packets of the video's PID with nothing but a clock reference. `counters` are those of the
    packets before them: packets without a payload do not count.
    """
    packets = np.tile(_CLOCK_PACKET, (len(clocks), 1))
    packets[:, 3] |= (counters & COUNTER).astype(np.uint8)
    data = packets.reshape(-1)
    begins = np.arange(0, len(data), PACKET_BYTES)
    write_clocks(data, begins + 6, clocks)
    view = data.data
    return [view[begin : begin + PACKET_BYTES] for begin in begins.tolist()]


_CLOCK_PACKET = np.frombuffer(
    (SYNC << 24 | VIDEO_PID << 8 | ADAPTATION).to_bytes(4, "big")
    + bytes((ROOM - 1, 0x10))
    + b"\xff" * (ROOM - 2),
    np.uint8,
)


# Time stamps (2.4.3.7) and clock references (2.4.3.5): how far each byte's bits are shifted, which
# of them belong to the number, and which are always set.
_STAMP = np.array(((30, 0x0E, 1), (23, 0xFF, 0), (15, 0xFE, 1), (8, 0xFF, 0), (0, 0xFE, 1))).T
_REFERENCE = np.array(
    ((32, 0xFF, 0), (24, 0xFF, 0), (16, 0xFF, 0), (8, 0xFF, 0), (0, 0x80, 0x7E), (0, 0, 0))
).T


def write_stamps(data: Bytes, at: Ints, prefix: "int | Ints", ticks: Ints) -> None:
    """Write time stamps at these offsets, behind their four bits of prefix."""
    _write(data, at, ticks << 1, _STAMP)
    data[at] |= np.asarray(prefix << 4, np.uint8)


def write_clocks(data: Bytes, at: Ints, ticks: Ints) -> None:
    """Write clock references of whole ticks at these offsets."""
    _write(data, at, ticks << 7, _REFERENCE)


def _write(data: Bytes, at: Ints, numbers: Ints, form: Ints) -> None:
    shift, mask, always = form
    data[at[:, None] + np.arange(len(shift))] = (numbers[:, None] >> shift) & mask | always


@lru_cache(maxsize=64)
def tables(counter: int, video_type: int, has_audio: bool) -> bytes:
    """PAT and PMT. `video_type` 0 means that there is no video: the sound then has the clock."""
    pat = _section(0x00, 1, (1 << 16 | 0xE000 | _PMT_PID).to_bytes(4, "big"))
    clock_pid = VIDEO_PID if video_type else AUDIO_PID
    streams = (0xE000 | clock_pid).to_bytes(2, "big") + b"\xf0\x00"
    if video_type:
        streams += _stream(video_type, VIDEO_PID)
    if has_audio:
        streams += _stream(ADTS, AUDIO_PID)
    return _table_packet(0, counter, pat) + _table_packet(
        _PMT_PID, counter, _section(0x02, 1, streams)
    )


def _stream(kind: int, pid: int) -> bytes:
    return bytes((kind,)) + (0xE000 | pid).to_bytes(2, "big") + b"\xf0\x00"


def _section(table_id: int, number: int, content: bytes) -> bytes:
    length = len(content) + 9
    section = (
        bytes((table_id,))
        + (0xB000 | length).to_bytes(2, "big")
        + number.to_bytes(2, "big")
        + b"\xc1\x00\x00"
        + content
    )
    return section + _checksum(section).to_bytes(4, "big")


def _table_packet(pid: int, counter: int, section: bytes) -> bytes:
    head = SYNC << 24 | START | pid << 8 | PAYLOAD | counter & COUNTER
    return (head.to_bytes(4, "big") + b"\x00" + section).ljust(PACKET_BYTES, b"\xff")


def _checksum(data: bytes) -> int:
    """CRC-32 of program tables (annex A): polynomial 0x04C11DB7, no reflection."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
