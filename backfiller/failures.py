"""What went wrong with another node: counted, and logged once for each kind until it goes well."""

import logging
import time

from backfiller.metrics import BackfillerMetrics
from common.errors import (
    BadAnswer,
    BadStatus,
    BrokenTransfer,
    ConnectFailed,
    HashMismatch,
    TimedOut,
    Unreachable,
)

logger = logging.getLogger(__name__)

_REASONS: dict[type[Exception], str] = {
    ConnectFailed: "connect",
    Unreachable: "connect",
    TimedOut: "timeout",
    BadStatus: "status",
    BrokenTransfer: "broken",
    BadAnswer: "answer",
    HashMismatch: "hash",
}
_DISK = "disk"
_QUIET_SECONDS = 60.0


def reason_of(error: Exception) -> str:
    """The label that stands for an error in metrics: what is none of these is the disk's."""
    return _REASONS.get(type(error), _DISK)


class Failures:
    """The failures of one node. One line a minute for each reason, with how many there were."""

    def __init__(self, node: str, metrics: BackfillerMetrics) -> None:
        self._node = node
        self._metrics = metrics
        self._logged: dict[str, float] = {}
        self._silent: dict[str, int] = {}
        # Of a counter that begins at 1 nobody sees that it has risen.
        for reason in (*_REASONS.values(), _DISK):
            metrics.failures.labels(node, reason)

    def __call__(self, what: str, error: Exception) -> None:
        reason = reason_of(error)
        self._metrics.failures.labels(self._node, reason).inc()
        now = time.monotonic()
        if now - self._logged.get(reason, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._silent[reason] = self._silent.get(reason, 0) + 1
            return
        self._logged[reason] = now
        more = self._silent.pop(reason, 0)
        logger.warning(
            "%s: %s failed: %s%s",
            self._node,
            what,
            error,
            f" (and {more} more failures of this kind)" if more else "",
        )
