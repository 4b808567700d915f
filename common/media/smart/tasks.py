"""Encoding jobs of a smart cut that run ahead of the output, a few at a time."""

from collections.abc import Iterator

import gevent
from gevent.lock import BoundedSemaphore
from gevent.queue import Queue

from common.media.encoders import EncoderPool
from common.media.job import Job
from common.media.smart.edge import EdgeUnit, read_unit

_AT_ONCE = 2


class EncodeTask:
    """One job; its units are waited for by whoever iterates. Raises what the job raised."""

    def __init__(self, job: Job, encoders: EncoderPool, places: BoundedSemaphore) -> None:
        self._queue: Queue[EdgeUnit | Exception | None] = Queue()
        self._greenlet = gevent.spawn(self._run, job, encoders, places)

    def __iter__(self) -> Iterator[EdgeUnit]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    def kill(self) -> None:
        self._greenlet.kill()

    def _run(self, job: Job, encoders: EncoderPool, places: BoundedSemaphore) -> None:
        try:
            with places:
                for message in encoders.run(job):
                    self._queue.put(read_unit(message))
        except Exception as exc:  # raised again where the units are wanted
            self._queue.put(exc)
        else:
            self._queue.put(None)


class Tasks:
    """All jobs of one cut. `close` ends those that still run."""

    def __init__(self, encoders: EncoderPool) -> None:
        self._encoders = encoders
        self._places = BoundedSemaphore(_AT_ONCE)
        self._tasks: list[EncodeTask] = []

    def start(self, job: Job) -> EncodeTask:
        """Begin a job, as soon as one of those before it has ended."""
        task = EncodeTask(job, self._encoders, self._places)
        self._tasks.append(task)
        return task

    def run(self, job: Job) -> list[bytes]:
        """Do a short job now, and return its answers."""
        return list(self._encoders.run(job))

    def count_fallback(self, reason: str) -> None:
        """Something is encoded that should have been copied."""
        self._encoders.count_fallback(reason)

    def finished(self, task: EncodeTask) -> None:
        """Forget a task whose units have all been used."""
        self._tasks.remove(task)

    def close(self) -> None:
        for task in self._tasks:
            task.kill()
