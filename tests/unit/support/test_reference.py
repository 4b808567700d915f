"""The reference says by rule and by eye which frames a cut must have."""

from fractions import Fraction
from pathlib import Path

import pytest

from common.times import SECOND, TimeRange
from tests.support.reference import (
    Recording,
    Source,
    expected_frames,
    expected_numbers,
    read_store,
    record,
)
from tests.support.segments import NOON
from tests.support.variants import Variant, VariantSegment, store_variant, variant

MILLISECOND = SECOND // 1000


def _recording(name: str, *, holes: tuple[int, ...] = ()) -> Recording:
    made = variant(name)
    return record([_source(made.segments[i]) for i in range(len(made.segments)) if i not in holes])


def _source(segment: VariantSegment, *, early: int = 0) -> Source:
    return Source(start=NOON + segment.start - early, duration=segment.duration, data=segment.data)


def _span(start: float, end: float) -> TimeRange:
    return TimeRange(NOON + round(start * SECOND), NOON + round(end * SECOND))


@pytest.fixture(scope="module")
def plain() -> Recording:
    return _recording("plain")


def test_a_range_has_the_frames_that_begin_in_it(plain: Recording) -> None:
    numbers = expected_numbers(plain, [_span(1.5, 4.5)], Fraction(60))
    assert numbers == [*range(90, 270)]


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (1.0, 60),
        (1.0166, 61),  # frame 61 is at 1.016666...
        (1.0167, 61),
        (1.017, 61),
        (1.01716, 61),
        (1.01717, 62),
        (0.9996, 60),
        (1.0004, 60),
        (1.0005, 60),
        (1.000501, 61),
    ],
)
def test_a_bound_means_the_frame_that_is_nearest_within_half_a_millisecond(
    plain: Recording, start: float, first: int
) -> None:
    assert expected_numbers(plain, [_span(start, 2)], Fraction(60))[0] == first
    before = expected_numbers(plain, [_span(0.5, start)], Fraction(60))
    assert before[-1] == first - 1


def test_ranges_follow_each_other_in_any_order_and_may_repeat(plain: Recording) -> None:
    spans = [_span(5, 5.1), _span(0, 0.05), _span(0, 0.05), _span(9, 9.5)]
    frames = expected_frames(plain, spans, Fraction(60))
    assert [frame.number for frame in frames] == [*range(300, 306), 0, 1, 2, 0, 1, 2]
    assert [frame.slot for frame in frames] == [*range(12)]


def test_frames_that_the_source_dropped_leave_their_slots_empty() -> None:
    frames = expected_frames(_recording("dropped-frames"), [_span(2, 4)], Fraction(60))
    assert [frame.number for frame in frames] == [*range(120, 170), *range(173, 240)]
    assert [frame.slot + 120 for frame in frames] == [frame.number for frame in frames]


@pytest.mark.parametrize("name", ["jitter", "wrap", "jump", "jump-back", "restart", "size-change"])
def test_output_time_is_steady_whatever_the_stamps_do(name: str) -> None:
    frames = expected_frames(_recording(name), [_span(0, 8)], Fraction(60))
    assert [frame.number for frame in frames] == [*range(480)]
    assert [frame.slot for frame in frames] == [*range(480)]


@pytest.mark.parametrize("name", ["tables-once", "gop-4-across", "open-gop-across", "other-pids"])
def test_segments_that_cannot_be_read_alone_are_read_one_after_the_other(name: str) -> None:
    assert expected_numbers(_recording(name), [_span(2.5, 3)], Fraction(60)) == [*range(150, 180)]


def test_a_hole_is_a_join() -> None:
    recording = _recording("plain", holes=(1,))
    frames = expected_frames(recording, [_span(1, 5)], Fraction(60))
    assert [frame.number for frame in frames] == [*range(60, 120), *range(240, 300)]
    assert [frame.slot for frame in frames] == [*range(120)]


def test_an_overlapping_segment_counts_from_where_the_earlier_ends() -> None:
    made: Variant = variant("plain")
    sources = [_source(made.segments[0]), _source(made.segments[1], early=SECOND)]
    numbers = expected_numbers(record(sources), [_span(0, 8)], Fraction(60))
    assert numbers == [*range(120), *range(180, 240)]


def test_an_overlap_of_a_few_milliseconds_is_none() -> None:
    made = variant("plain")
    sources = [_source(made.segments[0]), _source(made.segments[1], early=9 * MILLISECOND)]
    numbers = expected_numbers(record(sources), [_span(0, 8)], Fraction(60))
    assert numbers == [*range(240)]


def test_names_are_read_from_a_store(tmp_path: Path) -> None:
    made = variant("ntsc-60")
    # Across the end of an hour.
    start = NOON - 3 * SECOND
    store_variant(tmp_path, "demo", "source", made, start=start)
    sources = read_store(tmp_path / "demo" / "source")
    assert [source.start - start for source in sources] == [one.start for one in made.segments]
    assert [source.duration for source in sources] == [one.duration for one in made.segments]
    assert [source.data for source in sources] == [one.data for one in made.segments]
