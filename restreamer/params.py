"""Parameters of requests: text from clients to values. Pure.

Every function takes the parameter's name as the client knows it, and raises BadParameter with that
name and a sentence for whoever sent it.
"""

import math
import re
from collections.abc import Sequence

from common.errors import BadParameter
from common.times import Micros, TimeRange, format_time, parse_time

# Segments' folders are named by year, in four digits; the store counts from 1970.
_EARLIEST = parse_time("1970-01-02")
_LATEST = parse_time("9999-01-01")

MAX_RANGES = 1000
MAX_PIXELS = 4096
"""Of a picture's width and height, and of every coordinate in it."""

_SIZE = re.compile(r"([0-9]{1,4})x([0-9]{1,4})", re.ASCII)
_COORDINATE = re.compile(r"\s*[0-9]{1,4}\s*", re.ASCII)
_TRUTH = {"true": True, "false": False}


def time_param(name: str, text: str) -> Micros:
    """An ISO 8601 time between 1970 and 9999; UTC unless it says otherwise."""
    try:
        # In a query a bare + means a space; a time zone's sign is the only place for either.
        moment = parse_time(_restore_sign(text))
    except ValueError as exc:
        raise BadParameter(name, str(exc)) from exc
    if not _EARLIEST <= moment < _LATEST:
        raise BadParameter(name, f"{text!r} is not between the years 1970 and 9999")
    return moment


def _restore_sign(text: str) -> str:
    day, space, offset = text.strip().rpartition(" ")
    if space and "T" in day and ":" in day:
        return f"{day}+{offset}"
    return text


def span_params(start: str, end: str) -> TimeRange:
    """The range [start, end)."""
    return _span("end", time_param("start", start), time_param("end", end))


def range_param(name: str, text: str) -> TimeRange:
    """A range written `START,END`."""
    parts = text.split(",")
    if len(parts) != 2:
        raise BadParameter(name, f"{text!r} is not of the form START,END")
    return _span(name, time_param(name, parts[0]), time_param(name, parts[1]))


def _span(name: str, start: Micros, end: Micros) -> TimeRange:
    if end <= start:
        raise BadParameter(
            name, f"the end {format_time(end)} is not after the start {format_time(start)}"
        )
    return TimeRange(start, end)


def ranges_params(
    start: str | None, end: str | None, ranges: Sequence[str]
) -> tuple[TimeRange, ...]:
    """The ranges of a cut: either `start` and `end`, or one or several of `range`."""
    if ranges and (start is not None or end is not None):
        raise BadParameter("range", "give either start and end, or ranges, not both")
    if len(ranges) > MAX_RANGES:
        raise BadParameter("range", f"at most {MAX_RANGES} ranges make one cut")
    if ranges:
        return tuple(range_param("range", text) for text in ranges)
    if start is None:
        raise BadParameter("start", "it is missing; give start and end, or range=START,END")
    if end is None:
        raise BadParameter("end", "it is missing; a cut needs both start and end")
    return (span_params(start, end),)


def transition_param(name: str, text: str) -> tuple[str, float] | None:
    """A transition written `TYPE,SECONDS`; None (a hard cut) for an empty text."""
    if not text.strip():
        return None
    kind, comma, seconds_text = text.partition(",")
    try:
        seconds = float(seconds_text)
    except ValueError:
        seconds = math.nan
    # Comparisons with NaN are false, so that it is refused here too.
    if not (kind.strip() and comma and 0 < seconds <= 3600):
        raise BadParameter(
            name, f"{text!r} is not of the form TYPE,SECONDS with more than 0 seconds"
        )
    return kind.strip(), seconds


def transitions_params(
    texts: Sequence[str], range_count: int
) -> tuple[tuple[str, float] | None, ...]:
    """The transitions between `range_count` ranges. None given at all means hard cuts."""
    if not texts:
        return (None,) * (range_count - 1)
    if len(texts) != range_count - 1:
        raise BadParameter(
            "transition",
            f"there are {len(texts)} for {range_count} ranges; "
            "give one between each range and the next, or none at all",
        )
    return tuple(transition_param("transition", text) for text in texts)


def bool_param(name: str, text: str | None) -> bool:
    """`true` or `false`, in any case; false if it is not given."""
    if text is None:
        return False
    try:
        return _TRUTH[text.strip().lower()]
    except KeyError:
        raise BadParameter(name, f"{text!r} is neither true nor false") from None


def seconds_param(name: str, text: str, limit: int) -> int:
    """A whole number of seconds from 1 to `limit`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= limit):
        raise BadParameter(name, f"{text!r} is not a whole number of seconds from 1 to {limit}")
    return int(text)


def size_param(name: str, text: str) -> tuple[int, int]:
    """The size of a picture, written `WIDTHxHEIGHT`."""
    match = _SIZE.fullmatch(text)
    width, height = map(int, match.groups()) if match else (0, 0)
    if not (1 <= width <= MAX_PIXELS and 1 <= height <= MAX_PIXELS):
        raise BadParameter(name, f"{text!r} is not WIDTHxHEIGHT, each from 1 to {MAX_PIXELS}")
    return width, height


def box_param(name: str, text: str) -> tuple[int, int, int, int]:
    """A part of a picture, written `x1,y1,x2,y2`."""
    parts = text.split(",")
    known = all(_COORDINATE.fullmatch(part) for part in parts)
    return check_box(name, [int(part) for part in parts] if known else text)


def check_box(name: str, value: object) -> tuple[int, int, int, int]:
    """A list `[x1, y1, x2, y2]` of pixels, of which x2 and y2 are the first outside."""
    if isinstance(value, list) and len(value) == 4 and all(type(part) is int for part in value):
        left, upper, right, lower = value
        if 0 <= left < right <= MAX_PIXELS and 0 <= upper < lower <= MAX_PIXELS:
            return left, upper, right, lower
    raise BadParameter(
        name, f"{value!r} is not x1,y1,x2,y2 with x1 < x2 and y1 < y2, all at most {MAX_PIXELS}"
    )
