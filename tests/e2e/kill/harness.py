"""Kill a service at random moments, again and again, and let it live at last.

A harness runs several lines at once: each starts its service, kills it with SIGKILL at a moment
that its seeded generator chooses, starts it again, and so on; the last one is left alive for the
test to look at what it makes of the ruins.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tests.support.processes import ServiceProcess
from tests.support.seeds import seeded_random

T = TypeVar("T")

LINES = 4
"""Lines that run at once."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """When to kill: up to `seconds` after the process listens, or with the probability `at_start`
    up to `start_seconds` after it was started.
    """

    seconds: float
    at_start: float = 0.2
    start_seconds: float = 0.8


def kill_again_and_again(
    start: Callable[[], ServiceProcess], kills: int, moments: Moments, rng: random.Random
) -> ServiceProcess:
    """Start and kill `kills` times, then start once more and return that last process."""
    for _ in range(kills):
        process = start()
        try:
            _live_for_a_while(process, moments, rng)
        finally:
            process.close()
    return start()


def _live_for_a_while(process: ServiceProcess, moments: Moments, rng: random.Random) -> None:
    if rng.random() < moments.at_start:
        time.sleep(rng.uniform(0, moments.start_seconds))
        return
    assert process.url
    time.sleep(rng.uniform(0, moments.seconds))


def in_lines(purpose: str, line: Callable[[int, random.Random], T], lines: int = LINES) -> list[T]:
    """Run `line(number, rng)` for each line at once; returns their results, or raises."""
    generators = [seeded_random(f"{purpose}, line {number}") for number in range(lines)]
    with ThreadPoolExecutor(lines) as pool:
        return list(pool.map(line, range(lines), generators))
