"""Arithmetic with stretches of time: sorted, disjoint half-open ranges of microseconds. Pure."""

from collections.abc import Iterable, Iterator

from common.times import HOUR, Micros

Span = tuple[Micros, Micros]
Spans = tuple[Span, ...]


def union(spans: Iterable[Span], *, tolerance: Micros = 0) -> Spans:
    """All that any of them covers; what meets within `tolerance` becomes one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + tolerance:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


def without(spans: Spans, removed: Spans, *, tolerance: Micros = 0) -> Spans:
    """What of `spans` is not in `removed`; what is no longer than `tolerance` is left out."""
    return tuple(span for span in _without(spans, removed) if span[1] - span[0] > tolerance)


def _without(spans: Spans, removed: Spans) -> Iterator[Span]:
    at = 0
    for start, end in spans:
        while at < len(removed) and removed[at][1] <= start:
            at += 1
        free, index = start, at
        while index < len(removed) and removed[index][0] < end:
            if removed[index][0] > free:
                yield free, removed[index][0]
            free = max(free, removed[index][1])
            index += 1
        if free < end:
            yield free, end


def common(one: Spans, other: Spans, *, tolerance: Micros = 0) -> Spans:
    """What is in both; what is no longer than `tolerance` is left out."""
    return tuple(span for span in _common(one, other) if span[1] - span[0] > tolerance)


def _common(one: Spans, other: Spans) -> Iterator[Span]:
    left = right = 0
    while left < len(one) and right < len(other):
        start = max(one[left][0], other[right][0])
        end = min(one[left][1], other[right][1])
        if start < end:
            yield start, end
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1


def clip(spans: Iterable[Span], start: Micros, end: Micros) -> Iterator[Span]:
    """The parts within [start, end)."""
    for first, last in spans:
        if first < end and last > start:
            yield max(first, start), min(last, end)


def total(spans: Iterable[Span]) -> Micros:
    return sum(end - start for start, end in spans)


def by_hour(spans: Iterable[Span]) -> dict[Micros, Micros]:
    """How much of each hour (by its start) they cover; hours without any are left out."""
    found: dict[Micros, Micros] = {}
    for start, end in spans:
        hour = start - start % HOUR
        while hour < end:
            part = min(end, hour + HOUR) - max(start, hour)
            found[hour] = found.get(hour, 0) + part
            hour += HOUR
    return found
