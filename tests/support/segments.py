"""Segments for tests that need no bytes: objects, and files that only have names."""

import os
import string
from pathlib import Path

from hypothesis import strategies as st

from common.segments.path import Segment, SegmentType, format_name
from common.times import HOUR, SECOND, Micros, format_hour, parse_time

NOON: Micros = parse_time("2026-07-01T12:00:00")
HASHES = st.text(string.ascii_letters + string.digits + "-_", min_size=43, max_size=43)


def make_segment(
    start: Micros,
    duration: Micros = 2 * SECOND,
    kind: SegmentType = SegmentType.FULL,
    digest: str = "a" * 43,
) -> Segment:
    """A segment under the name that we would give it."""
    name = format_name(start, duration, kind, digest)
    return Segment(start=start, duration=duration, type=kind, hash=digest, name=name)


def put_name(
    base_dir: Path, name: str, *, hour: str = format_hour(NOON), size_bytes: int = 0
) -> Path:
    """Make the file `name` in an hour of demo/source."""
    path = base_dir / "demo" / "source" / hour / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size_bytes))
    return path


def put_segment(base_dir: Path, segment: Segment) -> Path:
    """Make a segment's file, empty, in demo/source."""
    return put_name(base_dir, segment.name, hour=segment.hour)


def settle(base_dir: Path) -> None:
    """Let all hours of demo/source look as if nothing had changed in them for long."""
    for hour in (base_dir / "demo" / "source").iterdir():
        long_ago = hour.stat().st_mtime_ns - HOUR * 1000
        os.utime(hour, ns=(long_ago, long_ago))
