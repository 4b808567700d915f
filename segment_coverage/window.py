"""Which time is looked at. Pure.

A moment as start or end is meant exactly: what is not recorded between them is missing. Without
them the recording itself says where it begins and ends, and hours only limit how far to look back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from common.times import HOUR, SECOND, Micros, TimeRange, format_hour, parse_hour

_LOOK_BACK: Micros = 10 * 24 * HOUR
"""Before the newest hour, where nothing else is said: longer than a stream of a week."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Both ends are hours ago, as seconds (float), a moment in microseconds (int), or open."""

    start: float | int | None = None
    end: float | int | None = None

    def __post_init__(self) -> None:
        start, end = self.start, self.end
        if isinstance(start, int) and isinstance(end, int) and start >= end:
            raise ValueError("--end is not after --start")
        if isinstance(start, float) and isinstance(end, float) and start <= end:
            raise ValueError("--end is not after --start: it is more hours ago")

    def latest(self, now: Micros) -> Micros:
        """Nothing that begins at this time or later is looked at: clocks that were wrong recorded
        it.
        """
        return now if self.end is None else min(now, _moment(self.end, now))

    def hours(self, hours: Sequence[str], now: Micros) -> tuple[str, str]:
        """The first and the last hour to look at, of those that there are, sorted."""
        last = format_hour(max(self.latest(now) - 1, 0))
        present = [hour for hour in hours if hour <= last]
        if self.start is not None:
            first = _moment(self.start, now)
        else:
            first = parse_hour(present[-1] if present else last) - _LOOK_BACK
        # One hour more: what begins in it may reach into the window.
        return format_hour(max(first - HOUR, 0)), last

    def span(
        self, recorded: tuple[Micros, Micros] | None, first_hour: str, now: Micros
    ) -> TimeRange | None:
        """The window, where `recorded` is from the first to the newest segment that there is in
        these hours. None if it is empty.
        """
        latest = self.latest(now)
        begin, end = recorded or (latest, latest)
        limit = parse_hour(first_hour) + HOUR
        if self.start is not None:
            limit = max(_moment(self.start, now), 0)
        start = limit if isinstance(self.start, int) else max(begin, limit)
        # A moment that is yet to come: nothing of it can be missing.
        stop = latest if isinstance(self.end, int) else min(end, latest)
        return TimeRange(start, stop) if start < stop else None


def _moment(value: float | int, now: Micros) -> Micros:
    return value if isinstance(value, int) else now - round(value * SECOND)
