"""Smart cuts, held against all that they promise: sources of every kind, ranges of every kind."""

import math
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from common.errors import HolesNotAllowed
from common.media.commands import ffmpeg_binary
from common.media.cut import stream_cut
from common.media.encoders import EncoderPool
from common.media.plan import plan_cut
from common.media.request import CutRequest, CutType, Transition
from common.segments.store import SegmentStore
from common.times import SECOND, TimeRange, parse_time
from tests.support.checker import assert_decodes_silently, read_video
from tests.support.exactness import Limits, assert_exact
from tests.support.media import fill_store, recorded_set
from tests.support.quality import Compared, numbers_of
from tests.support.reference import Recording, expected_numbers, read_store, record
from tests.support.soak import soak_but
from tests.support.transport import judge
from tests.support.variants import VARIANTS, Recipe, store_variant, variant

START = parse_time("2026-07-01T11:59:50")
RATE = 60
"""Frames per second of most variants."""


@pytest.fixture(scope="module")
def pool() -> Iterator[EncoderPool]:
    with EncoderPool(registry=CollectorRegistry()) as running:
        yield running


def span(first_seconds: float, last_seconds: float) -> TimeRange:
    return TimeRange(START + round(first_seconds * SECOND), START + round(last_seconds * SECOND))


def frames(first: int, last: int) -> TimeRange:
    """Frames `first` to `last` (exclusive), at 60 per second."""
    return span(first / RATE, last / RATE)


def cut(
    pool: EncoderPool,
    base_dir: Path,
    ranges: Sequence[TimeRange],
    transitions: Sequence[Transition | None] | None = None,
    *,
    allow_holes: bool = False,
) -> bytes:
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=tuple(ranges),
        transitions=tuple(transitions or [None] * (len(ranges) - 1)),
        type=CutType.SMART,
        allow_holes=allow_holes,
    )
    return b"".join(stream_cut(plan_cut(SegmentStore(base_dir), request), encoders=pool))


class Stored:
    """A variant in a store of its own."""

    def __init__(self, base_dir: Path, name: str, holes: Sequence[int] = ()) -> None:
        self.base_dir = base_dir
        self.made = variant(name)
        store_variant(base_dir, "demo", "source", self.made, start=START, holes=holes)
        self.limits = limits_of(name)

    @cached_property
    def recording(self) -> Recording:
        return record(read_store(self.base_dir / "demo" / "source"))

    def assert_exact(self, output: bytes, ranges: Sequence[TimeRange]) -> list[Compared]:
        return assert_exact(
            output,
            self.recording,
            ranges,
            frame_rate=self.made.frame_rate,
            limits=self.limits,
        )


def limits_of(name: str) -> Limits:
    return Limits(
        audio=VARIANTS[name].sound is not None,
        sync_ticks=VARIANTS[name].jitter_ticks,
        # Their grain, which no picture of a real source has, costs what it costs.
        factor=math.inf,
        delimiters=name != "no-delimiters",
    )


def telling_ranges(recipe: Recipe) -> list[TimeRange]:
    """Out of order: across what changes in the middle, to before the end of a GOP, and a few frames
    in the middle of one.
    """
    if recipe.seconds < 8:  # large pictures
        return [span(1.9, 2.2)]
    if recipe.coding is not None and recipe.coding.codec == "libx265":  # slow
        return [span(3.7, 4.4), span(1.6, 2.1)]
    late = [span(9.7, 10.4)] if recipe.seconds > 12 else []
    missing = [span(2.4, 3)] if recipe.missing else []
    return [span(3.6, 5.1), span(1.4, 2.2), *late, *missing, span(0.55, 0.6)]


WITH_PICTURE = [name for name, recipe in VARIANTS.items() if recipe.coding is not None]
WITHOUT_PICTURE = [name for name in VARIANTS if name not in WITH_PICTURE]

ALL_ENCODED = {"open-gop", "hevc-open-gop"}
"""Their only IDR picture is the very first one."""


LIKE_OTHERS = {
    "flat-b-frames", "fps-25", "fps-50", "720p", "slices", "filler", "no-delimiters",
    "gop-1", "gop-4", "gop-1-beside",
    "mono", "sound-44", "sound-early", "sound-44-late", "one-aac-frame",
    "counters", "tables-at-start", "wrap-between", "jump-back", "jitter",
}  # fmt: skip
"""Go the way of another one, which is tested every time."""


@pytest.mark.parametrize("name", soak_but(WITH_PICTURE, every_time=set(WITH_PICTURE) - LIKE_OTHERS))
def test_cuts_of_sources_of_all_kinds_are_exact(
    pool: EncoderPool, tmp_path: Path, name: str
) -> None:
    stored = Stored(tmp_path, name)
    ranges = telling_ranges(stored.made.recipe)
    compared = stored.assert_exact(cut(pool, tmp_path, ranges), ranges)
    assert bool(numbers_of(compared, copied=True)) is (name not in ALL_ENCODED)


@pytest.mark.parametrize("name", WITHOUT_PICTURE)
def test_sound_alone_is_one_stream_without_gaps(
    pool: EncoderPool, tmp_path: Path, name: str
) -> None:
    stored = Stored(tmp_path, name)
    ranges = [span(3.5, 5.2), span(1.2, 2.3), span(0.5, 0.6)]
    output = cut(pool, tmp_path, ranges)
    heard = judge(output, frame_rate=None).sound
    assert len(heard) * 1024 / heard[0].rate == pytest.approx(1.7 + 1.1 + 0.1, abs=0.07)
    source = {frame.data for frame in judge(stored.made.data, frame_rate=None).sound}
    assert {frame.data for frame in heard} <= source
    assert_decodes_silently(output)


@pytest.mark.parametrize("name", WITHOUT_PICTURE)
def test_sound_alone_is_crossfaded(pool: EncoderPool, tmp_path: Path, name: str) -> None:
    stored = Stored(tmp_path, name)
    ranges = [span(0.5, 3.1), span(4.2, 7)]
    output = cut(pool, tmp_path, ranges, [Transition(type="fade", seconds=1)])
    heard = judge(output, frame_rate=None).sound
    assert len(heard) * 1024 / heard[0].rate == pytest.approx(2.6 + 2.8 - 1, abs=0.07)
    source = {frame.data for frame in judge(stored.made.data, frame_rate=None).sound}
    # Silence encodes to the same bytes again; the marks of both sides do not.
    faded = sum(frame.data not in source for frame in heard) * 1024 / heard[0].rate
    assert 0.1 < faded < 1.15
    assert_decodes_silently(output)


def test_pictures_of_a_usual_source_are_as_good_as_they_were_and_small(
    pool: EncoderPool, tmp_path: Path
) -> None:
    fill_store(tmp_path, "demo", "source", recorded_set(), start=START, count=4)
    ranges = [span(0.7, 2.4), span(5.1, 5.3)]
    recording = record(read_store(tmp_path / "demo" / "source"))
    assert_exact(cut(pool, tmp_path, ranges), recording, ranges, frame_rate=Fraction(60))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp("plain"), "plain")


@pytest.mark.parametrize(
    "ranges",
    [
        pytest.param([span(0.4, 1.2)], id="shorter than a GOP"),
        pytest.param([frames(0, 1)], id="one frame that is an IDR picture"),
        pytest.param([frames(77, 78)], id="one frame in the middle"),
        pytest.param([frames(239, 240)], id="the last frame of a GOP"),
        pytest.param([frames(479, 480)], id="the very last frame"),
        pytest.param([frames(239, 241)], id="two frames across a border"),
        pytest.param([frames(n, n + 1) for n in (5, 4, 121, 3, 3)], id="single frames"),
        pytest.param([span(1, 3), span(2, 4.5)], id="overlapping"),
        pytest.param([span(1.5, 2.5)] * 3, id="repeated"),
        pytest.param([span(5, 6.2), span(2.9, 4.1), span(0.3, 1)], id="out of order"),
        pytest.param([span(1, 2), span(2, 3), span(3, 4)], id="following each other"),
    ],
)
def test_ranges_of_all_kinds_are_exact(
    pool: EncoderPool, plain: Stored, ranges: list[TimeRange]
) -> None:
    plain.assert_exact(cut(pool, plain.base_dir, ranges), ranges)


@pytest.mark.parametrize("ranges", [[span(2, 6)], [span(6, 8), span(2, 4)], [span(4, 6)] * 2])
def test_whole_segments_are_copied(
    pool: EncoderPool, plain: Stored, ranges: list[TimeRange]
) -> None:
    compared = plain.assert_exact(cut(pool, plain.base_dir, ranges), ranges)
    assert numbers_of(compared, copied=False) == []


def test_all_but_the_ends_is_copied(pool: EncoderPool, plain: Stored) -> None:
    ranges = [frames(100, 410)]
    compared = plain.assert_exact(cut(pool, plain.base_dir, ranges), ranges)
    encoded = numbers_of(compared, copied=False)
    assert encoded[:20] == [*range(100, 120)]
    # At the end, no more than what a decoder would have to hold back.
    assert encoded[20:] == [*range(410 - len(encoded) + 20, 410)]
    assert len(encoded) <= 20 + 3


def test_two_hundred_ranges_stay_in_sync(pool: EncoderPool, tmp_path: Path) -> None:
    stored = Stored(tmp_path, "no-b-frames")
    # Most begin at an IDR picture, so that there is little to encode; all are long enough for the
    # mark of their second to be told.
    ranges = [
        frames(begin - (3 if index % 40 == 1 else 0), begin + 5 + index % 3)
        for index, begin in ((index, index * 7 % 4 * 120) for index in range(200))
    ]
    stored.assert_exact(cut(pool, tmp_path, ranges), ranges)


BOUNDS = st.tuples(st.integers(0, 7900), st.integers(1, 900))


@settings(
    max_examples=3,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(["worst", "gop-1-beside", "open-gop-some-idr", "jitter-ntsc"]),
    bounds=st.lists(BOUNDS, min_size=1, max_size=4),
)
def test_ranges_at_random_are_exact(
    pool: EncoderPool,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    bounds: list[tuple[int, int]],
) -> None:
    stored = Stored(tmp_path_factory.mktemp("random"), name)
    ranges = [span(begin / 1000, (begin + length) / 1000) for begin, length in bounds]
    recording = stored.recording
    if not all(expected_numbers(recording, [one], stored.made.frame_rate) for one in ranges):
        return  # refused as empty: that is another test's
    stored.assert_exact(cut(pool, stored.base_dir, ranges), ranges)


@pytest.mark.parametrize("name", ["plain", "worst"])
def test_allowed_holes_become_joins(pool: EncoderPool, tmp_path: Path, name: str) -> None:
    stored = Stored(tmp_path, name, holes=[1, 3])
    ranges = [span(0.9, 5.7)]
    stored.assert_exact(cut(pool, tmp_path, ranges, allow_holes=True), ranges)


@pytest.mark.parametrize(
    ("source", "wanted", "exact"),
    [
        pytest.param(("gop-10-across", [2]), span(0.9, 13.2), [(54, 238), (600, 792)], id="inside"),
        pytest.param(("gop-4-across", [0]), span(1, 7), [(240, 420)], id="at its beginning"),
        pytest.param(("gop-10-across", [1]), span(4.5, 13), [(600, 780)], id="before it"),
        pytest.param(
            ("gop-10-across", [1, 4]),
            span(0.5, 13.2),
            [(30, 118), (600, 792)],
            id="two, all between",
        ),
        pytest.param(
            ("open-gop-across", [1]), span(0.5, 7), [(30, 119), (270, 420)], id="open GOP"
        ),
    ],
)
def test_what_needs_frames_of_an_allowed_hole_belongs_to_it(
    pool: EncoderPool,
    tmp_path: Path,
    source: tuple[str, list[int]],
    wanted: TimeRange,
    exact: list[tuple[int, int]],
) -> None:
    name, holes = source
    stored, whole = Stored(tmp_path / "stored", name, holes=holes), Stored(tmp_path / "whole", name)
    output = cut(pool, stored.base_dir, [wanted], allow_holes=True)
    whole.assert_exact(output, [frames(*of) for of in exact])


def test_a_range_that_needs_frames_of_a_hole_throughout_is_refused(
    pool: EncoderPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Stored(tmp_path, "gop-10-across", holes=[1])
    with pytest.raises(HolesNotAllowed, match=r"^range 2 .* no frame of it can be decoded"):
        cut(pool, tmp_path, [span(0, 1), span(4.5, 9)], allow_holes=True)
    lost = "270 frames from 2026-07-01T11:59:54.500000 on need what is missing before them"
    assert f"{lost}, and are left out" in caplog.text


@pytest.mark.parametrize("kind", [CutType.SMART, CutType.FAST, CutType.MP4])
def test_a_range_that_needs_frames_of_a_hole_before_it_is_refused_unless_holes_are_allowed(
    tmp_path: Path, kind: CutType
) -> None:
    Stored(tmp_path, "gop-10-across", holes=[1])
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=(span(0, 1), span(4.5, 13)),
        transitions=(None,),
        type=kind,
    )
    store = SegmentStore(tmp_path)
    lost = "330 frames from 2026-07-01T11:59:54.500000 on need what is missing before them"
    with pytest.raises(HolesNotAllowed, match=rf"^range 2 .*: {lost}$"):
        plan_cut(store, request)
    assert plan_cut(store, replace(request, type=CutType.ROUGH)).frames_total
    assert plan_cut(store, replace(request, allow_holes=True)).frames_total == 60 + 180


def test_transitions_may_take_all_that_a_hole_has_left_of_a_range(tmp_path: Path) -> None:
    Stored(tmp_path, "gop-10-across", holes=[2])
    # Of the middle one there are frames 180 to 237 and 600 to 629.
    ranges = (span(0, 2), span(3, 10.5), span(11, 13))
    fades = tuple(Transition(type="fade", seconds=count / RATE) for count in (58, 30))
    request = CutRequest(
        channel="demo",
        quality="source",
        ranges=ranges,
        transitions=fades,
        type=CutType.SMART,
        allow_holes=True,
    )
    parts = plan_cut(SegmentStore(tmp_path), request).parts
    assert [part.frames for part in parts] == [120 - 58, 58, 30, 120 - 30]


def test_outputs_one_behind_the_other_play(pool: EncoderPool, plain: Stored) -> None:
    parts = [cut(pool, plain.base_dir, [span(*of)]) for of in ((0.6, 3.3), (1.2, 5))]
    # Counters jump where two files meet, which ffmpeg warns of; nothing worse, and every frame is
    # decoded.
    result = subprocess.run(
        [ffmpeg_binary(), "-v", "error", "-i", "pipe:0", "-f", "null", "-"],
        input=b"".join(parts),
        capture_output=True,
        check=True,
    )
    assert result.stderr == b""
    assert read_video(b"".join(parts)).numbers == [*range(36, 198), *range(72, 300)]


TRANSITION_VARIANTS = ["ntsc-60", "hevc", "open-gop", "no-sound", "worst"]


@pytest.mark.parametrize("name", TRANSITION_VARIANTS)
def test_transitions_take_their_frames_from_both_sides(
    pool: EncoderPool, tmp_path: Path, name: str
) -> None:
    stored = Stored(tmp_path, name)
    rate = stored.made.frame_rate
    ranges = [span(0.7, 2.6), span(4.3, 6.9)]
    # This one leaves the strip with the number to the range before until its very end.
    output = cut(pool, tmp_path, ranges, [Transition(type="wipeup", seconds=0.5)])
    recording = stored.recording
    before, after = (expected_numbers(recording, [one], rate) for one in ranges)
    count = round(rate / 2)
    made = judge(output, frame_rate=rate, audio=stored.limits.audio)
    assert len(made.units) == len(before) + len(after) - count
    numbers = read_video(output, frame_rate=rate).numbers
    assert numbers[: len(before) - count] == before[:-count]
    assert numbers[len(before) :] == after[count:]
    blended = numbers[len(before) - count : len(before)]
    assert sum(a == b for a, b in zip(blended, before[-count:], strict=True)) > count * 0.7
    assert_decodes_silently(output)


def test_transitions_and_hard_cuts_mix(pool: EncoderPool, plain: Stored) -> None:
    ranges = [span(0.5, 1.5), span(2, 4), span(4.5, 5.5), span(6, 7)]
    fade = Transition(type="fade", seconds=0.25)
    output = cut(pool, plain.base_dir, ranges, [fade, None, fade])
    assert len(judge(output, frame_rate=Fraction(60)).units) == 5 * 60 - 2 * 15
    numbers = read_video(output).numbers
    # Behind the first fade, over the hard cut, up to the second.
    assert numbers[60 : 60 + 105 + 45] == [*range(135, 240), *range(270, 315)]
    assert_decodes_silently(output)
