"""Benchmarks of cuts, against the programs that do the least of the same work.

All of them cut one recording of 720p60 at 6 Mbit/s (`bench.material`). "Library" is a plain process
(`bench.cutting`) that discards the bytes, "HTTP" the restreamer with a client that does so.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench import measure
from bench.commands import Spent, cat, copy_with_ffmpeg, counted, drain, encode_with_ffmpeg
from bench.cutting import CHANNEL, QUALITY
from bench.figures import Figure, Source, median_and_most
from bench.load import Received, discard, fetch
from bench.material import FRAMES_PER_SECOND, LONG, SHORT, record, repeat
from bench.names import SEGMENT
from bench.suite import Run, check
from common.times import HOUR, MINUTE, SECOND, Micros, TimeRange, format_time, parse_time
from tests.support.proc import resident_bytes
from tests.support.processes import ROOT, ServiceProcess
from tests.support.transport import read_transport

START = parse_time("2026-01-07T00:00:00")
MB = 1_000_000
_FIRST_BYTE_GOAL = 0.4
_MEMORY_GOAL = 200 * 2**20
# Both ends of a cut lie in the middle of a GOP of 2 s.
_IN_GOP: Micros = 800_000
_BEFORE_GOP: Micros = 700_000
_SEGMENT_BYTES = 1_600_000


def smart(run: Run) -> Iterable[Figure]:
    """Smart cuts of 1 to 60 minutes against `cat | ffmpeg -c copy`, first byte, memory."""
    lengths = (MINUTE, 10 * MINUTE, HOUR) if run.full else (MINUTE,)
    paths = _record(run, lengths[-1])
    pairs = 5 if run.full else 1
    for length in lengths:
        used = paths[: length // SEGMENT]
        span, size = in_mid_gop(length), _size(used)
        yield from _against_copy(
            f"{_length(length)}, {size / MB:,.0f} MB, library",
            used,
            lambda span=span, size=size: _library(run.folder, span, size),  # type: ignore[misc]
            pairs,
        )
    with restreamer(run.folder) as process:
        _check_frames(process)
        yield from _against_copy(
            f"{_length(length)}, {size / MB:,.0f} MB, HTTP",
            paths,
            lambda: http(process, [span], size),
            pairs,
        )
        yield from _first_byte(process, 20 if run.full else 3)
    hours = 6 if run.full else 0
    for hour in range(1, hours):
        repeat(run.folder / CHANNEL / QUALITY, paths, START + hour * HOUR)
    yield _memory(run.folder, hours * HOUR or MINUTE)


def _against_copy(
    name: str, paths: Sequence[Path], subject: Callable[[], Spent], pairs: int
) -> Iterator[Figure]:
    limit, ours = _pairs(lambda: counted(copy_with_ffmpeg(paths)), subject, pairs)
    yield from costs("smart cut", name, ours, limit)
    yield _rate("smart cut", name, _size(paths), ours, limit)


def _check_frames(process: ServiceProcess) -> None:
    span = in_mid_gop(MINUTE)
    wanted = (span.end - span.start) * FRAMES_PER_SECOND // SECOND
    frames = len(read_transport(fetch(cut_url(process, [span]))).units)
    check(frames == wanted, f"a minute's cut has {wanted} frames, not {frames}")


def _first_byte(process: ServiceProcess, count: int) -> Iterator[Figure]:
    # Each begins in another GOP, so that nothing of it is known.
    seconds = []
    for number in range(count):
        span = in_mid_gop(20 * SECOND, START + number * SEGMENT)
        seconds.append(discard(cut_url(process, [span])).first_video_seconds)
        measure.wait_until_idle(process.pid)
    name = f"first byte of video, {count} cuts"
    yield from median_and_most("smart cut", name, seconds, _FIRST_BYTE_GOAL)


def _memory(base_dir: Path, length: Micros) -> Figure:
    """In a service of its own: a peak stays for the life of a process."""
    with restreamer(base_dir) as process:
        idle = sum(map(resident_bytes, measure.tree(process.pid)))
        discard(cut_url(process, [in_mid_gop(length)]))
        peak = measure.peak_bytes(process.pid)
    return Figure(
        benchmark="smart cut",
        name=f"{_length(length)}, HTTP: peak memory above idle",
        value=(peak - idle) / MB,
        unit="MB",
        reference=_MEMORY_GOAL / MB,
        source=Source.GOAL,
    )


def rough(run: Run) -> Iterable[Figure]:
    """Rough cuts against `cat`, both into a pipe."""
    length = HOUR if run.full else MINUTE
    paths = _record(run, length)
    span, size = TimeRange(START, START + length), _size(paths)
    limit, ours = _pairs(
        lambda: counted(cat(paths)),
        lambda: _library(run.folder, span, size, "--type", "rough", "--pipe"),
        9 if run.full else 3,
    )
    name = f"{_length(length)}, {size / MB:,.0f} MB, into a pipe"
    yield from costs("rough cut", name, ours, limit)


def ranges(run: Run) -> Iterable[Figure]:
    """Smart cuts of 1 to 200 ranges: what each further range costs."""
    counts = (1, 10, 50, 200) if run.full else (1, 3)
    _record(run, counts[-1] * 3 * SEGMENT)
    spent = {}
    with restreamer(run.folder) as process:
        for count in counts:
            # Of each three segments a part of the first and the last, and all of the second.
            spans = [in_mid_gop(3 * SEGMENT, START + n * 3 * SEGMENT) for n in range(count)]
            spent[count] = http(process, spans)
            yield from costs("ranges", _ranges(count), spent[count])
            measure.wait_until_idle(process.pid)
    for fewer, more in pairwise(counts):
        for label, unit in (("cpu_seconds", "CPU s"), ("wall_seconds", "s")):
            extra = getattr(spent[more], label) - getattr(spent[fewer], label)
            yield Figure(
                benchmark="ranges",
                name=f"each further one, from {fewer} to {more}",
                value=extra / (more - fewer),
                unit=unit,
            )


def encoded(run: Run) -> Iterable[Figure]:
    """Full cuts against the ffmpeg command that does the same."""
    seconds, pairs = (30, 5) if run.full else (2, 1)
    paths = _record(run, seconds * SECOND + SEGMENT)
    begin = START + _IN_GOP
    span = TimeRange(begin, begin + seconds * SECOND)
    command = encode_with_ffmpeg(
        paths, skip_seconds=_IN_GOP / SECOND, seconds=seconds, options=_SAME_ENCODER
    )
    limit, ours = _pairs(
        lambda: counted(command),
        lambda: _library(run.folder, span, 0, "--type", "mpegts"),
        pairs,
    )
    yield from costs("full cut", f"{seconds} s, mpegts, library", ours, limit)


# As common.media.encode has it.
_SAME_ENCODER = (
    *("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-profile:v", "high"),
    *("-g", f"{2 * FRAMES_PER_SECOND}", "-pix_fmt", "yuv420p"),
    *("-c:a", "aac", "-b:a", "192k", "-f", "mpegts"),
)


def restreamer(base_dir: Path) -> ServiceProcess:
    """The service, ready and idle, its encoders too."""
    process = ServiceProcess("restreamer", "--base-dir", str(base_dir), "--host", "127.0.0.1")
    process.wait_ready()
    measure.wait_until_idle(process.pid)
    return process


def cut_url(process: ServiceProcess, spans: Iterable[TimeRange], kind: str = "smart") -> str:
    wanted = "&".join(f"range={format_time(s.start)},{format_time(s.end)}" for s in spans)
    return f"{process.url}/cut/{CHANNEL}/{QUALITY}.ts?type={kind}&{wanted}"


def http(process: ServiceProcess, spans: Iterable[TimeRange], size: int = 0) -> Spent:
    """What a cut costs the service; `size` are the bytes that it must have, about."""
    received: list[Received] = []
    cpu = measure.spent(process.pid, lambda: received.append(discard(cut_url(process, spans))))
    _check_size(received[0].body_bytes, size)
    return Spent(
        cpu_seconds=cpu,
        wall_seconds=received[0].seconds,
        body_bytes=received[0].body_bytes,
    )


def costs(benchmark: str, name: str, ours: Spent, other: Spent | None = None) -> Iterator[Figure]:
    """CPU and wall time, beside those of the bare program, if there is one."""
    for label, unit in (("cpu_seconds", "CPU s"), ("wall_seconds", "s")):
        yield Figure(
            benchmark=benchmark,
            name=name,
            value=getattr(ours, label),
            unit=unit,
            reference=getattr(other, label, None),
            source=Source.LIMIT if other else None,
        )


def _rate(benchmark: str, name: str, size: int, ours: Spent, limit: Spent) -> Figure:
    return Figure(
        benchmark=benchmark,
        name=name,
        value=size / MB / ours.cpu_seconds,
        unit="MB per CPU s",
        reference=size / MB / limit.cpu_seconds,
        source=Source.LIMIT,
    )


def _library(base_dir: Path, span: TimeRange, size: int, *options: str) -> Spent:
    command = [sys.executable, "-m", "bench.cutting", str(base_dir), *options]
    with (
        tempfile.TemporaryFile() as report,
        subprocess.Popen(
            [*command, f"{span.start},{span.end}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=report,
            bufsize=0,
        ) as process,
    ):
        drain(process)
        check(process.wait() == 0, "the cut succeeds")
        report.seek(0)
        told = json.loads(report.read())
    _check_size(told["body_bytes"], size)
    return Spent(
        cpu_seconds=told["cpu_seconds"],
        wall_seconds=told["wall_seconds"],
        body_bytes=told["body_bytes"],
    )


def _check_size(body_bytes: int, size: int) -> None:
    """A cut has about the bytes of its source, less what lies outside, more for encoded ends."""
    check(
        not size or abs(body_bytes - size) < max(0.05 * size, 3 * _SEGMENT_BYTES),
        f"a cut of {size} bytes has about as many, not {body_bytes}",
    )


def _pairs(
    reference: Callable[[], Spent], subject: Callable[[], Spent], pairs: int
) -> tuple[Spent, Spent]:
    """Run both in turn (A B A B ...), and return the medians of what each took."""
    runs = [(reference(), subject()) for _ in range(pairs)]
    return _median([a for a, _ in runs]), _median([b for _, b in runs])


def _median(runs: Sequence[Spent]) -> Spent:
    return Spent(
        cpu_seconds=median(run.cpu_seconds for run in runs),
        wall_seconds=median(run.wall_seconds for run in runs),
        body_bytes=runs[0].body_bytes,
    )


def _record(run: Run, length: Micros) -> list[Path]:
    recipe = LONG if run.full else SHORT
    return record(run.folder / CHANNEL / QUALITY, START, length // SEGMENT, recipe)


def in_mid_gop(length: Micros, start: Micros = START) -> TimeRange:
    """`length` from `start` on, less some of the first GOP and some of the last."""
    return TimeRange(start + _IN_GOP, start + length - _BEFORE_GOP)


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _length(length: Micros) -> str:
    for unit, name in ((HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if length >= unit:
            return f"{length // unit} {name}"
    raise ValueError(f"a cut of {length} microseconds")


def _ranges(count: int) -> str:
    return "1 range" if count == 1 else f"{count} ranges"
