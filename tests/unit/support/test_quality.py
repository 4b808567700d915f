"""The comparison with the source tells copied from encoded, good from bad, small from big."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.decode import decode_pictures
from tests.support.elementary import ticks
from tests.support.quality import (
    Compared,
    assert_faithful,
    assert_small,
    compare,
    encoded_pieces,
    numbers_of,
    psnr,
)
from tests.support.transport import Transport, read_transport
from tests.support.ts_mux import Unit
from tests.support.ts_surgery import Parts, put_together, take_apart
from tests.support.variants import variant

RATE = Fraction(60)


@pytest.fixture(scope="module")
def source() -> Transport:
    return read_transport(variant("plain").data)


def _encode_again(source: Transport, numbers: Sequence[int], crf: int) -> list[Unit]:
    """The source's pictures of these numbers, decoded and encoded, from time 0 on."""
    pictures = {picture.number: picture.frame for picture in decode_pictures(source.units)}
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.time_base, context.framerate = 1 / RATE, RATE
    context.options = {"crf": str(crf), "bf": "0", "x264-params": "aud=1", "preset": "veryfast"}
    packets = []
    for slot, number in enumerate(numbers):
        frame = av.VideoFrame.from_ndarray(pictures[number].to_ndarray(), format="yuv420p")
        frame.pts, frame.time_base = slot, 1 / RATE
        packets += context.encode(frame)
    packets += context.encode(None)
    return [
        Unit(data=bytes(p), pts=t, dts=t, number=0, random_access=p.is_keyframe)
        for p in packets
        for t in [ticks(p.pts or 0, RATE)]
    ]


def _cut(source: Transport, encoded: Sequence[int], copied: range, *, crf: int = 8) -> Transport:
    """A cut of `encoded` frames that were encoded again, then of `copied` GOPs."""
    whole = take_apart(variant("plain").data)
    middle = [unit for unit in whole.units if copied.start <= unit.number < copied.stop]
    lowest = min(unit.pts for unit in middle)
    shift = ticks(len(encoded), RATE) - lowest
    moved = [replace(unit, pts=unit.pts + shift, dts=unit.dts + shift) for unit in middle]
    # All decode equally long before they are shown.
    delay = middle[0].pts - middle[0].dts
    again = [replace(u, dts=u.dts - delay) for u in _encode_again(source, encoded, crf)]
    units = [replace(u, pts=u.pts + 126_000, dts=u.dts + 126_000) for u in [*again, *moved]]
    return read_transport(put_together(Parts(units=units, sound=[])))


def test_copied_and_encoded_frames_are_told_apart(source: Transport) -> None:
    compared = compare(_cut(source, range(90, 120), range(120, 240)), source)
    assert [frame.number for frame in compared] == [*range(90, 240)]
    assert numbers_of(compared, copied=False) == [*range(90, 120)]
    assert numbers_of(compared, copied=True) == [*range(120, 240)]
    assert [len(piece) for piece in encoded_pieces(compared)] == [30]
    assert all(frame.psnr == math.inf for frame in compared[30:])
    assert all(frame.source_gop == 1 for frame in compared[30:])
    assert_faithful(compared)


def test_a_poor_encode_is_refused(source: Transport) -> None:
    compared = compare(_cut(source, range(90, 120), range(120, 240), crf=40), source)
    with pytest.raises(AssertionError, match="dB instead of 42"):
        assert_faithful(compared)


def test_a_copied_frame_whose_references_are_missing_is_refused(source: Transport) -> None:
    """Every bit of what is left is the source's, and the pictures are wrong."""
    whole = take_apart(variant("plain").data)
    del whole.units[121:124]
    compared = compare(read_transport(put_together(whole)), source)
    assert all(frame.copied for frame in compared)
    assert any(frame.psnr != math.inf for frame in compared)
    with pytest.raises(AssertionError, match="though it was copied"):
        assert_faithful(compared, at_least=0)


def test_an_open_group_spliced_at_its_recovery_point_is_refused() -> None:
    made = variant("open-gop")
    parts, later = (take_apart(made.segments[index].data) for index in (0, 2))
    shift = 2 * 90_000
    parts.units += [replace(u, pts=u.pts - shift, dts=u.dts - shift) for u in later.units]
    spliced = put_together(Parts(units=parts.units, sound=[]))
    with pytest.raises(AssertionError, match="give no picture"):
        compare(read_transport(spliced), read_transport(made.data))


def test_one_changed_bit_makes_a_frame_that_was_not_copied(source: Transport) -> None:
    whole = take_apart(variant("plain").data)
    unit = whole.units[60]
    flipped = unit.data[:-9] + bytes((unit.data[-9] ^ 1,)) + unit.data[-8:]
    whole.units[60] = replace(unit, data=flipped)
    compared = compare(read_transport(put_together(whole)), source)
    assert [frame.copied for frame in compared].count(False) == 1


def test_big_pieces_are_refused(source: Transport) -> None:
    whole_second = compare(_cut(source, range(30, 120), range(120, 240), crf=0), source)
    with pytest.raises(AssertionError, match="more than 2 times"):
        assert_small(whole_second, source, RATE)
    short = compare(_cut(source, range(110, 120), range(120, 240), crf=8), source)
    assert_small(short, source, RATE)
    with pytest.raises(AssertionError, match="frames 110 to 119"):
        assert_small(short, source, RATE, factor=0.01)


def test_a_number_that_the_source_does_not_have_is_compared_with_nothing(
    source: Transport,
) -> None:
    head = read_transport(variant("plain").segments[0].data)
    compared: list[Compared] = compare(source, head)
    assert math.isnan(compared[-1].psnr)
    assert not compared[-1].copied
    assert compared[0].copied


def test_psnr_is_that_of_the_definition() -> None:
    grey = np.full((270, 320), 100, np.uint8)
    other = grey.copy()
    other[:180] += 5
    one = av.VideoFrame.from_ndarray(grey, format="yuv420p")
    assert psnr(one, av.VideoFrame.from_ndarray(other, format="yuv420p")) == pytest.approx(
        10 * math.log10(255**2 / 25)
    )
    assert psnr(one, one) == math.inf
    other[:180] = grey[:180]
    other[180:] += 50
    assert psnr(one, av.VideoFrame.from_ndarray(other, format="yuv420p")) == math.inf
    small = av.VideoFrame.from_ndarray(np.zeros((135, 160), np.uint8), format="yuv420p")
    assert psnr(one, small) == -math.inf
