"""Benchmarks of the restreamer: playlists, lists of names, and files."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import measure
from bench.figures import Figure, Source
from bench.load import ask, fetch
from bench.names import PER_HOUR, SEGMENT, fill_hours, path_of
from bench.suite import Run, check
from common.times import HOUR, format_hour, format_time, parse_time
from tests.support.processes import ServiceProcess

_END = parse_time("2026-01-08T00:00:00")
_QUALITY = Path("bench") / "source"
_MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """A range of hours, and what the original takes: CPU seconds, and megabytes of memory."""

    name: str
    hours: int
    cold: float
    warm: float
    after_new: float
    resident: float


_RANGES = (
    _Range(name="1 hour", hours=1, cold=0.12, warm=0.05, after_new=0.07, resident=53),
    _Range(name="12 hours", hours=12, cold=0.91, warm=0.48, after_new=0.51, resident=67),
    _Range(name="1 day", hours=24, cold=1.8, warm=1.0, after_new=1.0, resident=84),
    _Range(name="7 days", hours=168, cold=13, warm=6.5, after_new=6.5, resident=280),
)
_WARM_REQUESTS = 5
_NEW_SEGMENTS = 3


def playlists(run: Run) -> Iterable[Figure]:
    """Media playlists of ranges of a week of names, each in a fresh process."""
    hours = 168 if run.full else 12
    fill_hours(run.folder / _QUALITY, _END - hours * HOUR, hours, without=_NEW_SEGMENTS)
    for span in _RANGES:
        if span.hours <= hours:
            yield from _playlist(run.folder, span)


def _playlist(base_dir: Path, span: _Range) -> Iterator[Figure]:
    with _restreamer(base_dir) as process:
        query = f"start={format_time(_END - span.hours * HOUR)}&end={format_time(_END)}"
        url = f"{process.url}/playlist/{_QUALITY}.m3u8?{query}"
        present = span.hours * PER_HOUR - _NEW_SEGMENTS
        cold = _build_seconds(process, url, present)
        again = [_build_seconds(process, url, present) for _ in range(_WARM_REQUESTS)]
        after_new = [
            _build_seconds(process, url, present + new)
            for new in _appearing_segments(base_dir / _QUALITY)
        ]
        resident = measure.peak_bytes(process.pid)
        size = f"{span.name}, {len(fetch(url)) / _MB:.2g} MB"
    lines = (
        ("cold", cold, "CPU s", span.cold),
        ("again", median(again), "CPU s", span.warm),
        ("after one new segment", median(after_new), "CPU s", span.after_new),
        ("peak memory", resident / _MB, "MB", span.resident),
    )
    for name, value, unit, original in lines:
        yield Figure(
            benchmark="media playlist",
            name=f"{size}: {name}",
            value=value,
            unit=unit,
            reference=original,
            source=Source.ORIGINAL,
        )


def _build_seconds(process: ServiceProcess, url: str, segments: int) -> float:
    """What the service uses for one playlist, which must list so many segments."""

    def build() -> None:
        listed = fetch(url).count(b"#EXTINF:")
        check(listed == segments, f"{url} lists {segments} segments, not {listed}")

    return measure.spent(process.pid, build)


def _appearing_segments(quality_dir: Path) -> Iterator[int]:
    """Add the segments that the store was made without, one at each step, and remove them."""
    paths = [path_of(quality_dir, _END - n * SEGMENT) for n in range(_NEW_SEGMENTS, 0, -1)]
    try:
        for number, path in enumerate(paths, 1):
            path.touch()
            yield number
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


_LIST_CLIENTS = 4
_LIST_PER_SECOND = 188  # the original, in a store of a week


def listing(run: Run) -> Iterable[Figure]:
    """Names of one hour, in stores of 1, 10 and 100 hours."""
    for hours in (1, 10, 100) if run.full else (1, 10):
        base_dir = run.folder / str(hours)
        first = _END - hours * HOUR
        fill_hours(base_dir / _QUALITY, first, hours)
        with _restreamer(base_dir) as process:
            url = f"{process.url}/files/{_QUALITY}/{format_hour(first)}"
            body = fetch(url)
            check(len(json.loads(body)) == PER_HOUR, f"an hour has {PER_HOUR} names")
            before = measure.cpu_seconds(process.pid)
            load = ask(
                url,
                clients=_LIST_CLIENTS,
                seconds=10 if run.full else 1,
                size_bytes=len(body),
            )
            each = (measure.cpu_seconds(process.pid) - before) / load.requests
        name = f"of a store of {hours} h, {_LIST_CLIENTS} clients"
        yield Figure(
            benchmark="list one hour",
            name=name,
            value=load.requests_per_second,
            unit="requests/s",
            reference=_LIST_PER_SECOND,
            source=Source.ORIGINAL,
        )
        yield Figure(benchmark="list one hour", name=name, value=each * 1000, unit="CPU ms each")


_FILE_BYTES = 1_200_000
_FILE_CLIENTS = 8
_FILES_PER_SECOND = 247  # the original


def files(run: Run) -> Iterable[Figure]:
    """One segment of 1.2 MB, against the same file from a bare server that uses sendfile."""
    fill_hours(run.folder / _QUALITY, _END - HOUR, 1)
    path = path_of(run.folder / _QUALITY, _END - HOUR)
    path.unlink()
    path.write_bytes(bytes(_FILE_BYTES))
    seconds, pairs = (5.0, 5) if run.full else (0.7, 2)
    with (
        _restreamer(run.folder) as process,
        ServiceProcess("bench.origin", "--file", str(path)) as bare,
    ):
        url = f"{process.url}/segments/{path.relative_to(run.folder)}"
        limit, rate = measure.alternate(
            lambda: _files_per_second(f"{bare.url}/file", seconds),
            lambda: _files_per_second(url, seconds),
            pairs,
        )
    name = f"{_FILE_CLIENTS} clients"
    for unit, factor in (("requests/s", 1.0), ("MB/s", _FILE_BYTES / _MB)):
        for reference, source in ((_FILES_PER_SECOND, Source.ORIGINAL), (limit, Source.LIMIT)):
            yield Figure(
                benchmark="one segment of 1.2 MB",
                name=name,
                value=rate * factor,
                unit=unit,
                reference=reference * factor,
                source=source,
            )
    for hours in (1, 10, 100, 1000) if run.full else (100,):
        _add_empty_hours(run.folder / _QUALITY, hours)
        yield Figure(
            benchmark="one segment of 1.2 MB",
            name=f"of a store of {hours} h, one client",
            value=_file_seconds(run.folder, path, requests=50) * 1000,
            unit="CPU ms each",
        )


def _add_empty_hours(quality_dir: Path, hours: int) -> None:
    for hour in range(1, hours):
        (quality_dir / format_hour(_END - (hour + 1) * HOUR)).mkdir(exist_ok=True)


def _file_seconds(base_dir: Path, path: Path, *, requests: int) -> float:
    """What a fresh service uses for each of so many requests, one after the other."""
    with _restreamer(base_dir) as process:
        url = f"{process.url}/segments/{path.relative_to(base_dir)}"
        fetch(url)
        spent = measure.spent(process.pid, lambda: [fetch(url) for _ in range(requests)])
        return spent / requests


def _files_per_second(url: str, seconds: float) -> float:
    load = ask(url, clients=_FILE_CLIENTS, seconds=seconds, size_bytes=_FILE_BYTES)
    return load.requests_per_second


def _restreamer(base_dir: Path) -> ServiceProcess:
    arguments = ("--base-dir", str(base_dir), "--host", "127.0.0.1")
    process = ServiceProcess("restreamer", *arguments).wait_ready()
    # An encoding process is made ready at the start; that is not what is measured here.
    measure.wait_until_idle(process.pid)
    return process
