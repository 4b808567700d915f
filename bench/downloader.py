"""Benchmarks of the downloader: its delay, its CPU, and how many streams one core holds.

All streams have 6 Mbit/s in segments of 2 s and 1.5 MB. The downloader has a core of its own, if
there are two; the origin and what watches the store use the others.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean, median

from bench import measure
from bench.figures import Figure, Source, percentile
from bench.recording import Recorded, record
from bench.stream import SEGMENT_SECONDS
from bench.suite import Run, check
from tests.support.processes import ServiceProcess, run_command


def delay(run: Run) -> Iterable[Figure]:
    """From the moment at which a segment is listed to its file in the store."""
    streams, seconds = (25, 44) if run.full else (8, 4)
    done = record(run.folder, streams, seconds)
    check(done.missing == 0, "all listed segments are recorded")
    count = len(done.after_listing)
    yield from _delays(f"listed to stored, {count} segments", done.after_listing, polled=True)
    yield from _delays(f"shown to stored, {count} segments", done.after_showing, polled=False)


def _delays(name: str, delays: list[float], *, polled: bool) -> Iterator[Figure]:
    """Who looks once in a segment's duration finds listings of all ages up to that, equally often:
    half of it on average.
    """
    for label, value, share in (
        ("mean", mean(delays), 0.5),
        ("median", median(delays), 0.5),
        ("p99", percentile(delays, 0.99), 0.99),
    ):
        yield Figure(
            benchmark="recording delay",
            name=f"{name}: {label}",
            value=value,
            unit="s",
            reference=share * SEGMENT_SECONDS if polled else None,
            source=Source.POLL if polled else None,
        )


def past(run: Run) -> Iterable[Figure]:
    """CPU for each stream, by how long it has been recorded before."""
    streams, seconds = (10, 20) if run.full else (1, 2)
    for hours in (0, 2, 10, 168) if run.full else (168,):
        done = _record(run.folder / str(hours), streams, seconds, past_hours=hours)
        check(done.missing == 0, "all listed segments are recorded")
        yield Figure(
            benchmark="recording CPU",
            name=f"{_streams(streams)}, recorded for {hours} h before",
            value=done.cpu_per_stream * 1000,
            unit="CPU ms per stream and second",
        )


def streams(run: Run) -> Iterable[Figure]:
    """CPU for each stream as their number grows, until one core holds no more."""
    seconds, sizes = (12, range(50, 1000, 50)) if run.full else (2, range(0))
    limit = _bare_cpu_per_stream(run.folder, segments=100 if run.full else 10)
    held = None
    for size in (1, 10, *sizes):
        done = _record(run.folder / str(size), size, seconds)
        yield from _stream_figures(done, limit)
        if not _is_held(done):
            break
        held = done
    known = held or done
    yield Figure(
        benchmark="streams on one core",
        name=f"by CPU alone, as {_streams(known.streams)} use it",
        value=1 / known.cpu_per_stream,
        unit="streams",
    )
    if run.full:
        yield Figure(
            benchmark="streams on one core",
            name="held: p99 of shown to stored below 2 s, nothing missing",
            value=held.streams if held else 0,
            unit="streams",
        )


def _stream_figures(done: Recorded, limit: float) -> Iterator[Figure]:
    name = _streams(done.streams)
    yield Figure(
        benchmark="recording CPU",
        name=name,
        value=done.cpu_per_stream * 1000,
        unit="CPU ms per stream and second",
        reference=limit * 1000,
        source=Source.LIMIT,
    )
    for label, value, unit in (
        ("core in use", done.cpu_share * 100, "%"),
        ("shown to stored, p99", percentile(done.after_showing, 0.99), "s"),
        ("missing", done.missing, "segments"),
        ("peak memory", done.peak_bytes / 1e6, "MB"),
    ):
        yield Figure(benchmark="recording", name=f"{name}: {label}", value=value, unit=unit)


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count} streams"


def _is_held(done: Recorded) -> bool:
    in_time = percentile(done.after_showing, 0.99) <= SEGMENT_SECONDS
    return in_time and done.missing == 0 and done.cpu_share < 0.98


def _record(folder: Path, streams: int, seconds: float, *, past_hours: int = 0) -> Recorded:
    try:
        return record(folder, streams, seconds, past_hours=past_hours)
    finally:
        shutil.rmtree(folder)


def _bare_cpu_per_stream(folder: Path, *, segments: int) -> float:
    """What receiving, hashing and writing alone take: CPU seconds for each second of stream."""
    folder = folder / "bare"
    folder.mkdir()
    with measure.pinned(measure.cores_apart()[1]), ServiceProcess("bench.origin") as origin:
        url = f"{origin.url}/segments/0"
        with measure.pinned(measure.cores_apart()[0]):
            done = run_command("bench.receiver", url, str(folder), str(segments))
    check(done.returncode == 0, f"the bare receiver succeeds: {done.stderr}")
    return float(done.stdout) / (segments * SEGMENT_SECONDS)
