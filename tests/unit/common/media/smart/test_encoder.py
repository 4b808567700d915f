"""The pieces that smart cuts encode are as good as promised, whatever comes in them."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, pairwise, repeat
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import CodecContext, Flags

from common.media.smart import encoder
from common.media.smart.encoder import encoded
from common.media.smart.packets import H264
from tests.support.quality import LOWEST_PSNR, psnr

RATE = Fraction(30)
WIDTH, HEIGHT = 320, 180


def picture(number: int, grain: int) -> av.VideoFrame:
    """A grey picture; the more grain, the harder to encode."""
    random = np.random.default_rng(number)
    noise = random.integers(-grain, grain + 1, (HEIGHT * 3 // 2, WIDTH))
    frame = av.VideoFrame.from_ndarray((128 + noise).astype(np.uint8), format="yuv420p")
    frame.pts, frame.time_base = number, 1 / RATE
    return frame


def decoded(packets: "Sequence[av.Packet[Any]]") -> Iterator[av.VideoFrame]:
    """As a player that only has the stream."""
    decoder: Any = CodecContext.create("h264", "r")
    for packet in packets:
        unit: av.Packet[Any] = av.Packet(bytes(packet))
        unit.pts = packet.pts
        yield from decoder.decode(unit)
    yield from decoder.decode(None)


@pytest.mark.parametrize("reorder", [0, 1, 2])
def test_every_frame_is_good_enough_though_the_first_ones_are_easy(reorder: int) -> None:
    frames = [picture(number, 0 if number < 17 else 40) for number in range(30)]
    packets = list(encoded(iter(frames), H264, rate=RATE, reorder=reorder))
    shown = sorted(decoded(packets), key=lambda frame: frame.pts or 0)
    assert [frame.pts for frame in shown] == list(range(30))
    assert min(psnr(*pair) for pair in zip(shown, frames, strict=True)) >= LOWEST_PSNR


def test_what_begins_anew_follows_all_that_was_sent() -> None:
    frames = [picture(number, 0 if number < 17 else 40) for number in range(30)]
    packets = list(encoded(iter(frames), H264, rate=RATE, reorder=2))
    begins = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert len(begins) > 1
    for begin, end in pairwise([*begins, len(packets)]):
        assert sorted(packet.pts or 0 for packet in packets[begin:end]) == list(range(begin, end))


def test_what_is_equally_hard_has_one_quantizer_and_one_idr_picture() -> None:
    packets = list(
        encoded((picture(number, 20) for number in range(30)), H264, rate=RATE, reorder=2)
    )
    assert [packet.is_keyframe for packet in packets] == [True] + [False] * 29


def test_no_frame_is_lost_if_an_encoder_is_given_up_before_all_that_the_one_before_it_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first one holds back more frames than the second, and what both make is too bad.
    delays = chain([20, 0], repeat(0))
    monkeypatch.setattr(encoder, "_fitting_encoder", lambda *_, **__: bad_encoder(next(delays)))
    frames = [picture(number, 40) for number in range(40)]
    packets = list(encoded(iter(frames), H264, rate=RATE, reorder=0))
    assert [packet.pts for packet in packets] == list(range(40))


def bad_encoder(delay: int) -> Any:
    made: Any = CodecContext.create("libx264", "w")
    made.width, made.height, made.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    made.framerate, made.time_base = RATE, 1 / RATE
    made.flags |= Flags.psnr
    made.options = {
        "preset": "ultrafast",
        "qp": "50",
        "x264-params": f"bframes=0:sync-lookahead={delay}:rc-lookahead={delay}:sliced-threads=1",
    }
    return made
