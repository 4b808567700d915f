"""Which segments can be changed in place, and what each that cannot is refused for."""

import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from common.media.smart.packets import PTS_MASK, Tables, Unfit, parse
from tests.support.transport import read_transport
from tests.support.ts_mux import Adts, Layout, Multiplexer, Unit
from tests.support.ts_surgery import payload_of, pid_of, split_packets, starts_pes

VIDEO, AUDIO, PMT = 0x100, 0x101, 0x1000
TABLES = Tables(VIDEO, AUDIO, 0x1B, 0x0F)
LAYOUT = Layout()
START = PTS_MASK - 4000


def slice_of(size: int, number: int) -> bytes:
    """An access unit of a made-up picture."""
    body = random.Random(number).randbytes(size).replace(b"\0", b"\1")
    return b"\0\0\0\1\x09\xf0\0\0\1\x65\x80" + body


def made(layout: Layout = LAYOUT, *, audio: bool = True) -> bytes:
    units = [
        Unit(
            data=slice_of(200 + 97 * n, n),
            pts=START + 1500 * (n + 2 * (n % 2)),
            dts=START + 1500 * n - 3000,
            number=n,
            random_access=n == 0,
        )
        for n in range(12)
    ]
    frame = bytes((0xFF, 0xF1, 0x4C, 0x80, 0x08, 0x1F, 0xFC)) + b"\x21" * 57
    sound = [Adts(data=frame, pts=START + Fraction(1920 * n)) for n in range(8)]
    return Multiplexer().segment(layout, units, sound if audio else [])


def test_units_are_found_with_their_stamps_and_bytes() -> None:
    data = made(Layout(data_pid=0x99, nulls=True))
    units = read_transport(data).units
    packets = parse(memoryview(bytearray(data)))
    assert packets.tables == TABLES
    assert packets.units.pts.tolist() == [unit.pts for unit in units]
    assert packets.units.dts.tolist() == [unit.dts for unit in units]
    assert [packets.unit_bytes(n) for n in range(len(packets.units))] == [u.data for u in units]
    assert packets.units.row.tolist() == [unit.packet for unit in units]


def test_the_head_of_a_unit_is_its_beginning() -> None:
    packets = parse(memoryview(bytearray(made())))
    whole, head = packets.unit_bytes(7), packets.unit_bytes(7, most_packets=2)
    assert whole.startswith(head)
    assert 184 < len(head) < len(whole)


def test_a_segment_without_tables_goes_by_those_that_are_known() -> None:
    data = b"".join(p for p in split_packets(made()) if pid_of(p) in {VIDEO, AUDIO})
    assert parse(memoryview(bytearray(data)), TABLES).units.row.size == 12
    with pytest.raises(Unfit, match="no program tables"):
        parse(memoryview(bytearray(data)))


def test_sound_alone_has_no_units() -> None:
    frame = bytes((0xFF, 0xF1, 0x4C, 0x80, 0x08, 0x1F, 0xFC)) + b"\x21" * 57
    sound = [Adts(data=frame, pts=Fraction(1920 * n)) for n in range(8)]
    packets = parse(memoryview(bytearray(Multiplexer().segment(LAYOUT, [], sound))))
    assert len(packets.units) == 0
    assert packets.tables.video_type == 0
    assert len(packets.audio_rows)


Packets = list[bytearray]


def of(packets: Packets, pid: int, *, start: bool = False) -> list[int]:
    return [
        index
        for index, packet in enumerate(packets)
        if pid_of(packet) == pid and (starts_pes(packet) or not start)
    ]


def change(
    offset: int, value: int, *, pid: int = VIDEO, start: bool = False, at: int = 3
) -> Callable[[Packets], None]:
    def apply(packets: Packets) -> None:
        packets[of(packets, pid, start=start)[at]][offset] = value

    return apply


def header(offset: int, value: int) -> Callable[[Packets], None]:
    """Changes a byte of a PES header of the video."""

    def apply(packets: Packets) -> None:
        packet = packets[of(packets, VIDEO, start=True)[3]]
        packet[payload_of(packet) + offset] = value

    return apply


def lost(pid: int) -> Callable[[Packets], None]:
    def apply(packets: Packets) -> None:
        del packets[of(packets, pid)[1]]

    return apply


def doubled(packets: Packets) -> None:
    index = of(packets, VIDEO)[4]
    packets.insert(index, packets[index][:])


def scrambled(packets: Packets) -> None:
    packets[of(packets, VIDEO)[4]][3] |= 0x80


def erroneous(packets: Packets) -> None:
    packets[of(packets, AUDIO)[1]][1] |= 0x80


def header_spread(packets: Packets) -> None:
    """The first packet of a picture holds but ten bytes of it."""
    packet = packets[of(packets, VIDEO, start=True)[3]]
    begin = payload_of(packet)
    head = bytes(packet[begin : begin + 10])
    packet[3] |= 0x20
    packet[4:] = bytes((173, 0)) + b"\xff" * 172 + head


def begins_late(packets: Packets) -> None:
    packets[of(packets, VIDEO)[0]][1] &= ~0x40


def other_tables(packets: Packets) -> None:
    packets[of(packets, PMT)[1]][20] ^= 1


def table_begins_late(packets: Packets) -> None:
    for index in of(packets, PMT):
        packets[index][1] &= ~0x40


def long_table(packets: Packets) -> None:
    for index in of(packets, PMT):
        packets[index][7] = 0xFF


def no_program(packets: Packets) -> None:
    for index in of(packets, 0):
        packets[index][13:15] = b"\0\0"


def other_section(packets: Packets) -> None:
    for index in of(packets, 0):
        packets[index][5] = 0x42


def stream_type(old: int, new: int) -> Callable[[Packets], None]:
    def apply(packets: Packets) -> None:
        for index in of(packets, PMT):
            at = packets[index].index(old, 17)
            packets[index][at] = new

    return apply


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (change(0, 0x48), "damaged or scrambled"),
        (scrambled, "damaged or scrambled"),
        (erroneous, "damaged or scrambled"),
        (lost(VIDEO), "missing, or doubled"),
        (lost(AUDIO), "missing, or doubled"),
        (doubled, "missing, or doubled"),
        (begins_late, "does not begin with an access unit"),
        (header_spread, "spread over packets"),
        (header(2, 2), "no plain header"),
        (header(3, 0xC0), "no plain header"),
        (header(6, 0x94), "no plain header"),
        (header(7, 0x00), "no plain header"),
        (header(8, 0xFF), "no plain header"),
        (other_tables, "tables change"),
        (table_begins_late, "no program tables"),
        (long_table, "table is spread"),
        (no_program, "no program in it"),
        (other_section, "table cannot be read"),
        (stream_type(0x1B, 0x02), "type 0x02"),
        (stream_type(0x0F, 0x81), "type 0x81"),
    ],
)
def test_what_does_not_fit_is_refused(damage: Callable[[Packets], None], reason: str) -> None:
    packets = split_packets(made())
    damage(packets)
    with pytest.raises(Unfit, match=reason):
        parse(memoryview(bytearray(b"".join(packets))))


@pytest.mark.parametrize("data", [b"", b"G", made()[:-1], b"\0" + made(), made()[:100]])
def test_other_than_whole_packets_are_refused(data: bytes) -> None:
    with pytest.raises(Unfit):
        parse(memoryview(bytearray(data)))
