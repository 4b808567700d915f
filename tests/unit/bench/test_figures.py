"""Percentiles, numbers and tables of benchmarks."""

import pytest

from bench.figures import (
    Figure,
    Source,
    format_number,
    markdown_table,
    percentile,
    text_table,
)

FIGURES = [
    Figure(benchmark="list", name="one hour", value=940.2, unit="requests/s"),
    Figure(
        benchmark="playlist",
        name="7 days",
        value=3.25,
        unit="CPU s",
        reference=6.5,
        source=Source.ORIGINAL,
    ),
]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
        ([3.0, 1.0], 0.0, 1.0),
        ([3.0, 1.0], 1.0, 3.0),
    ],
)
def test_a_percentile_is_the_least_value_that_enough_of_the_others_do_not_exceed(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123456, "0.0123"),
        (0.5, "0.500"),
        (1, "1.00"),
        (12.34, "12.3"),
        (280, "280"),
        (1234.5, "1,234"),
        (302_400, "302,400"),
        (-2.5, "-2.50"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert format_number(value) == text


def test_the_ratio_is_the_value_by_its_reference_and_absent_without_one() -> None:
    assert [figure.ratio for figure in FIGURES] == [None, 0.5]


def test_the_text_table_is_aligned_with_numbers_to_the_right() -> None:
    assert text_table(FIGURES).splitlines() == [
        "benchmark  figure    value  unit            reference  ratio",
        "list       one hour    940  requests/s",
        "playlist   7 days     3.25  CPU s       6.50 original  0.500",
    ]


def test_the_markdown_table_has_the_same_cells() -> None:
    assert markdown_table(FIGURES).splitlines() == [
        "| benchmark | figure | value | unit | reference | ratio |",
        "| --- | --- | ---: | --- | ---: | ---: |",
        "| list | one hour | 940 | requests/s |  |  |",
        "| playlist | 7 days | 3.25 | CPU s | 6.50 original | 0.500 |",
    ]
