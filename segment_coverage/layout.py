"""Where on a map each moment is. Pure.

A map's columns run from left to right, the time within a column from top to bottom. Below it each
node has a strip with the same columns.
"""

from dataclasses import dataclass

from common.times import HOUR, MINUTE, SECOND, Micros, TimeRange

LEFT = 64
"""Pixels for the labels of rows; those of strips are cut off at that width."""
TOP = 76
RIGHT = 24
STRIP = 14
"""The height of a node's strip."""
STRIP_STEP = 19
_STRIPS_ABOVE = 12
_LEGEND = 40
_LEAST_WIDTH = 960
"""So much a legend may need."""
_COMFORTABLE_WIDTH = 1200
_WIDEST_COLUMN = 16
_FEWEST_COLUMNS = 36
_MOST_COLUMNS = 12_000
"""83 days of columns of 10 minutes. Browsers show no wider pictures."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """`pixel_seconds` divides `column_minutes`, which divides an hour. A column is `column_pixels`
    wide; 0 takes as many as fit comfortably.
    """

    pixel_seconds: int = 2
    column_minutes: int = 10
    column_pixels: int = 0

    def __post_init__(self) -> None:
        if 60 % self.column_minutes or self.column_minutes * 60 % self.pixel_seconds:
            raise ValueError(
                f"--column-minutes {self.column_minutes} and --pixel-seconds {self.pixel_seconds}"
                " do not divide an hour evenly"
            )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`start` is the first column's first moment. `strips` are how many nodes have one."""

    start: Micros
    columns: int
    column: Micros
    column_pixels: int
    pixel: Micros
    strips: int

    @property
    def rows(self) -> int:
        return self.column // self.pixel

    @property
    def pixels(self) -> int:
        """How many pixels of the scale the map shows."""
        return self.columns * self.rows

    @property
    def map_width(self) -> int:
        return self.columns * self.column_pixels

    @property
    def width(self) -> int:
        return max(LEFT + self.map_width + RIGHT, _LEAST_WIDTH)

    @property
    def strips_top(self) -> int:
        return TOP + self.rows + _STRIPS_ABOVE

    @property
    def legend_top(self) -> int:
        return self.strips_top + self.strips * STRIP_STEP + (_STRIPS_ABOVE if self.strips else 0)

    @property
    def height(self) -> int:
        return self.legend_top + _LEGEND


def lay_out(span: TimeRange, scale: Scale, strips: int) -> Layout:
    """The map of a window: whole columns, at least six hours of those of 10 minutes. Of a very long
    window it shows the end.
    """
    column = scale.column_minutes * MINUTE
    first = span.start - span.start % column
    columns = max(-((first - span.end) // column), _FEWEST_COLUMNS)
    if columns > _MOST_COLUMNS:
        first += (columns - _MOST_COLUMNS) * column
        columns = _MOST_COLUMNS
    fitting = min(max(_COMFORTABLE_WIDTH // columns, 1), _WIDEST_COLUMN)
    return Layout(
        start=first,
        columns=columns,
        column=column,
        column_pixels=scale.column_pixels or fitting,
        pixel=scale.pixel_seconds * SECOND,
        strips=strips,
    )


_STEPS = (HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 7 * 24 * HOUR)


def label_step(layout: Layout, label_pixels: int) -> Micros:
    """How far apart labels of hours stand, so that each has so many pixels."""
    hour_pixels = layout.column_pixels * HOUR // layout.column
    return next((step for step in _STEPS if hour_pixels * step // HOUR >= label_pixels), _STEPS[-1])
