"""A real thrimshim on a database of the test's own."""

from collections.abc import Iterator

import pytest

from tests.support.event_rows import run_sql
from tests.support.thrimshim import Api, start_thrimshim


@pytest.fixture
def api(database_dsn: str) -> Iterator[Api]:
    """Everybody may write."""
    with start_thrimshim(database_dsn, "--no-authentication") as process:
        yield Api(process.wait_ready().url)


@pytest.fixture
def guarded(database_dsn: str) -> Iterator[Api]:
    """Nobody has a token. There is an event `x`."""
    with start_thrimshim(database_dsn) as process:
        run_sql(database_dsn, "INSERT INTO events (id) VALUES ('x')")
        yield Api(process.wait_ready().url)
