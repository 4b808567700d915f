"""Recording one quality of one channel: starts and stops workers, and sees to every segment."""

import logging
import time

import gevent
from gevent.event import Event
from gevent.pool import Group

from common.daemon import Stop
from common.gaps import GapReason
from common.http import HttpClient
from common.segments.path import SegmentType
from common.segments.select import TOLERANCE
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import SECOND, Micros, TimeRange
from downloader import switchover
from downloader.channels import Channel
from downloader.config import Timing
from downloader.gaps import GapJournal
from downloader.getter import Getter, Outcome
from downloader.hls import MediaPlaylist, MediaSegment, Variant, choose_variant
from downloader.ledger import Entry, Ledger, Progress, TimeBase
from downloader.metrics import DownloaderMetrics
from downloader.providers.base import StreamNotFound
from downloader.providers.channel import ChannelStream
from downloader.worker import Worker

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_FINISH_SECONDS = 20
_TURN_SECONDS = 8
"""How long older workers leave the playlist to a fresh one that has not delivered yet."""


class Recorder:
    """See the module's description."""

    def __init__(
        self,
        *,
        channel: Channel,
        quality: str,
        stream: ChannelStream,
        store: SegmentStore,
        http: HttpClient,
        metrics: DownloaderMetrics,
        timing: Timing,
        transfers: int,
    ) -> None:
        self._channel = channel
        self._quality = quality
        self._labels = (channel.name, quality)
        self._stream = stream
        self._store = store
        self._http = http
        self._metrics = metrics
        metrics.know(*self._labels)
        self._timing = timing
        self._workers: list[Worker] = []
        self._last_start: float | None = None
        self._not_before = 0.0
        self._last_problem = ""
        self._changed = Event()
        self._ledger = Ledger()
        self._time_base = TimeBase()
        self._journal = GapJournal(store.base_dir, channel.name, quality)
        self._fetches = Group()
        self._getter = Getter(
            store=store,
            channel=channel.name,
            quality=quality,
            http=http,
            metrics=metrics,
            timing=timing,
            transfers=transfers,
        )
        self._stop = Stop()
        self._newest_listed: tuple[int, Micros] | None = None  # sequence number, end
        self._origin_ended = False
        self._recorded_before = True

    def run(self, stop: Stop) -> None:
        """A daemon's task: record until stop, then finish what is in hand."""
        self._stop = stop
        while not stop.is_set():
            self._changed.clear()
            self._look_after_workers()
            self._changed.wait(_LOOK_SECONDS)
        for worker in self._workers:
            worker.stop()
        self._fetches.join(timeout=_FINISH_SECONDS)

    # Workers

    def _look_after_workers(self) -> None:
        decision = switchover.decide(
            [worker.view for worker in self._workers],
            now=time.monotonic(),
            last_start=self._last_start,
            timing=switchover.Timing(
                renew_seconds=self._timing.renew,
                retry_seconds=self._timing.retry,
                patience_seconds=self._timing.patience,
            ),
        )
        for index in decision.stop:
            self._workers[index].stop()
        if any(worker.ended for worker in self._workers):
            self._origin_ended = True
        self._workers = [worker for worker in self._workers if not worker.finished]
        self._metrics.workers.labels(*self._labels).set(len(self._workers))
        if decision.start and time.monotonic() >= self._not_before:
            self._start_worker()

    def _start_worker(self) -> None:
        variant = self._find_variant()
        self._last_start = time.monotonic()
        if variant is None or self._stop.is_set():
            return
        worker = Worker(
            variant,
            http=self._http,
            timing=self._timing,
            listener=self,
            on_poll=lambda outcome: self._metrics.polls.labels(*self._labels, outcome).inc(),
        )
        self._workers.append(worker)
        gevent.spawn(self._run_worker, worker)

    def _run_worker(self, worker: Worker) -> None:
        try:
            worker.run()
        except Exception:
            # An error of ours in one worker must not end the recording: a fresh one takes over.
            logger.exception("a worker for %s/%s failed", *self._labels)
            worker.doubt("it failed")
        finally:
            worker.finished = True
            self._changed.set()

    def _find_variant(self) -> Variant | None:
        """Ask for the stream's addresses, but no longer than until stop is set."""
        finding = gevent.spawn(self._find)
        while not finding.ready():
            if self._stop.wait(0.05):
                finding.kill()
                return None
        variant: Variant | None = finding.get()
        self._metrics.live.labels(*self._labels).set(variant is not None)
        return variant

    def _find(self) -> Variant | None:
        try:
            variants = self._stream.find()
        except StreamNotFound as exc:
            self._complain(str(exc), offline=exc.offline)
            return None
        except Exception:
            logger.exception("looking for %s failed", self._channel.name)
            self._complain("an error of ours", offline=False)
            return None
        variant = choose_variant(variants, self._quality)
        if variant is None:
            names = sorted({name for entry in variants for name in entry.names})
            self._complain(f"there is no such quality; there are {', '.join(names)}", offline=False)
            return None
        self._last_problem = ""
        return variant

    def _complain(self, problem: str, *, offline: bool) -> None:
        """Log a problem once, and put off the next try."""
        if problem != self._last_problem:
            logger.warning("cannot record %s/%s: %s", *self._labels, problem)
            self._last_problem = problem
        wait = self._timing.offline_always_live
        if offline and not self._channel.always_live:
            wait = self._timing.offline
        self._not_before = time.monotonic() + wait

    def should_rest(self, worker: Worker) -> bool:
        newest = self._workers[-1] if self._workers else worker
        return (
            newest is not worker
            and newest.polled
            and not (newest.doubts or newest.delivered or newest.finished)
            and time.monotonic() - newest.started < _TURN_SECONDS
        )

    def on_change(self) -> None:
        self._changed.set()

    # Segments

    def on_playlist(
        self, worker: Worker, playlist: MediaPlaylist, text: str, *, first: bool
    ) -> bool:
        now = _now()
        starts = self._time_base.starts(playlist, now)
        if self._begins_anew(worker, playlist, starts):
            worker.begin_anew()
        news = False
        for segment, start in zip(playlist.segments, starts, strict=True):
            if not worker.is_new(segment):
                self._refresh(worker, segment, start)
                continue
            self._note_missed(segment, start, text, now)
            worker.check_time(segment, start, first=first)
            news = self._offer(worker, segment, start, text) or news
        self._recorded_before = False
        return news

    def _begins_anew(self, worker: Worker, playlist: MediaPlaylist, starts: list[Micros]) -> bool:
        """Whether the newest line with a number that the worker has seen is not known."""
        lines = zip(playlist.segments, starts, strict=True)
        seen = [(segment, start) for segment, start in lines if not worker.is_new(segment)]
        return bool(seen) and self._ledger.find(*seen[-1]) is None

    def _refresh(self, worker: Worker, segment: MediaSegment, start: Micros) -> Entry | None:
        """Give a segment that is known its newest address."""
        entry = self._ledger.find(segment, start)
        if entry is None:
            return None
        if entry.progress is Progress.FETCHING and segment.url != entry.segment.url:
            entry.segment = segment
            entry.source = worker
            entry.listings += 1
        return entry

    def _offer(self, worker: Worker, segment: MediaSegment, start: Micros, text: str) -> bool:
        """Take a line that this worker had not shown before; False if another had."""
        entry = self._refresh(worker, segment, start)
        if entry is not None and (worker.jumped or not entry.may_be_replaced):
            return False
        entry = self._ledger.add(
            Entry(
                segment=segment,
                start=start,
                doubtful=worker.jumped,
                progress=Progress.FETCHING,
                source=worker,
            )
        )
        if segment.advertisement:
            entry.progress = Progress.SKIPPED
            self._note_gap(entry, GapReason.ADVERTISEMENT, "", text)
        elif self._recorded_before and self._is_stored(segment, start):
            entry.progress = Progress.STORED
            worker.deliver()
        else:
            self._fetches.spawn(self._fetch, entry, text, time.monotonic())
        return True

    def _is_stored(self, segment: MediaSegment, start: Micros) -> bool:
        """Whether an earlier process recorded it. Asked for the first playlist only."""
        around = TimeRange(start, start + max(segment.duration, 1))
        return any(
            getattr(piece, "type", None) is SegmentType.FULL
            and abs(getattr(piece, "start", 0) - start) <= TOLERANCE
            for piece in in_thread(self._store.best, *self._labels, around)
        )

    def _fetch(self, entry: Entry, text: str, listed: float) -> None:
        try:
            outcome = self._getter.fetch(
                entry, self._stop, lambda reason: _source(entry).doubt(reason)
            )
        except Exception:
            logger.exception("fetching a segment of %s/%s failed", *self._labels)
            outcome = Outcome(segment=None, loss=GapReason.NETWORK, detail="an error of ours")
        if outcome.segment is None:
            entry.progress = Progress.LOST
            self._note_gap(entry, outcome.loss or GapReason.NETWORK, outcome.detail, text)
            return
        entry.progress = Progress.STORED
        self._journal.catch_up()
        _source(entry).deliver()
        self._count(entry, outcome, listed)
        if outcome.segment.type is SegmentType.PARTIAL or outcome.size_bytes == 0:
            self._note_gap(entry, outcome.loss or GapReason.NETWORK, outcome.detail, text)

    def _count(self, entry: Entry, outcome: Outcome, listed: float) -> None:
        segment = outcome.segment
        if segment is None:
            return
        self._metrics.segments.labels(*self._labels, segment.type.value).inc()
        self._metrics.bytes.labels(*self._labels).inc(outcome.size_bytes)
        if segment.type is SegmentType.FULL:
            self._metrics.delay.labels(*self._labels).observe(time.monotonic() - listed)
            self._metrics.newest.labels(*self._labels).set(segment.end / SECOND)
        else:
            logger.warning(
                "segment %d of %s/%s is %s: %s",
                entry.segment.sequence,
                *self._labels,
                segment.type.value,
                outcome.detail,
            )

    # Gaps

    def _note_missed(self, segment: MediaSegment, start: Micros, text: str, now: Micros) -> None:
        """Note what no worker was shown, by comparing with the newest line of all workers."""
        newest = self._newest_listed
        if newest is not None:
            sequence, end = newest
            if start < end - TOLERANCE and segment.sequence <= sequence:
                return  # an older line, shown by another worker
            missed = start > end + TOLERANCE and segment.sequence != sequence + 1
            if missed or (self._origin_ended and start > end + TOLERANCE):
                reason = GapReason.ORIGIN_ENDED if self._origin_ended else GapReason.MISSED
                self._write_gap(TimeRange(end, start), reason, "", segment.sequence, text)
        self._origin_ended = False
        self._newest_listed = (segment.sequence, start + segment.duration)

    def _note_gap(self, entry: Entry, reason: GapReason, detail: str, text: str) -> None:
        end = entry.start + max(entry.segment.duration, 1)
        self._write_gap(TimeRange(entry.start, end), reason, detail, entry.segment.sequence, text)

    def _write_gap(
        self, span: TimeRange, reason: GapReason, detail: str, sequence: int, text: str
    ) -> None:
        self._metrics.gaps.labels(*self._labels, reason.value).inc()
        self._metrics.gap_seconds.labels(*self._labels, reason.value).inc(span.duration / SECOND)
        self._journal.note(
            span.start,
            span.end,
            reason,
            now=_now(),
            detail=detail,
            sequence=sequence,
            playlist=text,
        )


def _source(entry: Entry) -> Worker:
    if not isinstance(entry.source, Worker):
        raise TypeError("a segment's entry has no worker")
    return entry.source


def _now() -> Micros:
    return time.time_ns() // 1000
