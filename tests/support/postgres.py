"""One real Postgres for a test session, and a database of its own for each test.

The process that controls the session starts the server and migrates a template; the workers of
pytest-xdist are told its address. A test's database is a copy of the template.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import make_dsn

from common.db.database import migrate
from demo.postgres import Postgres

TEMPLATE = "migrated"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_DSN = pytest.StashKey[str]()
_SERVER = pytest.StashKey[tuple[Postgres, Path]]()


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[_DSN] = worker["postgres_dsn"]
        return
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = Postgres(folder / "postgres", options=FAST)
    config.stash[_SERVER] = (server, folder)
    server.start()
    config.stash[_DSN] = server.dsn
    execute(server.dsn, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(make_dsn(server.dsn, dbname=TEMPLATE))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres_dsn"] = node.config.stash[_DSN]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVER in config.stash:
        server, folder = config.stash[_SERVER]
        server.stop()
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)


def execute(dsn: str, statement: sql.Composable) -> None:
    """Run one statement outside of any transaction."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def new_database(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a new database, dropped at the end whoever is still connected."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex}")
    execute(
        server_dsn, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template))
    )
    try:
        yield make_dsn(server_dsn, dbname=name.string)
    finally:
        execute(server_dsn, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextmanager
def migrated_database(config: pytest.Config) -> Iterator[str]:
    """The DSN of a new database on the session's server, migrated."""
    with new_database(config.stash[_DSN], TEMPLATE) as dsn:
        yield dsn


@pytest.fixture
def database_dsn(pytestconfig: pytest.Config) -> Iterator[str]:
    """A migrated database of the test's own."""
    with migrated_database(pytestconfig) as dsn:
        yield dsn


@pytest.fixture
def empty_database_dsn(pytestconfig: pytest.Config) -> Iterator[str]:
    """A database of the test's own without any table."""
    with new_database(pytestconfig.stash[_DSN], "template1") as dsn:
        yield dsn


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A server of the test's own, migrated, that it may stop, kill and start again."""
    # What is committed must outlive the server, though not the machine.
    server = Postgres(tmp_path / "postgres", options={"fsync": "off"})
    server.start()
    migrate(server.dsn)
    yield server
    server.stop()
    server.remove()
