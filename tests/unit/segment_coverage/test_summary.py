"""What follows from the coverage of this node and of others."""

from common.gaps import Gap, GapReason
from common.segments.path import SegmentType
from common.times import HOUR, SECOND, Micros, TimeRange, format_hour
from segment_coverage.analyse import Run, analyse, runs_of
from segment_coverage.states import State
from segment_coverage.summary import Others, Summary, summarise
from segment_coverage.words import describe
from tests.support.segments import NOON, make_segment

SPAN = TimeRange(NOON, NOON + 60 * SECOND)
END = NOON + HOUR
HOUR_NAME = format_hour(NOON)


def at(seconds: float) -> Micros:
    return NOON + round(seconds * SECOND)


def summary(
    *holes: tuple[float, float],
    others: tuple[Others, ...] = (),
    gaps: dict[str, list[Gap]] | None = None,
    cutoff: Micros = END,
) -> Summary:
    """Of a minute in which everything but these holes is there."""
    edges = [0.0, *(edge for hole in holes for edge in hole), 60.0]
    segments = [
        make_segment(at(start), at(end) - at(start))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    hours = {HOUR_NAME: analyse(NOON, segments)}
    return summarise(SPAN, hours, others=others, gaps=gaps, cutoff=cutoff)


def other(*stretches: tuple[float, float], name: str = "b", answers: bool | None = True) -> Others:
    runs = tuple(Run(at(start), at(end), SegmentType.FULL) for start, end in stretches)
    return Others(name=name, runs={HOUR_NAME: runs}, answers=answers, asked=END)


def gap(start: float, end: float, reason: GapReason) -> Gap:
    return Gap(start=at(start), end=at(end), reason=reason)


def lost(found: Summary) -> list[tuple[float, float]]:
    return [((hole.start - NOON) / SECOND, (hole.end - NOON) / SECOND) for hole in found.lost]


def test_what_some_node_has_is_not_lost() -> None:
    found = summary((10, 20), (30, 40), others=(other((0, 12)), other((15, 60), name="c")))
    assert lost(found) == [(12, 15)]
    assert [hole.nodes for hole in found.holes] == [("b", "c"), ("c",)]
    assert found.total.states[State.ELSEWHERE] == 17 * SECOND
    assert found.total.states[State.MISSING] == 3 * SECOND


def test_nothing_is_lost_before_every_node_has_said_what_it_has() -> None:
    assert lost(summary((10, 20))) == [(10, 20)]
    assert lost(summary((10, 20), others=(other(answers=None),))) == []
    unknown = Others(name="b", runs={}, answers=True, asked=END, unknown=frozenset({HOUR_NAME}))
    assert lost(summary((10, 20), others=(unknown,))) == []
    asked_before = Others(name="b", runs={}, answers=True, asked=at(15))
    assert lost(summary((10, 20), others=(asked_before,))) == [(10, 15)]
    assert lost(summary((10, 20), others=(other(answers=False),))) == [(10, 20)]


def test_what_may_still_come_is_no_hole_yet() -> None:
    found = summary((10, 20), (30, 40), cutoff=at(35))
    assert [(hole.start, hole.end) for hole in found.holes] == [(at(10), at(20)), (at(30), at(35))]


def test_what_may_still_come_is_not_complete() -> None:
    found = summary((50, 55), cutoff=at(40))
    assert found.young == ((at(50), at(55)),)
    assert not found.holes
    assert not found.is_complete
    assert describe(found).endswith("91.666 % full; may still come 5 s")


def test_the_reason_that_covers_most_of_a_hole_comes_first() -> None:
    gaps = {
        "here": [gap(8, 12, GapReason.NETWORK), gap(12, 20, GapReason.DISK)],
        "b": [gap(21, 22, GapReason.ADVERTISEMENT), gap(50, 51, GapReason.MISSED)],
    }
    (hole,) = summary((10, 20), gaps=gaps).lost
    assert hole.reasons == (
        (GapReason.DISK, "here"),
        (GapReason.NETWORK, "here"),
        (GapReason.ADVERTISEMENT, "b"),
    )


def test_each_hole_has_its_own_reasons() -> None:
    gaps = {"here": [gap(10, 20, GapReason.NETWORK), gap(30, 40, GapReason.ORIGIN_ENDED)]}
    found = summary((10, 20), (30, 40), others=(other((10, 12)),), gaps=gaps)
    for holes in (found.holes, found.lost):
        assert [hole.reasons[0][0] for hole in holes] == [
            GapReason.NETWORK,
            GapReason.ORIGIN_ENDED,
        ]


def test_journals_and_holes_without_end_are_matched_in_one_walk() -> None:
    holes = [(number / 10, number / 10 + 0.05) for number in range(1, 600)]
    gaps = {"b": [gap(0, number / 100, GapReason.MISSED) for number in range(1, 5000)]}
    found = summary(*holes, gaps=gaps)
    assert {hole.reasons for hole in found.lost[:400]} == {((GapReason.MISSED, "b"),)}
    assert found.lost[-1].reasons == ()


def test_of_a_very_long_window_only_the_newest_hours_have_figures() -> None:
    span = TimeRange(NOON - 10_000 * HOUR, NOON)
    found = summarise(span, {}, cutoff=NOON)
    assert list(found.hours)[-1] == format_hour(NOON - HOUR)
    assert len(found.hours) == 2400
    assert found.total.states[State.MISSING] == 10_000 * HOUR


def test_what_is_tombstoned_here_is_no_coverage_of_another_node() -> None:
    hours = {HOUR_NAME: analyse(NOON, [make_segment(NOON, 60 * SECOND)])}
    hidden = TimeRange(at(60), at(120))
    found = summarise(
        TimeRange(NOON, at(120)), hours, ranges=[hidden], others=[other((0, 120))], cutoff=END
    )
    assert found.states[State.TOMBSTONED] == ((at(60), at(120)),)
    assert found.nodes["b"][State.FULL] == ((at(0), at(60)),)
    assert found.holes == ()


def test_listings_that_overlap_without_end_are_judged_at_once() -> None:
    segments = [make_segment(NOON + number, 90_000 * SECOND) for number in range(20_000)]
    assert runs_of(NOON, segments) == (Run(NOON, NOON + 2 * HOUR, SegmentType.FULL),)


def test_a_listing_in_more_pieces_than_any_recording_has_is_cut_off() -> None:
    segments = [make_segment(NOON + number * SECOND, SECOND // 2) for number in range(3600)]
    assert len(runs_of(NOON, segments)) == 1000


def test_a_better_type_covers_a_worse_one() -> None:
    segments = [
        make_segment(at(0), 10 * SECOND, SegmentType.PARTIAL),
        make_segment(at(2), 2 * SECOND),
        make_segment(at(3), 3 * SECOND, SegmentType.SUSPECT),
    ]
    assert [(run.start, run.type.value) for run in runs_of(NOON, segments)] == [
        (at(0), "partial"),
        (at(2), "full"),
        (at(4), "suspect"),
        (at(6), "partial"),
    ]
