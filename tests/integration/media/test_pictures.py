"""Single pictures: the frame asked for is the frame returned, and sound is drawn at its place."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from common.errors import HolesNotAllowed, MediaError
from common.media.encoders import EncoderPool
from common.media.pictures import Template, plan_frame, plan_waveform
from common.segments.path import SegmentType
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, TimeRange
from tests.support.checker import read_number
from tests.support.elementary import Coding
from tests.support.encoding import START
from tests.support.media import fill_store, recorded_set
from tests.support.variants import (
    Recipe,
    Variant,
    make_segments,
    store_variant,
    variant,
)

MILLISECOND: Micros = 1000


@pytest.fixture(scope="module")
def encoders() -> Iterator[EncoderPool]:
    with EncoderPool() as pool:
        yield pool


def png(encoders: EncoderPool, job: object) -> Image.Image:
    data = b"".join(encoders.run(job))
    picture = Image.open(io.BytesIO(data), formats=["PNG"])
    picture.load()
    return picture


def number_at(encoders: EncoderPool, store: SegmentStore, moment: Micros) -> int | None:
    picture = png(encoders, plan_frame(store, "demo", "source", moment))
    return read_number(av.VideoFrame.from_image(picture.convert("RGB")))


def times(made: Variant) -> dict[int, Fraction]:
    """The time of each frame, in microseconds: its segment's start, and frames of equal length."""
    return {
        number: START
        + segment.start
        + (number - segment.numbers[0]) * Fraction(SECOND) / made.frame_rate
        for segment in made.segments
        for number in segment.numbers
    }


def long_groups() -> Variant:
    """Groups of pictures of 5 s, segments of 2 s that begin anywhere in them."""
    recipe = Recipe(coding=Coding(gop=300, b_frames=2), at_keyframes=False)
    return Variant(name="long groups", recipe=recipe, segments=tuple(make_segments(recipe)))


def wrapping() -> Variant:
    """The time stamps start again from 0 in the third segment."""
    recipe = Recipe(first_pts=(1 << 33) - 5 * 90_000)
    return Variant(name="wrapping", recipe=recipe, segments=tuple(make_segments(recipe)))


MADE = {
    "plain": lambda: variant("plain"),
    "no-b-frames": lambda: variant("no-b-frames"),
    "pyramid": lambda: variant("pyramid"),
    "open-gop": lambda: variant("open-gop"),
    "ntsc-60": lambda: variant("ntsc-60"),
    "long-groups": long_groups,
    "wrapping": wrapping,
}


@pytest.mark.parametrize("name", MADE)
def test_the_frame_of_a_moment_is_the_last_that_begins_up_to_half_a_millisecond_after_it(
    name: str, encoders: EncoderPool, tmp_path: Path
) -> None:
    made = MADE[name]()
    store_variant(tmp_path, "demo", "source", made, start=START)
    store = SegmentStore(tmp_path)
    known = times(made)
    borders = [segment.numbers[0] for segment in made.segments[1:]]
    chosen = {0, 1, 59, 301, max(known)}
    chosen |= {number for border in borders for number in (border - 1, border)}
    for number in sorted(chosen):
        time = known[number]
        for moment in (
            round(time),
            round(time) + 8 * MILLISECOND,
            round(time) - 450,
            round(time) - 550,
        ):
            expected = max(
                (n for n, t in known.items() if t <= moment + MILLISECOND // 2), default=None
            )
            if expected is None:
                with pytest.raises(HolesNotAllowed):
                    plan_frame(store, "demo", "source", moment)
            else:
                got = number_at(encoders, store, moment)
                assert got == expected, f"{number} at {moment - START} us"


def test_there_is_no_frame_in_a_hole_nor_outside_of_the_recording(
    encoders: EncoderPool, tmp_path: Path
) -> None:
    made = variant("pyramid")
    store_variant(tmp_path, "demo", "source", made, start=START, holes=[1])
    store = SegmentStore(tmp_path)
    second, third = made.segments[1].start, made.segments[2].start
    for moment in (-MILLISECOND, second, second + SECOND, third - MILLISECOND, 8 * SECOND):
        with pytest.raises(HolesNotAllowed, match="nothing is recorded at"):
            plan_frame(store, "demo", "source", START + moment)
    assert number_at(encoders, store, START + second - MILLISECOND) == 119
    assert number_at(encoders, store, START + third - MILLISECOND // 2) == 240


def test_a_frame_that_nothing_recorded_can_begin_is_an_error(
    encoders: EncoderPool, tmp_path: Path
) -> None:
    made = long_groups()
    store_variant(tmp_path, "demo", "source", made, start=START, holes=[0])
    store = SegmentStore(tmp_path)
    with pytest.raises(MediaError, match="not recorded"):
        number_at(encoders, store, START + made.segments[1].start + SECOND)
    assert number_at(encoders, store, START + round(5.5 * SECOND)) == 330


def test_a_damaged_segment_gives_its_frame_or_an_error_never_another_one(
    encoders: EncoderPool, tmp_path: Path
) -> None:
    fill_store(
        tmp_path,
        "demo",
        "source",
        recorded_set(),
        start=START,
        count=2,
        types={1: SegmentType.PARTIAL},
    )
    store = SegmentStore(tmp_path)
    assert number_at(encoders, store, START + 2 * SECOND + SECOND // 4) == 135
    fill = b"\x47" + bytes(187)
    for path in tmp_path.rglob("*-full-*.ts"):
        path.write_bytes(fill * 1000)
    with pytest.raises(MediaError):
        number_at(encoders, store, START + SECOND)


def template(tmp_path: Path) -> Path:
    """100 by 60, red, with a window of which the left half is half transparent."""
    picture = Image.new("RGBA", (100, 60), (255, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (20, 10, 80, 50))
    picture.paste((255, 0, 0, 128), (20, 10, 50, 50))
    path = tmp_path / "template.png"
    picture.save(path)
    return path


def test_a_thumbnail_is_the_cropped_frame_in_its_place_under_the_template(
    encoders: EncoderPool, tmp_path: Path
) -> None:
    made = variant("plain")
    store_variant(tmp_path / "store", "demo", "source", made, start=START)
    store = SegmentStore(tmp_path / "store")
    bare = png(encoders, plan_frame(store, "demo", "source", START + SECOND))
    crop = (10, 20, 70, 60)
    wanted = Template(path=str(template(tmp_path)), crop=crop, location=(20, 10, 80, 50))
    composed = png(encoders, plan_frame(store, "demo", "source", START + SECOND, wanted))
    assert composed.size == (100, 60)
    assert composed.getpixel((5, 5)) == (255, 0, 0)
    # Crop and place have the same size, so the picture's pixels are those of the frame.
    assert composed.crop((50, 10, 80, 50)).tobytes() == bare.crop((40, 20, 70, 60)).tobytes()
    red, green, _ = np.asarray(composed.crop((20, 10, 50, 50))).reshape(-1, 3).mean(axis=0)
    assert red > 127
    assert green < np.asarray(bare.crop((10, 20, 40, 60))).reshape(-1, 3).mean(axis=0)[1]


def painted(picture: Image.Image) -> "npt.NDArray[np.bool_]":
    return np.asarray(picture.convert("RGBA"))[:, :, 3] > 0


def heights(picture: Image.Image) -> "npt.NDArray[np.int64]":
    """How many pixels of each column are painted."""
    return np.asarray(painted(picture).sum(axis=0))


def test_a_waveform_shows_sound_silence_and_gaps_at_their_places(
    encoders: EncoderPool, tmp_path: Path
) -> None:
    fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=5, holes=[2])
    store = SegmentStore(tmp_path)
    # Ten milliseconds a column; the hole is from 4 s to 6 s. A second begins with a chirp of 40 ms;
    # from 60 ms to 140 ms there is a tone.
    span = TimeRange(START + SECOND // 2, START + round(9.5 * SECOND))
    picture = png(encoders, plan_waveform(store, "demo", "360p30", span, (900, 101)))
    assert picture.size == (900, 101)
    shown = heights(picture)
    assert not shown[355:545].any()
    # A segment's sound may begin and end some 30 ms from its picture.
    assert shown[:344].all()
    assert shown[556:].all()
    for second in (1, 2, 3, 6, 7, 8, 9):
        at = second * 100 - 50
        assert shown[at : at + 14].max() > 10, second
        if second != 6:
            assert shown[at - 10 : at - 2].max() <= 5, second
        assert shown[at + 20 : at + 45].max() <= 5, second


def test_the_waveform_of_a_moment_is_exact(encoders: EncoderPool, tmp_path: Path) -> None:
    fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=3)
    store = SegmentStore(tmp_path)
    # A tenth of a millisecond a column, across a border of segments.
    span = TimeRange(START + 2 * SECOND - 50 * MILLISECOND, START + 2 * SECOND + 50 * MILLISECOND)
    shown = painted(png(encoders, plan_waveform(store, "demo", "360p30", span, (1000, 201))))
    assert shown.any(axis=0).all()
    away_from_silence = np.delete(shown, range(91, 110), axis=0).any(axis=0)
    first_loud = int(np.flatnonzero(away_from_silence)[0])
    assert abs(first_loud - 500) <= 10


def test_where_nothing_is_recorded_there_is_no_waveform(tmp_path: Path) -> None:
    fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=1)
    with pytest.raises(HolesNotAllowed):
        plan_waveform(
            SegmentStore(tmp_path),
            "demo",
            "360p30",
            TimeRange(START + 2 * SECOND, START + 4 * SECOND),
            (10, 10),
        )


def test_unreadable_segments_are_gaps_of_a_waveform(encoders: EncoderPool, tmp_path: Path) -> None:
    stored = fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=3)
    stored[1].path.write_bytes(b"garbage")
    store = SegmentStore(tmp_path)
    span = TimeRange(START, START + 6 * SECOND)
    shown = heights(png(encoders, plan_waveform(store, "demo", "360p30", span, (60, 20))))
    assert shown[:19].all()
    assert not shown[21:39].any()
    assert shown[41:].all()
