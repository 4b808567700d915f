"""What an hour's listing covers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, Hole, best_sequence
from common.times import HOUR, SECOND, Micros, TimeRange
from segment_coverage import analyse as analysis
from segment_coverage.analyse import HourCoverage, Run, Tally, analyse
from tests.support.segments import NOON, make_segment

FULL, SUSPECT, PARTIAL = SegmentType.FULL, SegmentType.SUSPECT, SegmentType.PARTIAL


def at(
    seconds: float, duration: float = 2, kind: SegmentType = FULL, digest: str = "a" * 43
) -> Segment:
    return make_segment(NOON + round(seconds * SECOND), round(duration * SECOND), kind, digest)


def of(*segments: Segment, before: tuple[Segment, ...] = ()) -> HourCoverage:
    return analyse(NOON, sorted(segments, key=lambda segment: segment.start), before=before)


def runs(coverage: HourCoverage) -> list[tuple[float, float, str]]:
    return [
        ((run.start - NOON) / SECOND, (run.end - NOON) / SECOND, run.type.value)
        for run in coverage.runs
    ]


def test_segments_that_follow_each_other_are_one_run() -> None:
    coverage = of(at(0), at(2), at(4.004), at(10))
    assert runs(coverage) == [(0, 6.004, "full"), (10, 12, "full")]
    assert coverage.tallies[FULL] == Tally(count=4, duration=8 * SECOND)
    assert coverage.overlaps == Tally()


def test_the_best_of_several_counts_and_everything_is_raw() -> None:
    coverage = of(
        at(0), at(2, kind=PARTIAL), at(2.001, kind=SUSPECT), at(4), at(5, digest="b" * 43)
    )
    assert runs(coverage) == [(0, 2, "full"), (2, 4.001, "suspect"), (4.001, 7, "full")]
    assert coverage.tallies[PARTIAL].count == 1
    assert coverage.overlaps == Tally(count=1, duration=SECOND)
    assert coverage.raw == ((NOON, NOON + 7 * SECOND),)


def test_an_hour_counts_what_reaches_into_it_but_not_twice() -> None:
    last = at(3599)
    coverage = of(at(3597), last)
    assert coverage.reaching == (last,)
    assert coverage.runs[-1].end == NOON + HOUR
    following = analyse(NOON + HOUR, [], before=coverage.reaching)
    assert following.runs == (Run(NOON + HOUR, NOON + HOUR + SECOND, FULL),)
    assert following.tallies[FULL].count == 0


def test_an_hour_is_whole_if_what_it_lacks_at_its_edges_is_within_the_tolerance() -> None:
    coverage = of(*(at(0.005 + 2 * number, 1.999) for number in range(1800)))
    assert runs(coverage) == [(0, 3600, "full")]


def test_what_is_hidden_covers_its_time_as_tombstoned() -> None:
    hidden = at(4)
    coverage = analyse(NOON, [at(0)], hidden=[hidden], tombstones=[at(6).tombstone])
    assert coverage.tombstoned == ((NOON + 4 * SECOND, NOON + 8 * SECOND),)
    assert coverage.hidden == 1


SEGMENTS = st.lists(
    st.builds(
        at,
        st.integers(-4, 60).map(lambda tenths: tenths / 10),
        st.sampled_from([0.0, 0.01, 0.5, 2.0, 2.004]),
        st.sampled_from([FULL, FULL, FULL, SUSPECT, PARTIAL]),
        st.sampled_from(["a" * 43, "b" * 43]),
    ),
    max_size=7,
)


def covered(sequence: tuple[Segment | Hole, ...], span: TimeRange) -> dict[Micros, SegmentType]:
    """The type that each hundredth of a second has, walking along the best sequence."""
    found: dict[Micros, SegmentType] = {}
    for entry in sequence:
        if isinstance(entry, Segment):
            for moment in range(max(entry.start, span.start), min(entry.end, span.end), 10_000):
                found.setdefault(moment // 10_000, entry.type)
    return found


@settings(max_examples=150)
@given(SEGMENTS)
def test_runs_are_the_best_sequence(segments: list[Segment]) -> None:
    span = TimeRange(NOON, NOON + HOUR)
    before = tuple(segment for segment in segments if segment.start < NOON)
    inside = [segment for segment in segments if segment.start >= NOON]
    coverage = of(*inside, before=before)
    expected = covered(best_sequence(segments, span), span)
    got = {
        moment // 10_000: run.type
        for run in coverage.runs
        for moment in range(run.start, run.end, 10_000)
    }
    wrong = {
        moment for moment in expected.keys() | got.keys() if expected.get(moment) != got.get(moment)
    }
    # A moment beside an edge may be either.
    edges = {
        edge // 10_000 + near
        for segment in segments
        for edge in (segment.start, segment.end, span.start)
        for near in (-1, 0, 1)
    }
    assert wrong <= edges


@settings(max_examples=150)
@given(SEGMENTS)
def test_the_quick_way_gives_what_the_long_way_gives(segments: list[Segment]) -> None:
    span = TimeRange(NOON, NOON + HOUR)
    ordered = tuple(sorted(segments, key=lambda segment: segment.start))
    quick = analysis._used_plainly(ordered, span)
    if quick is not None:
        assert quick == analysis._used(ordered, span, lambda segment: 0)


@pytest.mark.parametrize(
    "segments",
    [
        [at(0), at(2, kind=SUSPECT)],
        [at(0), at(1.98)],
        [at(0), at(0.005)],
        [at(0, TOLERANCE / SECOND)],
    ],
)
def test_where_there_is_something_to_choose_it_takes_the_long_way(segments: list[Segment]) -> None:
    span = TimeRange(NOON, NOON + HOUR)
    assert analysis._used_plainly(tuple(segments), span) is None
