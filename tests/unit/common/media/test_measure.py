"""Judging MPEG-TS without a demuxer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.timeline import PTS_WRAP
from common.media.ts import PACKET_BYTES, Span, is_whole, measure
from demo.origin.ts import shift_timestamps
from tests.support.media import recorded_set

VIDEO, AUDIO, PRIVATE = 0xE0, 0xC0, 0xBD
FRAME = 3000
"""Ticks of a frame at 30 frames per second."""


def packet(pts: int | None, stream: int = VIDEO, *, adaptation: int | None = None) -> bytes:
    """A packet that begins a PES packet: ISO/IEC 13818-1, 2.4.3.2 and 2.4.3.6."""
    field = b"" if adaptation is None else bytes([adaptation]) + b"\0" * adaptation
    header = bytes([0x47, 0x41, 0x00, 0x10 if adaptation is None else 0x30]) + field
    pes = b"\0\0\x01" + bytes([stream, 0, 0, 0x80])
    if pts is None:
        pes += b"\0\0"
    else:
        stamp = pts % PTS_WRAP
        pes += bytes([0x80, 5])
        pes += bytes([0x21 | stamp >> 29 & 0x0E])
        pes += ((stamp >> 15 & 0x7FFF) << 1 | 1).to_bytes(2, "big")
        pes += ((stamp & 0x7FFF) << 1 | 1).to_bytes(2, "big")
    return (header + pes).ljust(PACKET_BYTES, b"\xff")


def stream(*stamps: int, kind: int = VIDEO) -> bytes:
    return b"".join(packet(pts, kind) for pts in stamps)


def test_a_span_ends_with_the_last_frame() -> None:
    assert measure(stream(0, FRAME, 2 * FRAME)) == Span(0, 3 * FRAME)


def test_frames_may_be_stored_in_another_order_than_shown() -> None:
    assert measure(stream(3 * FRAME, FRAME, 2 * FRAME, 6 * FRAME, 4 * FRAME, 5 * FRAME)) == Span(
        FRAME, 6 * FRAME
    )


@given(
    st.integers(0, PTS_WRAP - 1),
    st.permutations(range(8)),
)
def test_the_wrap_at_33_bits_changes_nothing(first: int, order: list[int]) -> None:
    stamps = [(first + index * FRAME) % PTS_WRAP for index in order]
    assert measure(stream(*stamps)) == Span(first, 8 * FRAME)


def test_video_counts_where_there_is_any_and_else_audio() -> None:
    sound = stream(*range(0, 90_000, 1920), kind=AUDIO)
    assert measure(sound) == Span(0, 47 * 1920)
    assert measure(sound + stream(0, FRAME)) == Span(0, 2 * FRAME)
    assert measure(stream(0, FRAME, kind=PRIVATE)) is None


def test_a_single_frame_lasts_no_known_time() -> None:
    assert measure(stream(7)) == Span(7, 0)


def test_a_missing_frame_does_not_change_how_long_the_last_one_lasts() -> None:
    assert measure(stream(0, FRAME, 4 * FRAME, 5 * FRAME)) == Span(0, 6 * FRAME)


def test_an_adaptation_field_before_the_header_is_skipped() -> None:
    assert measure(packet(5, adaptation=7) + packet(5 + FRAME)) == Span(5, 2 * FRAME)


@pytest.mark.parametrize("length", [170, 183, 255])
def test_a_header_that_does_not_fit_its_packet_is_no_stamp(length: int) -> None:
    assert measure(packet(5, adaptation=length)[:PACKET_BYTES]) is None


def test_what_has_no_stamp_is_not_measured() -> None:
    assert measure(b"") is None
    assert measure(packet(None) * 3) is None
    assert measure(bytes(PACKET_BYTES)) is None


@given(st.binary(max_size=3 * PACKET_BYTES))
def test_any_bytes_are_measured_or_not_and_never_an_error(data: bytes) -> None:
    span = measure(data)
    assert span is None or 0 <= span.first_pts < PTS_WRAP


@pytest.mark.parametrize("shift", [0, PTS_WRAP - 100_000])
def test_a_real_segment_is_as_long_as_it_is(shift: int) -> None:
    recorded = recorded_set("short")
    segment = recorded.qualities["source"][1]
    span = measure(shift_timestamps(recorded.read("source", 1), shift))
    assert span is not None
    assert span.ticks == pytest.approx(segment.duration_seconds * 90_000, abs=1)


def test_whole_packets_have_their_sync_byte_each() -> None:
    data = stream(0, FRAME)
    assert is_whole(data)
    assert not is_whole(b"")
    assert not is_whole(data[:-1])
    assert not is_whole(data + b"\x47")
    assert not is_whole(data[:PACKET_BYTES] + b"\x46" + data[PACKET_BYTES + 1 :])
