"""Arithmetic with stretches of time, against sets of single moments."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from common.times import HOUR
from segment_coverage import spans
from segment_coverage.spans import Span, Spans

STRETCHES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))),
    max_size=8,
)


def moments(stretches: Iterable[Span]) -> set[int]:
    return {moment for start, end in stretches for moment in range(start, end)}


def is_tidy(stretches: Spans) -> bool:
    edges = [moment for stretch in stretches for moment in stretch]
    return edges == sorted(set(edges))


@settings(max_examples=60)
@given(STRETCHES, STRETCHES)
def test_they_are_sets_of_moments(one: list[Span], other: list[Span]) -> None:
    left, right = spans.union(one), spans.union(other)
    assert is_tidy(left)
    assert is_tidy(spans.without(left, right))
    assert moments(left) == moments(one)
    assert spans.total(left) == len(moments(one))
    assert moments(spans.without(left, right)) == moments(one) - moments(other)
    assert moments(spans.common(left, right)) == moments(one) & moments(other)
    assert moments(spans.clip(left, 10, 20)) == moments(one) & set(range(10, 20))


def test_what_meets_within_the_tolerance_is_one_and_slivers_are_nothing() -> None:
    assert spans.union([(0, 10), (13, 20), (24, 30)], tolerance=3) == ((0, 20), (24, 30))
    assert spans.without(((0, 30),), ((0, 10), (13, 28)), tolerance=2) == ((10, 13),)
    assert spans.common(((0, 30),), ((0, 2), (5, 9)), tolerance=2) == ((5, 9),)


def test_each_hour_gets_its_share() -> None:
    start = 5 * HOUR - 7
    found = spans.by_hour([(start, start + 10), (6 * HOUR + 1, 7 * HOUR + 2)])
    assert found == {4 * HOUR: 7, 5 * HOUR: 3, 6 * HOUR: HOUR - 1, 7 * HOUR: 2}
