"""The checker objects to what is wrong, and to nothing else."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from demo.origin.code import decode_cells, encode_bits
from tests.support.checker import (
    Video,
    assert_decodes_silently,
    assert_frames,
    assert_in_sync,
    assert_steady,
    read_video,
)
from tests.support.media import RecordedSet, recorded_set

RATE = 60
FRAMES = 150
SOUND_RATE = 48_000


@pytest.fixture(scope="module")
def short() -> RecordedSet:
    return recorded_set("short")


@pytest.fixture(scope="module")
def decoded(short: RecordedSet) -> tuple[list[av.VideoFrame], list[av.AudioFrame]]:
    """The pictures and sounds of the first four seconds."""
    data = b"".join(short.read("360p30", index) for index in range(3))
    with av.open(BytesIO(data), "r") as source:
        frames = list(source.decode(source.streams.video[0], source.streams.audio[0]))
    pictures = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    sounds = [frame for frame in frames if isinstance(frame, av.AudioFrame)]
    return pictures[:FRAMES], sounds


Rewrite = Callable[..., Video]


@pytest.fixture
def rewrite(decoded: tuple[list[av.VideoFrame], list[av.AudioFrame]], tmp_path: Path) -> Rewrite:
    """Encode the pictures of the given indexes at a steady rate, and the sound shifted by
    `late_seconds`, into a poor MP4; read it back.
    """

    def run(indexes: Iterable[int], *, late_seconds: float = 0) -> Video:
        path = tmp_path / "rewritten.mp4"
        pictures, sounds = decoded
        with av.open(str(path), "w") as sink:
            video = sink.add_stream(
                "libx264", rate=30, options={"preset": "ultrafast", "crf": "40"}
            )
            video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
            audio = sink.add_stream("aac", rate=SOUND_RATE, layout="stereo")
            for slot, index in enumerate(indexes):
                picture = av.VideoFrame.from_ndarray(pictures[index].to_ndarray(), format="yuv420p")
                picture.pts, picture.time_base = slot, Fraction(1, 30)
                sink.mux(video.encode(picture))
            sink.mux(video.encode(None))
            for sound in sounds:
                late = late_seconds - float(pictures[0].time or 0)
                copy = av.AudioFrame.from_ndarray(sound.to_ndarray(), "fltp", "stereo")
                copy.rate, copy.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
                copy.pts = round((float(sound.time or 0) + late) * SOUND_RATE)
                sink.mux(audio.encode(copy))
            sink.mux(audio.encode(None))
        return read_video(path)

    return run


@pytest.mark.parametrize(("quality", "step"), [("source", 1), ("360p30", 2)])
def test_the_encoders_own_segments_are_accepted(
    short: RecordedSet, quality: str, step: int
) -> None:
    data = b"".join(short.read(quality, index) for index in range(3))
    video = read_video(data)
    assert_frames(video, 0, 360 - step, step=step)
    assert_steady(video, step=step)
    assert_in_sync(video, tolerance_seconds=0.001, at_least=6)
    for index in range(3):
        assert_decodes_silently(short.read(quality, index))


def test_numbers_and_times_are_exact_at_59_94_frames_per_second() -> None:
    recorded = recorded_set("ntsc")
    data = b"".join(recorded.read("source", index) for index in range(5))
    video = read_video(data, frame_rate=recorded.frame_rate)
    assert_frames(video, 0, 599)
    assert_steady(video)
    assert_in_sync(video, tolerance_seconds=0.001, at_least=10)


def test_a_repeated_set_goes_on_with_the_clock(short: RecordedSet) -> None:
    video = read_video(short.read("source", 2) + short.read("source", 3))
    assert video.numbers == [*range(240, 360), *range(120)]
    assert_steady(video)
    assert_decodes_silently(short.read("source", 3))


def test_a_small_picture_encoded_again_at_low_quality_is_accepted(rewrite: Rewrite) -> None:
    video = rewrite(range(FRAMES))
    assert_frames(video, 0, 298, step=2)
    assert_steady(video, step=2)
    assert_in_sync(video, tolerance_seconds=0.001, at_least=5)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param([*range(70), *range(71, FRAMES)], id="dropped"),
        pytest.param([*range(71), *range(70, FRAMES)], id="doubled"),
        pytest.param([*range(70), 71, 70, *range(72, FRAMES)], id="swapped"),
        pytest.param([*range(FRAMES - 1)], id="last one missing"),
        pytest.param([*range(1, FRAMES)], id="first one missing"),
    ],
)
def test_a_wrong_sequence_of_frames_is_refused(rewrite: Rewrite, wrong: list[int]) -> None:
    video = rewrite(wrong)
    with pytest.raises(AssertionError, match="the first difference is at"):
        assert_frames(video, 0, 298, step=2)


@pytest.mark.parametrize("late_seconds", [0.05, -0.05, 0.02])
def test_sound_that_is_not_with_its_picture_is_refused(
    rewrite: Rewrite, late_seconds: float
) -> None:
    video = rewrite(range(FRAMES), late_seconds=late_seconds)
    assert video.audio_offsets[1:] == pytest.approx(
        [late_seconds] * (len(video.audio_offsets) - 1), abs=0.001
    )
    with pytest.raises(AssertionError, match="from its picture"):
        assert_in_sync(video)


def test_sound_of_another_second_is_refused(rewrite: Rewrite) -> None:
    video = rewrite(range(FRAMES), late_seconds=2)
    with pytest.raises(AssertionError, match=r"\+(1999|2000)\.[0-9] ms"):
        assert_in_sync(video)


def test_a_video_without_marks_is_refused(rewrite: Rewrite) -> None:
    video = rewrite(range(FRAMES), late_seconds=100)
    with pytest.raises(AssertionError, match="marks with a picture"):
        assert_in_sync(Video(frames=video.frames, marks=(), frame_rate=video.frame_rate))


def test_a_frame_that_is_shown_too_long_is_refused(short: RecordedSet) -> None:
    video = read_video(short.read("source", 0) + short.read("source", 2))
    with pytest.raises(AssertionError, match=r"frame 119 .* is shown for 2\.016667 s"):
        assert_steady(video)


def test_damaged_bytes_do_not_decode_silently(short: RecordedSet) -> None:
    data = bytearray(short.read("source", 0))
    middle = len(data) // 2 // 188 * 188
    del data[middle : middle + 10 * 188]
    with pytest.raises(AssertionError, match="ffmpeg ended with"):
        assert_decodes_silently(bytes(data))


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**32 - 1, 1_234_567_890])
def test_a_strip_reads_as_the_number_it_was_made_from(number: int) -> None:
    assert decode_cells([16 + 219 * bit for bit in encode_bits(number)]) == number


def test_no_strip_reads_as_no_number() -> None:
    black, white, blend = [16.0] * 40, [235.0] * 40, [16.0] * 39 + [120.0]
    assert [decode_cells(cells) for cells in (black, white, blend)] == [None, None, None]


def test_a_strip_with_one_wrong_cell_reads_as_no_number() -> None:
    bits = np.array(encode_bits(777))
    for cell in range(40):
        wrong = bits.copy()
        wrong[cell] ^= 1
        assert decode_cells([float(16 + 219 * bit) for bit in wrong]) is None


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_bits(number)
