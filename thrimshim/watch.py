"""Looks at all events from time to time, for the metrics: what waits, and for how long. And at how
the database is kept safe.

Not when somebody asks for the metrics: they must be answered while the database is away, and what
was seen last stays what they say.
"""

import logging

import psycopg2

from common.daemon import Stop
from common.db.database import Database
from common.errors import DatabaseUnavailable
from thrimshim import queries
from thrimshim.metrics import WatchMetrics

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0


class Watch:
    """See the module's description."""

    def __init__(self, database: Database, metrics: WatchMetrics) -> None:
        self._database = database
        self._metrics = metrics

    def run(self, stop: Stop) -> None:
        """A daemon's task: look until stop."""
        while not stop.is_set():
            try:
                self._look()
            except (DatabaseUnavailable, psycopg2.ProgrammingError) as exc:
                # Readiness and the database's metrics tell of that, and it may not be migrated yet.
                logger.debug("cannot look at the events: %s", exc)
            stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        with self._database.transaction() as cursor:
            found = queries.count_events(cursor)
            safety = queries.how_safe(cursor)
        for row in found:
            self._metrics.events.labels(row["state"]).set(row["events"])
            self._metrics.longest_wait.labels(row["state"]).set(row["longest_wait_seconds"])
        self._metrics.standbys.set(safety["standbys"])
        self._metrics.standbys_away.set(safety["standbys_away"])
        self._metrics.synchronous.set(safety["synchronous"])
        self._metrics.archive_failing.set(safety["archive_failing"])
