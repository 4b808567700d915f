"""What other nodes list is looked through beside the event loop."""

import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry

from common.http import HttpClient, HttpClientMetrics
from common.replication.listing import Listing
from common.replication.nodes import parse_node
from common.replication.peer import Answer, Peer
from common.segments.path import Segment
from common.segments.store import SegmentStore
from common.times import HOUR, format_hour
from segment_coverage.nodes import NodeQuality
from segment_coverage.quality import QualityCoverage
from segment_coverage.window import Window
from tests.support.media import store_bytes
from tests.support.segments import NOON, make_segment


class Observed(tuple[Segment, ...]):
    """Notes which threads look through it."""

    threads: set[int]

    def __iter__(self) -> Iterator[Segment]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


class OneHour(Peer):
    """Lists one hour, at once."""

    def __init__(self, segments: Observed) -> None:
        http = HttpClient("coverage", HttpClientMetrics(CollectorRegistry()))
        super().__init__(parse_node("http://127.0.0.1:9"), http)
        self._segments = segments

    def digest(self, channel: str, quality: str, known: Answer | None = None) -> None:
        return None

    def hours(self, channel: str, quality: str) -> list[str]:
        return [format_hour(NOON)]

    def listing(self, channel: str, quality: str, hour: str) -> Listing:
        return Listing(segments=self._segments)


def test_a_listing_of_thousands_does_not_hold_up_what_else_is_asked(tmp_path: Path) -> None:
    store_bytes(tmp_path / "demo" / "source", b"ours", NOON, 1)
    ours = QualityCoverage(
        SegmentStore(tmp_path),
        "demo",
        "source",
        window=Window(),
        with_digests=True,
        is_stopped=lambda: False,
    )
    ours.read(NOON + HOUR)
    listed = Observed([make_segment(NOON)])
    listed.threads = set()
    node = NodeQuality(OneHour(listed), ours, listing_seconds=10, clock=lambda: NOON)
    node.look()
    assert node.others.runs[format_hour(NOON)]
    assert listed.threads
    assert threading.get_ident() not in listed.threads
