"""Limits to what is expensive."""

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore
from prometheus_client import Counter
from werkzeug.exceptions import ServiceUnavailable


class Limit:
    """At most `size` of something at a time. Beyond that clients are told to come back."""

    def __init__(
        self, size: int, *, patience_seconds: float, retry_seconds: int, refused: Counter
    ) -> None:
        self._free = BoundedSemaphore(size)
        self._patience_seconds = patience_seconds
        self._retry_seconds = retry_seconds
        self._refused = refused

    def acquire(self) -> None:
        """Take a place, waiting a little for one. Raises ServiceUnavailable if none gets free."""
        if not self._free.acquire(timeout=self._patience_seconds):
            self._refused.inc()
            raise ServiceUnavailable(
                f"too many requests of this kind are running; try again in {self._retry_seconds} s",
                retry_after=self._retry_seconds,
            )

    def release(self) -> None:
        self._free.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()
