"""AAC frames in a row."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.smart.adts import AudioConfig, adts_header, config_of, frame_starts
from common.media.smart.packets import Unfit

RATES = [96000, 48000, 44100, 32000, 22050, 8000, 7350]
CONFIGS = st.builds(
    AudioConfig,
    profile=st.integers(0, 3),
    rate=st.sampled_from(RATES),
    channels=st.integers(0, 7),
)


@given(CONFIGS, st.lists(st.integers(1, 8184), max_size=8))
def test_what_a_header_says_is_read_back(config: AudioConfig, sizes: list[int]) -> None:
    frames = [adts_header(config, size) + b"\xff" * size for size in sizes]
    data = b"".join(frames)
    assert all(config_of(frame) == config for frame in frames)
    starts = frame_starts(data)
    assert [data[a:b] for a, b in pairwise(starts)] == frames
    assert len(starts) == len(frames) + 1


FRAME = adts_header(AudioConfig(profile=1, rate=48000, channels=2), 50) + b"\x21" * 50


@pytest.mark.parametrize("rest", range(len(FRAME)))
def test_a_frame_that_is_cut_off_is_left_out(rest: int) -> None:
    assert frame_starts(FRAME * 2 + FRAME[:rest]) == [0, 57, 114]


def test_frames_can_be_looked_for_from_somewhere_on() -> None:
    assert frame_starts(b"junk" + FRAME * 2, 4) == [4, 61, 118]


@pytest.mark.parametrize(
    "data", [b"\0" * 20, FRAME + b"\0" + FRAME, b"\xff\xf1\x4c\x80\x00\x1f\xfc" * 3]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Unfit):
        frame_starts(data)


def test_a_reserved_rate_is_refused() -> None:
    with pytest.raises(Unfit, match="sampling rate"):
        config_of(b"\xff\xf1\x7c\x80\x07\x1f\xfc")
