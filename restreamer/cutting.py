"""Sending a cut while it is made, to a client that may go away at any moment.

A greenlet makes the cut and hands its chunks over through a short queue; another watches the
connection. A client that goes away ends the work at once, also while the encoder has nothing to
send yet: waiting for the next failing write could take many seconds.
"""

import errno
import logging
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

import gevent
from flask import request
from gevent.queue import Queue
from gevent.socket import wait_read

from common.web import CONNECTION
from restreamer.metrics import RestreamerMetrics

logger = logging.getLogger(__name__)

Chunk = Sequence[bytes | memoryview]
"""What is ready at the same time."""

_CHUNKS_AHEAD = 2
_GIVE_WAY_SECONDS = 1e-6
"""Any time at all. Greenlets that only wake each other through queues keep the event loop from
looking at its sockets for dozens of turns; a timer makes it look before the next chunk is made.
"""
_END = None


class CutStream:
    """The chunks of one cut, each in pieces that are sent together. `close` must be called; it ends
    all work, and calls `on_end` once.

    `connection` is the client's socket, if it can be watched.
    """

    def __init__(
        self,
        chunks: Generator[Chunk, None, None],
        *,
        kind: str,
        connection: socket.socket | None,
        metrics: RestreamerMetrics,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._chunks = chunks
        self._kind = kind
        self._metrics = metrics
        self._on_end = on_end
        self._queue: Queue[Chunk | Exception | None] = Queue(_CHUNKS_AHEAD)
        self._result = "abandoned"
        metrics.cuts_running.labels(kind).inc()
        self._maker = gevent.spawn(self._make)
        # Called however the maker ends, also if it was killed before it began.
        self._maker.link(self._ended)
        self._watcher = gevent.spawn(self._watch, connection) if connection else None
        self._first: Chunk | None = None

    def wait_for_first(self) -> None:
        """Wait for the first chunk, so that what fails at once gets a proper status.

        Raises what making the cut raised.
        """
        self._first = next(self, ())

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        if self._first:
            chunk, self._first = self._first, None
            return chunk
        item: Chunk | Exception | None = self._queue.get()
        if isinstance(item, Exception):
            raise item
        if item is _END:
            self._queue.put_nowait(_END)  # for whoever asks again
            raise StopIteration
        self._metrics.cut_bytes.labels(self._kind).inc(sum(map(len, item)))
        return item

    def close(self) -> None:
        """End the work. Calling it twice does no harm."""
        if self._watcher is not None:
            self._watcher.kill()
        self._maker.kill()

    def _make(self) -> None:
        try:
            # Closed here, whatever happens: its processes end with it.
            with closing(self._chunks):
                for chunk in self._chunks:
                    self._queue.put(chunk)
                    gevent.sleep(_GIVE_WAY_SECONDS)
            self._result = "complete"
            self._queue.put(_END)
        except Exception as exc:  # raised again where the chunks are wanted
            self._result = "failed"
            self._queue.put(exc)

    def _ended(self, maker: gevent.Greenlet) -> None:
        self._metrics.cuts_running.labels(self._kind).dec()
        self._metrics.cuts.labels(self._kind, self._result).inc()
        self._on_end()

    def _watch(self, connection: socket.socket) -> None:
        """Wait until the client has closed its side, then end the work."""
        wait_read(connection.fileno())
        try:
            gone = not connection.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone:
            logger.info("the client of a %s cut is gone", self._kind)
            self._maker.kill()
            self._abandon()

    def _abandon(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(ConnectionResetError(errno.ECONNRESET, "the client is gone"))


def started(
    chunks: Generator[Chunk, None, None],
    *,
    kind: str,
    metrics: RestreamerMetrics,
    on_end: Callable[[], None] = lambda: None,
) -> CutStream:
    """The stream of `chunks` for the client of the current request, once its first chunk is there.

    Raises what making the first chunk raised. `on_end` is called in any case.
    """
    stream = CutStream(
        chunks,
        kind=kind,
        connection=request.environ.get(CONNECTION),
        metrics=metrics,
        on_end=on_end,
    )
    try:
        stream.wait_for_first()
    except BaseException:
        stream.close()
        raise
    return stream
