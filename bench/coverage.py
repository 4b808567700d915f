"""Benchmark of coverage: checking a week with its map, in a fresh process and again and again."""

import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench import measure
from bench.commands import counted
from bench.figures import Figure, Source
from bench.names import PER_HOUR, SEGMENT, fill_hours
from bench.suite import Run, check
from common.segments.path import SegmentType, format_name
from common.times import HOUR, Micros, format_hour, parse_time
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

_FIRST = parse_time("2024-01-01T00:00:00")
_QUALITY = Path("bench") / "source"
_CHECKS = "wubloader_segment_coverage_checks_total"
_INTERVAL_SECONDS = 0.25


def coverage(run: Run) -> Iterable[Figure]:
    """What a first check of a week costs, one in which nothing has changed, and one new segment."""
    hours = 168 if run.full else 12
    store, empty = run.folder / "store", run.folder / "empty"
    fill_hours(store / _QUALITY, _FIRST, hours)
    empty.mkdir()
    name = f"{hours * PER_HOUR:,} names"
    yield from _cold(store, empty, name, rounds=5 if run.full else 1)
    options = ("--base-dir", str(store), "--check-interval", str(_INTERVAL_SECONDS))
    with ServiceProcess("segment_coverage", "bench", *options) as process:
        process.wait_ready(120)
        measure.wait_until_idle(process.pid)
        yield from _warm(process, name, checks=40 if run.full else 4)
        yield from _growing(process, store, _FIRST + hours * HOUR, name, 10 if run.full else 2)
        yield _figure(f"{name}: peak memory", measure.peak_bytes(process.pid) / 1e6, "MB", goal=157)


def _cold(store: Path, empty: Path, name: str, *, rounds: int) -> Iterator[Figure]:
    """A process that checks once and ends, and the same where there is nothing to check."""
    whole = [_single_run(store) for _ in range(rounds)]
    start = [_single_run(empty, allowed=1) for _ in range(rounds)]
    check((store / "coverage-maps" / "bench_source_coverage.png").exists(), "the map is drawn")
    cost = median(whole) - median(start)
    yield _figure(f"{name}: a first check with its map", cost, "CPU s", goal=2)
    yield Figure(
        benchmark="coverage",
        name=f"{name}: the same in a fresh process, with its start",
        value=median(whole),
        unit="CPU s",
        reference=5.1,
        source=Source.ORIGINAL,
    )


def _single_run(store: Path, *, allowed: int = 0) -> float:
    command = [sys.executable, "-m", "segment_coverage", "bench", "--base-dir", str(store)]
    options = ["--run-once", "--metrics-port", "0", "--log-level", "ERROR"]
    return counted([*command, *options], status=allowed).cpu_seconds


def _warm(process: ServiceProcess, name: str, *, checks: int) -> Iterator[Figure]:
    before = metric(process.url, _CHECKS, outcome="unchanged")
    # Asking for metrics costs as well, so it is not done meanwhile.
    spent = measure.spent(process.pid, lambda: time.sleep(checks * _INTERVAL_SECONDS))
    # On a busy machine it may not have come to the end of one.
    done = wait_until(
        lambda: metric(process.url, _CHECKS, outcome="unchanged") - before,
        "it checks",
        seconds=600,
        interval=_INTERVAL_SECONDS,
    )
    check(metric(process.url, _CHECKS, outcome="changed") == 1, "nothing has changed")
    yield _figure(f"{name}: a check without changes", spent / done * 1000, "CPU ms", goal=50)


def _growing(
    process: ServiceProcess, store: Path, first: Micros, name: str, count: int
) -> Iterator[Figure]:
    """New segments, one at a time: each makes a check that draws the map anew."""
    costs = [
        measure.spent(process.pid, partial(_add_segment, process, store, start))
        for start in range(first, first + count * SEGMENT, SEGMENT)
    ]
    yield _figure(f"{name}: until a new segment is drawn", median(costs) * 1000, "CPU ms")


def _add_segment(process: ServiceProcess, store: Path, start: Micros) -> None:
    """Write a segment, and wait until it has been seen."""
    seen = metric(process.url, _CHECKS, outcome="changed")
    folder = store / _QUALITY / format_hour(start)
    folder.mkdir(exist_ok=True)
    (folder / format_name(start, SEGMENT, SegmentType.FULL, f"{start:043d}")).touch()
    wait_until(
        lambda: metric(process.url, _CHECKS, outcome="changed") > seen,
        "it has seen the new segment",
        seconds=600,
        interval=_INTERVAL_SECONDS / 2,
    )


def _figure(name: str, value: float, unit: str, *, goal: float | None = None) -> Figure:
    return Figure(
        benchmark="coverage",
        name=name,
        value=value,
        unit=unit,
        reference=goal,
        source=Source.GOAL if goal else None,
    )
