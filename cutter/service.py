"""Wires the cutter's objects and runs them."""

import logging
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from common.daemon import Daemon, Stop
from common.db.database import Database, migrate
from common.db.listen import listen
from common.errors import DatabaseUnavailable
from common.events import EVENTS_CHANNEL
from common.media.encoders import EncoderPool
from common.media.external import check_arguments
from common.retry import backoff
from common.segments.store import SegmentStore
from common.web import HttpServer, create_app
from cutter.backends.base import Backend
from cutter.backends.local import LocalBackend
from cutter.config import CutterConfig, LocalLocation
from cutter.metrics import CutterMetrics
from cutter.queue import EventQueue
from cutter.worker import Worker

logger = logging.getLogger(__name__)


class CutterService:
    """The cutter's objects. Raises ConfigError where the settings do not fit the machine."""

    def __init__(self, config: CutterConfig, registry: CollectorRegistry) -> None:
        self._config = config
        self._backends = {
            name: _backend(config.name, location) for name, location in config.locations.items()
        }
        self.encoders = EncoderPool(registry=registry)
        self._database = Database(
            config.database, application=f"cutter-{config.name}", registry=registry
        )
        self._worker = Worker(
            queue=EventQueue(
                self._database,
                name=config.name,
                locations=config.locations,
                lease_seconds=config.lease_seconds,
            ),
            store=SegmentStore(config.base_dir, registry=registry),
            backends=self._backends,
            encoders=self.encoders,
            metrics=CutterMetrics(registry),
            poll_seconds=config.poll_seconds,
        )

    def ready(self) -> Iterable[str]:
        """What is missing for work to be done."""
        if not self._config.base_dir.is_dir():
            yield f"the segment store {self._config.base_dir} is not there"
        try:
            self._database.check()
        except DatabaseUnavailable as exc:
            yield f"the database does not answer: {exc}"

    def work(self, stop: Stop) -> None:
        """A daemon's task: sweep, wait for the database, then work until stop."""
        for name, backend in self._backends.items():
            if removed := backend.sweep():
                logger.info("%s: removed %d files of an interrupted cut", name, removed)
        if self._migrated(stop):
            self._worker.run(stop)
        self._database.close()

    def listen(self, stop: Stop) -> None:
        """A daemon's task: wake the worker when an event changes."""
        listen(self._config.database, EVENTS_CHANNEL, self._notified, stop)

    def wake_at_stop(self, stop: Stop) -> None:
        """A daemon's task: end the worker's wait."""
        stop.wait()
        self._worker.wake()

    def _notified(self, payload: str) -> None:
        # Of our own progress ("ID CLAIMED", twice a second) nothing new to do can follow.
        if not payload.endswith(" CLAIMED"):
            self._worker.wake()

    def _migrated(self, stop: Stop) -> bool:
        """Bring the schema up to date; returns False if stop came first."""
        waits = backoff()
        while not stop.is_set():
            try:
                migrate(self._config.database)
            except DatabaseUnavailable as exc:
                logger.warning("waiting for the database: %s", exc)
                stop.wait(next(waits))
            else:
                return True
        return False


def run(config: CutterConfig, registry: CollectorRegistry) -> int:
    """Run the cutter until it is told to stop; returns the exit status."""
    daemon = Daemon()
    service = CutterService(config, registry)
    app = create_app("cutter", registry=registry, ready=service.ready)
    server = HttpServer(app, host=config.metrics_host, port=config.metrics_port, service="cutter")
    daemon.spawn("worker", service.work)
    daemon.spawn("notifications", service.listen)
    daemon.spawn("wake at stop", service.wake_at_stop)
    daemon.spawn("encoders", service.encoders.stay_warm)
    daemon.spawn("metrics", server.run)
    status = daemon.run()
    service.encoders.close()
    return status


def _backend(owner: str, location: LocalLocation) -> Backend:
    if location.ffmpeg_args:
        check_arguments(location.ffmpeg_args, location.suffix)
    return LocalBackend(
        folder=location.path,
        owner=owner,
        cut_type=location.cut_type,
        ffmpeg_args=location.ffmpeg_args,
        suffix=location.suffix,
        url_prefix=location.url_prefix,
        write_info=location.write_info,
    )
