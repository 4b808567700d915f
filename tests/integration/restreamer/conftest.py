"""A real restreamer on a store that holds a minute of the past."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from common.times import Micros, parse_time
from tests.support.media import StoredSegment, fill_store, recorded_set
from tests.support.processes import ServiceProcess

START: Micros = parse_time("2026-07-01T11:59:50")
QUALITIES = ("source", "360p30")
HOLE = 7
"""The index of the segment that is missing."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """`stored` are the segments of each quality."""

    base_dir: Path
    process: ServiceProcess
    stored: dict[str, list[StoredSegment]]

    @property
    def url(self) -> str:
        return self.process.url


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    base_dir = tmp_path_factory.mktemp("store")
    stored = {
        quality: fill_store(
            base_dir, "demo", quality, recorded_set(), start=START, count=12, holes=[HOLE]
        )
        for quality in QUALITIES
    }
    with started(base_dir) as process:
        yield Node(base_dir=base_dir, process=process.wait_ready(), stored=stored)


@pytest.fixture
def fresh(node: Node) -> Iterator[Node]:
    """The same store served by another process: it has the encoders that it keeps, and no more."""
    with started(node.base_dir) as process:
        yield replace(node, process=process.wait_ready())


def started(base_dir: Path) -> ServiceProcess:
    return ServiceProcess("restreamer", "--base-dir", str(base_dir), "--max-cuts", "1")
