"""States of time as pixels: one for so many seconds each, as numbers. Pure.

A pixel that several states share shows the worst of them, so that no hole is too small to be seen;
what is no longer than the store's tolerance is none.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common.segments.select import TOLERANCE
from common.times import Micros
from segment_coverage.spans import Spans
from segment_coverage.states import State

Pixels = NDArray[np.uint8]

NOTHING = 0
"""Of a pixel of which nothing is known: it is outside of the window, or too young to be missing."""
NUMBERS = {state: number for number, state in enumerate(State, 1)}


def paint(states: Mapping[State, Spans], start: Micros, count: int, pixel: Micros) -> Pixels:
    """`count` pixels from `start` on, each `pixel` microseconds long."""
    pixels: Pixels = np.zeros(count, np.uint8)
    for state, number in NUMBERS.items():
        found = states.get(state)
        if found:
            pixels[_touched(found, start, count, pixel)] = number
    return pixels


def _touched(found: Spans, start: Micros, count: int, pixel: Micros) -> NDArray[np.bool_]:
    """The pixels that these stretches touch by more than the tolerance."""
    bounds = np.array(found, np.int64) - start
    bounds = bounds[bounds[:, 1] - bounds[:, 0] > TOLERANCE]
    # Never so much that nothing is left: what is there shows.
    slack = np.minimum(TOLERANCE, (bounds[:, 1] - bounds[:, 0] - 1) // 2)
    first = np.clip((bounds[:, 0] + slack) // pixel, 0, count)
    last = np.clip(-((slack - bounds[:, 1]) // pixel), 0, count)
    steps = np.zeros(count + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last, -1)
    return np.cumsum(steps[:-1]) > 0
