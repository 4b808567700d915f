"""The variants hold what they say, so that tests of cuts can rely on them."""

import pytest

from tests.support.checker import assert_decodes_silently, read_video
from tests.support.variants import VARIANTS, variant


@pytest.mark.parametrize("name", VARIANTS)
def test_every_frame_of_a_variant_is_there_with_its_number_and_sound(name: str) -> None:
    made = variant(name)
    video = read_video(made.data, frame_rate=made.frame_rate)
    assert video.numbers == [number for segment in made.segments for number in segment.numbers]
    assert max(map(abs, video.audio_offsets)) < 0.001
    assert_decodes_silently(made.data)
