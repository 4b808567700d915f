"""Nodes for tests of replication: stores with small files of true hashes, and their services."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from common.segments.path import Segment, SegmentType, format_name, hash_bytes
from common.segments.store import SegmentStore
from common.times import HOUR, SECOND, Micros, format_hour, parse_time
from tests.support.hosts import Host
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

PAST: Micros = parse_time("2024-07-01T12:00:00")
"""Long ago by any clock, so nothing of it is left to a downloader."""
DEMO = ("demo", "source")


@dataclass(kw_only=True)
class Replica:
    """A node's store, and the processes that were started on it, on `host` if that is given."""

    base_dir: Path
    host: Host | None = None
    processes: list[ServiceProcess] = field(default_factory=list)
    _url: str = ""

    @property
    def url(self) -> str:
        """Where its restreamer answers; starts it at the first use."""
        if not self._url:
            self._url = self.serve().url
        return self._url

    def serve(self, port: str = "0") -> ServiceProcess:
        """Start a restreamer."""
        return self._start("restreamer", "--base-dir", str(self.base_dir), "--port", port)

    def replicate(self, *urls: str, options: tuple[str, ...] = ()) -> ServiceProcess:
        """Start a backfiller that copies from `urls`."""
        return self._start(
            "backfiller",
            *("demo", "--base-dir", str(self.base_dir), "--static-nodes", ",".join(urls)),
            *("--interval-seconds", "0.3", "--scrub-rate", "0", *options),
        )

    def replicate_once(self, *urls: str, options: tuple[str, ...] = ()) -> int:
        """Run a backfiller until it is through; returns its exit status."""
        return self.replicate(*urls, options=("--run-once", *options)).process.wait(200)

    def close(self) -> None:
        for process in self.processes:
            process.close()

    def _start(self, module: str, *args: str) -> ServiceProcess:
        prefix, env = (self.host.prefix, self.host.environment) if self.host else ((), {})
        process = ServiceProcess(module, *args, env=env, prefix=prefix)
        self.processes.append(process)
        return process

    def put(
        self, start: Micros, data: bytes, *, kind: SegmentType = SegmentType.FULL
    ) -> tuple[Segment, Path]:
        """Write a segment of 2 s with these bytes. Nothing of it is there if the disk is full."""
        digest = hash_bytes(data)
        name = format_name(start, 2 * SECOND, kind, digest)
        segment = Segment(start=start, duration=2 * SECOND, type=kind, hash=digest, name=name)
        path = self.path(segment)
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(f".{name}")
        try:
            temp.write_bytes(data)
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        return segment, temp.replace(path)

    def put_many(
        self, count: int, *, start: Micros = PAST, size_bytes: int = 2000
    ) -> list[Segment]:
        """Write segments of random bytes, one after the other."""
        return [
            self.put(start + number * 2 * SECOND, os.urandom(size_bytes))[0]
            for number in range(count)
        ]

    def put_tombstone(self, segment: Segment) -> Path:
        """Make a segment's tombstone, also where the segment is not."""
        path = self.path(segment).with_suffix(".tombstone")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    def path(self, segment: Segment) -> Path:
        return self.base_dir.joinpath(*DEMO, segment.hour, segment.name)

    def shown(self) -> dict[str, bytes]:
        """What it shows: every visible segment's bytes, and every tombstone, by path."""
        store = SegmentStore(self.base_dir)
        found = {}
        for hour in store.hours(*DEMO):
            listed = store.hour(*DEMO, hour)
            for segment in listed.segments:
                with contextlib.suppress(FileNotFoundError):  # set aside since it was listed
                    found[f"{hour}/{segment.name}"] = self.path(segment).read_bytes()
            found |= {f"{hour}/{entry.name}": b"" for entry in listed.tombstones}
        return found

    def visible(self) -> list[Segment]:
        """All segments that it shows."""
        store = SegmentStore(self.base_dir)
        return [
            segment for hour in store.hours(*DEMO) for segment in store.hour(*DEMO, hour).segments
        ]

    def temps(self) -> list[Path]:
        return list(self.base_dir.rglob("*-temp-*"))


def hours_after(count: int) -> Micros:
    return PAST + count * HOUR


def hour_name(count: int) -> str:
    return format_hour(hours_after(count))


def most_attempts(seconds: float) -> int:
    """How often at most a backfiller asks within that time for what fails each time: it waits for
    two seconds, then for twice as long each time, or a quarter less of that.
    """
    attempts, wait_seconds = 1, 1.5
    while seconds >= wait_seconds:
        attempts += 1
        seconds -= wait_seconds
        wait_seconds *= 2
    return attempts


def wait_until_equal(*replicas: Replica, seconds: float = 120) -> None:
    """Wait until all of them show the same names with the same bytes."""
    wait_until(
        lambda: all(replica.shown() == replicas[0].shown() for replica in replicas),
        "all nodes show the same",
        seconds=seconds,
        interval=0.1,
    )
