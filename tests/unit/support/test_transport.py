"""The judge of MPEG-TS objects to what is wrong, and to nothing else."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from subprocess import PIPE

import pytest

from common.media.commands import ffmpeg_binary
from tests.support.checker import assert_frames, assert_in_sync
from tests.support.decode import watch
from tests.support.transport import NotTransport, judge, read_transport
from tests.support.ts_mux import Layout, Tables
from tests.support.ts_surgery import (
    Parts,
    change_clocks,
    has_clock,
    payload_of,
    pid_of,
    put_together,
    shift_sound,
    split_packets,
    starts_pes,
    take_apart,
)
from tests.support.variants import variant

RATE = Fraction(60)
VIDEO, AUDIO = 0x100, 0x101


@pytest.fixture
def parts() -> Parts:
    return take_apart(variant("plain").segments[0].data + variant("plain").segments[1].data)


@pytest.mark.parametrize(
    "name",
    [
        *("plain", "no-b-frames", "pyramid", "ntsc-60", "ntsc-30", "fps-25", "sound-44", "mono-44"),
        *("sound-early", "sound-late", "straddling", "slices", "open-gop", "hevc", "size-change"),
    ],
)
def test_a_good_stream_is_accepted(name: str) -> None:
    made = variant(name)
    transport = judge(made.data, frame_rate=made.frame_rate)
    assert len(transport.units) == sum(len(segment.numbers) for segment in made.segments)


def test_streams_without_sound_or_picture_are_accepted_where_wanted() -> None:
    judge(variant("no-sound").data, frame_rate=RATE, audio=False)
    judge(variant("only-sound").data, frame_rate=None)
    with pytest.raises(NotTransport, match="exactly the audio"):
        judge(variant("no-sound").data, frame_rate=RATE)
    with pytest.raises(NotTransport, match="exactly the video"):
        judge(variant("only-sound").data, frame_rate=RATE)


def test_what_ffmpeg_writes_is_accepted_and_read_as_it_was_put_in() -> None:
    source = read_transport(variant("ntsc-60").data)
    command = [ffmpeg_binary(), "-v", "error", "-i", "pipe:0", "-c", "copy", "-f", "mpegts"]
    command += ["-pat_period", "0.05", "-pcr_period", "20", "pipe:1"]
    data = subprocess.run(command, input=variant("ntsc-60").data, stdout=PIPE, check=True).stdout
    first = min(unit.pts for unit in read_transport(data).units)
    transport = judge(data, frame_rate=variant("ntsc-60").frame_rate, first_pts=first)
    assert [unit.slices for unit in transport.units] == [unit.slices for unit in source.units]
    assert [frame.data for frame in transport.sound] == [frame.data for frame in source.sound]


def test_units_and_frames_are_those_that_were_put_in(parts: Parts) -> None:
    transport = judge(put_together(parts, Layout(straddle=True)), frame_rate=RATE)
    assert [unit.data for unit in transport.units] == [unit.data for unit in parts.units]
    assert [unit.dts for unit in transport.units] == [unit.dts for unit in parts.units]
    assert [frame.data for frame in transport.sound] == [frame.data for frame in parts.sound]
    assert [unit.is_idr for unit in transport.units].count(True) == 2
    assert transport.units[0].nal_types[:3] == (9, 7, 8)


def _drop(parts: Parts) -> None:
    del parts.units[70]


def _double(parts: Parts) -> None:
    parts.units.insert(71, replace(parts.units[70], dts=parts.units[70].dts + 1))


def _swap(parts: Parts) -> None:
    """In the stream, at the same place of the clock."""
    one, other = parts.units[70], parts.units[71]
    parts.units[70] = replace(other, dts=one.dts)
    parts.units[71] = replace(one, dts=one.dts)


def _off_grid(parts: Parts) -> None:
    parts.units[70] = replace(parts.units[70], pts=parts.units[70].pts + 1)


def _all_late(parts: Parts) -> None:
    parts.units = [replace(unit, pts=unit.pts + 1500) for unit in parts.units]


def _decoded_late(parts: Parts) -> None:
    parts.units[70] = replace(parts.units[70], pts=parts.units[70].dts - 1)


def _no_idr(parts: Parts) -> None:
    parts.units[0] = replace(parts.units[0], data=parts.units[1].data)


def _two_in_one(parts: Parts) -> None:
    joined = parts.units[70].data + parts.units[71].data
    parts.units[70:72] = [replace(parts.units[70], data=joined)]


def _no_delimiter(parts: Parts) -> None:
    unit = parts.units[70]
    parts.units[70] = replace(unit, data=unit.data[6:])


def _sound_gap(parts: Parts) -> None:
    del parts.sound[101]


def _sound_twice(parts: Parts) -> None:
    parts.sound.insert(101, parts.sound[101])


def _sound_off(parts: Parts) -> None:
    parts.sound[100] = replace(parts.sound[100], pts=parts.sound[100].pts + 1)


def _sound_changes(parts: Parts) -> None:
    mono = take_apart(variant("mono").segments[0].data).sound
    parts.sound[60] = replace(mono[60], pts=parts.sound[60].pts)


def _sound_cut(parts: Parts) -> None:
    parts.sound[-1] = replace(parts.sound[-1], data=parts.sound[-1].data[:-5])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_drop, "no slot is empty"),
        (_double, "one frame in each slot"),
        (_swap, "DTS increase"),
        (_off_grid, "every frame is shown at floor"),
        (_all_late, "the first frame's PTS"),
        (_decoded_late, "PTS is not before DTS"),
        (_no_idr, "the first picture can be decoded alone"),
        (_two_in_one, "one picture in each PES packet"),
        (_no_delimiter, "begins with its delimiter"),
        (_sound_gap, "without gap or overlap"),
        (_sound_twice, "without gap or overlap"),
        (_sound_off, "without gap or overlap"),
        (_sound_changes, "the audio's parameters never change"),
        (_sound_cut, "the last AAC frame is whole"),
    ],
)
def test_wrong_content_is_refused(parts: Parts, change: Callable[[Parts], None], rule: str) -> None:
    change(parts)
    with pytest.raises(NotTransport, match=rule):
        judge(put_together(parts), frame_rate=RATE)


def test_a_hole_is_accepted_where_it_is_allowed(parts: Parts) -> None:
    _drop(parts)
    judge(put_together(parts), frame_rate=RATE, holes=True)


def test_a_tick_more_is_seen_where_frames_do_not_last_whole_ticks() -> None:
    parts = take_apart(variant("sound-44").data)
    judge(put_together(parts), frame_rate=RATE)
    _sound_off(parts)
    with pytest.raises(NotTransport, match=r"rounded alike|gap or overlap"):
        judge(put_together(parts), frame_rate=RATE)
    parts = take_apart(variant("ntsc-60").data)
    judge(put_together(parts), frame_rate=variant("ntsc-60").frame_rate)
    _off_grid(parts)
    with pytest.raises(NotTransport, match="every frame is shown at floor"):
        judge(put_together(parts), frame_rate=variant("ntsc-60").frame_rate)


def test_swapped_pictures_and_late_sound_show_in_what_is_decoded(parts: Parts) -> None:
    assert_in_sync(watch(read_transport(put_together(parts)), RATE), tolerance_seconds=0.001)
    shift_sound(parts, Fraction(90 * 20))
    with pytest.raises(AssertionError, match=r"\+20\.0 ms from its picture"):
        assert_in_sync(watch(read_transport(put_together(parts)), RATE))
    # Two that nothing refers to, so that all the others stay as they are.
    one, other = parts.units[-1], parts.units[-4]
    parts.units[-1] = replace(one, pts=other.pts, dts=one.dts)
    parts.units[-4] = replace(other, pts=one.pts, dts=other.dts)
    with pytest.raises(AssertionError, match="the first difference is at"):
        assert_frames(watch(read_transport(put_together(parts)), RATE), 0, 239)


Packets = list[bytearray]


def _first(packets: Packets, pid: int, *, after: int = 500) -> int:
    """The index of a packet of `pid` that begins a PES packet or a table."""
    return next(
        index
        for index, packet in enumerate(packets)
        if index >= after and pid_of(packet) == pid and starts_pes(packet)
    )


def _counter_jumps(packets: Packets) -> None:
    packet = packets[_first(packets, VIDEO) + 1]
    packet[3] = packet[3] & 0xF0 | packet[3] + 1 & 0xF


def _packet_lost(packets: Packets) -> None:
    del packets[_first(packets, AUDIO) + 1]


def _packet_twice(packets: Packets) -> None:
    at = _first(packets, VIDEO) + 1
    packets.insert(at, bytearray(packets[at]))


def _empty_packet_counts(packets: Packets) -> None:
    at = _first(packets, VIDEO) + 1
    counter = packets[at][3] & 0xF
    head = bytes((0x47, VIDEO >> 8, VIDEO & 0xFF, 0x20 | counter, 183, 0))
    packets.insert(at, bytearray(head.ljust(188, b"\xff")))


def _null_packet(packets: Packets) -> None:
    packets.insert(500, bytearray(b"\x47\x1f\xff\x10".ljust(188, b"\xff")))


def _out_of_sync(packets: Packets) -> None:
    packets[500][0] = 0x48


def _half_a_packet(packets: Packets) -> None:
    del packets[-1][100:]


def _transport_error(packets: Packets) -> None:
    packets[500][1] |= 0x80


def _scrambled(packets: Packets) -> None:
    packets[500][3] |= 0x80


def _discontinuity(packets: Packets) -> None:
    next(packet for packet in packets[500:] if has_clock(packet))[5] |= 0x80


def _clock_late(packets: Packets) -> None:
    change_clocks(packets, lambda _, base: base + 45_001)


def _clock_early(packets: Packets) -> None:
    change_clocks(packets, lambda _, base: base // 2)


def _clock_back(packets: Packets) -> None:
    change_clocks(packets, lambda index, base: base - 3001 if index == 100 else base)


def _clock_rare(packets: Packets) -> None:
    change_clocks(packets, lambda index, base: base if index % 7 == 0 else None)


def _clock_none(packets: Packets) -> None:
    change_clocks(packets, lambda _index, _base: None)


def _clock_extension(packets: Packets) -> None:
    packet = next(packet for packet in packets[500:] if has_clock(packet))
    value = int.from_bytes(packet[6:12], "big") >> 9 << 9 | 300
    packet[6:12] = value.to_bytes(6, "big")


def _no_first_tables(packets: Packets) -> None:
    del packets[1:3]


def _bad_checksum(packets: Packets) -> None:
    packets[_first(packets, 0)][16] ^= 1


def _pes_length(packets: Packets) -> None:
    packet = packets[_first(packets, AUDIO)]
    packet[payload_of(packet) + 5] ^= 1


def _pes_marker(packets: Packets) -> None:
    packet = packets[_first(packets, VIDEO)]
    packet[payload_of(packet) + 13] &= 0xFE


def _pes_prefix(packets: Packets) -> None:
    packet = packets[_first(packets, VIDEO)]
    packet[payload_of(packet) + 9] ^= 0x20


def _pes_start(packets: Packets) -> None:
    packet = packets[_first(packets, VIDEO)]
    packet[payload_of(packet) + 2] = 2


def _stuffing(packets: Packets) -> None:
    packet = next(p for p in packets[500:] if p[3] & 0x20 and p[4] > 20)
    packet[payload_of(packet) - 1] = 0


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_counter_jumps, "the continuity counter"),
        (_packet_lost, "PES_packet_length|the continuity counter"),
        (_packet_twice, "the continuity counter|one picture"),
        (_empty_packet_counts, "the continuity counter"),
        (_null_packet, "no other PIDs"),
        (_out_of_sync, "the sync byte"),
        (_half_a_packet, "whole packets"),
        (_transport_error, "no transport error"),
        (_scrambled, "not scrambled"),
        (_discontinuity, "no discontinuity"),
        (_clock_late, "the PCR is not after the DTS"),
        (_clock_early, "at most 1.5 s before"),
        (_clock_back, "the PCR never goes back"),
        (_clock_rare, "a PCR every 100 ms"),
        (_clock_none, "there is a PCR"),
        (_clock_extension, "the PCR's extension"),
        (_no_first_tables, "PAT and PMT come first|a PES packet begins first|there is"),
        (_bad_checksum, "the section's CRC"),
        (_pes_length, "PES_packet_length"),
        (_pes_marker, "the marker bits within a time stamp"),
        (_pes_prefix, "the bits before a time stamp"),
        (_pes_start, "a PES header"),
        (_stuffing, "stuffing bytes are 0xFF"),
    ],
)
def test_wrong_packets_are_refused(
    parts: Parts, change: Callable[[Packets], None], rule: str
) -> None:
    packets = split_packets(put_together(parts))
    change(packets)
    with pytest.raises(NotTransport, match=rule):
        judge(b"".join(packets), frame_rate=RATE)


@pytest.mark.parametrize(
    ("layout", "rule"),
    [
        (Layout(tables=Tables.AT_START), "PAT and PMT every 100 ms"),
        (Layout(data_pid=0x102), "no other streams"),
        (Layout(pcr_pid=0x1FE), "the PCR is on the video's PID"),
    ],
)
def test_a_layout_that_only_sources_have_is_refused(
    parts: Parts, layout: Layout, rule: str
) -> None:
    with pytest.raises(NotTransport, match=rule):
        judge(put_together(parts, layout), frame_rate=RATE)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("counters", "the continuity counter"),
        ("other-pids", "the PMT never changes"),
        ("wrap", "the PCR never goes back"),
        ("jump", "a PCR every 100 ms"),
        ("jitter", "every frame is shown at floor"),
        ("dropped-frames", "no slot is empty"),
        ("rate-change-sound", "the audio's parameters never change"),
    ],
)
def test_what_is_normal_in_a_source_is_refused_in_an_output(name: str, rule: str) -> None:
    with pytest.raises(NotTransport, match=rule):
        judge(variant(name).data, frame_rate=variant(name).frame_rate)
