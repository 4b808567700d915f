"""A summary as a picture. Computes for some milliseconds: callers give it to a thread."""

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from common.times import HOUR, MINUTE, Micros, to_datetime
from segment_coverage.colours import COLOURS, LABELS, NOTHING, rgb
from segment_coverage.layout import (
    LEFT,
    RIGHT,
    STRIP,
    STRIP_STEP,
    TOP,
    Layout,
    label_step,
)
from segment_coverage.pixels import Pixels, paint
from segment_coverage.spans import Spans
from segment_coverage.states import State
from segment_coverage.summary import Summary
from segment_coverage.words import duration, share

_PAPER = "#ffffff"
_INK = "#1b2733"
_SOFT = "#5b6b7b"
_LINE = "#c6d0da"
_PALETTE = np.array([rgb(NOTHING), *(rgb(COLOURS[state]) for state in State)], np.uint8)
_TEXT = ImageFont.load_default(12)
_SMALL = ImageFont.load_default(11)
_TITLE = ImageFont.load_default(15)
_DAY = 24 * HOUR


def draw(title: str, summary: Summary, layout: Layout) -> Image.Image:
    """The map of a quality, with what each other node has below it."""
    picture = Image.new("RGB", (layout.width, layout.height), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((12, 10), title, _INK, _TITLE)
    subtitle = _subtitle(summary)
    pen.text((layout.width - RIGHT, 12), subtitle, _SOFT, _TEXT, anchor="ra")
    found = paint(summary.states, layout.start, layout.pixels, layout.pixel)
    picture.paste(Image.fromarray(_map(found, layout)), (LEFT, TOP))
    _draw_times(pen, layout)
    _draw_rows(pen, layout)
    for number, (name, states) in enumerate(_strips(summary)):
        top = layout.strips_top + number * STRIP_STEP
        picture.paste(Image.fromarray(_strip(states, layout)), (LEFT, top))
        pen.text((LEFT - 8, top + STRIP // 2), _shortened(name), _INK, _SMALL, anchor="rm")
    _draw_legend(pen, summary, layout)
    return picture


def png(picture: Image.Image) -> bytes:
    """The file's bytes; fast rather than small: flat colours are small anyway."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=4)
    return file.getvalue()


def strips_of(summary: Summary) -> int:
    """How many strips a summary's map has."""
    return len(list(_strips(summary)))


def _strips(summary: Summary) -> Iterator[tuple[str, Mapping[State, Spans]]]:
    """This node's too, to compare with; none where there is no other."""
    if summary.nodes:
        here = dict(summary.states)
        here[State.MISSING] = (*here.pop(State.ELSEWHERE), *here[State.MISSING])
        yield "here", here
        yield from summary.nodes.items()


def _map(found: Pixels, layout: Layout) -> NDArray[np.uint8]:
    grid = found.reshape(layout.columns, layout.rows).T
    return _PALETTE[np.repeat(grid, layout.column_pixels, axis=1)]


def _strip(states: Mapping[State, Spans], layout: Layout) -> NDArray[np.uint8]:
    """Each column as a stack: as much of each state as there is of it, the worst at the bottom,
    also where it is too little for a pixel.
    """
    found = paint(states, layout.start, layout.pixels, layout.pixel)
    stacks = np.sort(found.reshape(layout.columns, layout.rows), axis=1)
    shares = stacks[:, np.linspace(0, layout.rows - 1, STRIP).astype(int)]
    return _PALETTE[np.repeat(shares.T, layout.column_pixels, axis=1)]


def _subtitle(summary: Summary) -> str:
    start, end = to_datetime(summary.span.start), to_datetime(summary.span.end)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, {share(summary)} full"


def _x(layout: Layout, moment: Micros) -> int:
    return LEFT + (moment - layout.start) * layout.column_pixels // layout.column


def _draw_times(pen: ImageDraw.ImageDraw, layout: Layout) -> None:
    """Days above, hours below them; ticks down to the map."""
    end = layout.start + layout.columns * layout.column
    step = label_step(layout, 40)
    for moment in range(-(-layout.start // HOUR) * HOUR, end, HOUR):
        x = _x(layout, moment)
        is_labelled = moment % step == 0
        length = 8 if moment % _DAY == 0 else 5 if is_labelled else 2
        pen.line((x, TOP - length - 1, x, TOP - 2), _SOFT if is_labelled else _LINE)
        if is_labelled and step < _DAY and x < layout.width - RIGHT:
            pen.text((x, TOP - 9), f"{to_datetime(moment):%H:%M}", _SOFT, _SMALL, anchor="ms")
    first_day = layout.start - layout.start % _DAY
    for day in range(first_day, end, max(_DAY, step)):
        x = _x(layout, max(day, layout.start))
        room = _x(layout, min(day + max(_DAY, step), end)) - x
        if room >= 80 or end - layout.start <= _DAY:
            pen.text((x, TOP - 26), f"{to_datetime(day):%a %d %b}", _INK, _TEXT, anchor="ls")


def _draw_rows(pen: ImageDraw.ImageDraw, layout: Layout) -> None:
    """Minutes within a column, on the left."""
    minutes = layout.column // MINUTE
    parts = 5 if minutes % 5 == 0 else minutes
    for part in range(parts + 1):
        y = TOP + layout.rows * part // parts
        pen.line((LEFT - 5, y, LEFT - 2, y), _LINE)
        text = (
            f"{minutes * part // parts} min" if part in {0, parts} else f"{minutes * part // parts}"
        )
        pen.text((LEFT - 8, y), text, _SOFT, _SMALL, anchor="rm")


def _shortened(name: str) -> str:
    while _SMALL.getlength(name) > LEFT - 12:
        name = name[: -2 if name.endswith("…") else -1].rstrip("…") + "…"
    return name


def _draw_legend(pen: ImageDraw.ImageDraw, summary: Summary, layout: Layout) -> None:
    x, y = LEFT, layout.legend_top + 12
    for state in State:
        pen.rectangle((x, y, x + 11, y + 11), COLOURS[state], _LINE)
        pen.text((x + 17, y + 6), LABELS[state], _INK, _TEXT, anchor="lm")
        amount = duration(summary.total.states[state])
        after = x + 17 + int(_TEXT.getlength(LABELS[state])) + 6
        pen.text((after, y + 6), amount, _SOFT, _TEXT, anchor="lm")
        x = after + int(_TEXT.getlength(amount)) + 18
