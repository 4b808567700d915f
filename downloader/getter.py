"""Fetching one segment until it is whole, or until it is too late."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from gevent.lock import BoundedSemaphore

from common.daemon import Stop
from common.errors import BadStatus, FetchError
from common.files import FULL_DISK
from common.gaps import GapReason
from common.http import HttpClient
from common.retry import backoff
from common.segments.path import Segment, SegmentType
from common.segments.store import SegmentStore
from common.threads import in_thread
from downloader.config import Timing
from downloader.ledger import Entry
from downloader.metrics import DownloaderMetrics
from downloader.verdict import judge

logger = logging.getLogger(__name__)

_EXPIRED = frozenset({401, 403, 404, 410})
_LIMIT_BYTES = 64 * 1024 * 1024
_SUSPECT_TRIES = 3
"""What comes whole but looks wrong is asked for again so often: it may have been one bad edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What one transfer brought. `type` is PARTIAL if it broke off."""

    data: bytes
    type: SegmentType
    reason: str = ""

    @property
    def worth(self) -> tuple[bool, int]:
        """To compare what several transfers brought: whole ones first, then the largest."""
        return self.type is SegmentType.SUSPECT, len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`segment` is what was stored, None if nothing; `loss` is why it is not full."""

    segment: Segment | None
    loss: GapReason | None = None
    detail: str = ""
    size_bytes: int = 0


class Getter:
    """Fetches the segments of one quality into the store, `transfers` at a time."""

    def __init__(
        self,
        *,
        store: SegmentStore,
        channel: str,
        quality: str,
        http: HttpClient,
        metrics: DownloaderMetrics,
        timing: Timing,
        transfers: int,
    ) -> None:
        self._store = store
        self._names = (channel, quality)
        self._http = http
        self._metrics = metrics
        self._timing = timing
        # Only transfers are counted: what waits for room on the disk keeps no other from its own.
        self._slots = BoundedSemaphore(transfers)
        self._maps: dict[tuple[str, range | None], bytes] = {}
        self._map_lock = BoundedSemaphore()

    def fetch(self, entry: Entry, stop: Stop, ask_fresh_address: Callable[[str], None]) -> Outcome:
        """Try until the segment is full, until its time is over, or until stop is set.

        The best that came is stored. `ask_fresh_address` is called when the server refuses the
        address; the entry gets a fresh one when a new worker lists the segment.
        """
        deadline = time.monotonic() + self._timing.segment
        waits = backoff(0.25, 3)
        best: Body | None = None
        loss, detail, suspects = GapReason.NETWORK, "", 0
        while True:
            try:
                with self._slots:
                    body = self._transfer(entry)
                if body.type is SegmentType.FULL:
                    return self._store_patiently(entry, body, deadline, stop)
                best = max(best or body, body, key=lambda found: found.worth)
                detail = body.reason
                suspects += body.type is SegmentType.SUSPECT
            except FetchError as exc:
                detail = str(exc)
                loss = GapReason.NETWORK
                if isinstance(exc, BadStatus) and exc.status in _EXPIRED:
                    loss = GapReason.EXPIRED
                    ask_fresh_address(detail)
            wait = next(waits)
            late = time.monotonic() + wait > deadline
            if late or suspects >= _SUSPECT_TRIES or (entry.doubtful and suspects):
                break
            self._metrics.retries.labels(*self._names).inc()
            if self._wait_for_retry(entry, wait, stop):
                break
        if best is None:
            return Outcome(segment=None, loss=loss, detail=detail)
        return self._store_patiently(entry, best, deadline, stop, loss=loss)

    def _wait_for_retry(self, entry: Entry, seconds: float, stop: Stop) -> bool:
        """Wait, but not longer than until a fresh address comes; True if we are to stop."""
        listings = entry.listings
        until = time.monotonic() + seconds
        while entry.listings == listings and time.monotonic() < until:
            if stop.wait(min(0.05, seconds)):
                return True
        return stop.is_set()

    def _transfer(self, entry: Entry) -> Body:
        """One transfer. Raises FetchError if nothing came."""
        segment = entry.segment
        data = bytearray(self._map(segment.map_url, segment.map_range))
        prefix = len(data)
        headers = _range_header(segment.byte_range)
        try:
            with self._http.get(
                segment.url, deadline_seconds=self._timing.attempt, headers=headers
            ) as response:
                for chunk in response.chunks():
                    data += chunk
                    if len(data) > _LIMIT_BYTES:
                        raise FetchError(segment.url, f"it is longer than {_LIMIT_BYTES} bytes")
        except FetchError as exc:
            # A fresh connection next time: this one, or the edge behind it, may be the trouble.
            self._http.reset()
            if len(data) == prefix:
                raise
            return Body(data=bytes(data), type=SegmentType.PARTIAL, reason=str(exc))
        whole = bytes(data) if len(data) > prefix else b""
        verdict = in_thread(judge, whole, segment.duration, time_in_doubt=entry.doubtful)
        return Body(data=whole, type=verdict.type, reason=verdict.reason)

    def _map(self, url: str | None, byte_range: range | None) -> bytes:
        """The initialization section; asked for once for each address."""
        if url is None:
            return b""
        key = (url, byte_range)
        with self._map_lock:
            if key not in self._maps:
                with self._http.get(
                    url, deadline_seconds=self._timing.attempt, headers=_range_header(byte_range)
                ) as response:
                    self._maps = {key: response.read(_LIMIT_BYTES)}
            return self._maps[key]

    def _store_patiently(
        self,
        entry: Entry,
        body: Body,
        deadline: float,
        stop: Stop,
        loss: GapReason | None = None,
    ) -> Outcome:
        """Store the body, waiting for room on a full disk."""
        while True:
            try:
                segment = in_thread(self._store_body, entry, body)
            except OSError as exc:
                if exc.errno in FULL_DISK:
                    self._metrics.disk_full.set(1)
                logger.warning("cannot store a segment of %s/%s: %s", *self._names, exc)
                if time.monotonic() > deadline or stop.wait(1):
                    return Outcome(segment=None, loss=GapReason.DISK, detail=str(exc))
                continue
            self._metrics.disk_full.set(0)
            return Outcome(
                segment=segment, loss=loss, detail=body.reason, size_bytes=len(body.data)
            )

    def _store_body(self, entry: Entry, body: Body) -> Segment:
        """Blocks on the disk; runs in a thread. Bytes that are here already are not written again.

        An empty body is kept as a trace, but it covers no time.
        """
        duration = entry.segment.duration if body.data else 0
        with self._store.writer(*self._names, entry.start, duration) as writer:
            writer.write(body.data)
            if body.type is SegmentType.FULL:
                known = self._store.find_bytes(*self._names, entry.start, writer.hash)
                if known is not None:
                    return known
            return writer.commit(body.type)


def _range_header(byte_range: range | None) -> dict[str, str] | None:
    if byte_range is None:
        return None
    return {"Range": f"bytes={byte_range.start}-{byte_range.stop - 1}"}
