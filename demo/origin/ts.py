"""What the origin changes in MPEG-TS (ISO/IEC 13818-1) without decoding it."""

PACKET_BYTES = 188
_CLOCK_BITS = 33
_TABLE_PIDS = frozenset({0, 17, 4096})
"""PAT, SDT and ffmpeg's PMT."""


def shift_timestamps(data: bytes, ticks: int) -> bytes:
    """The same packets with `ticks` (1/90000 s) added to every PTS, DTS and PCR, modulo 2^33."""
    shifted = bytearray(data)
    for packet in range(0, len(data) - PACKET_BYTES + 1, PACKET_BYTES):
        payload = _shift_pcr(shifted, packet, ticks)
        starts = shifted[packet + 1] & 0x40
        if starts and shifted[payload : payload + 3] == b"\x00\x00\x01":
            _shift_pes(shifted, payload, ticks)
    return bytes(shifted)


def split_tables(data: bytes) -> tuple[bytes, bytes]:
    """The leading packets of program tables, and the rest: an initialization section and what
    follows it (RFC 8216, section 3.2).
    """
    end = 0
    while end < len(data) and _pid(data, end) in _TABLE_PIDS:
        end += PACKET_BYTES
    return data[:end], data[end:]


def _pid(data: bytes, packet: int) -> int:
    return (data[packet + 1] & 0x1F) << 8 | data[packet + 2]


def _shift_pcr(data: bytearray, packet: int, ticks: int) -> int:
    """Shift the PCR if there is one; returns where the payload starts."""
    if not data[packet + 3] & 0x20:
        return packet + 4
    length = data[packet + 4]
    if length and data[packet + 5] & 0x10:
        at = packet + 6
        value = int.from_bytes(data[at : at + 6], "big")
        base, rest = value >> 15, value & 0x7FFF
        value = (base + ticks) % (1 << _CLOCK_BITS) << 15 | rest
        data[at : at + 6] = value.to_bytes(6, "big")
    return packet + 5 + length


def _shift_pes(data: bytearray, pes: int, ticks: int) -> None:
    flags = data[pes + 7] >> 6
    if flags & 2:
        _shift_stamp(data, pes + 9, ticks)
    if flags == 3:
        _shift_stamp(data, pes + 14, ticks)


def _shift_stamp(data: bytearray, at: int, ticks: int) -> None:
    """A stamp is 33 bits in five bytes: 3, 15 and 15 bits, each followed by a marker bit."""
    value = int.from_bytes(data[at : at + 5], "big")
    stamp = (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF
    stamp = (stamp + ticks) % (1 << _CLOCK_BITS)
    packed = (
        value >> 36 << 36
        | stamp >> 30 << 33
        | 1 << 32
        | (stamp >> 15 & 0x7FFF) << 17
        | 1 << 16
        | (stamp & 0x7FFF) << 1
        | 1
    )
    data[at : at + 5] = packed.to_bytes(5, "big")
