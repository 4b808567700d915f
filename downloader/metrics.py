"""What the downloader counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.gaps import GapReason
from common.segments.path import SegmentType

_QUALITY = ["channel", "quality"]


class DownloaderMetrics:
    """One object per service, on the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._recording(registry)
        self._losses(registry)
        self._looks(registry)
        self.swept = Counter(
            "wubloader_downloader_swept_temp_files_total",
            "Temp files of crashed processes that were deleted.",
            registry=registry,
        )

    def know(self, channel: str, quality: str) -> None:
        """Count from 0 on: of a counter that begins at 1 nobody sees that it has risen."""
        for kind in SegmentType:
            self.segments.labels(channel, quality, kind.value)
        for reason in GapReason:
            self.gaps.labels(channel, quality, reason.value)
            self.gap_seconds.labels(channel, quality, reason.value)

    def _recording(self, registry: CollectorRegistry) -> None:
        self.segments = Counter(
            "wubloader_downloader_segments_total",
            "Segments stored, by type.",
            [*_QUALITY, "type"],
            registry=registry,
        )
        self.bytes = Counter(
            "wubloader_downloader_stored_bytes_total",
            "Bytes of segments stored.",
            _QUALITY,
            registry=registry,
        )
        self.newest = Gauge(
            "wubloader_downloader_newest_segment_timestamp_seconds",
            "End of the newest full segment stored, as a Unix time.",
            _QUALITY,
            registry=registry,
        )
        self.delay = Histogram(
            "wubloader_downloader_listed_to_stored_seconds",
            "From the look at the playlist that showed a segment to its file in the store.",
            _QUALITY,
            registry=registry,
        )

    def _losses(self, registry: CollectorRegistry) -> None:
        self.retries = Counter(
            "wubloader_downloader_retries_total",
            "Transfers that failed and were tried again.",
            _QUALITY,
            registry=registry,
        )
        self.gaps = Counter(
            "wubloader_downloader_gaps_total",
            "Entries in the gap journal, by reason.",
            [*_QUALITY, "reason"],
            registry=registry,
        )
        self.gap_seconds = Counter(
            "wubloader_downloader_gap_seconds_total",
            "Time that could not be recorded, by reason.",
            [*_QUALITY, "reason"],
            registry=registry,
        )
        self.disk_full = Gauge(
            "wubloader_downloader_disk_full",
            "1 while the disk does not take segments.",
            registry=registry,
        )

    def _looks(self, registry: CollectorRegistry) -> None:
        self.polls = Counter(
            "wubloader_downloader_polls_total",
            "Looks at a media playlist, by outcome: new, unchanged, error.",
            [*_QUALITY, "outcome"],
            registry=registry,
        )
        self.workers = Gauge(
            "wubloader_downloader_workers",
            "Workers that poll a playlist now.",
            _QUALITY,
            registry=registry,
        )
        self.live = Gauge(
            "wubloader_downloader_live",
            "1 while the stream is found, 0 while it is off the air.",
            _QUALITY,
            registry=registry,
        )
        self.expected = Gauge(
            "wubloader_downloader_expected_live",
            "1 if the channel should always be live.",
            ["channel"],
            registry=registry,
        )
