"""Postgres: a bounded pool of connections, transactions, and the migrations.

    database = Database("postgresql://...", application="thrimshim")
    with database.transaction(actor="alice") as cursor:
        cursor.execute("SELECT ...", (...))

`dsn` may name several hosts (`host=one,two target_session_attrs=read-write`): the one that takes
writes is used, after a failover the other.

Every wait has an end: connecting, waiting for a free connection, each statement, the commit (which
waits for a synchronous standby). A connection on which anything unusual happened (an error of the
network, a timeout, a killed greenlet) is closed, never used again. psycopg2's own errors about the
connection become `DatabaseUnavailable`; errors about the statement (a constraint, a wrong value)
pass through.

The process must have called `psycogreen.gevent.patch_psycopg` (each `__main__` does), so that a
greenlet waiting for Postgres does not stop the others.
"""

import contextlib
import logging
import urllib.parse
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import yoyo
from gevent.lock import BoundedSemaphore
from prometheus_client import CollectorRegistry, Counter, Gauge
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, make_dsn, parse_dsn
from psycopg2.extras import RealDictCursor, register_composite

from common.db.address import each_host, with_addresses
from common.errors import ConfigError, DatabaseUnavailable

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20
COMMIT_SECONDS = 15
POOL_WAIT_SECONDS = 10

# The key of the advisory lock under which one process at a time migrates ("WUBL" in ASCII).
_MIGRATION_LOCK = 0x5755424C

_UNAVAILABLE = (psycopg2.OperationalError, psycopg2.InterfaceError)


class DatabaseMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "wubloader_database_connections", "Open connections of the pool.", registry=registry
        )
        self.transactions = Counter(
            "wubloader_database_transactions_total",
            "Transactions, by outcome: committed, rolled_back, unavailable.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("committed", "rolled_back", "unavailable"):
            self.transactions.labels(outcome)


class Database:
    """See the module's description. `dsn` is a libpq URI or a key=value string.

    Raises ConfigError if it is neither.
    """

    def __init__(
        self, dsn: str, *, application: str, registry: CollectorRegistry, pool_size: int = 8
    ) -> None:
        self.dsn = complete_dsn(dsn, application)
        self._metrics = DatabaseMetrics(registry)
        self._places = BoundedSemaphore(pool_size)
        self._idle: deque[connection] = deque()

    @contextmanager
    def transaction(self, *, actor: str | None = None) -> Iterator[RealDictCursor]:
        """A cursor (rows are dicts) in a transaction: committed at the end, else rolled back.

        `actor` is who the audit names for what changes. Raises DatabaseUnavailable.
        """
        if not self._places.acquire(timeout=POOL_WAIT_SECONDS):
            raise DatabaseUnavailable(f"no free connection within {POOL_WAIT_SECONDS} s")
        try:
            with (
                self._counted(),
                self._borrowed() as borrowed,
                _atomic(borrowed),
                borrowed.cursor(cursor_factory=RealDictCursor) as cursor,
            ):
                if actor is not None:
                    cursor.execute("SELECT set_config('wubloader.actor', %s, true)", (actor,))
                yield cursor
        finally:
            self._places.release()

    def check(self) -> None:
        """Raises DatabaseUnavailable if Postgres does not answer."""
        with self.transaction() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        while self._idle:
            self._discard(self._idle.pop())

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except DatabaseUnavailable:
            self._metrics.transactions.labels("unavailable").inc()
            raise
        except _UNAVAILABLE as exc:
            self._metrics.transactions.labels("unavailable").inc()
            raise DatabaseUnavailable(_one_line(exc)) from exc
        except BaseException:
            self._metrics.transactions.labels("rolled_back").inc()
            raise
        self._metrics.transactions.labels("committed").inc()

    @contextmanager
    def _borrowed(self) -> Iterator[connection]:
        borrowed = self._take()
        usable = False
        try:
            yield borrowed
            usable = True
        except psycopg2.Error as exc:
            usable = not isinstance(exc, _UNAVAILABLE)
            raise
        except Exception:
            usable = True  # the caller's own error; the transaction is rolled back
            raise
        finally:
            if usable and _is_clean(borrowed):
                self._idle.append(borrowed)
            else:
                self._discard(borrowed)

    def _take(self) -> connection:
        while self._idle:
            candidate = self._idle.pop()
            if _is_alive(candidate):
                return candidate
            self._discard(candidate)
        opened = connect(self.dsn)
        self._metrics.connections.inc()
        return opened

    def _discard(self, unwanted: connection) -> None:
        unwanted.close()
        self._metrics.connections.dec()


def complete_dsn(dsn: str, application: str) -> str:
    """Add what every connection of ours has: timeouts, UTC, keepalive, a name.

    What `dsn` itself says wins. Raises ConfigError if it cannot be parsed.
    """
    try:
        given = parse_dsn(dsn)
    except psycopg2.ProgrammingError as exc:
        raise ConfigError(f"--database: {_one_line(exc)}") from exc
    options = f"-c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC"
    defaults: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": f"wubloader-{application}",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
    merged = {**defaults, **given, "options": f"{options} {given.get('options', '')}".strip()}
    return str(make_dsn(**merged))


def connect(dsn: str) -> connection:
    """Open one connection, with our composite types known to it.

    The hosts that `dsn` names are tried in turn. Raises DatabaseUnavailable if none will do.
    """
    problems = []
    for one in each_host(dsn):
        try:
            return _connect(one)
        except DatabaseUnavailable as exc:
            problems.append(str(exc))
    raise DatabaseUnavailable("; ".join(problems))


def _connect(dsn: str) -> connection:
    seconds = int(parse_dsn(dsn).get("connect_timeout", 0)) or CONNECT_SECONDS
    found = with_addresses(dsn)
    try:
        with _within(seconds, "connecting to the database"):
            opened = psycopg2.connect(found)
    except _UNAVAILABLE as exc:
        raise DatabaseUnavailable(_one_line(exc)) from exc
    try:
        for name in ("video_range", "video_transition"):
            register_composite(name, opened)
        opened.rollback()
    except psycopg2.ProgrammingError:
        opened.rollback()  # not migrated yet; nothing of ours is read before it is
    except _UNAVAILABLE as exc:
        opened.close()
        raise DatabaseUnavailable(_one_line(exc)) from exc
    return opened


def migrate(dsn: str) -> int:
    """Apply the migrations that are missing; returns how many those were.

    Several processes may start at once: an advisory lock lets one after the other look. Raises
    DatabaseUnavailable, or psycopg2.Error if a migration itself fails (it is rolled back whole).
    """
    guard = connect(complete_dsn(dsn, "migrations"))
    try:
        guard.autocommit = True
        with guard.cursor() as cursor:
            # Another process may migrate for longer than a statement may usually take.
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
            return _apply(_yoyo_uri(dsn, guard))
    except _UNAVAILABLE as exc:
        raise DatabaseUnavailable(_one_line(exc)) from exc
    finally:
        guard.close()


def _apply(uri: str) -> int:
    backend = yoyo.get_backend(uri)
    try:
        missing = backend.to_apply(yoyo.read_migrations(str(MIGRATIONS)))
        for migration in missing:
            logger.info("applying migration %s", migration.id)
        backend.apply_migrations(missing)
        return len(missing)
    finally:
        backend.connection.close()


def _yoyo_uri(dsn: str, opened: connection) -> str:
    """yoyo takes URIs only, with everything but the database's name as parameters. Of several hosts
    it is given the one that is connected to.
    """
    parts = parse_dsn(dsn)
    if "," in parts.get("host", ""):
        parts |= {"host": opened.info.host, "port": str(opened.info.port)}
    name = urllib.parse.quote(parts.pop("dbname", ""), safe="")
    return f"postgresql:///{name}?{urllib.parse.urlencode(parts)}"


def _is_clean(candidate: connection) -> bool:
    return (
        not candidate.closed
        and candidate.info.transaction_status == TRANSACTION_STATUS_IDLE
        # One that was opened before the first migration would read our types as text.
        and bool(candidate.string_types)
    )


def _is_alive(candidate: connection) -> bool:
    """Ask the server; a connection may have died while it lay idle."""
    try:
        with _within(CONNECT_SECONDS, "the answer"), candidate, candidate.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (*_UNAVAILABLE, DatabaseUnavailable):
        return False
    return True


@contextmanager
def _atomic(opened: connection) -> Iterator[None]:
    """Commit at the end, or roll back what raised."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(*_UNAVAILABLE):  # it is closed: there is nothing to roll back
            opened.rollback()
        raise
    # statement_timeout does not hold for it. Who is told that it failed must ask what happened.
    with _within(COMMIT_SECONDS, "the commit, which may have happened,"):
        opened.commit()


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    """Raises DatabaseUnavailable where the body still waits for the server after that time."""
    with gevent.Timeout(seconds, DatabaseUnavailable(f"{what} took longer than {seconds:g} s")):
        yield


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
