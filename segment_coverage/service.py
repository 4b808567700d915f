"""Wires segment_coverage: checks in a thread, questions to other nodes beside them."""

import logging
import os
import time

import click
from prometheus_client import CollectorRegistry

from common import logs
from common.daemon import Daemon, Stop
from common.db.database import Database
from common.errors import ConfigError
from common.files import make_durable_folder
from common.http import HttpClientMetrics
from common.replication.nodes import NodeSources
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import SECOND, Micros
from common.web import HttpServer, create_app, new_registry
from segment_coverage.check import QualityCheck, Result
from segment_coverage.config import Config
from segment_coverage.metrics import CoverageMetrics
from segment_coverage.nodes import Cluster
from segment_coverage.publish import Publisher
from segment_coverage.quality import QualityCoverage, Stopped
from segment_coverage.words import describe

logger = logging.getLogger(__name__)

_CACHED_HOURS = 8
"""What is found is kept for all hours; names only for those that change."""
_PAGE_POLL_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_ONCE_SECONDS = 120.0
"""A single run waits so long for other nodes."""


class CoverageService:
    """The objects of segment_coverage."""

    def __init__(self, config: Config, registry: CollectorRegistry, stop: Stop) -> None:
        self._config = config
        self._metrics = CoverageMetrics(registry, clock=_now)
        store = SegmentStore(
            config.base_dir, registry=registry, cached_hours=_CACHED_HOURS, measured=False
        )
        self._publisher = Publisher(
            config.base_dir,
            player_file=config.player_file,
            poll_seconds=min(max(config.check_interval / 2, 1.0), _PAGE_POLL_SECONDS),
        )
        qualities = [
            QualityCoverage(
                store,
                channel,
                quality,
                window=config.window,
                with_digests=config.has_nodes,
                is_stopped=stop.is_set,
            )
            for channel, quality in config.pairs
        ]
        self._checks = [
            QualityCheck(coverage, config, self._publisher, clock=_now) for coverage in qualities
        ]
        self._cluster = self._other_nodes(qualities, registry) if config.has_nodes else None
        self._has_checked = False
        self.is_complete = False
        """After a single run: whether all that was asked about is there in full."""

    def ready(self) -> list[str]:
        """What is missing for work to be done."""
        missing = []
        if not os.access(self._config.base_dir, os.W_OK | os.X_OK):
            missing.append(f"{self._config.base_dir} cannot be written to")
        if not self._has_checked:
            missing.append("nothing has been checked yet")
        return missing

    def check(self, stop: Stop) -> None:
        """A daemon's task: check again and again until stop; the first time at once."""
        while not stop.is_set():
            self._check_all(stop)
            stop.wait(self._config.check_interval)

    def ask(self, stop: Stop) -> None:
        """A daemon's task: ask the other nodes again and again, once we know what we have."""
        while not (self._has_checked or stop.wait(_LOOK_SECONDS)):
            pass
        while not stop.is_set():
            if self._cluster is not None:
                self._cluster.look(stop)
            stop.wait(self._config.check_interval)

    def check_once(self, stop: Stop) -> None:
        """A daemon's task: one check, after the other nodes have said what they have."""
        if self._cluster is not None:
            self._read_all(stop)
            deadline = time.monotonic() + _ONCE_SECONDS
            self._cluster.look(stop, seconds=_ONCE_SECONDS)
            while not self._cluster.is_known and time.monotonic() < deadline and not stop.is_set():
                self._cluster.look(stop, seconds=deadline - time.monotonic())
        results = self._check_all(stop)
        for result in results:
            click.echo(f"{'/'.join(result.names)}: {describe(result.summary)}")
        self.is_complete = len(results) == len(self._checks) and all(
            result.summary is not None and result.summary.is_complete for result in results
        )

    def _read_all(self, stop: Stop) -> None:
        """What other nodes are compared with."""
        for check in self._checks:
            if stop.is_set():
                return
            try:
                in_thread(check.coverage.read, _now())
            except (Stopped, OSError) as exc:
                logger.debug("%s cannot be read yet: %s", "/".join(check.coverage.names), exc)

    def _check_all(self, stop: Stop) -> list[Result]:
        """The results of those checks that succeeded."""
        results = []
        try:
            in_thread(self._publisher.write_pages, self._config.channels, self._config.qualities)
        except OSError as exc:
            logger.warning("the pages cannot be written: %s", exc)
        for check in self._checks:
            if not stop.is_set() and (result := self._checked(check)) is not None:
                results.append(result)
        self._has_checked = self._has_checked or bool(results)
        return results

    def _checked(self, check: QualityCheck) -> Result | None:
        names = check.coverage.names
        started = time.monotonic()
        try:
            others = self._cluster.others(*names) if self._cluster else ()
            result = in_thread(check.check, others)
        except Stopped:
            return None
        except OSError as exc:
            # The disk's trouble passes; what was there stays as it was.
            logger.warning("%s cannot be checked: %s", "/".join(names), exc)
            self._metrics.checks.labels(*names, "failed").inc()
            return None
        self._metrics.checks.labels(*names, "changed" if result.changed else "unchanged").inc()
        self._metrics.check_seconds.observe(time.monotonic() - started)
        self._metrics.checked.labels(*names).set(_now() / SECOND)
        if result.changed:
            self._metrics.show(*names, result.summary, result.newest)
        return result

    def _other_nodes(
        self, qualities: list[QualityCoverage], registry: CollectorRegistry
    ) -> Cluster:
        config = self._config
        database = config.database and Database(
            config.database, application="segment_coverage", registry=registry, pool_size=1
        )
        sources = NodeSources(
            static=config.static_nodes,
            file=config.node_file,
            database=database or None,
            own=config.localhost,
        )
        return Cluster(
            sources,
            qualities,
            answer_seconds=config.answer_seconds,
            metrics=self._metrics,
            http_metrics=HttpClientMetrics(registry),
            clock=_now,
        )


def run(config: Config) -> int:
    """Check until stopped, or once; returns the exit status."""
    registry = new_registry()
    logs.configure("segment_coverage", config.log_level, registry)
    try:
        make_durable_folder(config.base_dir)
    except OSError as exc:
        raise ConfigError(f"cannot make the folder {config.base_dir}: {exc.strerror}") from exc
    daemon = Daemon()
    service = CoverageService(config, registry, daemon.stop)
    app = create_app("segment_coverage", registry=registry, ready=service.ready)
    server = HttpServer(
        app, host=config.metrics_host, port=config.metrics_port, service="segment_coverage"
    )
    if config.run_once:
        daemon.spawn("check", service.check_once)
    else:
        daemon.spawn("checks", service.check)
        daemon.spawn("nodes", service.ask)
    daemon.spawn("http", server.run)
    return daemon.run() or int(config.run_once and not service.is_complete)


def _now() -> Micros:
    return time.time_ns() // 1000
