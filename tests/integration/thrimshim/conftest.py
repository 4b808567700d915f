"""A real thrimshim on a database of the test's own."""

from collections.abc import Iterator

import pytest

from tests.support.thrimshim import Api, start_thrimshim


@pytest.fixture
def api(database_dsn: str) -> Iterator[Api]:
    with start_thrimshim(database_dsn, "--no-authentication") as process:
        yield Api(process.wait_ready().url)
