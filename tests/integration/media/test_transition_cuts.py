"""Full cuts with transitions, read back frame by frame."""

import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from common.errors import BadParameter, MediaError
from common.media.cut import cut_to_file, stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType, Transition
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import (
    assert_decodes_silently,
    assert_in_sync,
    assert_steady,
    read_video,
)
from tests.support.media import fill_store, recorded_set
from tests.support.reference import expected_numbers, read_store, record
from tests.support.soak import soak_but
from tests.support.variants import store_variant, variant

START = parse_time("2026-07-01T11:59:50")
NTSC = Fraction(60_000, 1001)


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool(registry=CollectorRegistry()) as running:
        yield running


def span(first_seconds: float, last_seconds: float) -> TimeRange:
    return TimeRange(START + round(first_seconds * SECOND), START + round(last_seconds * SECOND))


def cut(
    pool: EncoderPool,
    base_dir: Path,
    ranges: Sequence[TimeRange],
    transitions: Sequence[Transition | None],
    *,
    kind: CutType = CutType.MPEGTS,
    quality: str = "360p30",
) -> bytes:
    request = CutRequest(
        channel="demo",
        quality=quality,
        ranges=tuple(ranges),
        transitions=tuple(transitions),
        type=kind,
    )
    plan = plan_cut(SegmentStore(base_dir), request)
    told: list[tuple[int, int]] = []
    made = b"".join(
        stream_cut(plan, encoders=pool, on_progress=lambda *frames: told.append(frames))
    )
    assert told[-1] == (plan.frames_total, plan.frames_total)
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base_dir = tmp_path_factory.mktemp("store")
    for quality in ("source", "360p30"):
        fill_store(base_dir, "demo", quality, recorded_set(), start=START)
    return base_dir


TICKS = {
    CutType.MPEGTS: Fraction(1, 90_000),
    CutType.MP4: Fraction(1, 15_360),
    CutType.WEBM: Fraction(1, 1_000),
}
"""The unit of time stamps."""


def wipe(seconds: float) -> Transition:
    """Leaves the strip with the frame's number to the range before until its very end."""
    return Transition(type="wipeup", seconds=seconds)


def cover(seconds: float) -> Transition:
    """Shows the strip of the range after from its beginning on."""
    return Transition(type="wipedown", seconds=seconds)


@pytest.mark.parametrize(
    ("kind", "seconds", "transition"),
    [
        (CutType.MPEGTS, 1 / 30, wipe),
        (CutType.MPEGTS, 2.5, wipe),
        (CutType.MPEGTS, 2.5, cover),
        (CutType.MP4, 1, cover),
        (CutType.WEBM, 1, wipe),
    ],
)
def test_a_transition_shows_its_frames_once_and_all_others_too(
    pool: EncoderPool,
    plain: Path,
    kind: CutType,
    seconds: float,
    transition: Callable[[float], Transition],
) -> None:
    ranges = [span(1, 5.1), span(8.3, 13)]
    count = round(seconds * 30)
    before, after = list(range(60, 306, 2)), list(range(498, 780, 2))
    sides = before[-count:], after[:count]
    leading = 0 if transition is wipe else 1
    made = cut(pool, plain, ranges, [transition(seconds)], kind=kind)
    video = read_video(made)
    blended = video.numbers[len(before) - count : len(before)]
    pairs = list(zip(*sides, strict=True))
    # While the edge of the wipe crosses the strip no number can be read.
    assert all(number in (None, *pair) for number, pair in zip(blended, pairs, strict=True)), (
        blended,
        pairs,
    )
    seen = [number == pair[leading] for number, pair in zip(blended, pairs, strict=True)]
    assert sum(seen) >= count * 0.8 - 1
    assert video.numbers[: len(before) - count] == before[:-count]
    assert video.numbers[len(before) :] == after[count:]
    assert len(video.frames) == len(before) + len(after) - count
    assert_steady(video, step=2, tick=TICKS[kind])
    assert_decodes_silently(made)


def test_sound_stays_with_the_picture_on_both_sides(pool: EncoderPool, plain: Path) -> None:
    ranges = [span(0.2, 5.1), span(8.3, 13), span(20.7, 26)]
    video = read_video(cut(pool, plain, ranges, [wipe(1), Transition(type="clock", seconds=0.7)]))
    assert_in_sync(video, at_least=9)


def test_the_sound_of_both_sides_is_heard_and_has_no_gap(pool: EncoderPool, plain: Path) -> None:
    made = cut(pool, plain, [span(0, 6), span(10.4, 16)], [wipe(3)])
    video = read_video(made)
    # In the overlap from 3 to 6 s of the output: marks of seconds 3 to 5 of the first range, and,
    # 0.6 s later, of seconds 11 to 13 of the second.
    begins = float(video.frames[0].pts)
    heard = {round(mark.pts - begins, 1): mark.second for mark in video.marks}
    assert {round(at) for at in heard if at == round(at)} >= {0, 1, 2, 3, 4}
    assert {6.6, 7.6} <= set(heard)
    assert audio_seconds(made) == pytest.approx(8.6, abs=0.05)


def audio_seconds(made: bytes, rate: int = 48_000) -> float:
    with av.open(io.BytesIO(made)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    times = [float(frame.time or 0) for frame in frames]
    steps = np.diff(times)
    assert np.allclose(steps, 1024 / rate, atol=0.001)
    return times[-1] - times[0] + 1024 / rate


def test_many_transitions_keep_every_frame_in_place(pool: EncoderPool, plain: Path) -> None:
    starts = [0.1, 7.3, 3.9, 12.4, 20, 12.4]
    ranges = [span(start, start + 1.5) for start in starts]
    made = cut(pool, plain, ranges, [wipe(0.5)] * 5)
    video = read_video(made)
    assert len(video.frames) == 6 * 45 - 5 * 15
    for index, start in enumerate(starts):
        first = -(-round(start * 60) // 2) * 2
        inner = video.numbers[index * 30 + (15 if index else 0) : index * 30 + 30]
        assert inner == [first + 2 * (frame + (15 if index else 0)) for frame in range(len(inner))]
    assert_steady(video, step=2)
    assert_decodes_silently(made)


def test_ranges_may_be_used_up_by_their_transitions(pool: EncoderPool, plain: Path) -> None:
    ranges = [span(0, 1), span(4, 6), span(8, 9)]
    made = cut(pool, plain, ranges, [wipe(1), wipe(1)])
    video = read_video(made)
    assert len(video.frames) == 60
    assert_steady(video, step=2)
    assert_in_sync(video)


def test_a_transition_at_an_uneven_rate_is_exact(pool: EncoderPool, tmp_path: Path) -> None:
    fill_store(tmp_path, "demo", "source", recorded_set("ntsc"), start=START)
    ranges = [span(0.5, 4), span(5, 9)]
    made = cut(pool, tmp_path, ranges, [wipe(1)], quality="source")
    video = read_video(made, frame_rate=NTSC)
    before = [number for number in range(600) if 0.5 <= number / NTSC + Fraction(1, 2000) < 4]
    after = [number for number in range(600) if 5 <= number / NTSC + Fraction(1, 2000) < 9]
    assert video.numbers[: len(before) - 60] == before[:-60]
    assert video.numbers[len(before) :] == after[60:]
    assert len(video.frames) == len(before) + len(after) - 60
    assert_steady(video)
    assert_in_sync(video, at_least=4)


VARIANTS = [
    "no-b-frames", "pyramid", "fps-25", "fps-50", "ntsc-30", "hevc", "open-gop", "gop-10-across",
    "open-gop-across", "jitter-ntsc", "mono", "mono-44",
    "sound-44-early", "sound-late", "no-sound", "worst", "wrap", "jump", "jump-back", "restart",
    "size-change", "profile-change", "mono-change", "rate-change-sound",
]  # fmt: skip

EVERY_TIME = [
    "pyramid", "ntsc-30", "hevc", "open-gop-across", "sound-44-early", "no-sound", "worst",
    "jump-back", "size-change", "rate-change-sound",
]  # fmt: skip


@pytest.mark.parametrize("name", soak_but(VARIANTS, every_time=EVERY_TIME))
def test_transitions_are_exact_in_sources_of_all_kinds(
    pool: EncoderPool, tmp_path: Path, name: str
) -> None:
    made = variant(name)
    store_variant(tmp_path, "demo", "source", made, start=START)
    recording = record(read_store(tmp_path / "demo" / "source"))
    # The second transition reaches over a segment's border on both of its sides.
    ranges = [span(0.7, 2.9), span(4.8, 7.6), span(1.7, 4.2)]
    wanted = [expected_numbers(recording, [this], made.frame_rate) for this in ranges]
    counts = [round(0.5 * made.frame_rate), round(made.frame_rate)]
    data = cut(pool, tmp_path, ranges, [wipe(0.5), cover(1)], quality="source")
    video = read_video(data, frame_rate=made.frame_rate)
    first, second = len(wanted[0]) - counts[0], len(wanted[0]) + len(wanted[1]) - sum(counts)
    assert len(video.frames) == sum(map(len, wanted)) - sum(counts)
    assert video.numbers[:first] == wanted[0][: -counts[0]]
    assert video.numbers[first + counts[0] : second] == wanted[1][counts[0] : -counts[1]]
    assert video.numbers[second + counts[1] :] == wanted[2][counts[1] :]
    assert_steady(video)
    if name != "no-sound":
        assert_in_sync(video, at_least=3)
    assert_decodes_silently(data)


@pytest.mark.parametrize(("name", "rate"), [("only-sound", 48_000), ("only-sound-44", 44_100)])
def test_sound_alone_is_crossfaded(pool: EncoderPool, tmp_path: Path, name: str, rate: int) -> None:
    store_variant(tmp_path, "demo", "source", variant(name), start=START)
    ranges = [span(0.5, 3.1), span(4.2, 7)]
    for transitions, seconds in (([None], 5.4), ([wipe(1)], 4.4)):
        data = cut(pool, tmp_path, ranges, transitions, quality="source")
        assert audio_seconds(data, rate) == pytest.approx(seconds, abs=0.08)
        assert_decodes_silently(data)


def test_different_frame_rates_have_no_transition(pool: EncoderPool, tmp_path: Path) -> None:
    store_variant(tmp_path, "demo", "source", variant("fps-25"), start=START)
    later = variant("fps-50")
    store_variant(tmp_path, "demo", "source", later, start=START + 60 * SECOND)
    ranges = [span(0, 2), span(60, 62)]
    with pytest.raises(BadParameter, match=r"range 1 .* range 2 .* 25\.000 and 50\.000 frames"):
        cut(pool, tmp_path, ranges, [wipe(1)], quality="source")


def test_a_file_that_goes_during_the_cut_is_named(pool: EncoderPool, tmp_path: Path) -> None:
    stored = fill_store(tmp_path, "demo", "360p30", recorded_set(), start=START, count=8)
    request = CutRequest(
        channel="demo",
        quality="360p30",
        ranges=(span(0, 4), span(6, 10)),
        transitions=(wipe(1),),
        type=CutType.MP4,
    )
    plan = plan_cut(SegmentStore(tmp_path), request)
    stored[3].path.unlink()
    with pytest.raises(MediaError, match=r"range 2 .* is gone"):
        cut_to_file(plan, tmp_path / "video.mp4", encoders=pool)
