"""Real thrimshims on one database, which is empty when a test begins.

Starting a process takes a hundred times as long as what most tests ask of it, so they share two.
"""

from collections.abc import Iterator

import pytest

from tests.support.event_rows import run_sql
from tests.support.postgres import migrated_database
from tests.support.thrimshim import Api, start_thrimshim


@pytest.fixture(scope="session")
def shared_dsn(pytestconfig: pytest.Config) -> Iterator[str]:
    with migrated_database(pytestconfig) as dsn:
        yield dsn


@pytest.fixture
def database_dsn(shared_dsn: str) -> str:
    """A migrated database without any row."""
    run_sql(shared_dsn, "TRUNCATE events, event_audit, api_tokens")
    return shared_dsn


@pytest.fixture(scope="session")
def open_url(shared_dsn: str) -> Iterator[str]:
    with start_thrimshim(shared_dsn, "--no-authentication") as process:
        yield process.wait_ready().url


@pytest.fixture(scope="session")
def guarded_url(shared_dsn: str) -> Iterator[str]:
    with start_thrimshim(shared_dsn) as process:
        yield process.wait_ready().url


@pytest.fixture
def api(database_dsn: str, open_url: str) -> Api:
    """Everybody may write."""
    return Api(open_url)


@pytest.fixture
def guarded(database_dsn: str, guarded_url: str) -> Api:
    """Nobody has a token. There is an event `x`."""
    run_sql(database_dsn, "INSERT INTO events (id) VALUES ('x')")
    return Api(guarded_url)
