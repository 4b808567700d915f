"""Wires thrimshim: the database, the application, the server."""

import logging

from common import logs
from common.daemon import Daemon, Stop
from common.db.database import Database, migrate
from common.errors import DatabaseUnavailable
from common.retry import backoff
from common.threads import in_thread
from common.web import HttpServer, new_registry
from thrimshim.app import create_thrimshim
from thrimshim.auth import anybody, token_authentication
from thrimshim.config import Config
from thrimshim.metrics import WatchMetrics
from thrimshim.watch import Watch

logger = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Serve until stopped; returns the exit status."""
    registry = new_registry()
    logs.configure("thrimshim", config.log_level, registry)
    database = Database(config.database, application="thrimshim", registry=registry)
    if not config.authentication:
        logger.warning("--no-authentication: everybody who reaches this port may edit")
    authenticate = token_authentication(database) if config.authentication else anybody
    migrations = Migrations(config.database)
    daemon = Daemon()
    app = create_thrimshim(
        config,
        database=database,
        authenticate=authenticate,
        registry=registry,
        ready=lambda: [*migrations.missing(), *_missing(database)],
    )
    server = HttpServer(app, host=config.host, port=config.port, service="thrimshim")
    watch = Watch(database, WatchMetrics(registry))
    daemon.spawn("migrations", migrations.run)
    daemon.spawn("watch", watch.run)
    daemon.spawn("http", server.run)
    status = daemon.run()
    database.close()
    return status


class Migrations:
    """Brings the schema up to date as soon as the database answers."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._done = False

    def run(self, stop: Stop) -> None:
        """A daemon's task: migrate, then wait for the end."""
        waits = backoff(limit_seconds=5)
        while not self._done and not stop.is_set():
            try:
                in_thread(migrate, self._dsn)
                self._done = True
            except DatabaseUnavailable as exc:
                logger.warning("the database does not answer yet: %s", exc)
                stop.wait(next(waits))
        stop.wait()

    def missing(self) -> list[str]:
        return [] if self._done else ["the database's schema is not up to date yet"]


def _missing(database: Database) -> list[str]:
    try:
        database.check()
    except DatabaseUnavailable as exc:
        return [f"the database does not answer: {exc}"]
    return []
