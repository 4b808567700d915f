"""Figures in words."""

import pytest

from common.times import HOUR, MINUTE, SECOND, Micros
from segment_coverage.words import duration


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        (0, "0"),
        (40_000, "0.04 s"),
        (2 * SECOND, "2 s"),
        (MINUTE, "1 min"),
        (12 * MINUTE + 5 * SECOND, "12 min 5 s"),
        (HOUR + 59 * SECOND, "1 h"),
        (76 * HOUR, "3 d 4 h"),
    ],
)
def test_lengths_have_two_units_at_most(micros: Micros, expected: str) -> None:
    assert duration(micros) == expected
