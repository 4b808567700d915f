"""Not trying again at once what has just failed, for each object by itself.

An object is a path of names: (quality), (quality, hour) or (quality, hour, segment). What fails is
left alone for longer and longer, and nothing else is; but when three segments of an hour have
failed since one went well, the hour is left alone, and when three hours of a quality have, the
quality: a node that answers slowly or wrongly about one of them must not take the time of the
others. What goes well ends the waiting of all that it belongs to.
"""

import time
from collections.abc import Callable

from common.patience import Patience

_STRIKES = 3
_LIMIT_SECONDS = 600.0


class ObjectPatience:
    """See the module's description. `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._waits = Patience[tuple[str, ...]](limit_seconds=_LIMIT_SECONDS, clock=clock)
        self._strikes: dict[tuple[str, ...], set[str]] = {}

    def failed(self, *path: str) -> int:
        """Returns how often this very object has failed."""
        times = self._waits.failed(path)
        parent = path[:-1]
        if parent:
            struck = self._strikes.setdefault(parent, set())
            struck.add(path[-1])
            if len(struck) >= _STRIKES:
                del self._strikes[parent]
                self.failed(*parent)
        return times

    def went_well(self, *path: str) -> None:
        for length in range(1, len(path) + 1):
            self._waits.forget(path[:length])
            self._strikes.pop(path[:length], None)

    def must_wait(self, *path: str) -> bool:
        """Whether it, or what it belongs to, failed a short while ago."""
        return self.seconds_left(*path) > 0

    def seconds_left(self, *path: str) -> float:
        """How long it is to be left alone from now on; 0 if it need not be."""
        return max(self._waits.seconds_left(path[:length]) for length in range(1, len(path) + 1))
