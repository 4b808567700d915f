"""One channel's stream, found once for all of its qualities."""

import time
from collections.abc import Callable

from gevent.lock import BoundedSemaphore

from downloader.hls import Variant
from downloader.providers.base import Provider

_FRESH_SECONDS = 1.0


class ChannelStream:
    """Asks the provider, but answers several qualities that ask at the same time at once."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = BoundedSemaphore()
        self._found: tuple[float, list[Variant]] | None = None

    def find(self) -> list[Variant]:
        """Raises StreamNotFound."""
        with self._lock:
            if self._found is None or self._clock() - self._found[0] > _FRESH_SECONDS:
                self._found = None
                self._found = (self._clock(), self._provider.find())
            return self._found[1]
