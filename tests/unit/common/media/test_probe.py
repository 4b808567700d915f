"""What a plan reads of a segment is what ffmpeg reads of it."""

from pathlib import Path

import pytest

from common.media.probe import probe, read_frames
from tests.support.variants import VARIANTS, variant


@pytest.mark.parametrize("name", VARIANTS)
def test_a_segment_has_the_frames_that_ffmpeg_finds(tmp_path: Path, name: str) -> None:
    for segment in variant(name).segments:
        path = tmp_path / "segment.ts"
        path.write_bytes(segment.data)
        frames, probed = read_frames(path), probe(path)
        assert frames.offsets == probed.offsets
        assert (frames.reorder, frames.begins_anew) == (probed.reorder, probed.begins_anew)
