"""Nodes whose processes end with the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.replicas import Replica

MakeReplica = Callable[[str], Replica]


@pytest.fixture
def make_replica(tmp_path: Path) -> Iterator[MakeReplica]:
    with ExitStack() as stack:

        def make(name: str) -> Replica:
            replica = Replica(base_dir=tmp_path / name)
            replica.base_dir.mkdir()
            stack.callback(replica.close)
            return replica

        yield make


@pytest.fixture
def here(make_replica: MakeReplica) -> Replica:
    return make_replica("here")


@pytest.fixture
def there(make_replica: MakeReplica) -> Replica:
    return make_replica("there")
