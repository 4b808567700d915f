"""A downloader that records, and what is found in its store, its journal and its metrics."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from common.segments.path import Segment, SegmentType, hash_bytes, parse_name
from common.times import SECOND, Micros, format_time, parse_time
from tests.support.metrics import metric
from tests.support.origin import START, Origin
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

CHANNEL = "demo"

QUICK = (
    *("--poll-limit-seconds", "0.1"),
    *("--retry-seconds", "0.2"),
    *("--offline-seconds", "0.2"),
    *("--offline-always-live-seconds", "0.2"),
)
"""An origin's clock is stepped, so there is no reason to wait for it."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A line of the journal, without when it was written. `start` and `end` are times."""

    start: str
    end: str
    reason: str
    detail: str
    sequence: int


class Recording:
    """A running downloader and the store that it writes to."""

    def __init__(self, process: ServiceProcess, base_dir: Path) -> None:
        self.process = process
        self.base_dir = base_dir

    def segments(self, quality: str = "source", channel: str = CHANNEL) -> list[Segment]:
        """All final segments, by start. Checks that each holds the bytes of its name."""
        segments = []
        for path in self.paths(quality, channel):
            segment = parse_name(path.parent.name, path.name)
            assert isinstance(segment, Segment), path
            if segment.type is not SegmentType.TEMP:
                assert hash_bytes(path.read_bytes()) == segment.hash, path
                segments.append(segment)
        return sorted(segments, key=lambda segment: (segment.start, segment.type.value))

    def paths(self, quality: str = "source", channel: str = CHANNEL) -> list[Path]:
        """All files of a quality, temp files included."""
        return list((self.base_dir / channel / quality).glob("*/*"))

    def read(self, segment: Segment, quality: str = "source") -> bytes:
        return (self.base_dir / CHANNEL / quality / segment.hour / segment.name).read_bytes()

    def fulls(self, quality: str = "source", channel: str = CHANNEL) -> list[str]:
        """The hashes of the full segments, in order."""
        return [
            segment.hash
            for segment in self.segments(quality, channel)
            if segment.type is SegmentType.FULL
        ]

    def types(self, quality: str = "source") -> Counter[str]:
        """How many segments of each type there are."""
        return Counter(segment.type.value for segment in self.segments(quality))

    def wait_for(
        self,
        hashes: Collection[str],
        quality: str = "source",
        channel: str = CHANNEL,
    ) -> None:
        """Wait until these are stored as full segments, and check that no others are."""
        wanted = set(hashes)
        wait_until(
            lambda: wanted <= self._full_names(quality, channel),
            f"{len(wanted)} segments of {channel}/{quality} are stored",
        )
        assert sorted(self.fulls(quality, channel)) == sorted(hashes)

    def gaps(self, quality: str = "source", channel: str = CHANNEL) -> list[Gap]:
        """The journal."""
        file = self.base_dir / ".gaps" / channel / f"{quality}.jsonl"
        text = file.read_text() if file.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()  # one may be half written
        gaps = [json.loads(line) for line in lines]
        for gap in gaps:
            assert parse_time(gap.pop("noted")) > 0
        return [Gap(**gap) for gap in gaps]

    def wait_for_gaps(self, count: int, quality: str = "source") -> list[Gap]:
        """Wait until the journal has so many lines, and return them."""

        def found() -> list[Gap] | None:
            gaps = self.gaps(quality)
            return gaps if len(gaps) >= count else None

        gaps = wait_until(found, f"{count} gaps are in the journal")
        assert len(gaps) == count
        return gaps

    def metric(self, name: str, **labels: str) -> float:
        """The value of `wubloader_downloader_NAME`."""
        return metric(self.process.url, f"wubloader_downloader_{name}", **labels)

    def wait_for_metric(self, value: float, name: str, **labels: str) -> None:
        """Wait until a metric has at least this value."""
        wait_until(
            lambda: self.metric(name, **labels) >= value, f"{name} {labels} is {value:g} or more"
        )

    def see_unchanged(self, polls: int = 3) -> None:
        """Wait until it has seen the playlist as it is now, and so often again."""
        before = self.metric("polls_total", outcome="unchanged")
        self.wait_for_metric(before + polls, "polls_total", outcome="unchanged")

    def _full_names(self, quality: str, channel: str) -> set[str]:
        stems = [path.stem for path in self.paths(quality, channel)]
        return {stem[-43:] for stem in stems if "-full-" in stem}


def at(index: int, offset_seconds: float = 0) -> Micros:
    """When segment `index` of a stepped origin's stream begins."""
    return START + round((2 * index + offset_seconds) * SECOND)


def gap_of(index: int, reason: str, detail: str = "", *, sequence: int | None = None) -> Gap:
    """The line for segment `index` of a stepped origin's stream."""
    return Gap(
        start=format_time(at(index)),
        end=format_time(at(index + 1)),
        reason=reason,
        detail=detail,
        sequence=index if sequence is None else sequence,
    )


def assert_contiguous(segments: list[Segment]) -> None:
    """Each begins where the one before ends."""
    for one, next_one in pairwise(segments):
        assert one.end == next_one.start, (one.name, next_one.name)


def segment_requests(origin: Origin, index: int, quality: str = "source") -> int:
    """How often a segment was asked for."""
    return origin.request_counts().get(origin.segment_path(index, quality), 0)
