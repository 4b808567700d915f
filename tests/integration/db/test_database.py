"""The database layer against a real Postgres."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from prometheus_client import CollectorRegistry

from common.db.database import Database, migrate
from common.errors import ConfigError, DatabaseUnavailable
from demo.postgres import Postgres


@pytest.fixture
def database(database_dsn: str) -> Iterator[Database]:
    opened = Database(database_dsn, application="test", registry=CollectorRegistry())
    yield opened
    opened.close()


def insert(database: Database, event_id: str, actor: str = "tester") -> None:
    with database.transaction(actor=actor) as cursor:
        cursor.execute("INSERT INTO events (id) VALUES (%s)", (event_id,))


def audit(database: Database) -> list[tuple[str, str, list[str]]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT * FROM event_audit ORDER BY number")
        return [(row["actor"], row["operation"], sorted(row["changes"])) for row in cursor]


def test_a_transaction_that_raises_changes_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"), database.transaction() as cursor:
        cursor.execute("INSERT INTO events (id) VALUES ('x')")
        raise RuntimeError("changed my mind")
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS events FROM events")
        assert cursor.fetchone()["events"] == 0


def test_every_change_is_audited_with_its_actor_but_progress_is_none(database: Database) -> None:
    insert(database, "x", actor="alice")
    with database.transaction(actor="bob") as cursor:
        cursor.execute("UPDATE events SET notes = 'n' WHERE id = 'x'")
    with database.transaction(actor="cutter") as cursor:
        cursor.execute("UPDATE events SET frames_done = 7, frames_total = 9 WHERE id = 'x'")
    entries = audit(database)
    assert [(actor, operation) for actor, operation, _ in entries] == [
        ("alice", "INSERT"),
        ("bob", "UPDATE"),
    ]
    assert entries[1][2] == ["notes"]


def test_progress_does_not_touch_last_modified(database: Database) -> None:
    insert(database, "x")
    with database.transaction() as cursor:
        cursor.execute("SELECT last_modified FROM events")
        before = cursor.fetchone()["last_modified"]
    with database.transaction() as cursor:
        cursor.execute("UPDATE events SET frames_done = 1 RETURNING last_modified")
        assert cursor.fetchone()["last_modified"] == before
    with database.transaction() as cursor:
        cursor.execute("UPDATE events SET notes = 'n' RETURNING last_modified")
        assert cursor.fetchone()["last_modified"] > before


@pytest.mark.parametrize(
    "change",
    [
        "state = 'EDITED'",  # no complete edit
        "state = 'CLAIMED'",
        "state = 'DONE'",  # no link
        "state = 'FINALIZING'",
        "lease_token = gen_random_uuid()",  # half a lease
        "video_ranges = '{}', video_transitions = '{NULL}'",  # a transition too many
        "thumbnail_crop = '{1,2,3}'",
        "id = '../etc'",
    ],
)
def test_the_schema_refuses_what_a_state_does_not_allow(database: Database, change: str) -> None:
    insert(database, "x")
    with pytest.raises(psycopg2.IntegrityError), database.transaction() as cursor:
        cursor.execute(f"UPDATE events SET {change}")


def test_a_connection_that_postgres_dropped_is_replaced(own_postgres: Postgres) -> None:
    with closing(
        Database(own_postgres.dsn, application="test", registry=CollectorRegistry())
    ) as database:
        database.check()
        own_postgres.stop()
        with pytest.raises(DatabaseUnavailable):
            database.check()
        own_postgres.start()
        database.check()


def test_a_dsn_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="--database"):
        Database("certainly not", application="test", registry=CollectorRegistry())


def test_processes_that_migrate_at_once_apply_each_migration_once(empty_database_dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate, [empty_database_dsn] * 4))
    assert sorted(applied) == [0, 0, 0, 1]


def test_a_service_that_was_there_before_the_schema_reads_its_types(
    empty_database_dsn: str,
) -> None:
    database = Database(
        empty_database_dsn, application="test", registry=CollectorRegistry(), pool_size=1
    )
    database.check()  # as /readyz does, while another service still migrates
    migrate(empty_database_dsn)
    with database.transaction() as cursor:
        cursor.execute("SELECT ARRAY[(now(), now())::video_range] AS ranges")
        assert [type(value).__name__ for value in cursor.fetchone()["ranges"]] == ["video_range"]
    database.close()
