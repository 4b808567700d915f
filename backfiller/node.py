"""Everything that is done with one other node: watching it, fetching from it, copying extras.

A node is a number of greenlets that live as long as the node is listed: one watch for each quality,
some that fetch, and one for extras. They share nothing with other nodes but the claims on
what is being fetched, so a slow node slows down nobody else.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent

from backfiller.config import Config
from backfiller.extras import ExtrasCopier
from backfiller.failures import Failures
from backfiller.fetch import Fetcher
from backfiller.first_pass import FirstPass, Look
from backfiller.limits import Allowance, Bandwidth
from backfiller.metrics import BackfillerMetrics
from backfiller.patience import ObjectPatience
from backfiller.watch import QualityWatch, span_of
from backfiller.work import Claims, Place, Task, WorkList
from common.daemon import Stop
from common.errors import FetchError, HashMismatch, Unreachable
from common.files import FULL_DISK
from common.http import HttpClient, HttpClientMetrics
from common.patience import Patience
from common.replication.index import DigestIndex
from common.replication.nodes import Node
from common.replication.peer import Peer
from common.segments.store import SegmentStore

logger = logging.getLogger(__name__)

_EXTRAS_SECONDS = 60.0
_FETCHERS = 2
"""For each transfer at a time: while one file is flushed to disk the next may come."""
_LISTINGS = 6
"""Connections besides those that fetch."""
_STALL_SECONDS = 15.0
_DISK_SECONDS = 5.0
_UNREACHABLE_SECONDS = 15.0
"""A node that can't be connected to is tried again at least so often."""


@dataclass(kw_only=True)
class Shared:
    """What all nodes share. `disk_free_at` is when the disk may take files again (monotonic)."""

    config: Config
    store: SegmentStore
    index: DigestIndex
    metrics: BackfillerMetrics
    http_metrics: HttpClientMetrics
    first_pass: FirstPass
    claims: Claims
    bandwidth: Bandwidth
    disk_free_at: float = 0.0


class NodeWorker:
    """See the module's description."""

    def __init__(self, node: Node, shared: Shared) -> None:
        self.node = node
        self._shared = shared
        config = shared.config
        self._metrics = shared.metrics
        self._http = HttpClient(
            "replicate",
            shared.http_metrics,
            connections=config.download_concurrency + _LISTINGS,
            read_seconds=_STALL_SECONDS,
            strict=True,
        )
        self._peer = Peer(node, self._http, answer_seconds=config.answer_seconds)
        self._failed = Failures(node.name, shared.metrics)
        self._patience = ObjectPatience()
        self._reach = Patience[Node](limit_seconds=_UNREACHABLE_SECONDS)
        self._work = WorkList(shared.claims)
        allowance = Allowance(
            shared.bandwidth, Bandwidth(config.node_bandwidth), seconds=config.transfer_seconds
        )
        self._fetcher = Fetcher(
            store=shared.store,
            peer=self._peer,
            allowance=allowance,
            transfers=config.download_concurrency,
        )
        self._extras = ExtrasCopier(
            base_dir=config.base_dir,
            peer=self._peer,
            allowance=allowance,
        )
        self._watches = {
            (channel, quality): self._watch(channel, quality)
            for channel in config.channels
            for quality in config.qualities
        }
        self._extras_looks = 0
        self.failures = 0
        """Looks and files that could not be had."""
        self._stop = Stop()
        self._greenlets: list[gevent.Greenlet] = []

    @property
    def looks(self) -> Iterator[Look]:
        """The looks that belong to this node."""
        return (watch.look_name for watch in self._watches.values())

    @property
    def is_through(self) -> bool:
        """Whether everything has been looked at, and all was fetched that could be."""
        looked = all(watch.looks for watch in self._watches.values()) and self._extras_looks
        return bool(looked) and not self._work.in_hand and not self._work.has_any(self._must_wait)

    def start(self) -> None:
        for watch in self._watches.values():
            self._spawn(watch.run)
        for _ in range(_FETCHERS * self._shared.config.download_concurrency):
            self._spawn(self._fetch_all)
        self._spawn(self._copy_extras)

    def check(self) -> None:
        """Raises what one of the greenlets died of."""
        for greenlet in self._greenlets:
            if greenlet.dead and greenlet.exception is not None:
                raise greenlet.exception

    def close(self) -> None:
        """Stop at once: what is being fetched is given up."""
        self._stop.set()
        gevent.killall(self._greenlets, timeout=5)
        self._http.close()
        for look in self.looks:
            self._metrics.forget(look)

    def _spawn(self, run: Callable[[Stop], None]) -> None:
        self._greenlets.append(gevent.spawn(run, self._stop))

    def _watch(self, channel: str, quality: str) -> QualityWatch:
        shared, config = self._shared, self._shared.config
        return QualityWatch(
            channel=channel,
            quality=quality,
            peer=self._peer,
            store=shared.store,
            index=shared.index,
            work=self._work,
            patience=self._patience,
            first_pass=shared.first_pass,
            metrics=shared.metrics,
            failed=self._note_failure,
            span=lambda: span_of(
                start_seconds=config.start_seconds,
                start=config.start,
                recent_cutoff=config.recent_cutoff,
                now=time.time_ns() // 1000,
            ),
            interval_seconds=config.interval,
            rng=random.Random(),
        )

    def _note_failure(self, what: str, error: Exception) -> None:
        self.failures += 1
        self._failed(what, error)

    # Fetching

    def _fetch_all(self, stop: Stop) -> None:
        self._shared.first_pass.wait()
        while not stop.is_set():
            pause = self._shared.disk_free_at - time.monotonic()
            if pause > 0:
                stop.wait(pause)
                continue
            task = self._work.take(self._must_wait)
            if task is None:
                self._work.wait(1.0)
                continue
            try:
                self._do(task)
            finally:
                self._work.finish(task)

    def _must_wait(self, place: Place) -> bool:
        return self._reach.must_wait(self.node) or self._patience.must_wait(*place.path)

    def _do(self, task: Task) -> None:
        path, name = task.place.path, ""
        try:
            if task.wanted is None:
                self._watches[task.place.channel, task.place.quality].list_again(task.place)
            else:
                name = task.wanted.segment.name
                self._bring(task)
        except Unreachable as exc:
            # Nothing is wrong with the file: once the network is back all of them are due at once.
            self._reach.failed(self.node)
            self._note_failure(f"{'/'.join(path)}/{name}", exc)
        except (FetchError, HashMismatch) as exc:
            self._patience.failed(*path, *([name] if name else []))
            self._note_failure(f"{'/'.join(path)}/{name}", exc)
        except OSError as exc:
            if exc.errno in FULL_DISK:
                self._wait_for_room()
            else:
                self._patience.failed(*path, *([name] if name else []))
            self._note_failure(f"{'/'.join(path)}/{name}", exc)
        else:
            self._reach.forget(self.node)
            self._patience.went_well(*path, name)

    def _bring(self, task: Task) -> None:
        """Store one segment, from here or from the node. Raises FetchError and so on."""
        if task.wanted is None or not self._fetcher.is_wanted(task.place, task.wanted.segment):
            return
        if self._fetcher.copy_twin(task.place, task.wanted):
            self._count("renamed", 0)
        elif size_bytes := self._fetcher.fetch(task.place, task.wanted.segment):
            self._count("segment", size_bytes)

    def _count(self, kind: str, size_bytes: int) -> None:
        self._metrics.copied.labels(self.node.name, kind).inc()
        self._metrics.received.labels(self.node.name).inc(size_bytes)
        self._metrics.disk_full.set(0)

    def _wait_for_room(self) -> None:
        """It is not the node's fault, and other files will not fare better."""
        self._shared.disk_free_at = time.monotonic() + _DISK_SECONDS
        self._metrics.disk_full.set(1)

    # Extras

    def _copy_extras(self, stop: Stop) -> None:
        self._shared.first_pass.wait()
        while not stop.is_set():
            for folder in self._shared.config.extras:
                self._copy_folder(folder, stop)
            self._extras_looks += 1
            stop.wait(_EXTRAS_SECONDS)

    def _copy_folder(self, folder: str, stop: Stop) -> None:
        try:
            paths = self._extras.missing(folder)
        except (FetchError, OSError) as exc:
            self._note_failure(f"listing {folder}", exc)
            return
        for path in paths:
            if stop.is_set() or self._patience.must_wait(folder, path):
                continue
            try:
                size_bytes = self._extras.copy(folder, path)
            except (FetchError, OSError) as exc:
                self._patience.failed(folder, path)
                self._note_failure(f"{folder}/{path}", exc)
            else:
                self._count("extra", size_bytes)
