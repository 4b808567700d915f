"""The origin's time: the machine's, or one that tests stop, step and speed up."""

import time
from collections.abc import Callable
from typing import Protocol

from common.times import SECOND, Micros


class Clock(Protocol):
    """Tells the stream's time in microseconds since 1970."""

    def now(self) -> Micros: ...


class WallClock:
    """The machine's own time."""

    def now(self) -> Micros:
        return time.time_ns() // 1000


class SteppedClock:
    """Starts at `start` and runs at `speed` seconds per second; 0 stands still."""

    def __init__(
        self, start: Micros, speed: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._base = start
        self._since = monotonic()
        self._speed = speed

    def now(self) -> Micros:
        return self._base + round((self._monotonic() - self._since) * self._speed * SECOND)

    def set_speed(self, speed: float) -> None:
        """Run at `speed` from now on."""
        self._base, self._since, self._speed = self.now(), self._monotonic(), speed

    def advance(self, seconds: float) -> None:
        """Jump `seconds` ahead."""
        self._base += round(seconds * SECOND)
