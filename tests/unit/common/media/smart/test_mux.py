"""Packets of our own, read back by a reader that knows nothing of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.smart import mux
from common.media.smart.muxer import due, due_beside
from common.media.smart.packets import ADTS, H264, HEVC
from tests.support.transport import PCR_PER_TICK, read_transport
from tests.support.ts_mux import crc32

STAMPS = st.integers(0, (1 << 33) - 1)


def unit(size: int) -> bytes:
    """An access unit that a reader takes for one."""
    return (b"\0\0\1\x65\x80" + b"\x55" * size)[: max(size, 5)]


@pytest.mark.parametrize(
    ("video", "audio"), [(H264, True), (H264, False), (HEVC, True), (HEVC, False), (0, True)]
)
def test_tables_are_read_back_and_their_checksum_is_right(video: int, audio: bool) -> None:
    data = mux.tables(5, video, audio)
    tables = read_transport(data).tables
    assert [table.program is None for table in tables] == [True, False]
    assert all(crc32(table.section) == 0 for table in tables)
    program = tables[1].program
    assert program is not None
    wanted = [(mux.VIDEO_PID, video)] if video else []
    wanted += [(mux.AUDIO_PID, ADTS)] if audio else []
    assert list(program.types) == wanted
    assert program.pcr_pid == wanted[0][0]
    assert {data[3] & 0xF, data[191] & 0xF} == {5}


@given(
    size=st.integers(5, 1000),
    counter=st.integers(0, 15),
    stamps=st.tuples(STAMPS, STAMPS),
    clock=st.none() | STAMPS,
    key=st.booleans(),
)
def test_pictures_are_read_back(
    size: int, counter: int, stamps: tuple[int, int], clock: int | None, key: bool
) -> None:
    pts, dts = stamps
    payload = mux.video_header(pts, dts) + unit(size)
    made = mux.packetize(mux.VIDEO_PID, counter, payload, clock=clock, key=key)
    assert len(made) == 188 * mux.packet_count(len(payload), clock=clock is not None)
    read = read_transport(mux.tables(0, H264, True) + made)
    (got,) = read.units
    assert (got.data, got.pts, got.dts) == (unit(size), pts, dts)
    own = read.packets[2:]
    assert [packet.counter for packet in own] == [(counter + n) & 15 for n in range(len(own))]
    assert [packet.starts for packet in own] == [True] + [False] * (len(own) - 1)
    wanted = None if clock is None else clock * PCR_PER_TICK
    assert [packet.pcr for packet in own] == [wanted] + [None] * (len(own) - 1)
    assert bool(made[3] & 0x20 and made[4] and made[5] & 0x40) is (key and clock is not None)


def test_every_length_fits_into_packets() -> None:
    for size in range(1, 1001):
        payload = bytes(n * 7 & 0xFF for n in range(size))
        made = mux.packetize(mux.AUDIO_PID, 14, payload)
        read = [packet.payload or b"" for packet in read_transport(made).packets]
        assert b"".join(read) == payload
        assert all(read)


@given(count=st.integers(1, 40), pts=STAMPS)
def test_sound_is_read_back(count: int, pts: int) -> None:
    frame = bytes((0xFF, 0xF1, 0x4C, 0x80, 0x08, 0x1F, 0xFC)) + b"\x21" * 57
    payload = mux.audio_header(pts, count * 64) + frame * count
    read = read_transport(mux.tables(0, H264, True) + mux.packetize(mux.AUDIO_PID, 3, payload))
    assert [heard.data for heard in read.sound] == [frame] * count
    assert read.sound[0].pts == pts


@given(counter=st.integers(0, 15), clock=STAMPS)
def test_a_packet_with_a_clock_alone_does_not_count(counter: int, clock: int) -> None:
    (made,) = mux.clock_packets(np.array([counter]), np.array([clock]))
    (packet,) = read_transport(bytes(made)).packets
    assert (packet.counter, packet.payload) == (counter, None)
    assert packet.pcr == clock * PCR_PER_TICK


TIMES = st.lists(st.integers(1, 4000), min_size=1, max_size=60)


@given(
    steps=TIMES, last=st.none() | st.integers(-5000, 0), owns=st.lists(st.booleans(), max_size=60)
)
def test_what_is_due_comes_often_enough(
    steps: list[int], last: int | None, owns: list[bool]
) -> None:
    times = [sum(steps[:n]) for n in range(len(steps))]
    own = (owns + [False] * len(times))[: len(times)]
    every = 6000
    sent = [last] if last is not None else []
    found = due_beside(np.array(times), last, every, np.flatnonzero(own))
    assert not any(own[index] for index in found)
    sent += [time for index, time in enumerate(times) if own[index] or index in found]
    assert sent
    assert last is not None or sent[0] == times[0]
    gaps = [after - before for before, after in pairwise(sent)]
    assert all(gap <= every for gap in gaps)
    assert times[-1] - sent[-1] <= every


def test_nothing_is_due_early() -> None:
    times = list(range(0, 30_000, 1500))
    assert due(times, None, 6000) == [0, 4, 8, 12, 16]
    assert due(times, -1500, 6000) == [3, 7, 11, 15, 19]
    assert due_beside(np.array(times), None, 6000, np.arange(0, 20, 4)) == []
