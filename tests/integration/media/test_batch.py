"""Segments that are parsed together are what they are one by one, or refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from common.media.job import Piece
from common.media.smart.batch import Batch, load_batch
from common.media.smart.packets import Unfit
from common.media.smart.segment import SourceSegment, load
from common.media.timeline import wrapped_difference
from common.times import HOUR, parse_time
from tests.support.media import StoredSegment
from tests.support.soak import soak_but
from tests.support.variants import VARIANTS, store_variant, variant

START = parse_time("2026-07-01T12:00:00")

LIKE_THE_PLAIN_ONE = {
    "plain", "pyramid", "ntsc-60", "slices", "headers-once", "hevc",
    "gop-4-across", "gop-10-across", "open-gop-across",
    "mono-44", "sound-late", "no-sound", "one-aac-frame", "straddling",
    "counters", "timed-id3", "clock-apart", "worst", "wrap", "jitter-ntsc", "size-change",
}  # fmt: skip
CHANGING = ["other-pids", "swapped-pids", "jump", "rate-change-sound", "mono-change"]
"""From the third segment on, all of them."""


def stored(folder: Path, name: str) -> list[StoredSegment]:
    return store_variant(folder, "demo", "source", variant(name), start=START)


def pieces_of(segments: Sequence[StoredSegment], *, until: int = START + HOUR) -> list[Piece]:
    return [
        Piece(path=str(one.path), start=one.segment.start, from_time=START, to_time=until)
        for one in segments
    ]


def together(segments: Sequence[StoredSegment], *, until: int = START + HOUR) -> Batch:
    contents = [one.path.read_bytes() for one in segments]
    data = memoryview(bytearray(b"".join(contents)))
    known = load(segments[0].path).tables
    return load_batch(pieces_of(segments, until=until), data, [*map(len, contents)], known)


def units_of(segment: SourceSegment) -> list[tuple[int, int, bool, bytes]]:
    """Stamps count from the first one."""
    first = int(segment.pts[0])
    return [
        (int(pts - first), int(dts - first), segment.is_idr(unit), segment.unit_bytes(unit))
        for unit, (pts, dts) in enumerate(zip(segment.pts, segment.dts, strict=True))
    ]


def moved(units: list[tuple[int, int, bool, bytes]], by: int) -> list[tuple[int, int, bool, bytes]]:
    return [(pts + by, dts + by, is_idr, data) for pts, dts, is_idr, data in units]


def frames_of(segment: SourceSegment) -> list[tuple[int, bytes]]:
    sound = segment.sound
    if sound is None:
        return []
    bodies = [sound.data[a:b] for a, b in zip(sound.starts, sound.starts[1:], strict=False)]
    return list(zip(wrapped_difference(sound.times(), 0).tolist(), bodies, strict=True))


SAME = sorted(set(VARIANTS) - {*CHANGING, "jump-back", "restart", "dropped-frames"})
WITH_PICTURE = [name for name in SAME if VARIANTS[name].coding is not None]


@pytest.mark.parametrize("name", soak_but(WITH_PICTURE, every_time=LIKE_THE_PLAIN_ONE))
def test_segments_taken_together_are_what_they_are_one_by_one(tmp_path: Path, name: str) -> None:
    segments = stored(tmp_path, name)
    single = [load(one.path, known=load(segments[0].path).tables) for one in segments]
    batch = together(segments)
    first = int(single[0].pts[0])
    offsets = [int(wrapped_difference(one.pts[:1], first)[0]) for one in single]
    assert units_of(batch.segment) == [
        unit for one, by in zip(single, offsets, strict=True) for unit in moved(units_of(one), by)
    ]
    assert frames_of(batch.segment) == [frame for one in single for frame in frames_of(one)]
    assert batch.firsts == tuple(np.cumsum([0, *map(len, single)])[:-1])
    for one, apart in zip(single, batch.apart(), strict=True):
        assert units_of(apart) == units_of(one)
        assert frames_of(apart) == frames_of(one)


@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_between_segments_is_taken_apart(tmp_path: Path, name: str) -> None:
    segments = stored(tmp_path, name)
    with pytest.raises(Unfit):
        together(segments[1:3])
    assert len(together(segments[:2]).pieces) == 2
    assert len(together(segments[2:]).pieces) == 2


def test_a_gap_or_a_missing_frame_is_taken_apart(tmp_path: Path) -> None:
    first, _, third, *_ = stored(tmp_path / "plain", "plain")
    with pytest.raises(Unfit, match="does not continue"):
        together([first, third])
    with pytest.raises(Unfit, match="are missing"):
        together(stored(tmp_path / "dropped", "dropped-frames"))


def test_segments_of_which_not_all_is_wanted_are_taken_apart(tmp_path: Path) -> None:
    segments = stored(tmp_path, "plain")
    last = segments[1].segment.end
    assert len(together(segments[:2], until=last).pieces) == 2
    with pytest.raises(Unfit, match="not all of it is wanted"):
        together(segments[:2], until=last - 20_000)


def test_a_segment_that_is_cut_off_is_taken_apart(tmp_path: Path) -> None:
    first, second, *_ = stored(tmp_path, "plain")
    whole = second.path.read_bytes()
    for size in (0, 188 * 100, len(whole) - 188 * 100, len(whole) - 77):
        second.path.write_bytes(whole[:size])
        with pytest.raises(Unfit):
            together([first, second])
