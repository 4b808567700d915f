"""The best sequence, against a reference that tries every sequence there is."""

import random
import time
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE, Hole, best_sequence
from common.times import SECOND, Micros, TimeRange
from tests.support.segments import NOON, make_segment

FULL, SUSPECT, PARTIAL, TEMP = SegmentType
MS: Micros = 1000
SPAN = TimeRange(NOON, NOON + 6 * SECOND)
RANKS = (FULL, SUSPECT, PARTIAL)

# Half seconds, so that much overlaps; and jitter on both sides of the tolerance.
STARTS = st.builds(
    lambda half, jitter: NOON + half * SECOND // 2 + jitter,
    st.integers(-3, 12),
    st.sampled_from([0, 1, 4 * MS, TOLERANCE, TOLERANCE + 1, 25 * MS, -TOLERANCE, -4 * MS]),
)
DURATIONS = st.sampled_from(
    [0, 1, MS, TOLERANCE, 12 * MS, SECOND // 2, SECOND, SECOND + 4 * MS, 2 * SECOND, 3 * SECOND]
)
SEGMENTS = st.builds(
    make_segment,
    STARTS,
    DURATIONS,
    st.sampled_from([FULL, FULL, SUSPECT, PARTIAL, TEMP]),
    st.sampled_from(["a" * 43, "b" * 43]),
)
SETS = st.lists(SEGMENTS, max_size=8, unique_by=lambda segment: segment.name)


def at(seconds: float, duration: float = 2, kind: SegmentType = FULL, mark: str = "a") -> Segment:
    start = NOON + round(seconds * SECOND)
    return make_segment(start, round(duration * SECOND), kind, mark * 43)


def some_size(segment: Segment) -> int:
    """A size that depends on the name, in small steps so that sizes are often equal."""
    return sum(segment.name.encode()) % 3


def segments_of(sequence: Iterable[Segment | Hole]) -> list[Segment]:
    return [item for item in sequence if isinstance(item, Segment)]


def usable(segments: Iterable[Segment], span: TimeRange) -> list[Segment]:
    return [
        segment
        for segment in segments
        if segment.type is not TEMP
        and segment.duration > 0
        and segment.start < span.end
        and segment.end > span.start
    ]


def groups(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Segments whose starts compete as one: within the tolerance of the first of them."""
    found: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.start):
        if not found or segment.start - found[-1][0].start > TOLERANCE:
            found.append([])
        found[-1].append(segment)
    return found


def strength(segment: Segment) -> tuple[object, ...]:
    rank = -RANKS.index(segment.type)
    if segment.type is FULL:
        return rank, segment.duration, some_size(segment), segment.hash
    return rank, some_size(segment)


def covered(path: Sequence[Segment], span: TimeRange) -> tuple[int, int, int, int]:
    """How good a sequence is: time of fulls, suspects, partials; then the fewer the better."""
    times = dict.fromkeys(RANKS, 0)
    until = None
    for segment in path:
        overlaps = until is not None and until - segment.start > TOLERANCE
        start = until if overlaps and until is not None else segment.start
        times[segment.type] += max(0, min(segment.end, span.end) - max(start, span.start))
        until = segment.end
    return times[FULL], times[SUSPECT], times[PARTIAL], -len(path)


def goes_forward(path: Sequence[Segment]) -> bool:
    return all(later.end > earlier.end for earlier, later in pairwise(path))


@settings(max_examples=600)
@given(SETS)
def test_no_sequence_of_the_winners_is_better(segments: list[Segment]) -> None:
    chosen = segments_of(best_sequence(segments, SPAN, size_of=some_size))
    members = [set(group) for group in groups(usable(segments, SPAN))]
    winners = [segment for group in members for segment in group if segment in chosen]
    assert winners == chosen
    strongest = [max(group, key=strength) for group in members]
    assert [strength(one) for one in chosen] == [
        strength(best) for group, best in zip(members, strongest, strict=True) if group & {*chosen}
    ]


@settings(max_examples=600)
@given(st.lists(SEGMENTS, max_size=8, unique_by=lambda segment: segment.start))
def test_of_all_sequences_the_one_that_covers_most_is_chosen(segments: list[Segment]) -> None:
    alone = [group[0] for group in groups(usable(segments, SPAN)) if len(group) == 1]
    best = max(
        (
            covered(path, SPAN)
            for count in range(len(alone) + 1)
            for path in combinations(alone, count)
            if goes_forward(path)
        ),
    )
    chosen = segments_of(best_sequence(alone, SPAN))
    assert goes_forward(chosen)
    assert covered(chosen, SPAN) == best


@settings(max_examples=300)
@given(SETS, st.randoms(use_true_random=False))
def test_the_order_in_which_segments_are_listed_does_not_matter(
    segments: list[Segment], rng: random.Random
) -> None:
    shuffled = rng.sample(segments, len(segments))
    assert best_sequence(segments, SPAN, size_of=some_size) == best_sequence(
        shuffled, SPAN, size_of=some_size
    )


def test_the_same_bytes_at_the_same_time_under_two_names_are_one_choice_for_all_nodes() -> None:
    short, long = at(0, 1, SUSPECT), at(0, 2, SUSPECT)
    assert best_sequence([short, long], SPAN) == best_sequence([long, short], SPAN)


@settings(max_examples=300)
@given(SETS)
def test_every_hole_is_explicit_and_nothing_else_is_one(segments: list[Segment]) -> None:
    sequence = best_sequence(segments, SPAN)
    expected: list[Segment | Hole] = []
    until, before = SPAN.start, None
    for segment in segments_of(sequence):
        if segment.start > until + TOLERANCE:
            expected.append(Hole(until, segment.start))
        elif before is not None and before.type is not FULL:
            expected.append(Hole(segment.start, segment.start))
        expected.append(segment)
        until, before = segment.end, segment
    if before is None or until < SPAN.end - TOLERANCE:
        expected.append(Hole(until, SPAN.end))
    assert list(sequence) == expected


@pytest.mark.parametrize(
    ("rivals", "winner"),
    [
        ([at(0, 2, FULL), at(0.01, 3, SUSPECT)], 0),
        ([at(0, 2, PARTIAL), at(0.01, 1, SUSPECT)], 1),
        ([at(0, 2), at(0.005, 2.1)], 1),  # the longest full
        ([at(0, 2, FULL, "a"), at(0.01, 2, FULL, "b")], 1),  # the highest hash
        ([at(0, 3, SUSPECT, "a"), at(0, 1, SUSPECT, "b")], 1),  # the largest, see below
    ],
)
def test_starts_within_ten_milliseconds_compete_as_one(rivals: list[Segment], winner: int) -> None:
    sizes = {"a" * 43: 5, "b" * 43: 6}
    chosen = best_sequence(
        rivals, TimeRange(NOON, NOON + SECOND), size_of=lambda segment: sizes[segment.hash]
    )
    assert segments_of(chosen) == [rivals[winner]]


def test_among_fulls_as_long_as_each_other_the_largest_wins() -> None:
    small, large = at(0, 2, FULL, "b"), at(0, 2, FULL, "a")
    sizes = {small.name: 5, large.name: 6}
    chosen = best_sequence([small, large], SPAN, size_of=lambda segment: sizes[segment.name])
    assert segments_of(chosen) == [large]


def test_starts_further_apart_do_not_compete() -> None:
    early, late = at(0), at(0.010001, 3)
    assert segments_of(best_sequence([early, late], SPAN)) == [early, late]


def test_a_chain_of_near_starts_is_more_than_one_competition() -> None:
    """Only starts near the first of a group compete with it, however close the next one is."""
    chain = [at(0, 2.2, FULL, "a"), at(0.008, 2.1, FULL, "b"), at(0.016, 2.3, FULL, "c")]
    assert segments_of(best_sequence(chain, SPAN)) == [chain[0], chain[2]]


def test_where_as_much_is_covered_the_fewest_segments_are_used() -> None:
    first, needless, second = at(0), at(1), at(2)
    assert segments_of(best_sequence([first, needless, second], SPAN)) == [first, second]


def test_sizes_are_asked_for_only_where_starts_compete() -> None:
    def never(segment: Segment) -> int:
        raise AssertionError(segment.name)

    assert len(segments_of(best_sequence([at(0), at(2), at(3)], SPAN, size_of=never))) == 3


def test_neighbours_within_ten_milliseconds_are_contiguous() -> None:
    touching = [at(0), at(2.01), at(4, 2)]
    assert best_sequence(touching, SPAN) == tuple(touching)
    apart = [at(0), at(2.010001, 3.99)]
    hole = Hole(NOON + 2 * SECOND, NOON + 2 * SECOND + TOLERANCE + 1)
    assert best_sequence(apart, SPAN) == (apart[0], hole, apart[1])


def test_a_large_overlap_is_no_hole_and_both_are_used() -> None:
    overlapping = [at(0), at(1.5), at(3.5, 2.5)]
    assert best_sequence(overlapping, SPAN) == tuple(overlapping)


def test_time_of_fulls_counts_more_than_any_time_of_others() -> None:
    long_suspect, full = at(0, 6, SUSPECT), at(0.5, 1)
    assert segments_of(best_sequence([long_suspect, full], SPAN)) == [full]


def test_what_follows_a_segment_that_is_not_full_comes_after_a_hole() -> None:
    first, second = at(0, 2, SUSPECT), at(2, 4)
    hole = Hole(second.start, second.start)
    assert best_sequence([first, second], SPAN) == (first, hole, second)


def test_a_sliver_inside_another_segment_makes_no_hole() -> None:
    first, sliver, second = at(0), at(1.991, 0.001, PARTIAL), at(2.005, 4)
    assert best_sequence([first, sliver, second], SPAN) == (first, second)


def test_where_nothing_is_recorded_all_is_one_hole() -> None:
    assert best_sequence([], SPAN) == (Hole(SPAN.start, SPAN.end),)
    assert best_sequence([at(6), at(-2), at(1, 0)], SPAN) == (Hole(SPAN.start, SPAN.end),)


def test_a_segment_that_reaches_into_the_span_is_used_whole() -> None:
    first, last = at(-1), at(1, 9)
    assert best_sequence([first, last], SPAN) == (first, last)


def test_hours_in_which_two_nodes_disagree_on_the_time_take_no_longer_than_others() -> None:
    """Half a second apart, every segment overlaps its neighbours: one island of six hours."""
    count = 2 * 1800 * 3
    doubled = [at(index, 2, FULL, "ab"[index % 2]) for index in range(count)]
    span = TimeRange(NOON, NOON + count * SECOND)
    begun = time.process_time()
    chosen = best_sequence(doubled, span)
    seconds = time.process_time() - begun
    assert segments_of(chosen) == doubled[::2]
    assert seconds < 2
