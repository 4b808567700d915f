"""One channel's stream, found once for all of its qualities."""

import time
from collections.abc import Callable

from gevent.lock import BoundedSemaphore

from downloader.hls import Variant
from downloader.providers.base import Provider, StreamNotFound

_FRESH_SECONDS = 1.0


class ChannelStream:
    """Asks the provider, but answers several qualities that ask at the same time at once.

    Those that waited for the answer take it, however long it took to come, and whether it is the
    variants or that the stream cannot be found.
    """

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = BoundedSemaphore()
        self._answer: list[Variant] | StreamNotFound = []
        self._answered: float | None = None

    def find(self) -> list[Variant]:
        """Raises StreamNotFound."""
        with self._lock:
            if self._answered is None or self._clock() - self._answered > _FRESH_SECONDS:
                self._answered = None
                self._answer = self._ask()
                self._answered = self._clock()
            if isinstance(self._answer, StreamNotFound):
                raise StreamNotFound(str(self._answer), offline=self._answer.offline)
            return self._answer

    def _ask(self) -> list[Variant] | StreamNotFound:
        try:
            return self._provider.find()
        except StreamNotFound as exc:
            return exc
