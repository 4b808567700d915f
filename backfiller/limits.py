"""Not using more of the network than allowed."""

import time
from collections.abc import Callable

import gevent

_BURST_SECONDS = 0.5


class Bandwidth:
    """At most `bytes_per_second` on average, with half a second's worth at once; None: no limit."""

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._paid_until = 0.0

    def spend(self, size_bytes: int) -> None:
        """Note that so many bytes have come, and wait until more may."""
        if self._rate is None:
            return
        now = self._clock()
        self._paid_until = max(self._paid_until, now) + size_bytes / self._rate
        if self._paid_until - now > _BURST_SECONDS:
            self._sleep(self._paid_until - now - _BURST_SECONDS)

    def seconds_for(self, size_bytes: int) -> float:
        """How long so many bytes take at this rate; 0 without a limit."""
        return size_bytes / self._rate if self._rate else 0.0


class Allowance:
    """What the transfers from one node may use: bandwidths (its own, and that of all nodes), and
    `seconds` for a file, or longer where the bandwidths make it take longer.
    """

    def __init__(self, *bandwidths: Bandwidth, seconds: float) -> None:
        self._bandwidths = bandwidths
        self._seconds = seconds

    def spend(self, size_bytes: int) -> None:
        """Note that so many bytes have come, and wait until more may."""
        for bandwidth in self._bandwidths:
            bandwidth.spend(size_bytes)

    def deadline_seconds(self, limit_bytes: int) -> float:
        """For a file of at most so many bytes."""
        return self._seconds + sum(each.seconds_for(limit_bytes) for each in self._bandwidths)
