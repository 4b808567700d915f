"""Points in time and ranges of time.

Everything that touches segments counts in **integer microseconds since 1970-01-01T00:00:00 UTC**
(`int`, called `Micros` here): exact, hashable, cheap. Aware datetimes exist at the edges only (SQL,
JSON); naive ones are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Micros = int

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 3600 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}", re.ASCII)


def from_datetime(moment: datetime) -> Micros:
    """The microseconds of an aware datetime.

    Raises ValueError for a naive one: nobody can know which zone was meant.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: Micros) -> datetime:
    """The aware UTC datetime of `micros`. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_time(text: str) -> Micros:
    """Parse ISO 8601 as our HTTP APIs take it: UTC, with or without `Z`; other offsets convert.

    `2026-07-01T12:00:00.5`, `2026-07-01T12:00:00Z` and `2026-07-01 14:00+02:00` are all fine.
    Raises ValueError for anything else.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        # In UTC at once, since an offset may lead out of the years that there are.
        return from_datetime(moment.astimezone(UTC))
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"{text!r} is not an ISO 8601 time such as 2026-07-01T12:00:00Z") from exc


def format_time(micros: Micros) -> str:
    """ISO 8601 in UTC without an offset, always with six digits: `2026-07-01T12:00:00.500000`."""
    return to_datetime(micros).replace(tzinfo=None).isoformat(timespec="microseconds")


@lru_cache(maxsize=4096)
def parse_hour(name: str) -> Micros:
    """The start of the hour that a folder's name (`2026-07-01T12`) stands for.

    Raises ValueError for any other text.
    """
    try:
        if not _HOUR_NAME.fullmatch(name):
            raise ValueError("it is not YYYY-MM-DDTHH")
        return from_datetime(datetime.fromisoformat(name).replace(tzinfo=UTC))
    except ValueError as exc:
        raise ValueError(f"{name!r} is no hour such as 2026-07-01T12") from exc


def format_hour(micros: Micros) -> str:
    """The folder name of the hour that holds `micros`."""
    return _hour_name(micros // HOUR)


@lru_cache(maxsize=4096)
def _hour_name(number: int) -> str:
    """Long lists of segments ask for the same few hours again and again."""
    return to_datetime(number * HOUR).strftime("%Y-%m-%dT%H").rjust(13, "0")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The half-open range [start, end) in microseconds. Raises ValueError unless start < end."""

    start: Micros
    end: Micros

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(
                f"the end {format_time(self.end)} is not after the start {format_time(self.start)}"
            )

    @property
    def duration(self) -> Micros:
        return self.end - self.start

    def hours(self) -> Iterator[str]:
        """The names of the hours that the range touches, in order."""
        hour = self.start - self.start % HOUR
        while hour < self.end:
            yield format_hour(hour)
            hour += HOUR
