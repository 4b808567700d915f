"""NAL units told apart, H.264 and HEVC."""

import pytest

from common.media.smart.muxer import with_sets
from common.media.smart.nal import has_slice, is_delimiter, is_idr, nal_units, parameter_sets
from common.media.smart.packets import H264, HEVC

LONG, SHORT = b"\0\0\0\1", b"\0\0\1"


def unit(*firsts: int, code: bytes = SHORT) -> bytes:
    """NAL units with these first bytes."""
    return b"".join(code + bytes((first, 0x80, 0x42)) for first in firsts)


@pytest.mark.parametrize("code", [LONG, SHORT])
def test_each_unit_is_found(code: bytes) -> None:
    data = unit(0x09, 0x67, 0x68, 0x65, code=code)
    found = list(nal_units(data, H264))
    assert [nal.type for nal in found] == [9, 7, 8, 5]
    assert [data[nal.start] for nal in found] == [0x09, 0x67, 0x68, 0x65]
    assert found[-1].end == len(data)


@pytest.mark.parametrize("data", [b"", b"\0\0", SHORT, b"\1\2\3\4", SHORT + SHORT])
def test_nothing_is_found_where_there_is_nothing(data: bytes) -> None:
    assert list(nal_units(data, H264)) == []
    assert not is_idr(data, H264)
    assert not has_slice(data, H264)
    assert parameter_sets(data, H264) == b""


@pytest.mark.parametrize(
    ("kind", "firsts", "idr", "slices"),
    [
        (H264, (0x09, 0x67, 0x68, 0x65), True, True),
        (H264, (0x09, 0x67, 0x68, 0x06, 0x41), False, True),
        (H264, (0x01,), False, True),
        (H264, (0x01, 0x65), False, True),
        (H264, (0x09, 0x67, 0x68, 0x06), False, False),
        (HEVC, (35 << 1, 19 << 1), True, True),
        (HEVC, (35 << 1, 20 << 1), True, True),
        (HEVC, (35 << 1, 21 << 1), False, True),
        (HEVC, (1 << 1,), False, True),
        (HEVC, (35 << 1, 32 << 1, 33 << 1, 34 << 1, 39 << 1), False, False),
    ],
)
def test_the_first_slice_tells_the_kind_of_picture(
    kind: int, firsts: tuple[int, ...], idr: bool, slices: bool
) -> None:
    assert is_idr(unit(*firsts), kind) is idr
    assert has_slice(unit(*firsts), kind) is slices


@pytest.mark.parametrize("until", range(4, 16))
def test_a_picture_that_is_cut_off_behind_its_first_slices_first_byte_is_told(until: int) -> None:
    data = unit(0x09, 0x65)
    assert is_idr(data[:until], H264) is (until > 9)


def test_parameter_sets_are_taken_without_what_is_between() -> None:
    data = unit(0x09, 0x67, 0x06, 0x68, 0x65) + b"\0"
    assert parameter_sets(data, H264) == unit(0x67, 0x68, code=LONG)
    sets = (32 << 1, 33 << 1, 34 << 1)
    assert parameter_sets(unit(35 << 1, *sets, 19 << 1), HEVC) == unit(*sets, code=LONG)


@pytest.mark.parametrize(("kind", "first"), [(H264, 9), (HEVC, 35 << 1)])
def test_delimiters_are_told(kind: int, first: int) -> None:
    delimiter, other = nal_units(unit(first, 0x41), kind)
    assert is_delimiter(delimiter, kind)
    assert not is_delimiter(other, kind)


@pytest.mark.parametrize("code", [LONG, SHORT])
@pytest.mark.parametrize("before", [(0x09,), ()])
def test_sets_are_put_behind_the_delimiter(code: bytes, before: tuple[int, ...]) -> None:
    sets = unit(0x67, 0x68, code=LONG)
    delimiter, rest = unit(*before, code=code), unit(0x06, 0x65, code=code)
    assert with_sets(delimiter + rest, sets, H264) == delimiter + sets + rest
