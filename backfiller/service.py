"""Wires the backfiller: a worker for each node that is listed, for as long as it is."""

import logging
import os
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from backfiller.config import Config
from backfiller.first_pass import FirstPass, Look
from backfiller.limits import Bandwidth
from backfiller.metrics import BackfillerMetrics
from backfiller.node import NodeWorker, Shared
from backfiller.retention import Retention
from backfiller.scrub import Scrubber
from backfiller.watch import Span, span_of
from backfiller.work import Claims
from common import logs
from common.daemon import Daemon, Stop
from common.db.database import Database
from common.errors import ConfigError
from common.files import make_durable_folder
from common.http import HttpClientMetrics
from common.replication.index import DigestIndex
from common.replication.nodes import NodeSources
from common.segments.store import SegmentStore
from common.segments.sweep import Sweeper
from common.web import HttpServer, create_app, new_registry

logger = logging.getLogger(__name__)

_NODES_SECONDS = 10.0
_CHECK_SECONDS = 0.2
_TEMP_AGE_SECONDS = 600.0
"""Longer than any pause of a transfer."""
_CACHED_HOURS = 48
"""Digests are kept for all hours; names only for those that are being worked on."""


class BackfillerService:
    """The backfiller's objects."""

    def __init__(self, config: Config, registry: CollectorRegistry) -> None:
        self._config = config
        self._metrics = BackfillerMetrics(registry)
        self._store = SegmentStore(config.base_dir, registry=registry, cached_hours=_CACHED_HOURS)
        database = config.database and Database(
            config.database, application="backfiller", registry=registry, pool_size=1
        )
        self._sources = NodeSources(
            static=config.static_nodes,
            file=config.node_file,
            database=database or None,
            own=config.localhost,
        )
        self.first_pass = FirstPass(
            config.base_dir, self._metrics, expected=self._looks, is_patient=not config.run_once
        )
        self._shared = Shared(
            config=config,
            store=self._store,
            # With many nodes, most looks find what was read for another one a moment ago.
            index=DigestIndex(self._store, fresh_seconds=config.interval / 8),
            metrics=self._metrics,
            http_metrics=HttpClientMetrics(registry),
            first_pass=self.first_pass,
            claims=Claims(),
            bandwidth=Bandwidth(config.bandwidth),
        )
        self._workers: dict[str, NodeWorker] = {}
        self.is_incomplete = False
        """After a single run: whether something could not be had."""

    def ready(self) -> list[str]:
        """What is missing for work to be done."""
        if os.access(self._config.base_dir, os.W_OK | os.X_OK):
            return []
        return [f"{self._config.base_dir} cannot be written to"]

    def replicate(self, stop: Stop) -> None:
        """A daemon's task: keep a worker for each node, until stop or the end of a single run."""
        looked = 0.0
        try:
            while not stop.wait(_CHECK_SECONDS if looked else 0):
                if not looked or time.monotonic() - looked > _NODES_SECONDS:
                    self._follow_nodes()
                    looked = time.monotonic()
                for worker in self._workers.values():
                    worker.check()
                if self._config.run_once and self._is_through():
                    return
        finally:
            self.is_incomplete = any(worker.failures for worker in self._workers.values())
            for worker in self._workers.values():
                worker.close()

    def sweeper(self) -> Sweeper:
        return Sweeper(self._store, age_seconds=_TEMP_AGE_SECONDS, swept=self._metrics.swept)

    def retention(self) -> Retention:
        return Retention(
            store=self._store,
            channels=self._config.channels,
            qualities=self._config.qualities,
            span=self._span,
            metrics=self._metrics,
        )

    def scrubber(self) -> Scrubber:
        return Scrubber(
            store=self._store,
            channels=self._config.channels,
            qualities=self._config.qualities,
            rate=self._config.scrub_rate,
            pause_seconds=self._config.scrub_pause,
            metrics=self._metrics,
        )

    def _follow_nodes(self) -> None:
        nodes = {node.name: node for node in self._sources.nodes()}
        for name, worker in list(self._workers.items()):
            if nodes.get(name) != worker.node:
                logger.info("no longer copying from %s at %s", name, worker.node.url)
                del self._workers[name]
                worker.close()
        new = [node for name, node in nodes.items() if name not in self._workers]
        for node in new:
            logger.info("copying from %s at %s", node.name, node.url)
            self._workers[node.name] = NodeWorker(node, self._shared)
        for node in new:  # all are known before the first is asked: the first pass counts them
            self._workers[node.name].start()
        self._metrics.nodes.set(len(self._workers))

    def _looks(self) -> Iterator[Look]:
        for worker in self._workers.values():
            yield from worker.looks

    def _is_through(self) -> bool:
        return all(worker.is_through for worker in self._workers.values())

    def _span(self) -> Span:
        return span_of(
            start_seconds=self._config.start_seconds,
            start=self._config.start,
            recent_cutoff=self._config.recent_cutoff,
            now=time.time_ns() // 1000,
        )


def run(config: Config) -> int:
    """Replicate until stopped, or once; returns the exit status."""
    registry = new_registry()
    logs.configure("backfiller", config.log_level, registry)
    try:
        make_durable_folder(config.base_dir)
    except OSError as exc:
        raise ConfigError(f"cannot make the folder {config.base_dir}: {exc.strerror}") from exc
    service = BackfillerService(config, registry)
    daemon = Daemon()
    app = create_app("backfiller", registry=registry, ready=service.ready)
    server = HttpServer(
        app, host=config.metrics_host, port=config.metrics_port, service="backfiller"
    )
    daemon.spawn("first pass", service.first_pass.run)
    daemon.spawn("nodes", service.replicate)
    daemon.spawn("sweeper", service.sweeper().run)
    if config.delete_old:
        daemon.spawn("retention", service.retention().run)
    if config.scrub_rate and not config.run_once:
        daemon.spawn("scrubber", service.scrubber().run)
    daemon.spawn("http", server.run)
    return daemon.run() or int(config.run_once and service.is_incomplete)
