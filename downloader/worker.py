"""One worker polls one address of a media playlist until it is told to stop, or until it ends."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from gevent.event import Event

from common.errors import BadStatus, FetchError
from common.http import HttpClient
from common.retry import backoff
from common.segments.select import TOLERANCE
from common.times import SECOND, Micros
from downloader.config import Timing
from downloader.hls import BadPlaylist, MediaPlaylist, MediaSegment, Variant, parse_media
from downloader.switchover import WorkerView

logger = logging.getLogger(__name__)

_REFUSED = frozenset({401, 403, 404, 410})
_STILL_TARGETS = 3
"""A playlist that has brought nothing new for so many target durations is in doubt."""
_REST_SECONDS = 0.1


class Listener(Protocol):
    """What a worker tells whom it works for."""

    def on_playlist(
        self, worker: "Worker", playlist: MediaPlaylist, text: str, *, first: bool
    ) -> bool:
        """Take the playlist; returns whether it brought a segment that was not known."""

    def should_rest(self, worker: "Worker") -> bool:
        """Whether a newer worker has its turn to show that it can deliver."""

    def on_change(self) -> None:
        """Something that the decision about workers depends on has changed."""


class Worker:
    """See the module's description. `now` tells seconds of a monotonic clock."""

    def __init__(
        self,
        variant: Variant,
        *,
        http: HttpClient,
        timing: Timing,
        listener: Listener,
        on_poll: Callable[[str], None],
    ) -> None:
        self.variant = variant
        self.started = time.monotonic()
        self.doubts = ""
        self.jumped = False
        self.delivered = False
        self.finished = False
        self.ended = False
        self.polled = False
        self._http = http
        self._timing = timing
        self._listener = listener
        self._on_poll = on_poll
        self._stop = Event()
        self._last: MediaSegment | None = None
        self._last_start: Micros = 0

    @property
    def view(self) -> WorkerView:
        return WorkerView(
            started=self.started,
            finished=self.finished,
            doubtful=bool(self.doubts),
            delivered=self.delivered,
        )

    def stop(self) -> None:
        """Return from `run` soon. What was listed is still fetched."""
        self._stop.set()

    def doubt(self, reason: str) -> None:
        """Ask for a fresh worker; this one goes on until that has delivered."""
        if not self.doubts:
            logger.info("a fresh address is wanted: %s", reason)
            self.doubts = reason
            self._listener.on_change()

    def deliver(self) -> None:
        """A real segment that this worker listed has been stored."""
        if not self.delivered:
            self.delivered = True
            self._listener.on_change()

    def run(self) -> None:
        """Poll until stopped, or until the playlist says that the stream has ended."""
        waits = backoff(0.5, 5)
        last_news = time.monotonic()
        while not self._stop.is_set():
            if self._listener.should_rest(self):
                self._stop.wait(_REST_SECONDS)
                continue
            polled = time.monotonic()
            try:
                playlist, text = self._poll()
            except (FetchError, BadPlaylist) as exc:
                self._on_poll("error")
                self._judge_error(exc)
                self._stop.wait(next(waits))
                continue
            waits = backoff(0.5, 5)
            self.polled = True
            news = self._take(playlist, text)
            self._on_poll("new" if news else "unchanged")
            if playlist.ended:
                self.ended = True
                break
            target = playlist.target / SECOND
            last_news = polled if news else last_news
            if time.monotonic() - last_news > _STILL_TARGETS * target:
                self.doubt(f"the playlist stands still for {_STILL_TARGETS} target durations")
            self._stop.wait(self._reload_after(target, news, time.monotonic() - polled))
        self.finished = True
        self._listener.on_change()

    def _poll(self) -> tuple[MediaPlaylist, str]:
        with self._http.get(self.variant.url, deadline_seconds=self._timing.attempt) as response:
            text = response.text()
            return parse_media(text, response.url), text

    def _judge_error(self, error: FetchError | BadPlaylist) -> None:
        refused = isinstance(error, BadStatus) and error.status in _REFUSED
        if refused or self.delivered or time.monotonic() - self.started > self._timing.patience:
            self.doubt(str(error))
        else:
            logger.info("a playlist could not be read: %s", error)

    def _take(self, playlist: MediaPlaylist, text: str) -> bool:
        first = self._last is None
        if self._last is not None and playlist.is_restart_after(self._last.sequence):
            logger.info("the origin's sequence numbers went back: it has restarted")
            self._last = None
        return self._listener.on_playlist(self, playlist, text, first=first)

    def begin_anew(self) -> None:
        """What the playlist lists from now on is new, whatever its sequence numbers."""
        logger.info("the origin has restarted with sequence numbers that it had before")
        self._last = None

    def check_time(self, segment: MediaSegment, start: Micros, *, first: bool) -> None:
        """Compare a segment's time with where the one before ended.

        A worker's clock may be off until it reconnects, so a jump brings a fresh worker. Jumps that
        the first playlist shows already are the origin's own.
        """
        last, self._last = self._last, segment
        last_start, self._last_start = self._last_start, start
        if last is None or first or segment.program_time is None:
            return
        if segment.sequence != last.sequence + 1 or segment.advertisement or last.advertisement:
            return
        jump = start - last_start - last.duration
        if abs(jump) > TOLERANCE:
            self.jumped = True
            self.doubt(f"the playlist's time jumped by {jump / SECOND:.3f} s")

    def is_new(self, segment: MediaSegment) -> bool:
        """Whether this worker has not yet listed it."""
        return self._last is None or segment.sequence > self._last.sequence

    def missed_before(self, segment: MediaSegment) -> bool:
        """Whether segments between the last listed one and this one were never listed."""
        return self._last is not None and segment.sequence > self._last.sequence + 1

    def _reload_after(self, target: float, news: bool, spent: float) -> float:
        """RFC 8216, 6.3.4: after a target duration, or half of one if nothing had changed."""
        wait = target if news else max(target / 2, 1.0)
        return max(min(wait, self._timing.poll_limit) - spent, 0.05)
