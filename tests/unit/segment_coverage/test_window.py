"""Which time is looked at."""

import pytest

from common.times import HOUR, Micros, TimeRange, format_hour, parse_hour
from segment_coverage.window import Window
from tests.support.segments import NOON

NOW = NOON + 10 * HOUR
RECORDED = (NOON + 1000, NOON + 3 * HOUR)


def hour(count: int) -> str:
    return format_hour(NOON + count * HOUR)


def span(window: Window, recorded: tuple[Micros, Micros] | None = RECORDED) -> TimeRange | None:
    hours = [hour(count) for count in range(4)]
    return window.span(recorded, window.hours(hours, NOW)[0], NOW)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(), RECORDED),
        (Window(start=NOON - HOUR), (NOON - HOUR, RECORDED[1])),
        (Window(start=NOON + HOUR), (NOON + HOUR, RECORDED[1])),
        (Window(end=NOON + HOUR), (RECORDED[0], NOON + HOUR)),
        (Window(end=NOON + 9 * HOUR), (RECORDED[0], NOON + 9 * HOUR)),
        (Window(end=NOON + 11 * HOUR), (RECORDED[0], NOW)),
        (Window(start=100 * 3600.0), RECORDED),
        (Window(start=8 * 3600.0), (NOON + 2 * HOUR, RECORDED[1])),
        (Window(end=8 * 3600.0), (RECORDED[0], NOON + 2 * HOUR)),
        (Window(end=2 * 3600.0), RECORDED),
    ],
)
def test_moments_are_exact_and_hours_only_limit(
    window: Window, expected: tuple[Micros, Micros]
) -> None:
    assert span(window) == TimeRange(*expected)


def test_without_a_recording_only_moments_make_a_window() -> None:
    assert span(Window(), None) is None
    assert span(Window(start=NOON), None) == TimeRange(NOON, NOW)
    assert span(Window(start=5 * 3600.0), None) is None


def test_the_newest_ten_days_are_looked_at_and_never_the_future() -> None:
    hours = [hour(-1000), hour(-240), hour(0), hour(20)]
    first, last = Window().hours(hours, NOW)
    assert last == hour(9)
    assert parse_hour(first) == NOON - 241 * HOUR
    assert Window().span((NOON - 2000 * HOUR, NOON + HOUR), first, NOW) == TimeRange(
        NOON - 240 * HOUR, NOON + HOUR
    )


def test_an_end_that_is_not_after_its_start_is_refused() -> None:
    for start, end in ((NOON, NOON), (5.0, 5.0), (5.0, 9.0)):
        with pytest.raises(ValueError, match="--end"):
            Window(start=start, end=end)
