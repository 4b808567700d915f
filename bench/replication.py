"""Benchmarks of replication: passes over stores in sync, what one change costs, filling a node."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests

from bench import measure
from bench.commands import counted
from bench.figures import Figure, Source
from bench.names import PER_HOUR, SEGMENT, fill_hours, path_of
from bench.suite import Run, check
from common.segments.path import TOMBSTONE_SUFFIX, SegmentType, format_name, hash_bytes
from common.times import HOUR, format_hour, parse_time
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

_FIRST = parse_time("2024-01-01T00:00:00")
_QUALITY = Path("bench") / "source"
_LOOKS = "wubloader_backfiller_looks_total"
_LISTINGS = "wubloader_backfiller_listings_total"
_RECEIVED = "wubloader_http_client_received_bytes_total"
_REQUESTS = "wubloader_http_client_requests_total"
_QUICK = ("--interval-seconds", "0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A node, and one that copies from it."""

    there: Path
    here: Path
    restreamer: ServiceProcess
    backfiller: ServiceProcess

    def looks(self) -> float:
        return metric(self.backfiller.url, _LOOKS)

    def wait_for_looks(self, count: int) -> None:
        goal = self.looks() + count
        wait_until(lambda: self.looks() >= goal, "it has looked again", seconds=600, interval=0.1)


@contextmanager
def _pair(folder: Path, *options: str) -> Iterator[_Pair]:
    there, here = folder / "there", folder / "here"
    with (
        ServiceProcess("restreamer", "--base-dir", str(there)) as restreamer,
        ServiceProcess(
            "backfiller",
            *("bench", "--base-dir", str(here), "--static-nodes", restreamer.url),
            *("--scrub-rate", "0", "--extras", "", *options),
        ) as backfiller,
    ):
        yield _Pair(there=there, here=here, restreamer=restreamer, backfiller=backfiller)


def _fill_both(folder: Path, hours: int) -> None:
    for node in ("there", "here"):
        fill_hours(folder / node / _QUALITY, _FIRST, hours)


def passes(run: Run) -> Iterable[Figure]:
    """What passes over a week in sync cost, and one new segment or tombstone in it."""
    hours = 168 if run.full else 12
    _fill_both(run.folder, hours)
    names = hours * PER_HOUR
    with _pair(run.folder, *_QUICK) as pair:
        pair.wait_for_looks(3)
        yield from _idle(pair, f"{names:,} names in sync", looks=50 if run.full else 5)
        yield from _changes(pair, f"{names:,} names", hours)
        yield from _hour_by_hour(pair, f"{names:,} names, each hour listed", hours)


def _idle(pair: _Pair, name: str, looks: int) -> Iterator[Figure]:
    """A pass in which nothing has changed."""
    url = pair.backfiller.url
    requests_before, bytes_before = metric(url, _REQUESTS), metric(url, _RECEIVED)
    looks_before = pair.looks()
    here = measure.cpu_seconds(pair.backfiller.pid)
    there = measure.cpu_seconds(pair.restreamer.pid)
    # Asking for metrics costs as well, so it is not done meanwhile.
    time.sleep(looks * 0.25)
    here = measure.cpu_seconds(pair.backfiller.pid) - here
    there = measure.cpu_seconds(pair.restreamer.pid) - there
    # On a busy machine it may not have come to the end of one.
    done = wait_until(lambda: pair.looks() - looks_before, "it looks", seconds=600, interval=0.25)
    check(metric(url, _LISTINGS) == 0, "no hour is listed")
    asked, came = metric(url, _REQUESTS) - requests_before, metric(url, _RECEIVED) - bytes_before
    yield _figure(name, asked / done, "requests a pass", goal=2)
    yield _figure(name, came / done / 1000, "kB a pass")
    yield _figure(f"{name}: who asks", here / done * 1000, "CPU ms a pass", goal=100)
    yield _figure(f"{name}: who answers", there / done * 1000, "CPU ms a pass", goal=100)


def _changes(pair: _Pair, name: str, hours: int) -> Iterator[Figure]:
    """One new segment, and one tombstone, in the middle of it all."""
    data = os.urandom(1000)
    start = _FIRST + hours // 2 * HOUR + SEGMENT // 2
    new = pair.there / _QUALITY / format_hour(start)
    new /= format_name(start, SEGMENT, SegmentType.FULL, hash_bytes(data))
    tombstone = path_of(pair.there / _QUALITY, start + SEGMENT // 2).with_suffix(TOMBSTONE_SUFFIX)
    changes: tuple[tuple[str, Path, Callable[[], object]], ...] = (
        ("one new segment", new, lambda: new.write_bytes(data)),
        ("one tombstone", tombstone, tombstone.touch),
    )
    for what, path, make in changes:
        copy = pair.here / path.relative_to(pair.there)
        listed = metric(pair.backfiller.url, _LISTINGS)
        started = time.monotonic()
        make()
        wait_until(copy.exists, f"{what} is here", seconds=600, interval=0.005)
        taken = time.monotonic() - started
        pair.wait_for_looks(2)
        yield _figure(f"{name}: {what}: until it is here", taken, "s")
        listed = metric(pair.backfiller.url, _LISTINGS) - listed
        yield _figure(f"{name}: {what}", listed, "hours listed")


def _hour_by_hour(pair: _Pair, name: str, hours: int) -> Iterator[Figure]:
    """What the same pass costs without digests, as nodes without them are asked."""
    url = f"{pair.restreamer.url}/files/{_QUALITY.as_posix()}"
    size_bytes = 0
    with requests.Session() as session:

        def ask() -> None:
            nonlocal size_bytes
            for hour in session.get(url, timeout=60).json():
                answer = session.get(f"{url}/{hour}?tombstones=true", timeout=60)
                size_bytes += len(answer.content)

        there = measure.spent(pair.restreamer.pid, ask)
    yield _figure(name, hours + 1, "requests a pass")
    yield _figure(name, size_bytes / 1000, "kB a pass")
    yield _figure(f"{name}: who answers", there * 1000, "CPU ms a pass")


def peers(run: Run) -> Iterable[Figure]:
    """A node that watches 20 others with which it is in sync."""
    _fill_both(run.folder, 168 if run.full else 12)
    nodes = run.folder / "nodes"
    nodes.write_text("")
    with _pair(run.folder, "--node-file", str(nodes)) as pair:
        lines = (f"node{number} {pair.restreamer.url}" for number in range(19))
        nodes.write_text("\n".join(lines))
        count = "wubloader_backfiller_nodes"
        wait_until(
            lambda: metric(pair.backfiller.url, count) == 20, "all nodes are watched", seconds=600
        )
        wait_until(
            lambda: metric(pair.backfiller.url, _LOOKS, outcome="unchanged") > 20,
            "all stores have been read",
            seconds=600,
            interval=0.5,
        )
        seconds = 60 if run.full else 16
        before = measure.cpu_seconds(pair.backfiller.pid)
        time.sleep(seconds)
        share = (measure.cpu_seconds(pair.backfiller.pid) - before) / seconds
    yield _figure("20 nodes in sync: core in use", share * 100, "%", goal=1)


def fill(run: Run) -> Iterable[Figure]:
    """An empty node that copies all, against curl, each on one core."""
    _write_segments(run.folder / "there", 600 if run.full else 60)
    apart, _ = measure.cores_apart()
    with ServiceProcess("restreamer", "--base-dir", str(run.folder / "there")) as there:
        there.wait_ready()
        rates = {"backfiller": list[float](), "curl": list[float]()}
        for _ in range(3 if run.full else 1):
            with measure.pinned(apart):
                rates["backfiller"].append(_fill_once(run.folder, there.url))
                rates["curl"].append(_curl(run.folder, there.url))
    yield Figure(
        benchmark="replication",
        name="filling an empty node",
        value=median(rates["backfiller"]),
        unit="MB/s",
        reference=median(rates["curl"]),
        source=Source.LIMIT,
    )


_FILE_BYTES = 1_200_000


def _write_segments(base_dir: Path, count: int) -> None:
    for number in range(count):
        data = os.urandom(_FILE_BYTES)
        start = _FIRST + number * SEGMENT
        path = base_dir / _QUALITY / format_hour(start)
        path.mkdir(parents=True, exist_ok=True)
        name = format_name(start, SEGMENT, SegmentType.FULL, hash_bytes(data))
        (path / name).write_bytes(data)


def _fill_once(folder: Path, url: str) -> float:
    """Megabytes per second from the first file to the last."""
    here, there = folder / "here", folder / "there"
    shutil.rmtree(here, ignore_errors=True)
    options = ("--static-nodes", url, "--extras", "", "--run-once", "--scrub-rate", "0")
    with ServiceProcess("backfiller", "bench", "--base-dir", str(here), *options) as process:
        check(process.process.wait(600) == 0, "the backfiller copies all")
    copies = sorted(path.stat().st_mtime for path in here.glob("bench/source/*/*.ts"))
    check(len(copies) == len(list(there.glob("bench/source/*/*.ts"))), "all files are there")
    return (len(copies) - 1) * _FILE_BYTES / (copies[-1] - copies[0]) / 1e6


def _curl(folder: Path, url: str) -> float:
    target = folder / "curl"
    target.mkdir(exist_ok=True)
    lines = []
    for path in (folder / "there").glob("bench/source/*/*.ts"):
        address = path.relative_to(folder / "there").as_posix()
        lines += [f'url = "{url}/segments/{address}"', f'output = "{target / path.name}"']
    config = folder / "curl.conf"
    config.write_text("\n".join(lines))
    taken = counted(["curl", "-s", "--parallel", "--parallel-max", "4", "-K", str(config)])
    copies = list(target.iterdir())
    shutil.rmtree(target)
    return len(copies) * _FILE_BYTES / taken.wall_seconds / 1e6


def _figure(name: str, value: float, unit: str, *, goal: float | None = None) -> Figure:
    return Figure(
        benchmark="replication",
        name=name,
        value=value,
        unit=unit,
        reference=goal,
        source=Source.GOAL if goal else None,
    )
