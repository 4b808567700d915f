"""How far a transfer is trusted: real segments, whole, cut off, empty and garbled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.ts import PACKET_BYTES
from common.segments.path import SegmentType
from common.times import SECOND, Micros
from downloader.verdict import FULL, judge
from tests.support.media import recorded_set

TWO: Micros = 2 * SECOND


@pytest.fixture(scope="module")
def segment() -> bytes:
    """Two seconds of the stream."""
    return recorded_set("short").read("source", 0)


def reason(data: bytes, duration: Micros, *, time_in_doubt: bool = False) -> str:
    verdict = judge(data, duration, time_in_doubt=time_in_doubt)
    assert verdict.type is SegmentType.SUSPECT
    return verdict.reason


@pytest.mark.parametrize("off", [0, 1000, -1000, SECOND // 4, -SECOND // 4])
def test_a_whole_segment_is_full_also_if_its_length_was_rounded(
    segment: bytes, off: Micros
) -> None:
    assert judge(segment, TWO + off, time_in_doubt=False) == FULL


def test_each_segment_of_each_quality_is_full() -> None:
    recorded = recorded_set("short")
    for quality, segments in recorded.qualities.items():
        for index, listed in enumerate(segments):
            duration = round(listed.duration_seconds * SECOND)
            assert judge(recorded.read(quality, index), duration, time_in_doubt=False) == FULL


def test_an_empty_body_is_suspect() -> None:
    assert reason(b"", TWO) == "the body is empty"
    assert reason(b"", 0) == "the body is empty"


def test_half_a_packet_is_suspect(segment: bytes) -> None:
    assert "not a whole number of TS packets" in reason(segment[:-1], TWO)


def test_a_packet_that_does_not_begin_as_one_is_suspect(segment: bytes) -> None:
    garbled = bytearray(segment)
    garbled[5 * PACKET_BYTES] = 0
    assert "not a whole number of TS packets" in reason(bytes(garbled), TWO)


def test_an_error_page_in_place_of_a_segment_is_suspect() -> None:
    assert "not a whole number of TS packets" in reason(b"<html>" * PACKET_BYTES, TWO)


def test_packets_without_time_stamps_are_suspect() -> None:
    padding = b"\x47\x1f\xff\x10" + b"\xff" * (PACKET_BYTES - 4)
    assert reason(padding * 10, TWO) == "it holds no time stamps"


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_body_cut_off_between_packets_is_suspect(segment: bytes, share: float) -> None:
    packets = int(len(segment) // PACKET_BYTES * share)
    assert "where the playlist says 2.000" in reason(segment[: packets * PACKET_BYTES], TWO)


@pytest.mark.parametrize("duration", [0, SECOND, 3 * SECOND, 60 * SECOND])
def test_a_segment_of_another_length_than_promised_is_suspect(
    segment: bytes, duration: Micros
) -> None:
    assert reason(segment, duration).startswith("it covers 2.000 s where the playlist says")


def test_long_segments_may_be_off_by_a_tenth() -> None:
    recorded = recorded_set("short")
    six = b"".join(recorded.read("source", index) for index in range(3))
    assert judge(six, 6_590_000, time_in_doubt=False) == FULL
    assert "it covers 6.000 s" in reason(six, 6_700_000)


def test_a_whole_segment_at_a_doubtful_time_is_suspect(segment: bytes) -> None:
    assert reason(segment, TWO, time_in_doubt=True) == "the playlist's time jumped"


def test_what_is_wrong_with_the_bytes_says_more_than_a_doubtful_time(segment: bytes) -> None:
    assert reason(b"", TWO, time_in_doubt=True) == "the body is empty"


@given(st.binary(max_size=3 * PACKET_BYTES), st.integers(0, 10 * SECOND), st.booleans())
def test_no_bytes_are_too_strange_to_judge(data: bytes, duration: Micros, doubt: bool) -> None:
    assert reason(data, duration, time_in_doubt=doubt)


@given(st.lists(st.binary(min_size=183, max_size=187), min_size=1, max_size=5), st.integers(0, TWO))
def test_no_packets_are_too_strange_to_judge(bodies: list[bytes], duration: Micros) -> None:
    data = b"".join(b"\x47" + body.ljust(PACKET_BYTES - 1, b"\x47") for body in bodies)
    judge(data, duration, time_in_doubt=False)
