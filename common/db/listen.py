"""LISTEN on a connection of its own, outside the pool.

Notifications are best effort: Postgres forgets them for whoever is not connected, and a standby
refuses LISTEN. So whoever waits here also looks for itself from time to time, and after each
reconnect.
"""

import logging
from collections.abc import Callable

import gevent
import psycopg2
from gevent.socket import wait_read
from psycopg2 import sql
from psycopg2.extensions import connection

from common.daemon import Stop
from common.db.database import complete_dsn, connect
from common.errors import DatabaseUnavailable
from common.retry import backoff

logger = logging.getLogger(__name__)

# How long a stop may go unnoticed while nothing is notified.
_POLL_SECONDS = 1.0


def listen(dsn: str, channel: str, on_notify: Callable[[str], None], stop: Stop) -> None:
    """Call `on_notify(payload)` for each notification, and with "" after each (re)connect.

    Reconnects with backoff until `stop` is set.
    """
    waits = backoff()
    while not stop.is_set():
        try:
            opened = connect(complete_dsn(dsn, "listener"))
        except DatabaseUnavailable as exc:
            logger.warning("cannot listen for notifications: %s", exc)
            stop.wait(next(waits))
            continue
        try:
            _subscribe(opened, channel)
            waits = backoff()
            on_notify("")
            _receive(opened, on_notify, stop)
        except (psycopg2.Error, OSError) as exc:
            logger.warning("listening for notifications broke off: %s", exc)
            stop.wait(next(waits))
        finally:
            opened.close()


def _subscribe(opened: connection, channel: str) -> None:
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))


def _receive(opened: connection, on_notify: Callable[[str], None], stop: Stop) -> None:
    while not stop.is_set():
        try:
            wait_read(opened.fileno(), timeout=_POLL_SECONDS)
        except TimeoutError:
            gevent.sleep(0)
        opened.poll()
        while opened.notifies:
            on_notify(opened.notifies.pop(0).payload)
