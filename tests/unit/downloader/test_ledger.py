"""Which lines of which workers mean the same segment, and when segments begin."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.segments.select import TOLERANCE
from common.times import SECOND, Micros, parse_time
from downloader.hls import MediaPlaylist, MediaSegment
from downloader.ledger import Entry, Ledger, Progress, TimeBase

NOON = parse_time("2026-07-01T12:00:00")
TWO: Micros = 2 * SECOND


def line(
    sequence: int,
    *,
    path: str | None = None,
    edge: str = "a",
    duration: Micros = TWO,
    program_time: Micros | None = None,
) -> MediaSegment:
    return MediaSegment(
        sequence=sequence,
        url=f"https://host/{path or f'{sequence}.ts'}?edge={edge}",
        duration=duration,
        program_time=program_time,
        advertisement=False,
        discontinuity=False,
        byte_range=None,
        map_url=None,
        map_range=None,
    )


def entry(segment: MediaSegment, start: Micros, *, doubtful: bool = False) -> Entry:
    return Entry(segment=segment, start=start, doubtful=doubtful, progress=Progress.FETCHING)


def playlist(*segments: MediaSegment) -> MediaPlaylist:
    return MediaPlaylist(segments=segments, target=TWO, ended=False)


# Ledger


@pytest.mark.parametrize(
    ("second", "shift"),
    [
        (line(10, edge="b"), 0),  # a fresh address
        (line(10, path="edge2/10.ts"), 0),
        (line(10), SECOND // 2),  # a worker whose clock is off
        (line(10), 1 - TWO),
        (line(3), 0),  # an edge that counts differently
        (line(3), TOLERANCE),
        (line(3), -TOLERANCE),
        (line(3, duration=TWO + TOLERANCE), 0),
    ],
)
def test_a_segment_is_known_again(second: MediaSegment, shift: Micros) -> None:
    ledger = Ledger()
    first = ledger.add(entry(line(10), NOON))
    assert ledger.find(second, NOON + shift) is first


@pytest.mark.parametrize(
    ("second", "shift"),
    [
        (line(11), TWO),  # the next one
        (line(11), SECOND),
        (line(10), TWO),  # the origin began anew with the same number
        (line(10), -TWO),
        (line(10), 3600 * SECOND),
        (line(3), TOLERANCE + 1),
        (line(3), -TOLERANCE - 1),
        (line(3, duration=TWO + TOLERANCE + 1), 0),
    ],
)
def test_another_segment_is_not_taken_for_it(second: MediaSegment, shift: Micros) -> None:
    ledger = Ledger()
    ledger.add(entry(line(10), NOON))
    assert ledger.find(second, NOON + shift) is None


def test_short_segments_are_told_apart_by_time_only_beyond_a_second() -> None:
    ledger = Ledger()
    first = ledger.add(entry(line(10, duration=SECOND // 2), NOON))
    assert ledger.find(line(10, duration=SECOND // 2), NOON + SECOND - 1) is first
    assert ledger.find(line(10, duration=SECOND // 2), NOON + SECOND) is None


def test_a_new_try_at_a_doubtful_segment_takes_its_place() -> None:
    ledger = Ledger()
    ledger.add(entry(line(10), NOON, doubtful=True))
    again = ledger.add(entry(line(10), NOON + SECOND // 2))
    assert ledger.find(line(10), NOON) is again


def test_a_number_that_comes_again_later_means_the_later_segment() -> None:
    ledger = Ledger()
    ledger.add(entry(line(0), NOON))
    later = ledger.add(entry(line(0), NOON + 60 * SECOND))
    assert ledger.find(line(0), NOON + 60 * SECOND) is later


def test_the_oldest_are_forgotten() -> None:
    ledger = Ledger(limit=3)
    for number in range(5):
        ledger.add(entry(line(number), NOON + number * TWO))
    known = [ledger.find(line(number), NOON + number * TWO) for number in range(5)]
    assert [found is not None for found in known] == [False, False, True, True, True]


def test_forgetting_an_old_segment_leaves_a_later_one_of_the_same_number() -> None:
    ledger = Ledger(limit=2)
    ledger.add(entry(line(0), NOON))
    later = ledger.add(entry(line(0), NOON + 60 * SECOND))
    ledger.add(entry(line(1), NOON + 62 * SECOND))
    assert ledger.find(line(0, edge="b"), NOON + 60 * SECOND + 1) is later


@given(
    st.lists(
        st.tuples(
            st.integers(0, 19),  # which segment
            st.integers(0, 3),  # which worker: each has addresses of its own
            st.integers(-TOLERANCE // 2, TOLERANCE // 2),
        ),
        max_size=80,
    ),
    st.booleans(),
)
def test_however_workers_overlap_each_segment_is_added_once(
    listed: list[tuple[int, int, int]], edges_count_differently: bool
) -> None:
    ledger = Ledger()
    added = []
    for index, worker, jitter in listed:
        sequence = index + 1000 * worker * edges_count_differently
        segment = line(sequence, path=f"{worker}/{index}.ts", edge=str(worker))
        start = NOON + index * TWO + jitter
        if ledger.find(segment, start) is None:
            ledger.add(entry(segment, start))
            added.append(index)
    assert sorted(added) == sorted({index for index, _, _ in listed})


# TimeBase


def test_the_playlists_own_times_are_taken_as_they_are() -> None:
    base = TimeBase()
    segments = (line(1, program_time=NOON), line(2, program_time=NOON + SECOND))
    assert base.starts(playlist(*segments), now=0) == [NOON, NOON + SECOND]


def test_without_times_the_end_of_the_first_playlist_is_now() -> None:
    segments = (line(1), line(2, duration=SECOND))
    assert TimeBase().starts(playlist(*segments), NOON) == [NOON - 3 * SECOND, NOON - SECOND]


def test_an_empty_playlist_has_no_times() -> None:
    base = TimeBase()
    assert base.starts(playlist(), NOON) == []
    assert base.starts(playlist(line(1)), NOON) == [NOON - TWO]


def test_durations_are_counted_from_there_whenever_the_playlist_is_seen() -> None:
    base = TimeBase()
    assert base.starts(playlist(line(1), line(2)), NOON) == [NOON - 2 * TWO, NOON - TWO]
    assert base.starts(playlist(line(2), line(3)), NOON + 3 * SECOND) == [NOON - TWO, NOON]
    assert base.starts(playlist(line(4)), NOON + 9 * SECOND) == [NOON + TWO]


def test_workers_with_other_addresses_see_the_same_times() -> None:
    base = TimeBase()
    first = base.starts(playlist(line(1), line(2)), NOON)
    second = base.starts(playlist(line(1, edge="b"), line(2, edge="b")), NOON + SECOND)
    assert second == first


def test_an_edge_that_lags_sees_the_times_that_were_counted_before() -> None:
    base = TimeBase()
    starts = base.starts(playlist(*(line(number) for number in range(9))), NOON)
    lagging = playlist(line(2), line(3), line(4))
    assert base.starts(lagging, NOON + SECOND) == starts[2:5]
    assert base.starts(playlist(line(8), line(9)), NOON + TWO) == [starts[8], NOON]


def test_where_numbers_do_not_continue_the_clock_is_asked_again() -> None:
    base = TimeBase()
    base.starts(playlist(line(1), line(2)), NOON)
    later = NOON + 600 * SECOND
    assert base.starts(playlist(line(50)), later) == [later - TWO]


def test_an_origin_that_begins_anew_with_the_same_numbers_and_paths_gets_new_times() -> None:
    base = TimeBase()
    for number in range(200):
        base.starts(playlist(line(number)), NOON + number * TWO)
    later = NOON + 200 * TWO + 5 * SECOND
    assert base.starts(playlist(line(0)), later) == [later - TWO]
    assert base.starts(playlist(line(0), line(1)), later + TWO) == [later - TWO, later]


def test_some_times_are_enough_for_all() -> None:
    base = TimeBase()
    base.starts(playlist(line(1), line(2)), NOON)
    segments = (line(2), replace(line(3), program_time=NOON + 5 * SECOND), line(4))
    assert base.starts(playlist(*segments), NOON + 9 * SECOND) == [
        *(NOON - TWO, NOON + 5 * SECOND, NOON + 7 * SECOND)
    ]


@given(
    st.lists(st.integers(1, 10 * SECOND), min_size=1, max_size=30),
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2)),
        min_size=1,
        max_size=30,
    ),
)
def test_no_segment_ever_changes_its_time_and_all_follow_each_other(
    durations: list[Micros], polls: list[tuple[int, int, int]]
) -> None:
    """`polls`: segments that appeared, segments that are listed, how far the edge lags."""
    base = TimeBase()
    seen: dict[int, Micros] = {}
    newest = shown = 0
    for appeared, window, lag in polls:
        newest += appeared
        end = max(newest - lag, 1)
        lines = [
            line(number, duration=durations[number % len(durations)])
            for number in range(min(shown, max(0, end - window)), end)
        ]
        shown = max(shown, end)
        starts = base.starts(playlist(*lines), NOON + newest * TWO)
        for segment, start in zip(lines, starts, strict=True):
            assert seen.setdefault(segment.sequence, start) == start
            before = seen.get(segment.sequence - 1)
            if before is not None:
                assert start - before == durations[(segment.sequence - 1) % len(durations)]
