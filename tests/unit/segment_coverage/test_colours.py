"""The colours of maps can be told apart, also by people who see fewer of them."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from segment_coverage.colours import COLOURS, LABELS, NOTHING, rgb
from segment_coverage.states import State

Vector = NDArray[np.float64]

# Of linear RGB; G. Machado and others, 2009, severity 1.0.
SIGHT = {
    "all colours": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
CLEAR = 20


def linear(colour: str) -> Vector:
    value = np.array(rgb(colour)) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(light: Vector) -> Vector:
    """CIE 1976 L*a*b* of linear RGB."""
    x, y, z = np.cbrt(XYZ @ np.clip(light, 0.001, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_every_two_differ_clearly(sight: str) -> None:
    seen = [lab(np.array(SIGHT[sight]) @ linear(c)) for c in (NOTHING, *COLOURS.values())]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > CLEAR


def test_each_state_has_a_colour_and_a_label() -> None:
    assert set(COLOURS) == set(LABELS) == set(State)
