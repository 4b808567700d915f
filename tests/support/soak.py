"""Which of many cases run with every change, and which in the long runs only."""

from collections.abc import Iterable
from typing import Any

import pytest


def soak_but(cases: Iterable[str], *, every_time: Iterable[str]) -> list[Any]:
    """`cases` for `parametrize`: those in `every_time` always run, the others as soak tests.

    Raises ValueError if one of `every_time` is none of the cases.
    """
    known, chosen = list(cases), set(every_time)
    if strange := chosen - set(known):
        raise ValueError(f"there is no such case: {', '.join(sorted(strange))}")
    return [
        case if case in chosen else pytest.param(case, marks=pytest.mark.soak) for case in known
    ]
