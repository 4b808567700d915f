"""Record many streams at once, and look at what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import requests

from bench import measure
from bench.names import fill_hours
from bench.stream import SEGMENT, Schedule, content_hash
from bench.suite import check
from common.segments.path import SegmentType, format_name
from common.times import HOUR, MINUTE, SECOND, Micros, format_hour
from tests.support.processes import ServiceProcess

_QUALITY = "source"
_ON_AIR: Micros = 20 * SECOND
"""The streams have been on the air for so long when the recorder meets them."""
_START_SECONDS = 300
_LATE_SECONDS = 60
"""What has not landed so long after the measurement is over counts as missing."""
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was listed within `seconds`, and what it took to record it.

    `after_listing` has for each segment how long after its listing it landed (its mtime is set just
    before its final name appears), `after_showing` how long after the recorder was first shown it.
    """

    streams: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    after_listing: list[float]
    after_showing: list[float]
    missing: int

    @property
    def cpu_share(self) -> float:
        """Of one core."""
        return self.cpu_seconds / self.seconds

    @property
    def cpu_per_stream(self) -> float:
        """CPU seconds for each stream and second of stream."""
        return self.cpu_share / self.streams


def record(base_dir: Path, streams: int, seconds: float, *, past_hours: int = 0) -> Recorded:
    """Record so many streams with one process on a core of its own, and measure `seconds` of it.

    With `past_hours` (none, or two or more) each stream has been recorded for so long already:
    there is a folder for each hour, and the last two are full of names.
    """
    schedule = Schedule(_now() - _ON_AIR)
    store = _Store(base_dir, schedule, streams)
    store.pretend_past(past_hours)
    own_core, others = measure.cores_apart()
    with ExitStack() as stack:
        stack.enter_context(measure.pinned(others))
        origin = stack.enter_context(ServiceProcess("bench.origin", "--epoch", str(schedule.epoch)))
        with measure.pinned(own_core):
            process = stack.enter_context(_downloader(base_dir, origin.url, streams))
        _wait(store.is_steady, _START_SECONDS)
        began, used = _now(), measure.cpu_seconds(process.pid)
        time.sleep(seconds)
        used, ended = measure.cpu_seconds(process.pid) - used, _now()
        listed = list(store.listed(began, ended))
        _wait(lambda: all(store.landed(*key) for key in listed), _LATE_SECONDS)
        peak = measure.peak_bytes(process.pid)
        shown = requests.get(f"{origin.url}/shown", timeout=30).json()
        check(process.terminate() == 0, "the downloader ends with status 0")
    landings = {key: landed for key in listed if (landed := store.landed(*key)) is not None}
    return Recorded(
        streams=streams,
        seconds=(ended - began) / SECOND,
        cpu_seconds=used,
        peak_bytes=peak,
        after_listing=[at - schedule.listed_at(*key) / SECOND for key, at in landings.items()],
        after_showing=[at - shown[str(key[0])][str(key[1])] for key, at in landings.items()],
        missing=len(listed) - len(landings),
    )


class _Store:
    """What the recorder has made of the streams."""

    def __init__(self, base_dir: Path, schedule: Schedule, streams: int) -> None:
        self._base_dir = base_dir
        self._schedule = schedule
        self._streams = range(streams)

    def pretend_past(self, hours: int) -> None:
        for stream in self._streams if hours else ():
            folder = self._folder(stream)
            # The hour may end while we measure; the one before the present is full in any case.
            soon = _now() + 2 * MINUTE
            present = soon - soon % HOUR
            fill_hours(folder, present - HOUR, 2)
            for hour in range(2, hours):
                (folder / format_hour(present - hour * HOUR)).mkdir()

    def is_steady(self) -> bool:
        """Whether everything has landed that each stream lists, but for the newest."""
        return all(
            self.landed(stream, index)
            for stream in self._streams
            for index in self._shown(stream)[:-1]
        )

    def listed(self, began: Micros, ended: Micros) -> Iterator[tuple[int, int]]:
        """Stream and index of every segment that is listed in this time."""
        for stream in self._streams:
            first = self._schedule.complete(stream, began)
            for index in range(first, self._schedule.complete(stream, ended)):
                yield stream, index

    def landed(self, stream: int, index: int) -> float | None:
        """When a segment landed whole, in seconds since 1970; None if it has not."""
        start = self._schedule.start(stream, index)
        digest = content_hash(stream, index)
        name = format_name(start, SEGMENT, SegmentType.FULL, digest)
        try:
            return (self._folder(stream) / format_hour(start) / name).stat().st_mtime
        except FileNotFoundError:
            return None

    def _folder(self, stream: int) -> Path:
        return self._base_dir / f"s{stream}" / _QUALITY

    def _shown(self, stream: int) -> range:
        return self._schedule.window(stream, _now())


def _wait(done: Callable[[], bool], seconds: float) -> None:
    """Wait, but not for ever: who counts finds out what is missing."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _downloader(base_dir: Path, origin: str, streams: int) -> ServiceProcess:
    channels = [f"s{stream}!:url:{origin}/streams/{stream}.m3u8" for stream in range(streams)]
    arguments = ("--base-dir", str(base_dir), "--qualities", _QUALITY, "--host", "127.0.0.1")
    return ServiceProcess("downloader", *arguments, *channels)


def _now() -> Micros:
    return time.time_ns() // 1000
