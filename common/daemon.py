"""The life of a service: named tasks that start together and stop together.

    daemon = Daemon(grace_seconds=25)
    daemon.spawn("recorder", recorder.run)        # run(stop) returns soon after stop is set
    status = daemon.run()                         # until SIGTERM, SIGINT, or a task ends

- SIGTERM and SIGINT set `stop`. Each task returns as soon as what it has in hand is finished or
  handed back.
- A task that ends by itself stops the others: a service never runs on with a part missing. A task
  that raises is logged, and the exit status is 1.
- Tasks that are still running `grace_seconds` after the stop are killed and named in the log.

Invariants: no work starts before the signal handler has been taken over (`common.signals`); after
`stop` is set no task is started; every task's error is logged exactly once.
"""

import logging
import os
import sys
from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.socket import wait_read

from common import signals

logger = logging.getLogger(__name__)


class Stop:
    """Tells tasks to stop; every wait and every retry of a service ends when it is set."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return bool(self._event.is_set())

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Sleep until stop is set or the time is over; True if it is set."""
        return bool(self._event.wait(timeout_seconds))


class Daemon:
    """Runs tasks until a signal, or until the first of them ends."""

    def __init__(self, *, grace_seconds: float = 25.0) -> None:
        self.stop = Stop()
        self._grace_seconds = grace_seconds
        self._tasks: dict[gevent.Greenlet, str] = {}
        self._failed = False
        self._signals = gevent.spawn(self._watch_signals, signals.take_over())

    def spawn(self, name: str, run: Callable[[Stop], None]) -> None:
        """Start `run(stop)` as a task. Once stop is set nothing is started any more."""
        if self.stop.is_set():
            return
        task = gevent.spawn(self._guard, name, run)
        self._tasks[task] = name

    def run(self) -> int:
        """Wait for the end. Returns the exit status: 0, or 1 if a task raised."""
        self.stop.wait()
        logger.info("stopping: waiting for %s", ", ".join(self._running()) or "nothing")
        gevent.joinall(list(self._tasks), timeout=self._grace_seconds)
        late = self._running()
        if late:
            logger.warning("not stopped after %g s, killed: %s", self._grace_seconds, late)
            gevent.killall(list(self._tasks), timeout=1)
        self._signals.kill()
        logger.info("stopped")
        return 1 if self._failed else 0

    def _running(self) -> list[str]:
        return [name for task, name in self._tasks.items() if not task.dead]

    def _guard(self, name: str, run: Callable[[Stop], None]) -> None:
        try:
            run(self.stop)
            logger.debug("task %s has ended", name)
        except (Exception, gevent.Timeout):  # gevent's Timeout is no Exception
            self._failed = True
            logger.exception("task %s failed; the service stops", name)
        finally:
            self.stop.set()

    def _watch_signals(self, receiver: "gevent.socket.socket") -> None:
        while not signals.requested():
            wait_read(receiver.fileno())
            receiver.recv(64)
        self.stop.set()


def exit_process(status: int) -> None:
    """End the process now, with the output flushed.

    The interpreter's own shutdown is skipped: it would run with half of the modules gone, and a
    second signal at that time would print a traceback.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1  # whoever reads our output is gone
    os._exit(status)
