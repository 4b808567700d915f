"""Takes streams apart and puts them together again, changed: to show that judges see the change."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from tests.support.transport import AAC_SAMPLES, CLOCK_HZ, PACKET_BYTES, read_transport
from tests.support.ts_mux import Adts, Layout, Multiplexer, Unit, crc32

_LIKE_FFMPEG = Layout()
_PAYLOAD_STARTS = 0x40
_ADAPTED = 0x20
_HAS_CLOCK = 0x10


@dataclass(slots=True)
class Parts:
    """The content of a stream, to be changed in place. Units are in decoding order."""

    units: list[Unit]
    sound: list[Adts]


def take_apart(data: bytes) -> Parts:
    """The parts of a stream without gaps; numbers are places in decoding order."""
    transport = read_transport(data)
    sound = transport.sound
    step = Fraction(AAC_SAMPLES * CLOCK_HZ, sound[0].rate) if sound else Fraction()
    return Parts(
        units=[
            Unit(data=u.data, pts=u.pts, dts=u.dts, number=index, random_access=u.is_idr)
            for index, u in enumerate(transport.units)
        ],
        # Not the frames' own stamps: those of PES packets are rounded.
        sound=[
            Adts(data=frame.data, pts=sound[0].pts + index * step)
            for index, frame in enumerate(sound)
        ],
    )


def put_together(parts: Parts, layout: Layout = _LIKE_FFMPEG) -> bytes:
    """One continuous stream."""
    return Multiplexer().segment(layout, parts.units, parts.sound)


def shift_sound(parts: Parts, ticks: Fraction) -> None:
    """Let all sound be heard that much later."""
    parts.sound = [Adts(data=frame.data, pts=frame.pts + ticks) for frame in parts.sound]


def split_packets(data: bytes) -> list[bytearray]:
    return [bytearray(data[at : at + PACKET_BYTES]) for at in range(0, len(data), PACKET_BYTES)]


def pid_of(packet: bytes | bytearray) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def starts_pes(packet: bytes | bytearray) -> bool:
    return bool(packet[1] & _PAYLOAD_STARTS)


def has_clock(packet: bytes | bytearray) -> bool:
    return bool(packet[3] & _ADAPTED and packet[4] and packet[5] & _HAS_CLOCK)


def payload_of(packet: bytearray) -> int:
    """Where the payload begins."""
    return 5 + packet[4] if packet[3] & _ADAPTED else 4


def change_clocks(packets: list[bytearray], change: Callable[[int, int], int | None]) -> None:
    """Replace each PCR's base: `change` gets which one it is and the base in ticks; None takes the
    PCR away.
    """
    for index, packet in enumerate(filter(has_clock, packets)):
        value = int.from_bytes(packet[6:12], "big")
        changed = change(index, value >> 15)
        if changed is None:
            packet[5] &= ~_HAS_CLOCK
            packet[6:12] = b"\xff" * 6
        else:
            packet[6:12] = (changed << 15 | value & 0x7FFF).to_bytes(6, "big")


def change_table(packet: bytearray, change: Callable[[bytes], bytes]) -> None:
    """Change the program table in a packet: `change` gets its section without the CRC."""
    length = int.from_bytes(packet[6:8], "big") & 0xFFF
    section = bytearray(change(bytes(packet[5 : 8 + length - 4])))
    section[1:3] = (0xB000 | len(section) + 4 - 3).to_bytes(2, "big")
    section += crc32(bytes(section)).to_bytes(4, "big")
    packet[5:] = section.ljust(PACKET_BYTES - 5, b"\xff")
