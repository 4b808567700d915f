"""Nodes for tests of replication: stores with small files of true hashes, and their services."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from common.segments.path import Segment, SegmentType, format_name, hash_bytes
from common.segments.store import SegmentStore
from common.times import HOUR, SECOND, Micros, format_hour, parse_time
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

PAST: Micros = parse_time("2024-07-01T12:00:00")
"""Long ago by any clock, so nothing of it is left to a downloader."""
DEMO = ("demo", "source")


@dataclass(kw_only=True)
class Replica:
    """A node's store, and the processes that were started on it."""

    base_dir: Path
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
        process = ServiceProcess("restreamer", "--base-dir", str(self.base_dir), "--port", port)
        self.processes.append(process)
        return process

    def replicate(self, *urls: str, options: tuple[str, ...] = ()) -> ServiceProcess:
        """Start a backfiller that copies from `urls`."""
        process = ServiceProcess(
            "backfiller",
            *("demo", "--base-dir", str(self.base_dir), "--static-nodes", ",".join(urls)),
            *("--interval-seconds", "0.3", "--scrub-rate", "0", *options),
        )
        self.processes.append(process)
        return process

    def replicate_once(self, *urls: str, options: tuple[str, ...] = ()) -> int:
        """Run a backfiller until it is through; returns its exit status."""
        return self.replicate(*urls, options=("--run-once", *options)).process.wait(60)

    def close(self) -> None:
        for process in self.processes:
            process.close()

    def put(
        self, start: Micros, data: bytes, *, kind: SegmentType = SegmentType.FULL
    ) -> tuple[Segment, Path]:
        """Write a segment of 2 s with these bytes."""
        digest = hash_bytes(data)
        name = format_name(start, 2 * SECOND, kind, digest)
        segment = Segment(start=start, duration=2 * SECOND, type=kind, hash=digest, name=name)
        path = self.path(segment)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return segment, path

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
                found[f"{hour}/{segment.name}"] = self.path(segment).read_bytes()
            found |= {f"{hour}/{entry.name}": b"" for entry in listed.tombstones}
        return found

    def temps(self) -> list[Path]:
        return list(self.base_dir.rglob("*-temp-*"))


def hours_after(count: int) -> Micros:
    return PAST + count * HOUR


def hour_name(count: int) -> str:
    return format_hour(hours_after(count))


def wait_until_equal(*replicas: Replica, seconds: float = 60) -> None:
    """Wait until all of them show the same."""
    wait_until(
        lambda: all(replica.shown() == replicas[0].shown() for replica in replicas),
        "all nodes show the same",
        seconds=seconds,
        interval=0.1,
    )
