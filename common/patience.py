"""Not trying again at once what has just failed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.retry import backoff

K = TypeVar("K")

_KEPT = 10_000


@dataclass
class _Wait:
    times: int
    until: float
    waits: Iterator[float]


class Patience(Generic[K]):
    """Counts failures by key, and says how long to leave each alone. Keeps the last 10,000 keys.

    The first wait is `first_seconds`, each further one twice as long, up to `limit_seconds`.
    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        first_seconds: float = 2.0,
        limit_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_seconds = first_seconds
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._waiting: dict[K, _Wait] = {}

    def failed(self, key: K) -> int:
        """Note a failure; returns how many there have been."""
        entry = self._waiting.pop(key, None) or _Wait(
            times=0, until=0.0, waits=backoff(self._first_seconds, self._limit_seconds)
        )
        entry.times += 1
        entry.until = self._clock() + next(entry.waits)
        self._waiting[key] = entry
        if len(self._waiting) > _KEPT:
            del self._waiting[next(iter(self._waiting))]
        return entry.times

    def forget(self, key: K) -> None:
        """It went well."""
        self._waiting.pop(key, None)

    def must_wait(self, key: K) -> bool:
        """Whether it failed so recently that it is to be left alone."""
        return self.seconds_left(key) > 0

    def seconds_left(self, key: K) -> float:
        """How long it is to be left alone from now on; 0 if it need not be."""
        entry = self._waiting.get(key)
        return max(0.0, entry.until - self._clock()) if entry else 0.0
