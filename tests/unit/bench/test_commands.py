"""What is counted of the programs that cuts are compared with."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.commands import cat, counted
from bench.suite import WorkNotDone

_BURN = "n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); done"


def test_the_bytes_of_a_command_are_counted(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_bytes(bytes(3_000_000))
    paths[1].write_bytes(bytes(5))
    assert counted(cat(paths)).body_bytes == 3_000_005


def test_the_cpu_of_all_parts_of_a_pipeline_is_counted() -> None:
    alone = _least_cpu_seconds(["sh", "-c", f"{_BURN}; :"])
    both = _least_cpu_seconds(["sh", "-c", f"sh -c '{_BURN}' | sh -c '{_BURN}'"])
    assert alone > 0.01
    assert both > 1.2 * alone


def _least_cpu_seconds(command: Sequence[str]) -> float:
    """Of five runs: beside others the same work may take half as long again."""
    return min(counted(command).cpu_seconds for _ in range(5))


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(WorkNotDone, match="sh ends with 0, not 3"):
        counted(["sh", "-c", "exit 3"])
