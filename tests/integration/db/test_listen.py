"""LISTEN: told at once, after breaks too, and stopped soon."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.queue import Queue

from common.daemon import Stop
from common.db.listen import listen
from common.events import EVENTS_CHANNEL
from demo.postgres import Postgres
from tests.support.event_rows import add_edited, reset, run_sql

STOP_SECONDS = 20


@contextmanager
def listening(dsn: str) -> Iterator["Queue[str]"]:
    """What is notified, in order. At the end the listener must stop."""
    heard: Queue[str] = Queue()
    stop = Stop()
    task = gevent.spawn(listen, dsn, EVENTS_CHANNEL, heard.put, stop)
    try:
        yield heard
    finally:
        stop.set()
        task.join(STOP_SECONDS)
        ended = task.ready()
        task.kill()
    assert ended
    assert task.exception is None


def test_who_connects_looks_for_itself_first_and_hears_every_change_then(database_dsn: str) -> None:
    add_edited(database_dsn, "before")
    with listening(database_dsn) as heard:
        assert heard.get(timeout=60) == ""
        add_edited(database_dsn, "x")
        assert heard.get(timeout=60) == "x EDITED"
        reset(database_dsn, "x")
        run_sql(database_dsn, "INSERT INTO events (id) VALUES ('y')")
        assert [heard.get(timeout=60) for _ in range(2)] == ["x UNEDITED", "y UNEDITED"]


def test_several_changes_in_one_transaction_are_all_heard(database_dsn: str) -> None:
    with listening(database_dsn) as heard:
        heard.get(timeout=60)
        run_sql(database_dsn, "INSERT INTO events (id) VALUES ('a'), ('b'), ('c')")
        assert [heard.get(timeout=60)[0] for _ in range(3)] == ["a", "b", "c"]


def test_a_connection_that_breaks_is_replaced_and_whoever_listens_looks_again(
    database_dsn: str,
) -> None:
    with listening(database_dsn) as heard:
        assert heard.get(timeout=60) == ""
        run_sql(
            database_dsn,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'wubloader-listener' AND datname = current_database()",
        )
        assert heard.get(timeout=60) == ""
        add_edited(database_dsn, "x")
        assert heard.get(timeout=60) == "x EDITED"


def test_it_waits_for_a_database_that_is_down(own_postgres: Postgres) -> None:
    with listening(own_postgres.dsn) as heard:
        assert heard.get(timeout=60) == ""
        own_postgres.kill()
        gevent.sleep(0)
        own_postgres.start()
        assert heard.get(timeout=100) == ""
        add_edited(own_postgres.dsn, "x")
        assert heard.get(timeout=60) == "x EDITED"


def test_it_stops_while_it_waits_for_a_database_that_never_comes() -> None:
    with listening("host=127.0.0.1 port=1 dbname=none") as heard:
        gevent.sleep(0.1)
        assert heard.empty()
