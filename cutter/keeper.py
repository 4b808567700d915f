"""Keeping a lease while work is done under it, and ending the work when the lease or the service
ends.
"""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import gevent

from common.daemon import Stop
from common.errors import DatabaseUnavailable, LeaseLost
from common.retry import backoff
from cutter.event import Lease
from cutter.job import Stopping
from cutter.queue import EventQueue

logger = logging.getLogger(__name__)

T = TypeVar("T")

BEAT_SECONDS = 0.5
"""Between heartbeats: so often progress is told, and so soon a reset is noticed."""

_LOOK_SECONDS = 0.1


class LeaseKeeper:
    """Sends heartbeats from `__enter__` to `__exit__`.

    `claimed_at` is a reading of time.monotonic() from before the lease was taken. Counting from
    before each statement, our idea of the expiry is never later than the database's.
    """

    def __init__(self, queue: EventQueue, lease: Lease, stop: Stop, *, claimed_at: float) -> None:
        self._queue = queue
        self._lease = lease
        self._stop = stop
        self._expires = claimed_at + queue.lease_seconds
        self._lost: LeaseLost | None = None
        self._progress = (0, 0)
        self._beats: gevent.Greenlet | None = None

    def __enter__(self) -> Self:
        self._beats = gevent.spawn(self._beat_for_ever)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._beats is not None:
            self._beats.kill()

    def on_progress(self, frames_done: int, frames_total: int) -> None:
        """Remember how far the cut is; the next heartbeat tells."""
        self._progress = (frames_done, frames_total)

    @property
    def frames_total(self) -> int:
        """How many frames the cut has, as far as it has told; else 0."""
        return self._progress[1]

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` and return its result.

        Raises LeaseLost or Stopping, soon, when the lease is lost or the service stops; the work
        is interrupted by that same exception and has ended by then.
        """
        task = gevent.spawn(_caught, work)
        try:
            while not task.ready():
                self._check()
                task.join(timeout=_LOOK_SECONDS)
        finally:
            task.kill()
        result, error = task.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def insist(self, statement: Callable[[], None]) -> None:
        """Run a statement under the lease, again and again while Postgres cannot be reached.

        Raises LeaseLost or Stopping when it's too late for another try.
        """
        waits = backoff(0.2, 2.0)
        while True:
            self._check()
            try:
                statement()
            except DatabaseUnavailable as exc:
                logger.warning("trying again for %s: %s", self._lease.event_id, exc)
                self._stop.wait(next(waits))
            else:
                return

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopping("the service stops")
        if self._lost is None and time.monotonic() > self._expires:
            self._lost = LeaseLost(f"no heartbeat of {self._lease.event_id} got through in time")
        if self._lost is not None:
            raise self._lost

    def _beat_for_ever(self) -> None:
        while self._lost is None:
            gevent.sleep(BEAT_SECONDS)
            sent_at = time.monotonic()
            frames_done, frames_total = self._progress
            try:
                self._queue.heartbeat(
                    self._lease, frames_done=frames_done, frames_total=frames_total
                )
                self._expires = sent_at + self._queue.lease_seconds
            except LeaseLost as exc:
                self._lost = exc
            except DatabaseUnavailable as exc:
                logger.warning("no heartbeat for %s: %s", self._lease.event_id, exc)


def _caught(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """The result or the error of `work`: a greenlet that fails would print its traceback."""
    try:
        return work(), None
    except Exception as exc:  # raised again, in the greenlet that waits
        return None, exc
