"""Points in time: text, datetimes and folders to microseconds and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.times import (
    HOUR,
    MINUTE,
    SECOND,
    Micros,
    TimeRange,
    format_hour,
    format_time,
    from_datetime,
    parse_hour,
    parse_time,
    to_datetime,
)

NOON = 1_782_907_200 * SECOND
"""2026-07-01T12:00:00 UTC; from `date -u +%s`."""
MICROS = st.datetimes(timezones=st.just(UTC)).map(from_datetime)


@given(MICROS)
def test_text_and_datetimes_are_exact_in_both_directions(micros: Micros) -> None:
    assert parse_time(format_time(micros)) == micros
    assert from_datetime(to_datetime(micros)) == micros


@given(MICROS)
def test_an_hour_s_folder_holds_exactly_its_hour(micros: Micros) -> None:
    start = parse_hour(format_hour(micros))
    assert start <= micros < start + HOUR
    assert start % HOUR == 0


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_any_zone_means_the_same_moment(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == moment.astimezone(UTC)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        from_datetime(datetime(2026, 7, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-07-01T12:00:00Z", NOON),
        ("2026-07-01T12:00:00", NOON),
        ("2026-07-01 12:00", NOON),
        (" 2026-07-01T12:00:00Z\n", NOON),
        ("2026-07-01T14:00:00+02:00", NOON),
        ("2026-07-01T06:30:00-05:30", NOON),
        ("2026-07-01T12:00:00.5Z", NOON + SECOND // 2),
        ("2026-07-01T12:00:00.000001", NOON + 1),
        ("2026-07-01T12:00:00.0000019", NOON + 1),
        ("2026-07-01", NOON - 12 * HOUR),
        ("1970-01-01T00:00:00", 0),
        ("1969-12-31T23:59:59", -SECOND),
    ],
)
def test_iso_8601_is_understood_and_utc_unless_it_says_otherwise(text: str, micros: Micros) -> None:
    assert parse_time(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "12:00",
        "1782907200",
        "2026-07-01T25:00:00",
        "2026-02-30",
        "2026-07-01T12:00:00+25:00",
        "2026-07-01T12:00:00 UTC",
        "0001-01-01T00:00:00+01:00",  # before the year 1
        "9999-12-31T23:30:00-01:00",  # after the year 9999
        "12026-07-01T12:00:00",
    ],
)
def test_what_is_no_time_or_outside_of_all_years_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 time") as caught:
        parse_time(text)
    assert repr(text) in str(caught.value)


@given(st.text())
def test_any_text_is_a_time_that_can_be_written_or_refused(text: str) -> None:
    try:
        micros = parse_time(text)
    except ValueError:
        return
    assert parse_time(format_time(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "folder"),
    [(NOON, "2026-07-01T12"), (NOON - 1, "2026-07-01T11"), (0, "1970-01-01T00")],
)
def test_an_hour_has_the_name_of_its_start(micros: Micros, folder: str) -> None:
    assert format_hour(micros) == folder


def test_years_before_1000_have_four_digits_too() -> None:
    assert format_hour(from_datetime(datetime(33, 4, 3, 15, tzinfo=UTC))) == "0033-04-03T15"


@pytest.mark.parametrize(
    "name",
    ["", "2026-07-01", "2026-07-01T24", "2026-13-01T00", "2026-07-01T12:00", "2026-07-01T1२", " "],
)
def test_a_name_that_is_no_hour_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no hour such as"):
        parse_hour(name)


def test_a_range_is_half_open_and_never_empty() -> None:
    assert TimeRange(NOON, NOON + MINUTE).duration == MINUTE
    for end in (NOON, NOON - 1):
        with pytest.raises(ValueError, match="is not after the start 2026-07-01T12:00:00"):
            TimeRange(NOON, end)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (NOON, NOON + 1, ["12"]),
        (NOON, NOON + HOUR, ["12"]),
        (NOON - 1, NOON + HOUR + 1, ["11", "12", "13"]),
    ],
)
def test_a_range_touches_the_hours_that_it_has_a_part_of(
    start: Micros, end: Micros, hours: list[str]
) -> None:
    assert list(TimeRange(start, end).hours()) == [f"2026-07-01T{hour}" for hour in hours]


def test_an_offset_in_seconds_is_kept_exactly() -> None:
    zone = timezone(timedelta(seconds=1))
    assert from_datetime(datetime(1970, 1, 1, 0, 0, 1, tzinfo=zone)) == 0
