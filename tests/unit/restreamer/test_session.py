"""What a session shows: stable whatever lands, and in whatever order."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.segments.path import Segment, SegmentType, format_name
from common.times import SECOND, Micros, parse_time
from restreamer.session import (
    Landed,
    Session,
    first_target_seconds,
    published,
    rounded_seconds,
    target_seconds,
)

START = parse_time("2026-07-01T12:00:00")
OPENED = START + 100 * SECOND
SESSION = Session(opened=OPENED, target_seconds=2)
PATIENCE = 4 * SECOND
FULL, SUSPECT, PARTIAL = SegmentType.FULL, SegmentType.SUSPECT, SegmentType.PARTIAL


def landed(
    index: float, after: float, kind: SegmentType = FULL, seconds: float = 2, mark: str = "a"
) -> Landed:
    """The segment `index` (of 2 s each), landed `after` seconds after the session opened."""
    start, duration = START + round(index * 2 * SECOND), round(seconds * SECOND)
    digest = mark * 43
    segment = Segment(
        start=start,
        duration=duration,
        type=kind,
        hash=digest,
        name=format_name(start, duration, kind, digest),
    )
    return Landed(segment=segment, landed=OPENED + round(after * SECOND), size_bytes=100)


def shown(landings: list[Landed], after: float, start: Micros | None = START) -> list[Segment]:
    now = OPENED + round(after * SECOND)
    return published(landings, start=start, session=SESSION, now=now)


BASE = [landed(index, -10) for index in range(3)]


def test_a_full_segment_that_joins_on_is_shown_at_once() -> None:
    new = landed(3, 1)
    assert shown([*BASE, new], 0.9) == [item.segment for item in BASE]
    assert shown([*BASE, new], 1)[-1] == new.segment


def test_behind_a_hole_a_segment_waits_two_target_durations() -> None:
    beyond = landed(5, 1)
    assert beyond.segment not in shown([*BASE, beyond], 4.9)
    assert shown([*BASE, beyond], 5)[-1] == beyond.segment


def test_a_hole_that_is_filled_in_time_is_no_hole() -> None:
    landings = [*BASE, landed(4, 1), landed(3, 3)]
    assert shown(landings, 3) == [item.segment for item in [*BASE, landings[-1], landings[-2]]]


def test_what_lands_behind_the_end_is_not_shown() -> None:
    late = landed(3, 20)
    landings = [*BASE, landed(4, 1), late]
    assert late.segment not in shown(landings, 100)


def test_a_partial_gives_way_to_a_full_that_lands_in_time() -> None:
    broken, whole = landed(3, 1, PARTIAL), landed(3, 3, mark="b")
    assert shown([*BASE, broken, whole], 10)[-1] == whole.segment


def test_a_partial_is_shown_when_nothing_better_comes() -> None:
    broken = landed(3, 1, PARTIAL)
    assert shown([*BASE, broken], 4.9)[-1] == BASE[-1].segment
    assert shown([*BASE, broken], 5)[-1] == broken.segment


def test_more_candidates_do_not_prolong_the_wait() -> None:
    landings = [*BASE, landed(3, 1, PARTIAL), landed(3, 4, SUSPECT, mark="b")]
    assert shown(landings, 5)[-1] == landings[-1].segment


def test_a_segment_above_the_target_duration_is_left_out() -> None:
    long = landed(3, 1, seconds=3)
    assert long.segment not in shown([*BASE, long, landed(4.5, 2)], 50)


def test_without_a_start_the_first_full_begins_the_list() -> None:
    first = landed(7, 1)
    assert shown([first], 1, start=None) == [first.segment]


def test_the_base_is_the_best_of_what_had_landed() -> None:
    worse = landed(1, -50, PARTIAL, mark="b")
    assert shown([worse, *BASE], 0) == [item.segment for item in BASE]


@st.composite
def any_landings(draw: st.DrawFn) -> list[Landed]:
    kinds = st.sampled_from([FULL, FULL, SUSPECT, PARTIAL])
    seconds = st.sampled_from([2.0, 2.0, 1.999, 2.3, 0.5, 3.0])
    drawn = draw(
        st.lists(
            st.builds(
                landed,
                st.integers(0, 24).map(lambda halves: halves / 2),
                st.integers(-20, 60).map(lambda halves: halves / 2),
                kinds,
                seconds,
                st.sampled_from("abc"),
            ),
            max_size=25,
        )
    )
    return list({item.segment.name: item for item in drawn}.values())


@given(any_landings(), st.lists(st.integers(0, 400), max_size=8), st.sampled_from([START, None]))
def test_a_session_only_ever_grows_at_its_end(
    landings: list[Landed], moments: list[int], start: Micros | None
) -> None:
    before: list[Segment] = []
    for tenths in sorted(moments):
        now = OPENED + tenths * SECOND // 10
        # Only what has landed is known at that time.
        known = [item for item in landings if item.landed <= now]
        after = published(known, start=start, session=SESSION, now=now)
        assert after[: len(before)] == before
        before = after


@given(any_landings(), st.randoms())
def test_all_nodes_with_the_same_files_agree(landings: list[Landed], random: Random) -> None:
    shuffled = list(landings)
    random.shuffle(shuffled)
    assert shown(landings, 60) == shown(shuffled, 60)


@pytest.mark.parametrize(
    ("duration", "seconds"), [(2_499_999, 2), (2_500_000, 3), (1_999_999, 2), (0, 0)]
)
def test_durations_are_rounded_halves_up(duration: Micros, seconds: int) -> None:
    assert rounded_seconds(duration) == seconds


def test_the_target_is_the_longest_full_and_at_least_two_seconds() -> None:
    assert target_seconds([]) == 2
    assert target_seconds([landed(0, 0, seconds=1).segment]) == 2
    longest = [landed(0, 0, seconds=5.6).segment, landed(3, 0, PARTIAL, seconds=9).segment]
    assert target_seconds(longest) == 6


def test_before_anything_had_landed_the_first_full_decides_with_room() -> None:
    assert first_target_seconds([landed(0, 5, seconds=6), landed(1, 6, seconds=8)]) == 9
