"""Full cuts in each container: exactly the frames of the ranges, from time 0 on, sound in place."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from common.errors import ConfigError, MediaError
from common.media.cut import cut_to_file, stream_cut
from common.media.encoders import EncoderPool
from common.media.external import check_arguments
from common.media.plan import CutPlan, plan_cut
from common.media.request import CutRequest, CutType
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange
from tests.support.checker import (
    assert_decodes_silently,
    assert_in_sync,
    assert_steady,
    read_video,
)
from tests.support.encoding import START, encoders
from tests.support.media import fill_store, recorded_set
from tests.support.proc import children, is_running
from tests.support.waiting import wait_until

MILLISECOND = Fraction(1, 1000)
ARGUMENTS = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-c:a", "aac")


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool() as pool:
        yield pool


@pytest.fixture
def store(tmp_path: Path) -> SegmentStore:
    fill_store(tmp_path / "store", "demo", "360p30", recorded_set(), start=START, count=5)
    return SegmentStore(tmp_path / "store")


def seconds(start: float, end: float) -> TimeRange:
    return TimeRange(START + round(start * SECOND), START + round(end * SECOND))


def plan(store: SegmentStore, kind: CutType) -> CutPlan:
    """Two ranges, in the middle of groups of pictures, the later one first."""
    request = CutRequest(
        channel="demo",
        quality="360p30",
        ranges=(seconds(6.5, 9.1), seconds(0.9, 2.5)),
        transitions=(None,),
        type=kind,
    )
    return plan_cut(store, request)


def assert_exact(source: Path | bytes, *, starts_at: Fraction = Fraction(0)) -> None:
    video = read_video(source)
    assert video.numbers == [*range(390, 546, 2), *range(54, 150, 2)]
    assert video.frames[0].pts == starts_at
    assert_steady(video, step=2, tick=MILLISECOND)
    assert_in_sync(video, at_least=4)
    assert_decodes_silently(source)


@pytest.mark.parametrize("kind", [CutType.MP4, CutType.WEBM])
def test_a_cut_that_is_streamed_is_exact(
    kind: CutType, store: SegmentStore, pool: EncoderPool
) -> None:
    assert_exact(b"".join(stream_cut(plan(store, kind), encoders=pool)))


def test_a_transport_stream_begins_late_enough_for_what_comes_before(
    store: SegmentStore, pool: EncoderPool
) -> None:
    data = b"".join(stream_cut(plan(store, CutType.MPEGTS), encoders=pool))
    assert_exact(data, starts_at=Fraction(126_000, 90_000))


@pytest.mark.parametrize("kind", [CutType.MP4, CutType.WEBM])
def test_a_cut_into_a_file_is_exact(
    kind: CutType, store: SegmentStore, pool: EncoderPool, tmp_path: Path
) -> None:
    path = tmp_path / f"video{kind.suffix}"
    cut_to_file(plan(store, kind), path, encoders=pool)
    assert_exact(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_with_arguments_for_ffmpeg_is_exact(
    suffix: str, store: SegmentStore, pool: EncoderPool, tmp_path: Path
) -> None:
    path = tmp_path / f"video{suffix}"
    told: list[int] = []
    cut_to_file(
        plan(store, CutType.CUSTOM),
        path,
        encoders=pool,
        on_progress=lambda done, total: told.append(total - done),
        ffmpeg_args=ARGUMENTS,
    )
    assert_exact(path)
    assert told[-1] == 0


def test_what_ffmpeg_complains_about_is_told(
    store: SegmentStore, pool: EncoderPool, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match="Encoder not found"):
        cut_to_file(
            plan(store, CutType.CUSTOM),
            tmp_path / "video.mp4",
            encoders=pool,
            ffmpeg_args=("-c:v", "nonsense"),
        )


def test_ffmpeg_ends_with_a_cut_that_is_broken_off(store: SegmentStore, tmp_path: Path) -> None:
    from_ffmpeg: set[int] = set()

    def stop(done: int, total: int) -> None:
        from_ffmpeg.update(pid for worker in encoders() for pid in children(worker))
        raise InterruptedError

    with EncoderPool() as pool, pytest.raises(InterruptedError):
        cut_to_file(
            plan(store, CutType.CUSTOM),
            tmp_path / "video.mp4",
            encoders=pool,
            on_progress=stop,
            ffmpeg_args=ARGUMENTS,
        )
    assert len(from_ffmpeg) == 1
    wait_until(lambda: not any(map(is_running, from_ffmpeg)), "ffmpeg is gone")


def test_good_arguments_are_accepted() -> None:
    check_arguments(ARGUMENTS, ".mp4")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-c:v", "nonsense"], "Encoder not found"),
        (["-nonsense"], "Unrecognized option"),
        (["-i", "/etc/passwd"], "leave out -i"),
        (["-f", "null"], "leave out -f"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(arguments: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check_arguments(arguments, ".mp4")
