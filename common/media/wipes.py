"""Draws the transitions of our own.

Each is a map that says for every pixel at which moment of the transition, from 0 to 1, it turns
from one picture to the other. The map is made once for a transition; a frame then costs one
comparison and one choice for each pixel. (ffmpeg's xfade can evaluate the same formulas as a
`custom` expression, but does so for every pixel of every frame anew: 0.45 s of CPU for a frame of
1920x1080, against 0.01 s here.)
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[Any]
"""Of floating point numbers."""
Picture = npt.NDArray[np.uint8]

_STRIPS = 8
_FIELDS = 8


class Wipe:
    """One of our own transitions between pictures of a size; both sides are even.

    Pictures are planar 4:2:0 as one array of bytes: all rows of luma, then both chroma planes.
    """

    def __init__(self, kind: str, width: int, height: int) -> None:
        turns = WIPES[kind]
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        luma = turns(x, y, width, height)
        # A chroma sample lies amid four pixels.
        chroma = turns(x[::2, ::2] + 0.5, y[::2, ::2] + 0.5, width, height)
        self._turns = np.concatenate([luma.ravel(), chroma.ravel(), chroma.ravel()])

    def draw(self, before: Picture, after: Picture, progress: float) -> Picture:
        """What is seen at `progress`, from 0 to 1. Keeps the arrays' shape."""
        turned = (self._turns < progress).reshape(before.shape)
        return np.where(turned, after, before)


def _clock(x: Map, y: Map, width: int, height: int) -> Map:
    turned: Map = np.arctan2(x - width / 2, height / 2 - y) / (2 * np.pi) % 1
    return turned


def _diamond(x: Map, y: Map, width: int, height: int) -> Map:
    return (abs(x - width / 2) + abs(y - height / 2)) / ((width + height) / 2)


def _diamond_close(x: Map, y: Map, width: int, height: int) -> Map:
    return 1 - _diamond(x, y, width, height)


def _blinds(_x: Map, y: Map, _width: int, height: int) -> Map:
    return y * _STRIPS / height % 1


def _checkers(x: Map, y: Map, width: int, height: int) -> Map:
    column, row = x * _FIELDS / width, y * _FIELDS / height
    black = (np.floor(column) + np.floor(row)) % 2
    return (black + column % 1) / 2


WIPES: Mapping[str, Callable[[Map, Map, int, int], Map]] = {
    "clock": _clock,
    "diamond": _diamond,
    "diamondclose": _diamond_close,
    "blinds": _blinds,
    "checkers": _checkers,
}
"""When each pixel turns, from its place in a picture of the given width and height."""
