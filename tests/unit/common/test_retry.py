"""Waits between tries."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.retry import backoff


def test_waits_grow_up_to_the_limit_and_stay_there() -> None:
    waits = list(islice(backoff(0.5, 30, jitter=0), 9))
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_factor_can_be_chosen() -> None:
    assert list(islice(backoff(1, 100, factor=3, jitter=0), 4)) == [1, 3, 9, 27]


@given(st.integers(), st.floats(0.01, 10), st.floats(0, 0.9))
def test_each_wait_is_spread_by_no_more_than_the_jitter(
    seed: int, first: float, jitter: float
) -> None:
    spread = list(islice(backoff(first, 20, jitter=jitter, rng=Random(seed)), 12))
    plain = list(islice(backoff(first, 20, jitter=0), 12))
    for wait, middle in zip(spread, plain, strict=True):
        assert wait == pytest.approx(middle, rel=jitter + 1e-9)


def test_clients_that_failed_together_do_not_come_back_together() -> None:
    assert len({next(backoff(10)) for _ in range(20)}) > 10


def test_the_same_generator_gives_the_same_waits() -> None:
    waits = [list(islice(backoff(rng=Random(7)), 5)) for _ in range(2)]
    assert waits[0] == waits[1]
