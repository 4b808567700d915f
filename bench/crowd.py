"""What a cheap request has to wait while as many cuts run as are allowed."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier, Event

from bench import measure
from bench.cuts import START, cut_url, in_mid_gop, restreamer
from bench.cutting import CHANNEL, QUALITY
from bench.figures import Figure, Source, percentile
from bench.load import answer, fetch
from bench.material import LONG, SHORT, record
from bench.names import SEGMENT
from bench.suite import Run, check
from common.times import MINUTE, format_hour
from tests.support.processes import ServiceProcess

_CUTS = 4
"""As many as the restreamer makes at once unless it is told otherwise."""

_BEGIN_SECONDS = 300
_PAUSE_SECONDS = 0.02
_WAIT_GOAL = 0.05


def crowd(run: Run) -> Iterable[Figure]:
    """The p99 of a cheap request: alone, beside smart cuts, and beside full cuts."""
    length = 20 * MINUTE if run.full else MINUTE
    recipe = LONG if run.full else SHORT
    record(run.folder / CHANNEL / QUALITY, START, length // SEGMENT, recipe)
    seconds = 20 if run.full else 1
    with restreamer(run.folder) as process:
        yield from _figures("alone", _waits(process, seconds))
        for kind in ("smart", "mpegts"):
            url = cut_url(process, [in_mid_gop(length)], kind)
            waits = _waits_beside(process, seconds, url)
            yield from _figures(f"beside {_CUTS} {kind} cuts", waits)


def _waits_beside(process: ServiceProcess, seconds: float, url: str) -> list[float]:
    stop, begun = Event(), Barrier(_CUTS + 1, timeout=_BEGIN_SECONDS)
    with ThreadPoolExecutor(_CUTS) as pool:
        clients = [pool.submit(_take, url, begun, stop) for _ in range(_CUTS)]
        try:
            begun.wait()
            waits = _waits(process, seconds)
        finally:
            stop.set()
        for client in clients:
            client.result()
    measure.wait_until_idle(process.pid)
    return waits


def _take(url: str, begun: Barrier, stop: Event) -> None:
    """Receive and discard a cut, again and again until `stop`."""
    try:
        with answer(url) as response:
            check(bool(response.read1()), "the cut begins")
            begun.wait()
            while not stop.is_set() and response.read1():
                pass
    except BaseException:
        begun.abort()
        raise
    while not stop.is_set():
        with answer(url) as response:
            while not stop.is_set() and response.read1():
                pass


def _waits(process: ServiceProcess, seconds: float) -> list[float]:
    """How long each request took: names of an hour, one request after the other."""
    url = f"{process.url}/files/{CHANNEL}/{QUALITY}/{format_hour(START)}"
    until = time.monotonic() + seconds
    waits: list[float] = []
    while not waits or time.monotonic() < until:
        started = time.monotonic()
        fetch(url)
        waits.append(time.monotonic() - started)
        time.sleep(_PAUSE_SECONDS)
    return waits


def _figures(name: str, waits: list[float]) -> Iterator[Figure]:
    yield Figure(benchmark="cheap request", name=f"{name}: median", value=median(waits), unit="s")
    yield Figure(
        benchmark="cheap request",
        name=f"{name}: p99",
        value=percentile(waits, 0.99),
        unit="s",
        reference=_WAIT_GOAL,
        source=Source.GOAL,
    )
