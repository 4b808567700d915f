"""Archives: everything that is recorded, untouched, a file for each stretch without holes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from common.media.cut import cut_to_file
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange
from tests.support.checker import assert_decodes_silently, assert_in_sync, read_video
from tests.support.encoding import START
from tests.support.media import fill_store, recorded_set
from tests.support.variants import Change, Recipe, Variant, make_segments, store_variant, variant


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool() as pool:
        yield pool


def archive(pool: EncoderPool, base_dir: Path, quality: str, *spans: TimeRange) -> list[Path]:
    """The files of an archive of these ranges."""
    request = CutRequest(
        channel="demo",
        quality=quality,
        ranges=spans,
        transitions=(None,) * (len(spans) - 1),
        type=CutType.ARCHIVE,
    )
    folder = base_dir / "archive"
    told: list[int] = []
    cut_to_file(
        plan_cut(SegmentStore(base_dir), request),
        folder,
        encoders=pool,
        on_progress=lambda done, total: told.append(total - done),
    )
    assert told[-1] == 0
    return sorted(folder.iterdir())


def seconds(start: float, end: float) -> TimeRange:
    return TimeRange(START + round(start * SECOND), START + round(end * SECOND))


def pictures(*paths: Path) -> list[str]:
    """The hash of each picture as decoded."""
    found = []
    for path in paths:
        with av.open(str(path), "r") as container:
            for frame in container.decode(video=0):
                found.append(hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest())
    return found


def sound_packets(*paths: Path) -> list[bytes]:
    found = []
    for path in paths:
        with av.open(str(path), "r") as container:
            found += [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    return found


def test_a_stretch_is_one_file_with_whole_segments(pool: EncoderPool, tmp_path: Path) -> None:
    stored = fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=5)
    (path,) = archive(pool, tmp_path, "360p30", seconds(3, 7))
    assert path.name == "001_2026-01-01T00-00-02.000000.mkv"
    video = read_video(path)
    assert video.numbers == list(range(120, 480, 2))
    assert_in_sync(video, at_least=5)
    assert_decodes_silently(path)
    sources = [entry.path for entry in stored[1:4]]
    assert pictures(path) == pictures(*sources)
    # Without the ADTS header of 7 bytes, which only a transport stream needs.
    assert sound_packets(path) == [packet[7:] for packet in sound_packets(*sources)]


def test_each_range_and_each_stretch_between_holes_is_a_file(
    pool: EncoderPool, tmp_path: Path
) -> None:
    fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=6, holes=[2])
    paths = archive(pool, tmp_path, "360p30", seconds(1, 9), seconds(0, 2))
    assert [path.name[:3] for path in paths] == ["001", "002", "003"]
    numbers = [read_video(path).numbers for path in paths]
    assert numbers == [
        list(range(0, 240, 2)),
        list(range(360, 600, 2)),
        list(range(0, 120, 2)),
    ]


def test_time_that_starts_anew_in_the_middle_goes_on(pool: EncoderPool, tmp_path: Path) -> None:
    recipe = Recipe(changes=(Change(at=2, jump_ticks=-200_000),))
    made = Variant(name="jump", recipe=recipe, segments=tuple(make_segments(recipe)))
    store_variant(tmp_path, "demo", "source", made, start=START)
    (path,) = archive(pool, tmp_path, "source", seconds(0, 8))
    video = read_video(path)
    assert video.numbers == list(range(480))
    assert abs(float(video.frames[-1].pts - video.frames[0].pts) - 479 / 60) < 0.1


def test_pictures_with_b_frames_are_kept(pool: EncoderPool, tmp_path: Path) -> None:
    made = variant("pyramid")
    stored = store_variant(tmp_path, "demo", "source", made, start=START)
    (path,) = archive(pool, tmp_path, "source", seconds(0, 8))
    assert read_video(path).numbers == list(range(480))
    assert len(pictures(path)) == len(pictures(*[entry.path for entry in stored]))
