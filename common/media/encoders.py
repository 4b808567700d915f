"""Processes that decode and encode, kept warm for the next job.

    encoders = EncoderPool(registry=registry)
    encoders.prestart(2)
    for chunk in encoders.run(job): ...
    encoders.close()

An idle process takes the job, else a new one is started: no job waits for another's end, whoever
needs a bound sets one. A process whose job has ended, well or with an error, is kept for the next
one, for a while also if enough others are idle: jobs come in bursts. One that is interrupted in its
job is killed, which is the only way to stop it at once.

Works in a service patched by gevent (waiting for a process stops nobody else) and in plain Python
alike. Threads that gevent knows nothing of, as those of its pool, must not call it.

Invariants: a process is in `_idle` or in the hands of exactly one job; every process that was
started is in `_all` until it is dead and reaped.
"""

import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge

from common.daemon import Stop
from common.errors import MediaError
from common.media.job import Job, Message, read_message, write_request

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[2]
_LAST_LINES = 5
# How many processes that died idle a job may meet before it gives up.
_TRIES = 8
_LINGER_SECONDS = 60.0
# How long a process may take to begin with a job (it may have to be started first, at low priority
# on a busy machine), and then to say anything: the longest is to move the index of a video of
# many hours to its beginning.
_ACCEPT_SECONDS = 120.0
_SILENCE_SECONDS = 1800.0

OnFrames = Callable[[int], None]
"""Called with the number of frames done, now and then."""


class _Outcome(Enum):
    """How a job ended."""

    DONE = "done"
    FAILED = "failed"
    """It cannot be done; the process is as good as before."""
    BROKEN = "broken"
    """The process died."""
    ABANDONED = "abandoned"
    """Nobody wanted the rest."""


class _Metrics:
    def __init__(self, registry: CollectorRegistry | None) -> None:
        self.started = Counter(
            "wubloader_encoder_processes_started_total",
            "Encoding processes started.",
            registry=registry,
        )
        self.jobs = Counter(
            "wubloader_encoder_jobs_total",
            "Jobs of encoding processes by kind and outcome: done, failed, broken (the process "
            "died) or abandoned (nobody wanted the rest).",
            ["kind", "outcome"],
            registry=registry,
        )
        self.fallbacks = Counter(
            "wubloader_smart_fallbacks_total",
            "Pieces of smart cuts that were encoded though they are no ends, by reason: no_idr (no "
            "point of entry to copy from), misfit (it cannot be copied as it is), damaged (packets "
            "are missing), sound (another kind of sound than the cut's).",
            ["reason"],
            registry=registry,
        )
        self.idle = Gauge(
            "wubloader_encoder_processes_idle",
            "Encoding processes that wait for a job.",
            registry=registry,
        )


class _Encoder:
    """One process."""

    def __init__(self) -> None:
        # Its complaints go to a file: a pipe that nobody reads would fill up and stop it.
        self._complaints = TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "common.media.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            # It must find our packages whatever folder this process stands in. Our arrays are
            # small: numpy's threads would only take time to start.
            env={**os.environ, "PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"},
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process was started without pipes")
        self._requests = self._process.stdin
        self._messages = self._process.stdout
        self.is_free = True
        """Whether it has no job, or has given the last answer to it."""
        self.idle_since = time.monotonic()
        self.overdue_at = math.inf
        """When somebody has waited too long for its next answer."""
        self._reproaches: list[str] = []

    def begin(self, job: Job, patience_seconds: float) -> None:
        """Hand over `job` and wait until it is accepted. Raises EOFError if the process is dead."""
        self.is_free = False
        with self._waiting(patience_seconds):
            try:
                write_request(self._requests, job)
            except BrokenPipeError as exc:
                raise EOFError from exc
            read_message(self._messages)

    def answers(self, on_frames: OnFrames | None, patience_seconds: float) -> Iterator[bytes]:
        """The job's output. Raises MediaError if it fails, EOFError if the process dies."""
        while True:
            with self._waiting(patience_seconds):
                kind, payload = read_message(self._messages)
            if kind is Message.DATA:
                yield payload
            elif kind is Message.PROGRESS:
                if on_frames is not None:
                    on_frames(int(payload))
            else:
                break
        self._forget_complaints()
        self.is_free = True
        if kind is Message.FAILED:
            raise MediaError(payload.decode(errors="replace"))

    def last_lines(self) -> str:
        """What it complained about last."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        return " / ".join([*lines, *self._reproaches]) or "it said nothing"

    def kill(self) -> None:
        """Kill and reap it; whoever waits for its answers is told that it broke off."""
        self._process.kill()
        self._process.wait()

    def give_up(self) -> None:
        """Kill it for its silence."""
        self._reproaches.append("it gave no answer for too long")
        self.kill()

    def end(self) -> None:
        """Kill it and let go of all that belongs to it. Doing so twice does no harm."""
        self._process.kill()
        for pipe in (self._requests, self._messages):
            with suppress(OSError):  # what was not written yet cannot be written any more
                pipe.close()
        self._process.wait()
        self._complaints.close()

    @contextmanager
    def _waiting(self, patience_seconds: float) -> Iterator[None]:
        self.overdue_at = time.monotonic() + patience_seconds
        try:
            yield
        finally:
            self.overdue_at = math.inf

    def _forget_complaints(self) -> None:
        # The process writes at the same position, which it shares with us.
        self._complaints.seek(0)
        self._complaints.truncate()


class EncoderPool:
    """See the module's description. `keep` is how many idle processes stay; any others end when
    nothing has needed them for `linger_seconds`, at the end of another job or by `stay_warm`.

    `stay_warm` also kills a process that does not accept a job within `accept_seconds`, which then
    another one gets, or that says nothing of its job for `silence_seconds`.
    """

    def __init__(
        self,
        *,
        keep: int = 2,
        linger_seconds: float = _LINGER_SECONDS,
        accept_seconds: float = _ACCEPT_SECONDS,
        silence_seconds: float = _SILENCE_SECONDS,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._keep = keep
        self._linger_seconds = linger_seconds
        self._accept_seconds = accept_seconds
        self._silence_seconds = silence_seconds
        self._warm = 0
        self._lock = Lock()
        self._idle: list[_Encoder] = []
        self._all: set[_Encoder] = set()
        self._closed = False
        self._metrics = _Metrics(registry)
        self._metrics.idle.set_function(lambda: len(self._idle))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prestart(self, count: int) -> None:
        """Have `count` idle processes, which get ready by themselves; from now on one that is lost
        is replaced at once. Raises OSError if a process cannot be started.
        """
        self._warm = count
        while len(self._idle) < count and not self._closed:
            self._start()

    def stay_warm(self, stop: Stop) -> None:
        """A daemon's task: as many warm processes as are kept and none that is silent, until stop.
        `close` ends them.
        """
        self.prestart(self._keep)
        while not stop.wait(max(1, self._linger_seconds / 4)):
            self._end_surplus()
            self._end_silent()

    def run(self, job: Job, on_frames: OnFrames | None = None) -> Iterator[bytes]:
        """Run `job` and yield its output as it is made.

        Closing the generator ends the work at once. Raises MediaError if the job cannot be done or
        its process breaks off, and OSError if none can be started.
        """
        encoder = self._begin(job)
        outcome = _Outcome.ABANDONED
        try:
            yield from encoder.answers(on_frames, self._silence_seconds)
            outcome = _Outcome.DONE
        except MediaError:
            outcome = _Outcome.FAILED
            raise
        except EOFError as exc:
            outcome = _Outcome.BROKEN
            raise MediaError(f"the encoder broke off: {encoder.last_lines()}") from exc
        finally:
            self._metrics.jobs.labels(job.kind, outcome.value).inc()
            self._give_back(encoder)

    def count_fallback(self, reason: str) -> None:
        """A smart cut has a piece encoded that it should have copied."""
        self._metrics.fallbacks.labels(reason).inc()

    def close(self) -> None:
        """End all processes, also those at work. Closing twice does no harm."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        self._end_all(idle)
        with self._lock:
            busy = list(self._all)
        for encoder in busy:
            encoder.kill()

    def _begin(self, job: Job) -> _Encoder:
        """A process that has accepted `job`."""
        complaint = ""
        for _ in range(_TRIES):
            encoder = self._take()
            try:
                encoder.begin(job, self._accept_seconds)
            except EOFError:
                complaint = encoder.last_lines()
                logger.warning("an idle encoder had died: %s", complaint)
                self._give_back(encoder)
            except BaseException:
                self._give_back(encoder)
                raise
            else:
                return encoder
        raise MediaError(f"encoders end before they begin: {complaint}")

    def _take(self) -> _Encoder:
        while True:
            with self._lock:
                if self._closed:
                    raise MediaError("the encoders have been closed")
                if self._idle:
                    return self._idle.pop()
            self._start()

    def _give_back(self, encoder: _Encoder) -> None:
        with self._lock:
            is_kept = encoder.is_free and not self._closed
            if is_kept:
                encoder.idle_since = time.monotonic()
                self._idle.append(encoder)
        if is_kept:
            self._end_surplus()
        else:
            _aside(lambda: self._dispose(encoder))

    def _end_surplus(self) -> None:
        with self._lock:
            # The last one is taken first: whoever has been idle longest stands in front.
            before = time.monotonic() - self._linger_seconds
            more = self._idle[: max(0, len(self._idle) - self._keep)]
            surplus = [encoder for encoder in more if encoder.idle_since <= before]
            del self._idle[: len(surplus)]
        if surplus:
            _aside(lambda: self._end_all(surplus))

    def _end_silent(self) -> None:
        now = time.monotonic()
        with self._lock:
            silent = [encoder for encoder in self._all if encoder.overdue_at < now]
        for encoder in silent:
            logger.error("an encoder is killed, as it gives no answer")
            encoder.give_up()

    def _end_all(self, encoders: Iterable[_Encoder]) -> None:
        for encoder in encoders:
            self._end(encoder)

    def _dispose(self, encoder: _Encoder) -> None:
        self._end(encoder)
        if len(self._idle) >= self._warm or self._closed:
            return
        try:
            self._add(_Encoder())
        except OSError as exc:
            logger.warning("a lost encoder is not replaced: %s", exc)

    def _start(self) -> None:
        """Add an idle process. Raises OSError."""
        _aside(lambda: self._add(_Encoder()))

    def _add(self, encoder: _Encoder) -> None:
        self._metrics.started.inc()
        with self._lock:
            self._all.add(encoder)
            if not self._closed:
                self._idle.append(encoder)
                return
        self._end(encoder)

    def _end(self, encoder: _Encoder) -> None:
        encoder.end()
        with self._lock:
            self._all.discard(encoder)


def _aside(function: Callable[[], None]) -> None:
    """Call `function` in a thread of its own (a greenlet where gevent has patched them), and wait.

    Whoever waits may be killed, even twice: a process half started, or half ended, would be left
    behind. Raises the OSError that `function` raised.
    """
    errors: list[OSError] = []

    def guarded() -> None:
        try:
            function()
        except OSError as exc:
            errors.append(exc)

    thread = Thread(target=guarded)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
