"""Blended pictures and sound, against ffmpeg's own evaluation and against what we can reckon."""

import os
from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter
import numpy as np
import numpy.typing as npt
import pytest

from common.media.blend import blend, crossfade
from common.media.transitions import DESCRIPTIONS, OWN
from common.media.wipes import WIPES
from tests.support.proc import resident_bytes

WIDTH, HEIGHT = 320, 180
BLACK, WHITE = 16, 235
NTSC = Fraction(60_000, 1001)

# Our own transitions as expressions for xfade's `custom`; there P runs from 1 to 0.
EXPRESSIONS = {
    "clock": "if(lt(mod(atan2(X-W/2,H/2-Y)+2*PI,2*PI)/(2*PI),1-P),B,A)",
    "diamond": "if(lt((abs(X-W/2)+abs(Y-H/2))/((W+H)/2),1-P),B,A)",
    "diamondclose": "if(lt(1-(abs(X-W/2)+abs(Y-H/2))/((W+H)/2),1-P),B,A)",
    "blinds": "if(lt(mod(Y*8/H,1),1-P),B,A)",
    "checkers": "if(lt((mod(floor(X*8/W)+floor(Y*8/H),2)+mod(X*8/W,1))/2,1-P),B,A)",
}


def plain(
    luma: int, count: int, width: int = WIDTH, height: int = HEIGHT
) -> Iterator[av.VideoFrame]:
    for _ in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        yield frame


def luma_of(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    picture: npt.NDArray[np.uint8] = frame.to_ndarray()[: frame.height]
    return picture


def custom(expression: str, frames: int) -> list[npt.NDArray[np.uint8]]:
    """What ffmpeg makes of an expression; picture i at progress i / frames."""
    graph = av.filter.Graph()
    source = f"video_size={WIDTH}x{HEIGHT}:pix_fmt=yuv420p:time_base=1/25:frame_rate=25"
    buffers = [graph.add("buffer", source) for _ in range(2)]
    length = Fraction(frames, 25)
    xfade = graph.add(
        "xfade", f"transition=custom:duration={float(length)}:offset=0:expr='{expression}'"
    )
    to_420, sink = graph.add("format", "yuv420p"), graph.add("buffersink")
    for pad, buffer in enumerate(buffers):
        buffer.link_to(xfade, 0, pad)
    xfade.link_to(to_420)
    to_420.link_to(sink)
    graph.configure()
    made = []
    for number, pair in enumerate(zip(plain(BLACK, frames), plain(WHITE, frames), strict=True)):
        for buffer, frame in zip(buffers, pair, strict=True):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            buffer.push(frame)
        picture = sink.pull()
        assert isinstance(picture, av.VideoFrame)
        made.append(luma_of(picture))
    return made


@pytest.mark.parametrize("kind", OWN)
def test_our_own_are_pixel_for_pixel_what_their_expression_says(kind: str) -> None:
    steps = 16
    expected = custom(EXPRESSIONS[kind], steps)[1:]
    made = blend(
        kind, plain(BLACK, steps - 1), plain(WHITE, steps - 1), frames=steps - 1, rate=Fraction(25)
    )
    for drawn, wanted in zip(made, expected, strict=True):
        # ffmpeg reckons progress in single precision: pixels just on the edge may differ.
        assert np.mean(luma_of(drawn) != wanted) < 0.002


def test_the_clock_starts_at_twelve_and_goes_clockwise() -> None:
    frames = 7
    made = list(
        blend("clock", plain(BLACK, frames), plain(WHITE, frames), frames=frames, rate=NTSC)
    )
    quarter, half = luma_of(made[1]), luma_of(made[3])
    assert (quarter[5, -5], quarter[-5, -5], quarter[-5, 5], quarter[5, 5]) == (235, 16, 16, 16)
    assert (half[5, -5], half[-5, -5], half[-5, 5], half[5, 5]) == (235, 235, 16, 16)


def test_the_diamond_grows_from_the_middle() -> None:
    made = list(blend("diamond", plain(BLACK, 3), plain(WHITE, 3), frames=3, rate=NTSC))
    middle = luma_of(made[1])
    assert middle[HEIGHT // 2, WIDTH // 2] == WHITE
    assert middle[HEIGHT // 2, WIDTH // 2 + 120] == WHITE  # half of (320 + 180) / 2 is 125
    assert middle[HEIGHT // 2, WIDTH // 2 + 130] == BLACK
    assert middle[HEIGHT // 2 - 60, WIDTH // 2 + 60] == WHITE
    assert middle[HEIGHT // 2 - 70, WIDTH // 2 + 70] == BLACK


def test_every_transition_of_our_own_is_drawn() -> None:
    assert set(WIPES) == set(OWN)


@pytest.mark.parametrize("rate", [Fraction(25), NTSC], ids=["25", "59.94"])
@pytest.mark.parametrize("frames", [1, 2, 59, 600])
def test_a_fade_goes_evenly_and_neither_end_is_one_side_alone(frames: int, rate: Fraction) -> None:
    made = list(
        blend(
            "fade",
            plain(BLACK, frames, 32, 16),
            plain(WHITE, frames, 32, 16),
            frames=frames,
            rate=rate,
        )
    )
    means = [float(luma_of(frame).mean()) for frame in made]
    wanted = [BLACK + (WHITE - BLACK) * number / (frames + 1) for number in range(1, frames + 1)]
    assert means == pytest.approx(wanted, abs=1.01)


@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_every_transition_leads_from_one_picture_to_the_other(kind: str) -> None:
    frames = 60
    made = list(
        blend(kind, plain(BLACK, frames), plain(WHITE, frames), frames=frames, rate=Fraction(60))
    )
    assert len(made) == frames
    first, last = (float(luma_of(frame).mean()) for frame in (made[0], made[-1]))
    assert first < 60
    assert last > 190


@pytest.mark.parametrize("kind", ["fade", "clock"])
def test_both_sides_get_the_even_size_of_the_first(kind: str) -> None:
    made = list(
        blend(kind, plain(BLACK, 2, 321, 181), plain(WHITE, 2, 640, 480), frames=2, rate=NTSC)
    )
    assert [(frame.width, frame.height) for frame in made] == [(320, 180)] * 2
    assert float(luma_of(made[1]).mean()) > 120


@pytest.mark.parametrize("kind", ["fade", "clock"])
def test_a_side_that_ends_early_is_an_error(kind: str) -> None:
    made = blend(kind, plain(BLACK, 3), plain(WHITE, 2), frames=3, rate=NTSC)
    with pytest.raises(ValueError, match="shorter"):
        list(made)


@pytest.mark.parametrize("kind", ["fade", "clock"])
def test_a_long_transition_takes_no_more_memory_than_a_short_one(kind: str) -> None:
    frames = 300
    sides = (plain(luma, frames, 1280, 720) for luma in (BLACK, WHITE))
    made = blend(kind, *sides, frames=frames, rate=NTSC)
    for _ in range(20):
        next(made)
    before = resident_bytes(os.getpid())
    grown = max(resident_bytes(os.getpid()) - before for _ in made)
    assert grown < 40 * 2**20  # all frames would be 400 MiB of each side


def test_a_crossfade_keeps_the_power_of_sounds_that_differ() -> None:
    rate = 48_000
    generator = np.random.default_rng(7)
    sides = [generator.standard_normal((2, rate)).astype(np.float32) for _ in range(2)]
    mixed = crossfade(sides[0], sides[1], position=0, total=rate)
    power = (mixed.astype(np.float64) ** 2).reshape(2, 10, -1).mean(axis=2)
    assert power == pytest.approx(np.ones((2, 10)), rel=0.1)


def test_a_crossfade_begins_with_one_side_and_ends_with_the_other() -> None:
    before, after = np.ones((1, 1000), np.float32), np.full((1, 1000), 2, np.float32)
    mixed = crossfade(before, after, position=0, total=1000)
    assert mixed[0, 0] == pytest.approx(1, abs=0.01)
    assert mixed[0, -1] == pytest.approx(2, abs=0.01)


def test_a_crossfade_in_pieces_is_the_same() -> None:
    generator = np.random.default_rng(8)
    before, after = (generator.standard_normal((2, 1000)).astype(np.float32) for _ in range(2))
    whole = crossfade(before, after, position=0, total=1000)
    pieces = [
        crossfade(before[:, a:b], after[:, a:b], position=a, total=1000)
        for a, b in ((0, 1), (1, 700), (700, 1000))
    ]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
