"""Stores of empty files with valid names: listing needs nothing else of a segment.

The names of an hour are links to one file: a file system makes those many times as fast as files.
"""

import hashlib
import os
from pathlib import Path

from common.segments.path import SegmentType, encode_hash, format_name
from common.times import HOUR, SECOND, Micros, format_hour

SEGMENT: Micros = 2 * SECOND
PER_HOUR = HOUR // SEGMENT


def fill_hours(quality_dir: Path, first: Micros, hours: int, *, without: int = 0) -> None:
    """A segment each two seconds for so many hours from `first`; `without` the last ones.

    `first` is the beginning of an hour.
    """
    end = first + hours * HOUR - without * SEGMENT
    for hour in range(first, end, HOUR):
        source = path_of(quality_dir, hour)
        source.parent.mkdir(parents=True)
        source.touch()
        for start in range(hour + SEGMENT, min(hour + HOUR, end), SEGMENT):
            os.link(source, path_of(quality_dir, start))


def path_of(quality_dir: Path, start: Micros) -> Path:
    """Where the segment that begins at `start` lies, or would lie."""
    digest = encode_hash(hashlib.sha256(str(start).encode()).digest())
    return quality_dir / format_hour(start) / format_name(start, SEGMENT, SegmentType.FULL, digest)
