"""The timeline against plain exact fractions, for all kinds of times."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.timeline import (
    PTS_WRAP,
    Grid,
    bound_before,
    frame_at,
    frame_rate,
    frames_in_range,
    grid_time,
    nearest_slot,
    unwrap,
)
from common.times import SECOND, TimeRange

NTSC = Fraction(60_000, 1001)
RATES = st.sampled_from([Fraction(25), Fraction(30), NTSC, Fraction(30_000, 1001), Fraction(60)])
STARTS = st.integers(min_value=0, max_value=4_000_000_000 * SECOND)
HALF_MILLISECOND = 500


def frame_times(rate: Fraction, count: int) -> list[int]:
    return [grid_time(slot, rate) for slot in range(count)]


def wall_time(start: int, offset: int) -> Fraction:
    """In microseconds."""
    return start + Fraction(offset * SECOND, 90_000)


@given(STARTS, RATES, st.integers(-500_000, 2_500_000), st.integers(1, 3_000_000))
def test_exactly_the_frames_belong_whose_time_lies_in_the_range(
    start: int, rate: Fraction, after: int, length: int
) -> None:
    offsets = frame_times(rate, 120)
    span = TimeRange(start + after, start + after + length)
    expected = [
        index
        for index, offset in enumerate(offsets)
        if span.start <= wall_time(start, offset) + HALF_MILLISECOND < span.end
    ]
    assert frames_in_range(start, offsets, span) == expected


@given(STARTS, RATES, st.integers(0, 119), st.sampled_from([1, 1000]))
def test_a_frames_own_time_rounded_means_that_frame(
    start: int, rate: Fraction, index: int, unit: int
) -> None:
    # Rounding down in microseconds of a time with a sub-millisecond part is covered too.
    start -= start % 1000
    offsets = frame_times(rate, 120)
    bound = round(wall_time(start, offsets[index]) / unit) * unit
    span = TimeRange(bound, bound + 10 * SECOND)
    assert frames_in_range(start, offsets, span)[0] == index


@given(STARTS, RATES, st.lists(st.integers(1, 3_000_000), min_size=1, max_size=6))
def test_adjacent_ranges_share_no_frame_and_lose_none(
    start: int, rate: Fraction, lengths: list[int]
) -> None:
    offsets = frame_times(rate, 120)
    found: list[int] = []
    begin = start
    for length in lengths:
        found += frames_in_range(start, offsets, TimeRange(begin, begin + length))
        begin += length
    assert found == frames_in_range(start, offsets, TimeRange(start, begin))


OFFSETS = st.lists(st.integers(1, 3_000), min_size=1, max_size=40).map(
    lambda steps: list(itertools.accumulate(steps, initial=0))
)


@given(STARTS, OFFSETS, st.data())
def test_the_bound_before_a_frame_parts_it_from_those_before(
    start: int, offsets: list[int], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(offsets) - 1))
    bound = bound_before(start, offsets, index)
    later = TimeRange(bound, bound + 1000 * SECOND)
    assert frames_in_range(start, offsets, later) == list(range(index, len(offsets)))
    if index:
        earlier = TimeRange(start, bound)
        assert frames_in_range(start, offsets, earlier) == list(range(index))


@given(STARTS, RATES, st.integers(0, 119))
def test_the_bound_before_a_frame_is_its_own_time(start: int, rate: Fraction, index: int) -> None:
    offsets = frame_times(rate, 120)
    assert bound_before(start, offsets, index) == round(wall_time(start, offsets[index]))


@given(STARTS, RATES, st.integers(-100_000, 3_000_000))
def test_the_frame_at_a_moment_is_the_last_that_is_not_later(
    start: int, rate: Fraction, after: int
) -> None:
    offsets = frame_times(rate, 120)
    limit = start + after + HALF_MILLISECOND
    shown = [i for i, offset in enumerate(offsets) if wall_time(start, offset) <= limit]
    assert frame_at(start, offsets, start + after) == (shown[-1] if shown else None)


@given(st.integers(0, PTS_WRAP - 1), st.lists(st.integers(-90_000, 900_000), max_size=50))
def test_unwrapped_stamps_differ_as_the_times_did(first: int, steps: list[int]) -> None:
    stamps = [first, *((first + step) % PTS_WRAP for step in steps)]
    assert unwrap(stamps) == [first, *(first + step for step in steps)]


@pytest.mark.parametrize(
    ("rate", "times"),
    [
        pytest.param(Fraction(60), [0, 1500, 3000, 4500], id="60"),
        pytest.param(NTSC, [0, 1501, 3003, 4504, 6006], id="59.94: 1501 and 1502 alternate"),
        pytest.param(Fraction(30), [0, 3000, 6000, 9000], id="30"),
    ],
)
def test_the_grid_is_the_floor_of_whole_frames(rate: Fraction, times: list[int]) -> None:
    assert [grid_time(slot, rate) for slot in range(len(times))] == times


@given(RATES, st.integers(0, 10_000_000), st.integers(-500, 500))
def test_jitter_below_half_a_frame_does_not_change_the_slot(
    rate: Fraction, slot: int, jitter: int
) -> None:
    assert nearest_slot(grid_time(slot, rate) + jitter, rate) == slot


@given(RATES, st.integers(2, 240))
def test_the_rate_is_that_of_the_usual_step(rate: Fraction, count: int) -> None:
    assert frame_rate(frame_times(rate, max(count, 60))) == rate


def test_a_missing_frame_does_not_change_the_rate() -> None:
    offsets = frame_times(NTSC, 120)
    del offsets[50:53]
    assert frame_rate(offsets) == NTSC


def test_a_frame_right_behind_another_does_not_change_the_rate() -> None:
    offsets = frame_times(NTSC, 120)
    offsets[50] = offsets[49] + 300
    assert frame_rate(offsets) == NTSC


@pytest.mark.parametrize("offsets", [[], [0], [0, 0]])
def test_a_single_frame_has_no_rate(offsets: list[int]) -> None:
    assert frame_rate(offsets) is None


def segments(rate: Fraction, first_pts: int, count: int, frames: int) -> list[list[int]]:
    return [
        [
            (first_pts + grid_time(number, rate)) % PTS_WRAP
            for number in range(index * frames, (index + 1) * frames)
        ]
        for index in range(count)
    ]


@given(RATES, st.integers(0, PTS_WRAP - 1), st.integers(1, 8))
def test_a_run_takes_each_slot_once_also_across_the_wrap(
    rate: Fraction, first_pts: int, count: int
) -> None:
    grid = Grid(rate)
    slots: list[int] = []
    for stamps in segments(rate, first_pts, count, 120):
        placement = grid.place(unwrap(stamps), unwrap(stamps))
        assert placement is not None
        assert placement.joined == (not slots)
        slots += placement.slots.values()
    assert slots == list(range(120 * count))


def test_a_gap_within_a_run_stays_a_gap_of_whole_frames() -> None:
    stamps = [0, 1500, 3000, 7600, 9000]  # two are missing, and one is a little late
    placement = Grid(Fraction(60)).place(stamps, stamps)
    assert placement is not None
    assert list(placement.slots.values()) == [0, 1, 2, 5, 6]


def test_a_frame_whose_slot_is_taken_is_dropped() -> None:
    placement = Grid(Fraction(60)).place([0, 1500, 1600, 3000], [0, 1500, 1600, 3000])
    assert placement is not None
    assert placement.slots == {0: 0, 1500: 1, 3000: 2}


def test_time_that_does_not_continue_is_joined_without_a_gap() -> None:
    grid = Grid(Fraction(60))
    grid.place([0, 1500], [0, 1500])
    placement = grid.place([900_000, 901_500], [900_000, 901_500])
    assert placement is not None
    assert placement.joined
    assert placement.slots == {900_000: 2, 901_500: 3}
    assert (placement.origin_pts, placement.origin_ticks) == (900_000, 3000)


def test_a_new_range_joins_even_where_time_would_continue() -> None:
    grid = Grid(Fraction(60))
    grid.place([0, 1500], [0])
    grid.begin_range()
    placement = grid.place([0, 1500], [1500])
    assert placement is not None
    assert placement.slots == {1500: 1}


def test_nothing_is_placed_where_nothing_is_wanted() -> None:
    assert Grid(Fraction(60)).place([0, 1500], []) is None


def test_a_segment_of_half_the_frame_rate_continues_if_its_time_does() -> None:
    grid = Grid(Fraction(60))
    first = [index * 3000 for index in range(60)]
    grid.place(first, first)
    assert grid.continues(60 * 3000)


def test_a_week_without_a_join_stays_on_the_grid() -> None:
    grid = Grid(Fraction(1))
    stamps = [126_000 + second * 90_000 for second in range(3600)]
    slots: list[int] = []
    for hour in range(7 * 24):
        first = hour * 3600 * 90_000
        wrapped = unwrap([(first + stamp) % PTS_WRAP for stamp in stamps])
        placement = grid.place(wrapped, wrapped)
        assert placement is not None
        slots += placement.slots.values()
    assert slots == list(range(7 * 24 * 3600))
